/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/watch.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "daemon/guard.h"

/* How often is looked without being told: the notification may be lost, the filter replaced. */
#define POLL_MS 1000
#define RATCHETS_MAX 256

#define LEARNED_MAX 32

struct ratchet {
	int64_t user_id;
	unsigned strongest;
};

/* The realm of an outbound credential, and what is kept in its password's place. */
struct learned {
	int64_t credential_id;
	char realm[STORE_NAME_SIZE];
	struct store_ha1 ha1;
};

struct watch {
	struct thread thread;
	struct watch_options options;
	struct store *store;
	struct filter *filter; /* the thread's own handle */
	int notify_fd;
	int wake_fd; /* to the thread */
	int news_fd; /* to the worker */
	struct policy *policy; /* the last one read */
	bool pinned;	  /* maps were in the pin directory when we last looked */
	unsigned lost;	  /* looks in a row at an interface without the filter, at most 3 */
	int attach_error; /* of the last try to put it back; told once, like the others */
	int store_error, sync_error;
	bool stale; /* the maps or the snapshot did not follow the store; try again */

	pthread_mutex_t lock; /* over what follows */
	bool stop, reload;
	struct ratchet ratchets[RATCHETS_MAX];
	size_t ratchet_count;
	struct learned learned[LEARNED_MAX];
	size_t learned_count;
	struct watch_news news;
	struct policy *retired; /* to be freed by the thread */
};

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		log_error("eventfd", LOG_STR("error", "write failed"));
}

static void drain_fd(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) > 0)
		continue;
}

static void drain_notifications(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) >= 0)
		continue;
}

/* Hands over whatever of the news is set. What the worker has not taken yet is replaced. */
static void publish(struct watch *watch, const struct watch_news *news)
{
	struct policy *unseen = NULL;

	pthread_mutex_lock(&watch->lock);
	if (news->policy) {
		unseen = watch->news.policy;
		watch->news.policy = news->policy;
	}
	if (news->filter) {
		filter_close(watch->news.filter);
		watch->news.filter = news->filter;
	}
	if (news->nonce_master.n)
		watch->news.nonce_master = news->nonce_master;
	watch->news.reloaded |= news->reloaded;
	pthread_mutex_unlock(&watch->lock);
	signal_fd(watch->news_fd);
	policy_unref(unseen);
}

/* What fails each second is told once. */
static bool is_new(int *last, int rc)
{
	bool news = rc && rc != *last;

	*last = rc;
	return news;
}

/* ---- the filter ---- */

/* NULL: any. */
static const char *interface_of(const struct config *config)
{
	return config->interface[0] ? config->interface : NULL;
}

/* An interface that vanished took the program along and left the pins; who detaches the filter on
 * purpose removes the pins too, and is left alone. */
static void keep_attached(struct watch *watch)
{
	const struct config *config = watch->options.config;
	struct error err;
	int rc;

	if (!interface_of(config) || !watch->pinned)
		return;
	if (guard_is_attached(config)) {
		watch->lost = 0;
		return;
	}
	/* The first look may have met a detach half way. */
	if (watch->lost < 3)
		watch->lost++;
	if (watch->lost == 2)
		log_error("filter_lost", LOG_STR("interface", config->interface),
			  LOG_STR("effect", "nothing is filtered there"),
			  LOG_STR("mend", "attached again once the interface is back"));
	if (watch->lost < 2 || !if_nametoindex(config->interface))
		return;
	rc = guard_attach(config, watch->store, &err);
	if (is_new(&watch->attach_error, rc))
		log_error("attach_failed", LOG_STR("error", err.text),
			  LOG_STR("mend", "tried again each second; sipward doctor tells more"));
}

/* Finds the filter that is in force now. True if it is another one than before. */
static bool find_filter(struct watch *watch)
{
	const struct config *config = watch->options.config;
	struct filter *found;

	watch->pinned = false;
	if (filter_open(config->pin_dir, interface_of(config), &found, NULL))
		return false;
	watch->pinned = filter_is_pinned(found);
	if (watch->filter && filter_identity(found) == filter_identity(watch->filter)) {
		filter_close(found);
		return false;
	}
	filter_close(watch->filter);
	watch->filter = found;
	return true;
}

static void follow_filter(struct watch *watch, struct watch_news *news)
{
	const struct config *config = watch->options.config;

	if (!find_filter(watch))
		return;
	watch->stale = true;
	if (watch->options.filter_identity == filter_identity(watch->filter))
		return;
	watch->options.filter_identity = filter_identity(watch->filter);
	if (filter_open(config->pin_dir, interface_of(config), &news->filter, NULL) == 0)
		log_info("filter_found", LOG_STR("pin_dir", config->pin_dir));
}

/* Without them it leaves the challenges to the daemon. */
static void follow_addresses(struct watch *watch)
{
	const struct config *config = watch->options.config;
	struct endpoint list[CONFIG_LISTEN_MAX];
	struct filter_listening listening = {list, 0};

	for (unsigned i = 0; i < config->listen_count; i++)
		if (config->listen[i].transport == NET_UDP)
			list[listening.n++] = config->listen[i].address;
	if (watch->filter)
		(void)filter_own_addresses_write(watch->filter, config->pin_dir, listening);
}

/* ---- the store ---- */

static void read_keys(struct watch *watch, struct watch_news *news)
{
	struct error err;

	if (keys_read_master(watch->options.config, watch->store, &news->nonce_master, &err))
		log_error("nonce_key_failed", LOG_STR("error", err.text),
			  LOG_STR("effect", "goes on with the key it has"));
}

static int sync_filter(struct watch *watch, bool full)
{
	struct filter_reconciled done;
	struct error err;
	int rc;

	if (!watch->filter)
		return 0;
	guard_challenges(watch->policy, watch->filter);
	rc = store_sync(watch->store, watch->filter, full, &done, &err);
	if (is_new(&watch->sync_error, rc))
		log_error("filter_sync_failed", LOG_STR("error", err.text));
	if (!rc && done.added + done.changed + done.removed)
		log_info("filter_synced", LOG_INT("added", (int64_t)done.added),
			 LOG_INT("changed", (int64_t)done.changed),
			 LOG_INT("removed", (int64_t)done.removed));
	return rc;
}

static void store_failed(struct watch *watch, int rc, const char *why)
{
	if (is_new(&watch->store_error, rc))
		log_error("store_failed", LOG_STR("error", why),
			  LOG_STR("effect", "calls and filter go on with the rules of before"));
	watch->stale = true;
}

/* The snapshot first: a customer just added must not be refused by the daemon once the filter lets
 * it through. */
static void follow_store(struct watch *watch, bool reload, struct watch_news *news)
{
	struct policy *policy;
	struct error err;
	uint64_t generation;
	int rc;

	rc = store_generation(watch->store, &generation);
	if (rc) {
		store_failed(watch, rc, strerror(-rc));
		return;
	}
	if (generation == policy_generation(watch->policy) && !reload && !watch->stale)
		return;
	watch->stale = false;
	if (generation != policy_generation(watch->policy) || reload) {
		rc = policy_build(watch->store, &policy, &err);
		if (rc) {
			store_failed(watch, rc, err.text);
			return;
		}
		watch->store_error = 0;
		policy_unref(watch->policy);
		watch->policy = policy_ref(policy);
		news->policy = policy;
		log_info("policy", LOG_INT("generation", (int64_t)policy_generation(policy)));
	}
	if (sync_filter(watch, reload))
		watch->stale = true;
}

/* One that is gone meanwhile, or has its realm already, needs no more. */
static void write_learned(struct watch *watch)
{
	struct learned learned[LEARNED_MAX];
	struct error err;
	size_t n;

	pthread_mutex_lock(&watch->lock);
	n = watch->learned_count;
	memcpy(learned, watch->learned, n * sizeof(learned[0]));
	explicit_bzero(watch->learned, sizeof(watch->learned));
	watch->learned_count = 0;
	pthread_mutex_unlock(&watch->lock);
	for (size_t i = 0; i < n; i++) {
		int rc = store_outbound_learned(watch->store, learned[i].credential_id,
						learned[i].realm, &learned[i].ha1, &err);

		if (rc == 0)
			log_info("realm_learned", LOG_STR("realm", learned[i].realm));
		else if (rc != -ENOENT)
			log_warning("realm_not_kept", LOG_STR("error", err.text));
	}
	explicit_bzero(learned, sizeof(learned));
}

static void write_ratchets(struct watch *watch)
{
	struct ratchet ratchets[RATCHETS_MAX];
	struct error err;
	size_t n;

	pthread_mutex_lock(&watch->lock);
	n = watch->ratchet_count;
	memcpy(ratchets, watch->ratchets, n * sizeof(ratchets[0]));
	watch->ratchet_count = 0;
	pthread_mutex_unlock(&watch->lock);
	for (size_t i = 0; i < n; i++)
		if (store_user_ratchet(watch->store, ratchets[i].user_id, ratchets[i].strongest,
				       &err))
			log_warning("ratchet_failed", LOG_STR("error", err.text));
}

/* ---- the thread ---- */

/* Waits for something to do. False: stop. */
static bool wait_for_work(struct watch *watch, bool *ret_reload)
{
	struct pollfd fds[] = {
		{.fd = watch->wake_fd, .events = POLLIN},
		{.fd = watch->notify_fd, .events = POLLIN},
	};
	struct policy *retired;
	bool stop;

	poll(fds, 2, POLL_MS);
	drain_fd(watch->wake_fd);
	drain_notifications(watch->notify_fd);
	pthread_mutex_lock(&watch->lock);
	stop = watch->stop;
	*ret_reload = watch->reload;
	watch->reload = false;
	retired = watch->retired;
	watch->retired = NULL;
	pthread_mutex_unlock(&watch->lock);
	policy_unref(retired);
	return !stop;
}

static void *watch_main(void *arg)
{
	struct watch *watch = arg;
	bool reload = false;

	while (wait_for_work(watch, &reload)) {
		struct watch_news news = {.reloaded = reload};

		/* Before a snapshot is read that should know of them. */
		write_ratchets(watch);
		write_learned(watch);
		if (reload)
			read_keys(watch, &news);
		follow_filter(watch, &news);
		keep_attached(watch);
		follow_store(watch, reload, &news);
		follow_addresses(watch);
		if (news.policy || news.filter || news.reloaded)
			publish(watch, &news);
		explicit_bzero(&news.nonce_master, sizeof(news.nonce_master));
	}
	write_ratchets(watch);
	write_learned(watch);
	return NULL;
}

int watch_start(const struct watch_options *options, struct watch **ret_watch, struct error *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return error_set(err, -ENOMEM, "out of memory");
	watch->options = *options;
	watch->policy = policy_ref(options->policy);
	watch->notify_fd = -1;
	pthread_mutex_init(&watch->lock, NULL);
	watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->wake_fd < 0 || watch->news_fd < 0)
		rc = error_set(err, -EMFILE, "too many open files");
	else
		rc = store_open(options->config->state_dir, &watch->store, err);
	if (!rc)
		rc = store_notify_listen(watch->store, &watch->notify_fd, err);
	if (!rc && thread_start(&watch->thread, watch_main, watch))
		rc = error_set(err, -EAGAIN, "can not start a thread");
	if (rc) {
		watch_stop(watch);
		return rc;
	}
	*ret_watch = watch;
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->thread.started) {
		pthread_mutex_lock(&watch->lock);
		watch->stop = true;
		pthread_mutex_unlock(&watch->lock);
		signal_fd(watch->wake_fd);
		thread_join(&watch->thread);
	}
	policy_unref(watch->policy);
	policy_unref(watch->retired);
	policy_unref(watch->news.policy);
	filter_close(watch->news.filter);
	filter_close(watch->filter);
	store_close(watch->store);
	if (watch->notify_fd >= 0)
		close(watch->notify_fd);
	if (watch->wake_fd >= 0)
		close(watch->wake_fd);
	if (watch->news_fd >= 0)
		close(watch->news_fd);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->news_fd;
}

void watch_take(struct watch *watch, struct watch_news *ret_news)
{
	drain_fd(watch->news_fd);
	pthread_mutex_lock(&watch->lock);
	*ret_news = watch->news;
	explicit_bzero(&watch->news, sizeof(watch->news));
	pthread_mutex_unlock(&watch->lock);
}

void watch_retire(struct watch *watch, struct policy *policy)
{
	struct policy *before;

	pthread_mutex_lock(&watch->lock);
	before = watch->retired;
	watch->retired = policy;
	pthread_mutex_unlock(&watch->lock);
	signal_fd(watch->wake_fd);
	policy_unref(before);
}

void watch_ratchet(struct watch *watch, int64_t user_id, unsigned strongest)
{
	pthread_mutex_lock(&watch->lock);
	if (watch->ratchet_count < RATCHETS_MAX)
		watch->ratchets[watch->ratchet_count++] = (struct ratchet){user_id, strongest};
	pthread_mutex_unlock(&watch->lock);
	signal_fd(watch->wake_fd);
}

void watch_learned(struct watch *watch, int64_t credential_id, const char *realm,
		   const struct store_ha1 *ha1)
{
	struct learned *learned;

	pthread_mutex_lock(&watch->lock);
	learned = &watch->learned[watch->learned_count];
	if (watch->learned_count < LEARNED_MAX &&
	    slice_text(slice_from(realm), learned->realm, sizeof(learned->realm)) == 0) {
		learned->credential_id = credential_id;
		learned->ha1 = *ha1;
		watch->learned_count++;
	}
	pthread_mutex_unlock(&watch->lock);
	signal_fd(watch->wake_fd);
}

void watch_reload(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->reload = true;
	pthread_mutex_unlock(&watch->lock);
	signal_fd(watch->wake_fd);
}
