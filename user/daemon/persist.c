/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/persist.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define BATCH 256
#define LOOK_MS 1000 /* for removals that nobody told of */
#define PAUSE_MS 100 /* between two transactions, so that they are worth their fsync */
#define RETRY_MS 250
#define STOP_MS 2000

/* A removal that the operator has ordered. */
struct order {
	struct order *next;
	int64_t trunk_id;
	bool all;
	char user[STORE_USER_SIZE], contact[STORE_CONTACT_SIZE];
};

struct batch {
	size_t n;
	struct store_binding_change changes[BATCH];
};

struct persist {
	struct registrar *registrar; /* the worker's */
	struct store *store;	     /* the thread's, once it runs */
	struct batch *writing;
	int last_error;
	int fd; /* to the worker */

	struct behind behind; /* its lock is over what follows */
	struct batch *waiting;
	struct order *orders;
};

static void signal_worker(struct persist *persist)
{
	uint64_t one = 1;

	if (write(persist->fd, &one, sizeof(one)) < 0)
		log_error("eventfd", LOG_STR("error", "write failed"));
}

/* ---- writing ---- */

/* Whether the same may succeed later. */
static bool is_passing(int rc)
{
	return rc == -EBUSY || rc == -ENOSPC || rc == -EIO || rc == -EROFS || rc == -EACCES;
}

/* False: try again. Each failure is told once, a busy store not at all. */
static bool write_batch(struct persist *persist)
{
	struct batch *batch = persist->writing;
	struct error err;
	int rc = store_binding_write(persist->store, batch->changes, batch->n, &err);

	if (rc && rc != -EBUSY && rc != persist->last_error)
		log_error("registrations_not_written", LOG_STR("error", err.text),
			  LOG_STR("effect", is_passing(rc) ? "tried again; a restart loses them"
							   : "a restart loses them"));
	persist->last_error = rc;
	if (is_passing(rc))
		return false;
	batch->n = 0;
	return true;
}

/* ---- removals ---- */

static void note_order(int64_t trunk_id, const char *user, const char *contact, void *arg)
{
	struct persist *persist = arg;
	struct order *order = calloc(1, sizeof(*order));

	if (!order)
		return;
	order->trunk_id = trunk_id;
	order->all = !contact;
	slice_text(slice_from(user), order->user, sizeof(order->user));
	slice_text(slice_from(contact), order->contact, sizeof(order->contact));
	pthread_mutex_lock(&persist->behind.lock);
	order->next = persist->orders;
	persist->orders = order;
	pthread_mutex_unlock(&persist->behind.lock);
}

static void fetch_orders(struct persist *persist)
{
	bool found;

	/* A store that can not be read now is asked again a second later. */
	(void)store_binding_orders_take(persist->store, note_order, persist, NULL);
	pthread_mutex_lock(&persist->behind.lock);
	found = persist->orders != NULL;
	pthread_mutex_unlock(&persist->behind.lock);
	if (found)
		signal_worker(persist);
}

/* ---- the thread ---- */

/* Takes the batch that waits, if the one before is written. True if it was full: the worker has
 * more, perhaps. */
static bool swap_batches(struct persist *persist)
{
	struct batch *waiting = persist->waiting;

	if (persist->writing->n)
		return false;
	persist->waiting = persist->writing;
	persist->writing = waiting;
	return waiting->n == BATCH;
}

static void *persist_main(void *arg)
{
	struct persist *persist = arg;
	bool full, written = true;

	pthread_mutex_lock(&persist->behind.lock);
	while (!persist->behind.stop) {
		if (written)
			behind_wait(&persist->behind, LOOK_MS);
		else
			behind_pause(&persist->behind, RETRY_MS);
		full = swap_batches(persist);
		pthread_mutex_unlock(&persist->behind.lock);
		if (full)
			signal_worker(persist);
		written = !persist->writing->n || write_batch(persist);
		fetch_orders(persist);
		pthread_mutex_lock(&persist->behind.lock);
		if (!full)
			behind_pause(&persist->behind, PAUSE_MS);
	}
	pthread_mutex_unlock(&persist->behind.lock);
	return NULL;
}

/* ---- start and stop ---- */

static void forget_order(int64_t trunk_id, const char *user, const char *contact, void *arg)
{
	(void)trunk_id;
	(void)user;
	(void)contact;
	(void)arg;
}

static int load(struct persist *persist, struct error *err)
{
	struct registrar_stats stats;
	int rc;

	/* Their registrations are gone from the store already. */
	rc = store_binding_orders_take(persist->store, forget_order, NULL, err);
	if (!rc)
		rc = registrar_load(persist->registrar, persist->store, clock_steady_s(), err);
	if (rc)
		return rc;
	registrar_stats(persist->registrar, &stats);
	if (stats.bindings)
		log_info("registrations_loaded", LOG_INT("count", (int64_t)stats.bindings));
	return 0;
}

int persist_start(const char *state_dir, struct registrar *registrar, struct persist **ret_persist,
		  struct error *err)
{
	struct persist *persist = calloc(1, sizeof(*persist));
	int rc = 0;

	if (!persist)
		return error_set(err, -ENOMEM, "out of memory");
	persist->registrar = registrar;
	persist->writing = calloc(1, sizeof(*persist->writing));
	persist->waiting = calloc(1, sizeof(*persist->waiting));
	behind_init(&persist->behind);
	persist->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!persist->writing || !persist->waiting)
		rc = error_set(err, -ENOMEM, "out of memory");
	else if (persist->fd < 0)
		rc = error_set(err, -EMFILE, "too many open files");
	if (!rc)
		rc = store_open(state_dir, &persist->store, err);
	if (!rc)
		rc = load(persist, err);
	if (!rc && behind_start(&persist->behind, persist_main, persist))
		rc = error_set(err, -EAGAIN, "can not start a thread");
	if (rc)
		persist_stop(persist);
	else
		*ret_persist = persist;
	return rc;
}

/* All that is not written yet, in the order it came: the thread's batch, the one that waits, what
 * the registrar still has. */
static void write_rest(struct persist *persist)
{
	unsigned waited_ms = 0;

	while (waited_ms < STOP_MS) {
		if (!persist->writing->n)
			swap_batches(persist);
		if (!persist->writing->n)
			persist->writing->n = registrar_take_changes(
				persist->registrar, persist->writing->changes, BATCH);
		if (!persist->writing->n)
			return;
		if (write_batch(persist))
			continue;
		usleep(RETRY_MS * 1000);
		waited_ms += RETRY_MS;
	}
	log_error("registrations_lost", LOG_STR("cause", "the store could not be written"));
}

void persist_stop(struct persist *persist)
{
	struct order *order;

	if (!persist)
		return;
	if (behind_stop(&persist->behind)) {
		persist_serve(persist);
		write_rest(persist);
	}
	while ((order = persist->orders)) {
		persist->orders = order->next;
		free(order);
	}
	store_close(persist->store);
	if (persist->fd >= 0)
		close(persist->fd);
	behind_free(&persist->behind);
	free(persist->writing);
	free(persist->waiting);
	free(persist);
}

/* ---- the worker's side ---- */

int persist_fd(const struct persist *persist)
{
	return persist->fd;
}

void persist_hand_over(struct persist *persist)
{
	struct batch *waiting;
	size_t n;

	pthread_mutex_lock(&persist->behind.lock);
	waiting = persist->waiting;
	n = registrar_take_changes(persist->registrar, waiting->changes + waiting->n,
				   BATCH - waiting->n);
	waiting->n += n;
	if (n)
		behind_wake(&persist->behind);
	pthread_mutex_unlock(&persist->behind.lock);
}

void persist_serve(struct persist *persist)
{
	struct order *orders, *next;
	uint64_t count;

	while (read(persist->fd, &count, sizeof(count)) > 0)
		continue;
	pthread_mutex_lock(&persist->behind.lock);
	orders = persist->orders;
	persist->orders = NULL;
	pthread_mutex_unlock(&persist->behind.lock);
	for (; orders; orders = next) {
		next = orders->next;
		registrar_remove(persist->registrar, orders->trunk_id, slice_from(orders->user),
				 orders->all ? NULL : orders->contact);
		free(orders);
	}
	persist_hand_over(persist);
}

void persist_look(struct persist *persist)
{
	pthread_mutex_lock(&persist->behind.lock);
	behind_wake(&persist->behind);
	pthread_mutex_unlock(&persist->behind.lock);
}
