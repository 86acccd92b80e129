/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/hosts.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define POLL_MS 1000

/* A name that DNS does not tell, from its first failure to its recovery. */
struct failing {
	enum host_kind kind;
	int64_t host_id;
	int64_t since_s;
	unsigned retry_s;
	bool seen; /* by the walk that is under way */
};

struct list {
	void *items;
	size_t n, room;
};

struct hosts {
	struct thread thread;
	int wake_fd;
	atomic_bool stop, again;
	struct store *store;
	struct dns *dns;
	uint64_t generation;
	int64_t next_s;	     /* when the first host is due */
	struct list due;     /* struct host */
	struct list failing; /* struct failing */
	int store_error;     /* of the last try; told once */
};

/* ---- lists ---- */

/* Room for one more item, or NULL. */
static void *list_next(struct list *list, size_t size)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		void *items = reallocarray(list->items, room, size);

		if (!items)
			return NULL;
		list->items = items;
		list->room = room;
	}
	return (char *)list->items + list->n++ * size;
}

static struct failing *failing_find(const struct hosts *hosts, const struct host *host)
{
	struct failing *items = hosts->failing.items;

	for (size_t i = 0; i < hosts->failing.n; i++)
		if (items[i].kind == host->kind && items[i].host_id == host->id)
			return &items[i];
	return NULL;
}

/* Forgets those that the walk did not see: their hosts are gone. */
static void failing_sweep(struct hosts *hosts)
{
	struct failing *items = hosts->failing.items;
	size_t n = 0;

	for (size_t i = 0; i < hosts->failing.n; i++) {
		if (!items[i].seen)
			continue;
		items[n] = items[i];
		items[n++].seen = false;
	}
	hosts->failing.n = n;
}

/* ---- what is told ---- */

static struct slice place_list(const struct host_places *places, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < places->n && used + HOST_PLACE_TEXT_SIZE + 1 < size; i++) {
		if (used)
			text[used++] = ' ';
		host_place_format(&places->list[i], text + used);
		used += strlen(text + used);
	}
	return (struct slice){text, used};
}

static bool holds(const struct host_places *places, const struct store_peer_address *wanted)
{
	for (size_t i = 0; i < places->n; i++)
		if (places->list[i].transport == wanted->transport &&
		    endpoint_eq(&places->list[i].endpoint, &wanted->endpoint))
			return true;
	return false;
}

/* Those of a that are not among b. */
static void missing_from(const struct host_places *a, const struct host_places *b,
			 struct host_places *ret_missing)
{
	ret_missing->n = 0;
	for (size_t i = 0; i < a->n; i++)
		if (!holds(b, &a->list[i]))
			ret_missing->list[ret_missing->n++] = a->list[i];
}

static void tell_change(const struct host *host, const struct host_places *before,
			const struct host_places *answer)
{
	struct host_places came, went;
	char came_text[512], went_text[512];

	missing_from(answer, before, &came);
	missing_from(before, answer, &went);
	if (came.n || went.n)
		log_info("host_changed", LOG_STR("host", host->name),
			 LOG_SLICE("came", place_list(&came, came_text, sizeof(came_text))),
			 LOG_SLICE("went", place_list(&went, went_text, sizeof(went_text))),
			 LOG_INT("addresses", (int64_t)answer->n));
}

static void tell_recovery(struct hosts *hosts, const struct host *host)
{
	struct failing *failing = failing_find(hosts, host);
	struct failing *items = hosts->failing.items;

	if (!failing)
		return;
	log_info("host_recovered", LOG_STR("host", host->name),
		 LOG_INT("failed_s", (int64_t)clock_wall_s() - failing->since_s));
	*failing = items[--hosts->failing.n];
}

static void tell_failure(struct hosts *hosts, const struct host *host, const char *why)
{
	int64_t now = (int64_t)clock_wall_s();
	struct failing *failing = failing_find(hosts, host);

	if (failing) {
		failing->retry_s = failing->retry_s * 2 < HOSTS_RETRY_MAX_S ? failing->retry_s * 2
									    : HOSTS_RETRY_MAX_S;
		return;
	}
	failing = list_next(&hosts->failing, sizeof(*failing));
	if (failing)
		*failing = (struct failing){host->kind, host->id, now, 2 * HOSTS_RETRY_MIN_S, true};
	log_warning("host_failed", LOG_STR("host", host->name), LOG_STR("error", why),
		    LOG_INT("kept", (int64_t)host->places),
		    LOG_INT("answered_s_ago", host->resolved_s ? now - host->resolved_s : -1));
}

static void tell_store_error(struct hosts *hosts, int rc, const char *why)
{
	if (rc && rc != hosts->store_error)
		log_error("hosts_store", LOG_STR("error", why));
	hosts->store_error = rc;
}

/* ---- what is due ---- */

static int refresh(struct hosts *hosts, const struct host *host)
{
	const struct failing *failing = failing_find(hosts, host);
	struct host_places before, answer;
	struct error err;
	int rc = host_places(hosts->store, host, &before, &err);

	if (rc == 0)
		rc = host_resolve(hosts->store, hosts->dns, host,
				  failing ? failing->retry_s : HOSTS_RETRY_MIN_S, &answer, &err);
	if (rc == -EINTR || rc == -ENOENT)
		return rc;
	tell_store_error(hosts, rc < 0 ? rc : 0, err.text);
	if (rc > 0) {
		tell_recovery(hosts, host);
		tell_change(host, &before, &answer);
	} else if (rc == 0) {
		tell_failure(hosts, host, err.text);
	}
	return rc;
}

/* A time further off than any that is ever noted is of a clock that was wrong. */
static bool is_due(const struct host *host, int64_t now)
{
	return host->due_s <= now || host->due_s > now + DNS_TTL_MAX_S || host->resolved_s > now;
}

static int collect(const struct host *host, void *arg)
{
	struct hosts *hosts = arg;
	struct failing *failing = failing_find(hosts, host);
	struct host *due;

	if (failing)
		failing->seen = true;
	if (!is_due(host, (int64_t)clock_wall_s())) {
		if (host->due_s < hosts->next_s)
			hosts->next_s = host->due_s;
		return 0;
	}
	due = list_next(&hosts->due, sizeof(*due));
	if (!due)
		return -ENOMEM;
	*due = *host;
	return 0;
}

/* Refreshes all that are due. The next look comes when another is, or a second from now where this
 * one did anything: what it wrote is read back. */
static void look(struct hosts *hosts)
{
	const struct host *due;
	struct error err;
	int rc;

	hosts->due.n = 0;
	hosts->next_s = INT64_MAX;
	rc = host_each(hosts->store, collect, hosts, &err);
	if (rc) {
		tell_store_error(hosts, rc, rc == -ENOMEM ? "out of memory" : err.text);
		hosts->next_s = 0;
		return;
	}
	failing_sweep(hosts);
	due = hosts->due.items;
	for (size_t i = 0; i < hosts->due.n; i++)
		if (refresh(hosts, &due[i]) == -EINTR)
			return;
	if (hosts->due.n)
		hosts->next_s = 0;
}

/* ---- the thread ---- */

/* Less if somebody wakes it. */
static void wait_a_second(const struct hosts *hosts)
{
	struct pollfd fd = {.fd = hosts->wake_fd, .events = POLLIN};
	uint64_t count;

	poll(&fd, 1, POLL_MS);
	(void)!read(hosts->wake_fd, &count, sizeof(count));
}

static void make_peers_due(struct hosts *hosts)
{
	struct error err;

	tell_store_error(hosts, store_peer_due_now(hosts->store, &err), err.text);
	hosts->next_s = 0;
}

static void *hosts_main(void *arg)
{
	struct hosts *hosts = arg;
	uint64_t generation;

	for (; !atomic_load(&hosts->stop); wait_a_second(hosts)) {
		if (atomic_exchange(&hosts->again, false))
			make_peers_due(hosts);
		if (store_generation(hosts->store, &generation))
			continue;
		if (generation == hosts->generation && (int64_t)clock_wall_s() < hosts->next_s)
			continue;
		hosts->generation = generation;
		look(hosts);
	}
	return NULL;
}

static void wake(struct hosts *hosts)
{
	(void)!write(hosts->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

int hosts_start(const struct config *config, struct hosts **ret_hosts, struct error *err)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	int rc;

	if (!hosts)
		return error_set(err, -ENOMEM, "out of memory");
	hosts->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hosts->wake_fd < 0)
		rc = error_set(err, -EMFILE, "too many open files");
	else
		rc = store_open(config->state_dir, &hosts->store, err);
	if (!rc)
		rc = dns_create(config->dns_servers, config->dns_timeout_ms, &hosts->dns, err);
	if (!rc && thread_start(&hosts->thread, hosts_main, hosts))
		rc = error_set(err, -EAGAIN, "can not start a thread");
	if (rc) {
		hosts_stop(hosts);
		return rc;
	}
	*ret_hosts = hosts;
	return 0;
}

void hosts_again(struct hosts *hosts)
{
	atomic_store(&hosts->again, true);
	wake(hosts);
}

void hosts_stop(struct hosts *hosts)
{
	if (!hosts)
		return;
	if (hosts->thread.started) {
		atomic_store(&hosts->stop, true);
		dns_interrupt(hosts->dns);
		wake(hosts);
		thread_join(&hosts->thread);
	}
	dns_free(hosts->dns);
	store_close(hosts->store);
	if (hosts->wake_fd >= 0)
		close(hosts->wake_fd);
	free(hosts->due.items);
	free(hosts->failing.items);
	free(hosts);
}
