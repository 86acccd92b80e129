/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/workers.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/thread.h"
#include "daemon/mailbox.h"
#include "filter/steering.h"

#define TICK_MOST_NS NS_PER_S
#define TICK_LEAST_NS (4 * NS_PER_MS) /* the coarse clock's own step */
#define CONNECTION_LINES_PER_S 10

struct worker {
	struct workers *all;
	unsigned index;
	struct thread thread;
	struct mailbox mailbox;
	size_t unopened; /* letters taken from it */
	struct event_base *base;
	struct event *timer, *mail;
	struct net *net;
	uint64_t lines_second; /* what strangers do to connections is logged so often a second */
	unsigned lines;
	/* Over what follows: the thread has it while it handles something, the first one's while it
	 * changes or asks something. */
	pthread_mutex_t lock;
	struct proxy *proxy;
	struct digest_context *digest;
	struct keys keys;
	struct records records;
};

struct workers {
	const struct config *config;
	struct workers_options options;
	const struct policy *policy;
	struct net_shared *net_shared;
	struct proxy_shared *proxy_shared;
	uint8_t key[16]; /* of the hash that says whose a call is */
	unsigned count;
	struct worker list[];
};

/* ---- whose a call is ---- */

static struct worker *owner_of(struct workers *all, struct slice call_id)
{
	return &all->list[siphash_64(all->key, call_id.p, call_id.n) % all->count];
}

static bool is_own(void *arg, struct slice call_id)
{
	struct worker *w = arg;

	return owner_of(w->all, call_id) == w;
}

static bool record_is_own(struct slice call_id, void *arg)
{
	return is_own(arg, call_id);
}

static int post(struct worker *to, const struct letter *letter, const struct iovec *iov,
		unsigned iov_count)
{
	return mailbox_post(&to->mailbox, letter, iov, iov_count);
}

static void post_to_others(struct worker *w, const struct letter *letter)
{
	for (unsigned i = 0; i < w->all->count; i++)
		if (i != w->index)
			(void)post(&w->all->list[i], letter, NULL, 0);
}

/* ---- what the proxy sends and asks ---- */

static int output_send(void *arg, const struct net_path *path, const struct iovec *iov,
		       unsigned count)
{
	return net_send(((struct worker *)arg)->net, path, iov, count);
}

static int output_local_for(void *arg, enum net_transport transport, const struct endpoint *remote,
			    struct endpoint *ret_local)
{
	return net_local_for(((struct worker *)arg)->net, transport, remote, ret_local);
}

static bool output_is_local(void *arg, const struct endpoint *endpoint)
{
	return net_is_local(((struct worker *)arg)->net, endpoint);
}

/* Where the connection has gone meanwhile, there is nothing to take. */
static void output_alias(void *arg, const struct net_path *path, uint16_t port)
{
	(void)net_alias(((struct worker *)arg)->net, path, port);
}

static void output_learned(void *arg, int64_t credential_id, const char *realm,
			   const struct store_ha1 *ha1)
{
	struct worker *w = arg;

	watch_learned(*w->all->options.watch, credential_id, realm, ha1);
}

static bool output_pass_on(void *arg, struct slice call_id, const struct net_packet *packet)
{
	struct worker *w = arg;
	struct letter letter = {
		.kind = LETTER_PACKET,
		.path = packet->path,
		.client_verified = packet->client_verified,
	};
	struct iovec iov = {(char *)(uintptr_t)packet->bytes.p, packet->bytes.n};

	return post(owner_of(w->all, call_id), &letter, &iov, 1) == 0;
}

static size_t output_waiting(void *arg)
{
	struct worker *w = arg;

	return net_backlog(w->net) + mailbox_count(&w->mailbox) + w->unopened;
}

static void on_ratchet(void *arg, int64_t user_id, unsigned strongest)
{
	struct worker *w = arg;

	watch_ratchet(*w->all->options.watch, user_id, strongest);
}

/* ---- connections of other workers ---- */

static int send_by(void *arg, unsigned index, const struct net_path *path, const struct iovec *iov,
		   unsigned count)
{
	struct worker *w = arg;
	struct letter letter = {.kind = LETTER_SEND, .path = *path};

	return post(&w->all->list[index], &letter, iov, count);
}

static int alias_by(void *arg, unsigned index, const struct net_path *path, uint16_t port)
{
	struct worker *w = arg;
	struct letter letter = {.kind = LETTER_ALIAS, .path = *path, .port = port};

	return post(&w->all->list[index], &letter, NULL, 0);
}

/* ---- traffic ---- */

/* With the lock held. */
static void arm_timer(struct worker *w)
{
	uint64_t now = clock_coarse_ns(), at = proxy_deadline(w->proxy), wait = TICK_MOST_NS;

	if (at < now + TICK_MOST_NS)
		wait = at > now + TICK_LEAST_NS ? at - now : TICK_LEAST_NS;
	event_add(w->timer, &(struct timeval){(time_t)(wait / NS_PER_S),
					      (suseconds_t)(wait % NS_PER_S / 1000)});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&w->lock);
	proxy_tick(w->proxy, clock_coarse_ns());
	arm_timer(w);
	pthread_mutex_unlock(&w->lock);
	net_flush(w->net);
	persist_hand_over(w->all->options.persist);
}

static void on_receive(void *arg, const struct net_packet *packets, unsigned n)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	proxy_receive(w->proxy, packets, n, clock_coarse_ns());
	arm_timer(w);
	pthread_mutex_unlock(&w->lock);
	persist_hand_over(w->all->options.persist);
}

static void log_connection(struct worker *w, const char *event, const struct net_path *path,
			   const char *why)
{
	uint64_t second = clock_coarse_ns() / NS_PER_S;

	if (second != w->lines_second)
		w->lines = 0;
	w->lines_second = second;
	if (w->lines++ < CONNECTION_LINES_PER_S)
		log_info(event, LOG_ENDPOINT("remote", &path->remote),
			 LOG_STR("transport", net_transport_name(path->transport)),
			 LOG_STR("cause", why));
}

static void take_failed(struct worker *w, const struct net_path *path, uint64_t asked_ns)
{
	pthread_mutex_lock(&w->lock);
	proxy_failed(w->proxy, path, asked_ns, clock_coarse_ns());
	arm_timer(w);
	pthread_mutex_unlock(&w->lock);
}

/* Whoever has sent by the connection is told, too. */
static void on_failed(void *arg, const struct net_path *path, uint64_t asked_ns, const char *why)
{
	struct worker *w = arg;

	log_connection(w, "connection_failed", path, why);
	take_failed(w, path, asked_ns);
	post_to_others(w, &(struct letter){
				  .kind = LETTER_FAILED, .path = *path, .asked_ns = asked_ns});
}

static void on_misbehaved(void *arg, const struct net_path *path, const char *why)
{
	struct worker *w = arg;

	log_connection(w, "misbehaved", path, why);
	pthread_mutex_lock(&w->lock);
	proxy_misbehaved(w->proxy, path, clock_coarse_ns());
	pthread_mutex_unlock(&w->lock);
}

/* ---- the mailbox ---- */

static void load_tls(struct worker *w)
{
	struct error err;

	if (net_tls_load(w->net, &w->all->config->tls, &err))
		log_error("tls_failed", LOG_STR("error", err.text),
			  LOG_STR("effect", "a worker goes on with the certificates it has"));
}

static void send_here(struct worker *w, const struct letter *letter)
{
	struct iovec iov = {(char *)(uintptr_t)letter->bytes.p, letter->bytes.n};

	if (net_send_here(w->net, &letter->path, &iov, 1))
		on_failed(w, &letter->path, clock_coarse_ns(), "can not be sent");
}

static void open_letter(struct worker *w, const struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_PACKET:
		break;
	case LETTER_SEND:
		send_here(w, letter);
		break;
	case LETTER_ALIAS:
		(void)net_alias_here(w->net, &letter->path, letter->port);
		break;
	case LETTER_FAILED:
		take_failed(w, &letter->path, letter->asked_ns);
		break;
	case LETTER_TLS:
		load_tls(w);
		break;
	case LETTER_STOP:
		event_base_loopbreak(w->base);
		break;
	}
}

/* Packets in batches; they are read again as if they had just come. */
static void open_letters(struct worker *w, const struct letters *letters)
{
	struct net_packet packets[NET_BATCH];
	const struct letter *letter;
	unsigned n = 0;

	STAILQ_FOREACH(letter, letters, link)
	{
		w->unopened--;
		if (letter->kind != LETTER_PACKET) {
			open_letter(w, letter);
			continue;
		}
		packets[n++] = (struct net_packet){
			.bytes = letter->bytes,
			.path = letter->path,
			.client_verified = letter->client_verified,
		};
		if (n == NET_BATCH) {
			on_receive(w, packets, n);
			n = 0;
		}
	}
	if (n)
		on_receive(w, packets, n);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct letters letters;
	struct letter *letter;

	(void)fd;
	(void)what;
	w->unopened = mailbox_take(&w->mailbox, &letters);
	open_letters(w, &letters);
	net_flush(w->net);
	while ((letter = STAILQ_FIRST(&letters))) {
		STAILQ_REMOVE_HEAD(&letters, link);
		free(letter);
	}
}

/* ---- listening ---- */

/* A kernel without IPv6 is no reason not to serve IPv4. */
static bool may_be_missing(const struct net *net, const struct config_listen *listen, int rc)
{
	return rc == -EAFNOSUPPORT && listen->address.ip.family == 6 && net_socket_count(net);
}

static int listen_on(struct net *net, const struct config_listen *listen, struct error *err)
{
	int rc = net_listen(net, listen->transport, &listen->address, err);
	const char *transport = net_transport_name(listen->transport);

	if (may_be_missing(net, listen, rc)) {
		log_warning("not_listening", LOG_STR("transport", transport),
			    LOG_ENDPOINT("address", &listen->address), LOG_STR("error", err->text));
		return 0;
	}
	if (!rc)
		log_info("listening", LOG_STR("transport", transport),
			 LOG_ENDPOINT("address", &listen->address));
	return rc;
}

static int listen_first(struct net *net, const struct config *config, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < config->listen_count; i++)
		rc = listen_on(net, &config->listen[i], err);
	return rc;
}

static int worker_listen(struct worker *w, struct error *err)
{
	struct workers *all = w->all;
	struct net_share share = {all->net_shared, w->index, send_by, alias_by, w};
	int rc;

	if (mailbox_init(&w->mailbox))
		return error_set(err, -EMFILE, "too many open files");
	if (net_create(&all->config->limits, &w->net))
		return error_set(err, -ENOMEM, "out of memory");
	if (all->count > 1)
		net_share(w->net, &share);
	rc = net_tls_load(w->net, &all->config->tls, err);
	if (rc)
		return rc;
	return w->index ? net_listen_beside(w->net, all->list[0].net, err)
			: listen_first(w->net, all->config, err);
}

static int steer_socket(struct workers *all, unsigned index, struct error *err)
{
	int fds[CONFIG_WORKERS_MAX];

	for (unsigned i = 0; i < all->count; i++)
		fds[i] = net_socket_fd(all->list[i].net, index);
	return steering_attach(fds, all->count, all->key, err);
}

/* Without it the workers pass on what the kernel has handed to the wrong one. */
static void steer(struct workers *all)
{
	const struct net *first = all->list[0].net;
	struct error err;

	for (unsigned i = 0; i < net_socket_count(first); i++)
		if (net_socket_transport(first, i) == NET_UDP && steer_socket(all, i, &err)) {
			log_warning("not_steered", LOG_STR("error", err.text),
				    LOG_STR("effect", "the workers pass on more to each other"));
			return;
		}
}

int workers_create(const struct config *config, struct workers **ret_workers, struct error *err)
{
	struct workers *all = calloc(1, sizeof(*all) + config->workers * sizeof(all->list[0]));
	int rc = 0;

	if (!all)
		return error_set(err, -ENOMEM, "out of memory");
	all->config = config;
	all->count = config->workers;
	random_bytes(all->key, sizeof(all->key));
	for (unsigned i = 0; i < all->count; i++) {
		all->list[i].all = all;
		all->list[i].index = i;
		all->list[i].mailbox.fd = -1;
		pthread_mutex_init(&all->list[i].lock, NULL);
	}
	if (net_shared_create(&all->net_shared))
		rc = error_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; !rc && i < all->count; i++)
		rc = worker_listen(&all->list[i], err);
	if (!rc && all->count > 1 && config->steering)
		steer(all);
	if (rc)
		workers_free(all);
	else
		*ret_workers = all;
	return rc;
}

/* ---- equipment ---- */

static int make_records(struct worker *w, struct error *err)
{
	struct workers *all = w->all;

	if (records_init(&w->records, RECORDS_DEFAULT, all->options.record_writer, clock_wall_ms()))
		return error_set(err, -ENOMEM, "out of memory");
	if (records_load(&w->records, all->config->state_dir, record_is_own, w, err))
		log_error("calls_not_loaded", LOG_STR("error", err->text),
			  LOG_STR("effect", "calls of before have no record, or a shorter one"));
	return 0;
}

static int make_proxy(struct worker *w, struct error *err)
{
	struct workers *all = w->all;
	struct proxy_options options = {
		.output = {output_send, output_local_for, output_is_local, output_alias,
			   output_learned, w, is_own, output_pass_on, output_waiting},
		.admission = all->options.admission,
		.registrar = all->options.admission.registrar,
		.records = &w->records,
		.shared = all->proxy_shared,
		.leads = w->index == 0,
	};
	int rc;

	if (all->count == 1)
		options.output.is_own = NULL;
	options.admission.digest = w->digest;
	options.admission.nonce_keys = &w->keys.nonce;
	options.admission.ratchet = on_ratchet;
	options.admission.ratchet_arg = w;
	memcpy(options.branch_key, all->options.branch_key, sizeof(options.branch_key));
	memcpy(options.dialog_key, all->options.dialog_key, sizeof(options.dialog_key));
	rc = proxy_create(&options, &w->proxy);
	explicit_bzero(options.branch_key, sizeof(options.branch_key));
	explicit_bzero(options.dialog_key, sizeof(options.dialog_key));
	return rc ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int worker_equip(struct worker *w, uint16_t node, struct error *err)
{
	struct workers *all = w->all;
	int rc;

	w->keys.nonce.node = node;
	w->keys.nonce.alone = !all->config->nonce_key_file[0];
	if (keys_use_master(&w->keys, all->options.nonce_master, policy_settings(all->policy),
			    clock_steady_s()))
		return error_set(err, -EIO, "can not derive the nonce keys");
	if (digest_context_create(&w->digest))
		return error_set(err, -ENOMEM, "can not set up digest authentication");
	rc = make_records(w, err);
	return rc ? rc : make_proxy(w, err);
}

int workers_equip(struct workers *all, const struct workers_options *options, struct error *err)
{
	uint16_t node;
	int rc = 0;

	all->options = *options;
	all->policy = options->admission.policy;
	random_bytes(&node, sizeof(node));
	if (proxy_shared_create(0, &all->proxy_shared))
		return error_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; !rc && i < all->count; i++)
		rc = worker_equip(&all->list[i], node, err);
	all->options.nonce_master = NULL;
	return rc;
}

/* ---- start and stop ---- */

static int add_events(struct worker *w)
{
	const struct net_handler handler = {on_receive, on_failed, on_misbehaved, w};

	w->base = event_base_new();
	if (!w->base)
		return -ENOMEM;
	w->timer = evtimer_new(w->base, on_timer, w);
	w->mail = event_new(w->base, w->mailbox.fd, EV_READ | EV_PERSIST, on_mail, w);
	if (!w->timer || !w->mail || event_add(w->mail, NULL))
		return -ENOMEM;
	arm_timer(w);
	return net_start(w->net, w->base, &handler);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	event_base_dispatch(w->base);
	return NULL;
}

int workers_start(struct workers *all, struct error *err)
{
	for (unsigned i = 0; i < all->count; i++)
		if (add_events(&all->list[i]))
			return error_set(err, -EIO, "can not set up the event loop");
	for (unsigned i = 1; i < all->count; i++)
		if (thread_start(&all->list[i].thread, worker_main, &all->list[i]))
			return error_set(err, -EAGAIN, "can not start a thread");
	return 0;
}

struct event_base *workers_base(const struct workers *all)
{
	return all->list[0].base;
}

void workers_run(struct workers *all)
{
	worker_main(&all->list[0]);
}

void workers_break(struct workers *all)
{
	event_base_loopbreak(all->list[0].base);
}

static void stop_thread(struct worker *w)
{
	if (!w->thread.started)
		return;
	(void)post(w, &(struct letter){.kind = LETTER_STOP}, NULL, 0);
	thread_join(&w->thread);
}

static void worker_free(struct worker *w)
{
	if (w->timer)
		event_free(w->timer);
	if (w->mail)
		event_free(w->mail);
	net_free(w->net);
	if (w->base)
		event_base_free(w->base);
	proxy_free(w->proxy);
	if (w->records.calls.buckets)
		records_save(&w->records, clock_wall_ms());
	records_free(&w->records);
	digest_context_free(w->digest);
	keys_wipe(&w->keys);
	mailbox_free(&w->mailbox);
	pthread_mutex_destroy(&w->lock);
}

/* All threads before anything of theirs goes: each has what others ask for. */
void workers_free(struct workers *all)
{
	if (!all)
		return;
	for (unsigned i = 0; i < all->count; i++)
		stop_thread(&all->list[i]);
	for (unsigned i = 0; i < all->count; i++)
		worker_free(&all->list[i]);
	proxy_shared_free(all->proxy_shared);
	net_shared_free(all->net_shared);
	explicit_bzero(all, sizeof(*all));
	free(all);
}

/* ---- changes ---- */

void workers_use_policy(struct workers *all, const struct policy *policy)
{
	for (unsigned i = 0; i < all->count; i++) {
		pthread_mutex_lock(&all->list[i].lock);
		proxy_set_policy(all->list[i].proxy, policy);
		pthread_mutex_unlock(&all->list[i].lock);
	}
	all->policy = policy;
}

void workers_use_filter(struct workers *all, struct filter *filter)
{
	for (unsigned i = 0; i < all->count; i++) {
		pthread_mutex_lock(&all->list[i].lock);
		proxy_set_filter(all->list[i].proxy, filter, all->options.admission.lockouts);
		pthread_mutex_unlock(&all->list[i].lock);
	}
}

void workers_use_master(struct workers *all, const struct nonce_master *master)
{
	for (unsigned i = 0; i < all->count; i++) {
		struct worker *w = &all->list[i];

		pthread_mutex_lock(&w->lock);
		if (keys_use_master(&w->keys, master, policy_settings(all->policy),
				    clock_steady_s()))
			log_error("nonce_key_failed", LOG_STR("effect", "goes on with the old"));
		pthread_mutex_unlock(&w->lock);
	}
}

struct sipward_lease workers_lease(struct workers *all)
{
	struct worker *w = &all->list[0];
	struct sipward_lease lease = {0};

	pthread_mutex_lock(&w->lock);
	lease.node_be = htons(w->keys.nonce.node);
	lease.current = (__u8)w->keys.nonce.current;
	memcpy(lease.key, w->keys.nonce.key, sizeof(lease.key));
	pthread_mutex_unlock(&w->lock);
	return lease;
}

int workers_load_tls(struct workers *all, struct error *err)
{
	int rc = net_tls_load(all->list[0].net, &all->config->tls, err);

	if (!rc)
		post_to_others(&all->list[0], &(struct letter){.kind = LETTER_TLS});
	return rc;
}

void workers_tick(struct workers *all)
{
	const struct store_settings *settings = policy_settings(all->policy);

	for (unsigned i = 0; i < all->count; i++) {
		struct worker *w = &all->list[i];

		pthread_mutex_lock(&w->lock);
		if (keys_follow(&w->keys, settings, clock_steady_s()))
			log_error("nonce_key_failed",
				  LOG_STR("error", "the keys can not be rotated"));
		records_tick(&w->records, clock_wall_ms());
		pthread_mutex_unlock(&w->lock);
	}
}

void workers_drain(struct workers *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		pthread_mutex_lock(&all->list[i].lock);
		proxy_drain(all->list[i].proxy);
		/* The first worker's thread is this one. */
		if (i == 0) {
			proxy_leave(all->list[i].proxy, clock_coarse_ns());
			proxy_tick(all->list[i].proxy, clock_coarse_ns());
			net_flush(all->list[i].net);
		}
		pthread_mutex_unlock(&all->list[i].lock);
	}
}

size_t workers_unanswered(struct workers *all)
{
	size_t n = 0;

	for (unsigned i = 0; i < all->count; i++) {
		pthread_mutex_lock(&all->list[i].lock);
		n += proxy_unanswered(all->list[i].proxy);
		n += !proxy_has_left(all->list[i].proxy);
		pthread_mutex_unlock(&all->list[i].lock);
	}
	/* Answers among them, to who is connected with another worker. */
	for (unsigned i = 0; i < all->count; i++)
		n += mailbox_count(&all->list[i].mailbox);
	return n;
}

unsigned workers_count(const struct workers *all)
{
	return all->count;
}

struct worker_view workers_view(struct workers *all, unsigned index)
{
	struct worker *w = &all->list[index];

	return (struct worker_view){&w->lock, w->proxy, w->net, &w->records};
}
