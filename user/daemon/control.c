/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	LIST_ENTRY(client) link;
	struct control *control;
	struct bufferevent *stream;
	struct event *deadline; /* for the next request to be complete, and its answer taken */
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *pause; /* after accept has failed */
	control_answer *answer;
	void *arg;
	int dir_fd;
	bool bound;
	LIST_HEAD(, client) clients;
	unsigned client_count;
};

/* ---- clients ---- */

static void client_free(struct client *client)
{
	struct control *control = client->control;

	LIST_REMOVE(client, link);
	/* Whoever had to wait is let in. */
	if (control->client_count-- == CONTROL_CLIENTS_MAX)
		evconnlistener_enable(control->listener);
	if (client->deadline)
		event_free(client->deadline);
	if (client->stream)
		bufferevent_free(client->stream);
	free(client);
}

static void client_start_clock(struct client *client)
{
	event_add(client->deadline, &(struct timeval){.tv_sec = CONTROL_IDLE_S});
}

static json_t *complaint(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static json_t *answer_line(const struct control *control, const char *line, size_t n)
{
	json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *answer;
	const char *ask = json_string_value(json_object_get(request, "ask"));

	if (!ask) {
		json_decref(request);
		return complaint("a request is a JSON object with the question in \"ask\"");
	}
	answer = control->answer(ask, request, control->arg);
	json_decref(request);
	return answer ? answer : complaint("there is no such question");
}

/* Takes over the answer. 0 or -ENOMEM. */
static int client_send(struct client *client, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	struct evbuffer *output = bufferevent_get_output(client->stream);
	int rc = text && evbuffer_add_printf(output, "%s\n", text) > 0 ? 0 : -ENOMEM;

	free(text);
	json_decref(answer);
	return rc;
}

/* One request at a time: the next one is read when the answer has gone, so that a client that sends
 * and never reads takes no memory. */
static void client_serve(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	char line[CONTROL_LINE_MAX];
	size_t n = (size_t)end.pos;

	if (end.pos < 0 && evbuffer_get_length(input) < CONTROL_LINE_MAX)
		return;
	if (end.pos < 0 || n >= sizeof(line)) {
		client_free(client);
		return;
	}
	evbuffer_remove(input, line, n);
	evbuffer_drain(input, 1);
	bufferevent_disable(client->stream, EV_READ);
	if (client_send(client, answer_line(client->control, line, n)))
		client_free(client);
}

static void on_input(struct bufferevent *stream, void *arg)
{
	(void)stream;
	client_serve(arg);
}

/* The answer has gone. */
static void on_sent(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	client_start_clock(client);
	bufferevent_enable(stream, EV_READ);
	/* More may have come in with the line before. */
	if (evbuffer_get_length(bufferevent_get_input(stream)))
		client_serve(client);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	(void)what;
	client_free(arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_free(arg);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_n, void *arg)
{
	struct control *control = arg;
	struct client *client = calloc(1, sizeof(*client));

	(void)address;
	(void)address_n;
	if (!client || control->client_count >= CONTROL_CLIENTS_MAX) {
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	LIST_INSERT_HEAD(&control->clients, client, link);
	if (++control->client_count == CONTROL_CLIENTS_MAX)
		evconnlistener_disable(listener);
	client->stream = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	client->deadline = evtimer_new(control->base, on_deadline, client);
	if (!client->stream)
		close(fd);
	if (!client->stream || !client->deadline) {
		client_free(client);
		return;
	}
	bufferevent_setcb(client->stream, on_input, on_sent, on_end, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_LINE_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	client_start_clock(client);
}

/* ---- the socket ---- */

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	if (control->client_count < CONTROL_CLIENTS_MAX)
		evconnlistener_enable(control->listener);
}

/* No descriptors left, for one: trying again at once would take all the worker's time. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control *control = arg;

	evconnlistener_disable(listener);
	event_add(control->pause, &(struct timeval){.tv_sec = 1});
}

/* A long path does not fit into a socket address; the way through /proc always does. */
static struct sockaddr_un address_of(const struct control *control)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET,
		 control->dir_fd);
	return address;
}

static void remove_socket(const struct control *control)
{
	struct stat st;

	if (fstatat(control->dir_fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		unlinkat(control->dir_fd, CONTROL_SOCKET, 0);
}

static int bind_socket(struct control *control, const char *state_dir)
{
	struct sockaddr_un address;
	int fd, rc = 0;

	control->dir_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (control->dir_fd < 0)
		return -errno;
	address = address_of(control);
	remove_socket(control);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Linux makes the file with the mode that the socket has before it is bound. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	control->bound = true;
	return fd;
}

static int listen_on(struct control *control, const char *state_dir)
{
	int fd = bind_socket(control, state_dir);

	if (fd < 0)
		return fd;
	control->pause = evtimer_new(control->base, on_pause_over, control);
	control->listener =
		evconnlistener_new(control->base, on_client, control,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
	if (!control->listener)
		close(fd);
	if (!control->listener || !control->pause)
		return -ENOMEM;
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	return 0;
}

int control_start(struct event_base *base, const char *state_dir, control_answer *answer, void *arg,
		  struct control **ret_control, struct error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int rc;

	if (!control)
		return error_set(err, -ENOMEM, "out of memory");
	/* libevent writes to clients that have gone without asking for silence. */
	signal(SIGPIPE, SIG_IGN);
	*control = (struct control){.base = base, .answer = answer, .arg = arg, .dir_fd = -1};
	LIST_INIT(&control->clients);
	rc = listen_on(control, state_dir);
	if (rc) {
		control_stop(control);
		return error_set(err, rc, "%s/" CONTROL_SOCKET ": can not be listened to: %s",
				 state_dir, strerror(-rc));
	}
	*ret_control = control;
	return 0;
}

void control_stop(struct control *control)
{
	struct client *client;

	if (!control)
		return;
	while ((client = LIST_FIRST(&control->clients)))
		client_free(client);
	if (control->listener)
		evconnlistener_free(control->listener);
	if (control->pause)
		event_free(control->pause);
	if (control->bound)
		remove_socket(control);
	if (control->dir_fd >= 0)
		close(control->dir_fd);
	free(control);
}
