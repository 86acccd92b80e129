/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/random.h"
#include "daemon/answer.h"
#include "daemon/control.h"
#include "daemon/guard.h"
#include "daemon/hosts.h"
#include "daemon/persist.h"
#include "daemon/keys.h"
#include "daemon/watch.h"
#include "net/net.h"
#include "proxy/proxy.h"
#include "record/writer.h"

#define LOCKOUT_SOURCES 65536
#define REPLAY_NONCES 65536
#define TICK_MOST_NS NS_PER_S
#define TICK_LEAST_NS (4 * NS_PER_MS) /* the coarse clock's own step */
#define EVENTS_MAX 8
#define LEAVE_MOST_NS (3 * NS_PER_S)
#define CONNECTION_LINES_PER_S 10

struct daemon {
	const struct config *config;
	struct store *store;
	struct filter *filter;
	struct policy *policy;
	struct digest_context *digest;
	struct keys keys;
	struct replay *replay;
	struct lockouts *lockouts;
	struct registrar *registrar;
	struct persist *persist;
	struct record_writer *record_writer;
	struct records records;
	struct proxy *proxy;
	struct net *net;
	struct watch *watch;
	struct hosts *hosts;
	struct event_base *base;
	struct control *control;
	struct answerer answerer;
	uint64_t lines_second; /* what strangers do to connections is logged so often a second */
	unsigned lines;
	struct event *timer;
	struct event *events[EVENTS_MAX];
	unsigned event_count;
	uint64_t leave_ns; /* when to stop at the latest; 0 = nobody has asked for it */
};

/* ---- traffic ---- */

static int output_send(void *arg, const struct net_path *path, const struct iovec *iov,
		       unsigned count)
{
	return net_send(((struct daemon *)arg)->net, path, iov, count);
}

static int output_local_for(void *arg, enum net_transport transport, const struct endpoint *remote,
			    struct endpoint *ret_local)
{
	return net_local_for(((struct daemon *)arg)->net, transport, remote, ret_local);
}

static bool output_is_local(void *arg, const struct endpoint *endpoint)
{
	return net_is_local(((struct daemon *)arg)->net, endpoint);
}

/* Where the connection has gone meanwhile, there is nothing to take. */
static void output_alias(void *arg, const struct net_path *path, uint16_t port)
{
	(void)net_alias(((struct daemon *)arg)->net, path, port);
}

static void output_learned(void *arg, int64_t credential_id, const char *realm,
			   const struct store_ha1 *ha1)
{
	watch_learned(((struct daemon *)arg)->watch, credential_id, realm, ha1);
}

static void arm_timer(struct daemon *d)
{
	uint64_t now = clock_coarse_ns(), at = proxy_deadline(d->proxy), wait = TICK_MOST_NS;

	if (at < now + TICK_MOST_NS)
		wait = at > now + TICK_LEAST_NS ? at - now : TICK_LEAST_NS;
	event_add(d->timer, &(struct timeval){(time_t)(wait / NS_PER_S),
					      (suseconds_t)(wait % NS_PER_S / 1000)});
}

/* No longer than a few seconds, whatever upstreams do. */
static void stop_when_left(struct daemon *d)
{
	if (d->leave_ns && (proxy_has_left(d->proxy) || clock_coarse_ns() >= d->leave_ns))
		event_base_loopbreak(d->base);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	proxy_tick(d->proxy, clock_coarse_ns());
	net_flush(d->net);
	persist_hand_over(d->persist);
	arm_timer(d);
	stop_when_left(d);
}

/* Not with on_timer, which packets put off. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (keys_follow(&d->keys, policy_settings(d->policy), clock_steady_s()))
		log_error("nonce_key_failed", LOG_STR("error", "the keys can not be rotated"));
	records_tick(&d->records, clock_wall_ms());
}

static void on_receive(void *arg, const struct net_packet *packets, unsigned n)
{
	struct daemon *d = arg;

	proxy_receive(d->proxy, packets, n, clock_coarse_ns());
	persist_hand_over(d->persist);
	arm_timer(d);
	stop_when_left(d);
}

static void log_connection(struct daemon *d, const char *event, const struct net_path *path,
			   const char *why)
{
	uint64_t second = clock_coarse_ns() / NS_PER_S;

	if (second != d->lines_second)
		d->lines = 0;
	d->lines_second = second;
	if (d->lines++ < CONNECTION_LINES_PER_S)
		log_info(event, LOG_ENDPOINT("remote", &path->remote),
			 LOG_STR("transport", net_transport_name(path->transport)),
			 LOG_STR("cause", why));
}

static void on_failed(void *arg, const struct net_path *path, const char *why)
{
	struct daemon *d = arg;

	log_connection(d, "connection_failed", path, why);
	proxy_failed(d->proxy, path, clock_coarse_ns());
	arm_timer(d);
}

static void on_misbehaved(void *arg, const struct net_path *path, const char *why)
{
	struct daemon *d = arg;

	log_connection(d, "misbehaved", path, why);
	proxy_misbehaved(d->proxy, path, clock_coarse_ns());
}

static void on_persist(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	persist_serve(d->persist);
}

/* ---- changes ---- */

/* A new filter comes with its own lockouts: those that the old one knew are in its map no more. */
static void use_filter(struct daemon *d, struct filter *filter)
{
	struct lockouts *lockouts;

	if (lockouts_create(filter, LOCKOUT_SOURCES, &lockouts)) {
		filter_close(filter);
		return;
	}
	proxy_set_filter(d->proxy, filter, lockouts);
	lockouts_free(d->lockouts);
	filter_close(d->filter);
	d->lockouts = lockouts;
	d->filter = filter;
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct watch_news news;

	(void)fd;
	(void)what;
	watch_take(d->watch, &news);
	if (news.filter)
		use_filter(d, news.filter);
	if (news.policy) {
		proxy_set_policy(d->proxy, news.policy);
		watch_retire(d->watch, d->policy);
		d->policy = news.policy;
		replay_set_lifetime(d->replay, policy_settings(d->policy)->nonce_lifetime_s);
		record_writer_retain(d->record_writer,
				     policy_settings(d->policy)->call_retention_days);
		persist_look(d->persist);
	}
	if (news.nonce_master.n)
		keys_use_master(&d->keys, &news.nonce_master, policy_settings(d->policy),
				clock_steady_s());
	explicit_bzero(&news.nonce_master, sizeof(news.nonce_master));
	if (news.reloaded && !news.policy)
		log_error("reload_failed", LOG_STR("effect", "goes on with what it has"));
	else if (news.reloaded)
		log_info("reloaded", LOG_INT("generation", (int64_t)policy_generation(d->policy)));
	if (news.reloaded)
		sd_notify(0, "READY=1");
}

/* ---- signals ---- */

static void on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_info("stopping", LOG_STR("signal", signal_number == SIGTERM ? "TERM" : "INT"));
	sd_notify(0, "STOPPING=1");
	if (d->leave_ns) {
		event_base_loopbreak(d->base);
		return;
	}
	d->leave_ns = clock_coarse_ns() + LEAVE_MOST_NS;
	proxy_leave(d->proxy, clock_coarse_ns());
	on_timer(-1, 0, d);
}

static void on_reload(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;
	struct error err;

	(void)signal_number;
	(void)what;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_coarse_ns() / 1000));
	if (net_tls_load(d->net, &d->config->tls, &err))
		log_error("tls_failed", LOG_STR("error", err.text),
			  LOG_STR("effect", "goes on with the certificates it has"));
	record_writer_reopen(d->record_writer);
	watch_reload(d->watch);
	hosts_again(d->hosts);
}

static void on_stats(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;
	struct log_field fields[PROXY_COUNTERS + NET_COUNTERS + 8];
	struct registrar_stats registrar;
	struct proxy_stats proxy;
	struct net_stats net;
	size_t n = 0;

	(void)signal_number;
	(void)what;
	proxy_stats(d->proxy, &proxy);
	net_stats(d->net, &net);
	registrar_stats(d->registrar, &registrar);
	for (int i = 0; i < PROXY_COUNTERS; i++)
		fields[n++] = LOG_INT(proxy_counter_name((enum proxy_counter)i),
				      (int64_t)proxy.counters[i]);
	fields[n++] = LOG_INT("transactions", (int64_t)proxy.transactions);
	fields[n++] = LOG_INT("calls", (int64_t)proxy.calls);
	/* What the proxy counts under these names says more. */
	for (int i = NET_TRUNCATED; i < NET_COUNTERS; i++)
		fields[n++] =
			LOG_INT(net_counter_name((enum net_counter)i), (int64_t)net.counters[i]);
	fields[n++] = LOG_INT("connections", (int64_t)(net.incoming + net.outgoing));
	fields[n++] = LOG_INT("bindings", (int64_t)registrar.bindings);
	fields[n++] = LOG_INT("bindings_full", (int64_t)registrar.full);
	fields[n++] = LOG_INT("bindings_expired", (int64_t)registrar.expired);
	log_write(LOG_LEVEL_INFO, "stats", fields, n);
}

/* ---- start ---- */

/* A connection takes a descriptor, and the soft limit is often 1024. */
static void raise_file_limit(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * (rlim_t)config->limits.connections)
		log_warning("file_limit", LOG_INT("open_files", (int64_t)limit.rlim_cur),
			    LOG_STR("effect", "fewer than tcp_connections can be had"));
}

/* A kernel without IPv6 is no reason not to serve IPv4. */
static bool may_be_missing(const struct daemon *d, const struct config_listen *listen, int rc)
{
	return rc == -EAFNOSUPPORT && listen->address.ip.family == 6 && net_socket_count(d->net);
}

static int listen_on(struct daemon *d, const struct config_listen *listen, struct error *err)
{
	int rc = net_listen(d->net, listen->transport, &listen->address, err);
	const char *transport = net_transport_name(listen->transport);

	if (may_be_missing(d, listen, rc)) {
		log_warning("not_listening", LOG_STR("transport", transport),
			    LOG_ENDPOINT("address", &listen->address), LOG_STR("error", err->text));
		return 0;
	}
	if (!rc)
		log_info("listening", LOG_STR("transport", transport),
			 LOG_ENDPOINT("address", &listen->address));
	return rc;
}

static int listen_all(struct daemon *d, struct error *err)
{
	int rc;

	if (net_create(&d->config->limits, &d->net))
		return error_set(err, -ENOMEM, "out of memory");
	rc = net_tls_load(d->net, &d->config->tls, err);
	for (unsigned i = 0; !rc && i < d->config->listen_count; i++)
		rc = listen_on(d, &d->config->listen[i], err);
	raise_file_limit(d->config);
	return rc;
}

static int make_keys(struct daemon *d, struct error *err)
{
	struct nonce_master master;
	int rc = keys_read_master(d->config, d->store, &master, err);

	if (rc)
		return rc;
	random_bytes(&d->keys.nonce.node, sizeof(d->keys.nonce.node));
	d->keys.nonce.alone = !d->config->nonce_key_file[0];
	if (keys_use_master(&d->keys, &master, policy_settings(d->policy), clock_steady_s()))
		rc = error_set(err, -EIO, "can not derive the nonce keys");
	explicit_bzero(&master, sizeof(master));
	return rc;
}

static int make_admission(struct daemon *d, struct error *err)
{
	int rc = policy_build(d->store, &d->policy, err);

	if (!rc)
		rc = make_keys(d, err);
	if (rc)
		return rc;
	if (digest_context_create(&d->digest) ||
	    replay_create(REPLAY_NONCES, policy_settings(d->policy)->nonce_lifetime_s,
			  &d->replay) ||
	    lockouts_create(d->filter, LOCKOUT_SOURCES, &d->lockouts))
		return error_set(err, -ENOMEM, "can not set up digest authentication");
	if (registrar_create(REGISTRAR_BINDINGS_DEFAULT, &d->registrar))
		return error_set(err, -ENOMEM, "can not set up the registrar");
	/* The keys have outlived the windows: what was used before the start is not known. */
	replay_refuse_until(d->replay, clock_steady_s());
	return 0;
}

static int start_records(struct daemon *d, struct error *err)
{
	struct record_writer_options options = {
		.state_dir = d->config->state_dir,
		.log_path = d->config->call_log,
		.queue = RECORD_QUEUE,
		.retention_days = policy_settings(d->policy)->call_retention_days,
	};
	int rc = record_writer_start(&options, &d->record_writer, err);

	if (rc)
		return rc;
	if (records_init(&d->records, RECORDS_DEFAULT, d->record_writer, clock_wall_ms()))
		return error_set(err, -ENOMEM, "out of memory");
	if (records_load(&d->records, d->config->state_dir, NULL, NULL, err))
		log_error("calls_not_loaded", LOG_STR("error", err->text),
			  LOG_STR("effect", "calls of before have no record, or a shorter one"));
	return 0;
}

static void on_ratchet(void *arg, int64_t user_id, unsigned strongest)
{
	struct daemon *d = arg;

	watch_ratchet(d->watch, user_id, strongest);
}

static int make_proxy(struct daemon *d, struct error *err)
{
	struct proxy_options options = {
		.output = {output_send, output_local_for, output_is_local, output_alias,
			   output_learned, d},
		.admission =
			{
				.policy = d->policy,
				.digest = d->digest,
				.nonce_keys = &d->keys.nonce,
				.replay = d->replay,
				.lockouts = d->lockouts,
				.filter = d->filter,
				.ratchet = on_ratchet,
				.ratchet_arg = d,
			},
		.registrar = d->registrar,
		.records = &d->records,
		.registers = true,
	};
	int rc = store_secret(d->store, "branch", options.branch_key, err);

	if (!rc)
		rc = store_secret(d->store, "dialog", options.dialog_key, err);
	if (!rc && proxy_create(&options, &d->proxy))
		rc = error_set(err, -ENOMEM, "out of memory");
	explicit_bzero(options.branch_key, sizeof(options.branch_key));
	explicit_bzero(options.dialog_key, sizeof(options.dialog_key));
	return rc;
}

static int start_watch(struct daemon *d, struct error *err)
{
	struct watch_options options = {
		.config = d->config,
		.generation = policy_generation(d->policy),
		.filter_identity = d->filter ? filter_identity(d->filter) : 0,
	};

	return watch_start(&options, &d->watch, err);
}

static int prepare(struct daemon *d, struct error *err)
{
	int rc = guard_store(d->config, &d->store, err);

	if (!rc)
		rc = guard_default_trunk(d->config, d->store, err);
	if (!rc)
		rc = listen_all(d, err);
	if (!rc)
		rc = guard_filter(d->config, d->store, &d->filter, err);
	if (!rc)
		rc = make_admission(d, err);
	if (!rc)
		rc = persist_start(d->config->state_dir, d->registrar, &d->persist, err);
	if (!rc)
		rc = start_records(d, err);
	if (!rc)
		rc = make_proxy(d, err);
	if (!rc)
		rc = start_watch(d, err);
	if (!rc)
		rc = hosts_start(d->config, &d->hosts, err);
	return rc;
}

/* Without a descriptor it comes once a second. */
static int add_event(struct daemon *d, int fd, short what, event_callback_fn callback)
{
	static const struct timeval second = {1, 0};
	struct event *event = event_new(d->base, fd, what, callback, d);

	if (!event)
		return -ENOMEM;
	d->events[d->event_count++] = event;
	return event_add(event, fd < 0 ? &second : NULL) ? -EIO : 0;
}

static int add_events(struct daemon *d)
{
	static const struct {
		int number;
		event_callback_fn callback;
	} signals[] = {
		{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGUSR1, on_stats}};
	const struct net_handler handler = {on_receive, on_failed, on_misbehaved, d};
	int rc = 0;

	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	d->timer = evtimer_new(d->base, on_timer, d);
	if (!d->timer)
		return -ENOMEM;
	for (size_t i = 0; !rc && i < sizeof(signals) / sizeof(signals[0]); i++)
		rc = add_event(d, signals[i].number, EV_SIGNAL | EV_PERSIST, signals[i].callback);
	if (!rc)
		rc = net_start(d->net, d->base, &handler);
	if (!rc)
		rc = add_event(d, -1, EV_PERSIST, on_second);
	if (!rc)
		rc = add_event(d, watch_fd(d->watch), EV_READ | EV_PERSIST, on_news);
	if (!rc)
		rc = add_event(d, persist_fd(d->persist), EV_READ | EV_PERSIST, on_persist);
	return rc;
}

/* Nothing depends on it but the commands that ask. */
static void start_control(struct daemon *d)
{
	struct error err = {0};

	d->answerer = (struct answerer){d->proxy, d->net, &d->records, clock_coarse_ns()};
	if (control_start(d->base, d->config->state_dir, answer_question, &d->answerer, &d->control,
			  &err))
		log_warning("no_control", LOG_STR("error", err.text),
			    LOG_STR("effect", "status and explain can not ask the daemon"));
}

static void dismantle(struct daemon *d)
{
	control_stop(d->control);
	for (unsigned i = 0; i < d->event_count; i++)
		event_free(d->events[i]);
	if (d->timer)
		event_free(d->timer);
	net_free(d->net);
	if (d->base)
		event_base_free(d->base);
	hosts_stop(d->hosts);
	watch_stop(d->watch);
	proxy_free(d->proxy);
	records_save(&d->records, clock_wall_ms());
	record_writer_stop(d->record_writer);
	records_free(&d->records);
	persist_stop(d->persist);
	registrar_free(d->registrar);
	lockouts_free(d->lockouts);
	replay_free(d->replay);
	digest_context_free(d->digest);
	policy_unref(d->policy);
	filter_close(d->filter);
	store_close(d->store);
	keys_wipe(&d->keys);
}

int daemon_run(const struct config *config, struct error *err)
{
	struct daemon d = {.config = config};
	int rc = prepare(&d, err);

	if (!rc && add_events(&d))
		rc = error_set(err, -EIO, "can not set up the event loop");
	if (!rc) {
		start_control(&d);
		arm_timer(&d);
		sd_notify(0, "READY=1");
		log_info("ready", LOG_INT("generation", (int64_t)policy_generation(d.policy)));
		event_base_dispatch(d.base);
	}
	dismantle(&d);
	return rc;
}
