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
#include "daemon/answer.h"
#include "daemon/control.h"
#include "daemon/guard.h"
#include "daemon/hosts.h"
#include "daemon/workers.h"
#include "policy/prepare.h"
#include "record/writer.h"

#define LOCKOUT_SOURCES 65536
#define REPLAY_NONCES 65536
#define DRAIN_LOOK_MS 20
#define LEASE_S 3
#define EVENTS_MAX 8

struct daemon {
	const struct config *config;
	struct store *store;
	struct filter *filter;
	struct policy *policy;
	struct replay *replay;
	struct lockouts *lockouts;
	struct registrar *registrar;
	struct persist *persist;
	struct record_writer *record_writer;
	struct workers *workers;
	struct watch *watch;
	struct hosts *hosts;
	struct control *control;
	struct answerer answerer;
	struct event *drain;
	uint64_t drain_until_ns; /* 0 = we are to go on */
	struct event *events[EVENTS_MAX];
	unsigned event_count;
};

/* The filter may challenge in our place for as long as we serve, and a little more: nobody shall be
 * asked for credentials that nobody is there to take. */
static void renew_lease(struct daemon *d)
{
	struct sipward_lease lease = {0};
	uint64_t now_ns = clock_coarse_ns();

	if (!d->filter)
		return;
	if (prepared_challenges(d->policy).any && !d->drain_until_ns) {
		lease = workers_lease(d->workers);
		lease.until_ns = now_ns + LEASE_S * NS_PER_S;
		lease.epoch_ns =
			replay_issue_time(d->replay, clock_steady_s()) * NS_PER_S - now_ns;
	}
	(void)filter_lease_write(d->filter, &lease);
	explicit_bzero(&lease, sizeof(lease));
}

static void end_lease(struct daemon *d)
{
	const struct sipward_lease none = {0};

	if (d->filter)
		(void)filter_lease_write(d->filter, &none);
}

/* Apart from the workers' timers, which packets put off. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	workers_tick(d->workers);
	renew_lease(d);
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
	if (lockouts_use_filter(d->lockouts, filter)) {
		filter_close(filter);
		return;
	}
	workers_use_filter(d->workers, filter);
	filter_close(d->filter);
	d->filter = filter;
}

static void use_policy(struct daemon *d, struct policy *policy)
{
	workers_use_policy(d->workers, policy);
	watch_retire(d->watch, d->policy);
	d->policy = policy;
	replay_set_lifetime(d->replay, policy_settings(policy)->nonce_lifetime_s);
	record_writer_retain(d->record_writer, policy_settings(policy)->call_retention_days);
	persist_look(d->persist);
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
	if (news.policy)
		use_policy(d, news.policy);
	if (news.nonce_master.n)
		workers_use_master(d->workers, &news.nonce_master);
	explicit_bzero(&news.nonce_master, sizeof(news.nonce_master));
	renew_lease(d);
	if (news.reloaded && !news.policy)
		log_error("reload_failed", LOG_STR("effect", "goes on with what it has"));
	else if (news.reloaded)
		log_info("reloaded", LOG_INT("generation", (int64_t)policy_generation(d->policy)));
	if (news.reloaded)
		sd_notify(0, "READY=1");
}

/* ---- signals ---- */

/* Calls that are set up need us no more than this: whoever goes on knows them by their tokens. */
static void on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	size_t left = workers_unanswered(d->workers);

	(void)fd;
	(void)what;
	if (left && clock_coarse_ns() < d->drain_until_ns) {
		event_add(d->drain, &(struct timeval){.tv_usec = DRAIN_LOOK_MS * 1000});
		return;
	}
	if (left)
		log_warning("not_drained", LOG_INT("requests", (int64_t)left),
			    LOG_STR("effect", "they are not answered"));
	workers_break(d->workers);
}

static void on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (d->drain_until_ns) {
		workers_break(d->workers);
		return;
	}
	log_info("stopping", LOG_STR("signal", signal_number == SIGTERM ? "TERM" : "INT"));
	sd_notify(0, "STOPPING=1");
	d->drain_until_ns = clock_coarse_ns() + d->config->drain_ms * NS_PER_MS;
	renew_lease(d);
	workers_drain(d->workers);
	on_drain(-1, 0, d);
}

static void on_reload(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;
	struct error err;

	(void)signal_number;
	(void)what;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_coarse_ns() / 1000));
	if (workers_load_tls(d->workers, &err))
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
	struct answer_sums sums;
	size_t n = 0;

	(void)signal_number;
	(void)what;
	answer_sum(&d->answerer, &sums);
	registrar_stats(d->registrar, &registrar);
	for (int i = 0; i < PROXY_COUNTERS; i++)
		fields[n++] = LOG_INT(proxy_counter_name((enum proxy_counter)i),
				      (int64_t)sums.proxy.counters[i]);
	fields[n++] = LOG_INT("transactions", (int64_t)sums.proxy.transactions);
	fields[n++] = LOG_INT("calls", (int64_t)sums.proxy.calls);
	/* What the proxy counts under these names says more. */
	for (int i = NET_TRUNCATED; i < NET_COUNTERS; i++)
		fields[n++] = LOG_INT(net_counter_name((enum net_counter)i),
				      (int64_t)sums.net.counters[i]);
	fields[n++] = LOG_INT("connections", (int64_t)(sums.net.incoming + sums.net.outgoing));
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

static int make_admission(struct daemon *d, struct error *err)
{
	int rc = policy_build(d->store, &d->policy, err);

	if (rc)
		return rc;
	if (replay_create(REPLAY_NONCES, policy_settings(d->policy)->nonce_lifetime_s,
			  &d->replay) ||
	    lockouts_create(d->filter, LOCKOUT_SOURCES, &d->lockouts))
		return error_set(err, -ENOMEM, "can not set up digest authentication");
	if (registrar_create(REGISTRAR_BINDINGS_DEFAULT, &d->registrar))
		return error_set(err, -ENOMEM, "can not set up the registrar");
	/* The keys have outlived the windows: what was used before the start is not known. */
	replay_refuse_until(d->replay, clock_steady_s());
	return 0;
}

static int start_record_writer(struct daemon *d, struct error *err)
{
	struct record_writer_options options = {
		.state_dir = d->config->state_dir,
		.log_path = d->config->call_log,
		.queue = RECORD_QUEUE,
		.retention_days = policy_settings(d->policy)->call_retention_days,
	};

	return record_writer_start(&options, &d->record_writer, err);
}

static int equip_workers(struct daemon *d, struct error *err)
{
	struct nonce_master master;
	struct workers_options options = {
		.admission =
			{
				.policy = d->policy,
				.replay = d->replay,
				.lockouts = d->lockouts,
				.filter = d->filter,
				.registrar = d->registrar,
			},
		.persist = d->persist,
		.record_writer = d->record_writer,
		.watch = &d->watch,
		.nonce_master = &master,
	};
	int rc = keys_read_master(d->config, d->store, &master, err);

	if (rc)
		return rc;
	rc = store_secret(d->store, "branch", options.branch_key, err);
	if (!rc)
		rc = store_secret(d->store, "dialog", options.dialog_key, err);
	if (!rc)
		rc = workers_equip(d->workers, &options, err);
	explicit_bzero(&master, sizeof(master));
	explicit_bzero(&options, sizeof(options));
	return rc;
}

static int start_watch(struct daemon *d, struct error *err)
{
	struct watch_options options = {
		.config = d->config,
		.policy = d->policy,
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
		rc = workers_create(d->config, &d->workers, err);
	if (!rc)
		rc = guard_filter(d->config, d->store, &d->filter, err);
	if (!rc)
		rc = make_admission(d, err);
	if (!rc && d->filter)
		guard_challenges(d->policy, d->filter);
	if (!rc)
		rc = persist_start(d->config->state_dir, d->registrar, &d->persist, err);
	if (!rc)
		rc = start_record_writer(d, err);
	if (!rc)
		rc = equip_workers(d, err);
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
	struct event *event = event_new(workers_base(d->workers), fd, what, callback, d);

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
	int rc = 0;

	d->drain = evtimer_new(workers_base(d->workers), on_drain, d);
	if (!d->drain)
		return -ENOMEM;
	for (size_t i = 0; !rc && i < sizeof(signals) / sizeof(signals[0]); i++)
		rc = add_event(d, signals[i].number, EV_SIGNAL | EV_PERSIST, signals[i].callback);
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

	d->answerer.record_writer = d->record_writer;
	d->answerer.started_ns = clock_coarse_ns();
	while (d->answerer.count < workers_count(d->workers)) {
		d->answerer.workers[d->answerer.count] =
			workers_view(d->workers, d->answerer.count);
		d->answerer.count++;
	}
	if (control_start(workers_base(d->workers), d->config->state_dir, answer_question,
			  &d->answerer, &d->control, &err))
		log_warning("no_control", LOG_STR("error", err.text),
			    LOG_STR("effect", "status and explain can not ask the daemon"));
}

static void dismantle(struct daemon *d)
{
	control_stop(d->control);
	end_lease(d);
	for (unsigned i = 0; i < d->event_count; i++)
		event_free(d->events[i]);
	if (d->drain)
		event_free(d->drain);
	workers_free(d->workers);
	hosts_stop(d->hosts);
	watch_stop(d->watch);
	record_writer_stop(d->record_writer);
	persist_stop(d->persist);
	registrar_free(d->registrar);
	lockouts_free(d->lockouts);
	replay_free(d->replay);
	policy_unref(d->policy);
	filter_close(d->filter);
	store_close(d->store);
}

int daemon_run(const struct config *config, struct error *err)
{
	struct daemon d = {.config = config};
	int rc;

	raise_file_limit(config);
	rc = prepare(&d, err);
	if (!rc)
		rc = workers_start(d.workers, err);
	if (!rc && add_events(&d))
		rc = error_set(err, -EIO, "can not set up the event loop");
	if (!rc) {
		start_control(&d);
		sd_notify(0, "READY=1");
		log_info("ready", LOG_INT("generation", (int64_t)policy_generation(d.policy)),
			 LOG_INT("workers", (int64_t)config->workers));
		workers_run(d.workers);
	}
	dismantle(&d);
	return rc;
}
