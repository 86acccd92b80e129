/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/lockout.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"

/* Failures remembered a source: the largest lockout_failures that can be told exactly. */
#define FAILURES_MAX 64U
/* Entries looked at for one that may go, so that no packet costs a walk through the table. */
#define VICTIMS_TRIED 8

struct source_entry {
	struct table_node node;
	TAILQ_ENTRY(source_entry) link;
	struct sipward_source source;
	enum lockout_grade grade;  /* of the best evidence so far: which list it is on */
	uint64_t first_failure_ns; /* with no gap wider than the window since */
	uint64_t last_failure_ns;
	enum sipward_lockout_reason reason; /* of the last failure */
	bool spent;			    /* the failures have led to a lockout */
	struct sipward_lockout lockout;	    /* the last one; until_ns 0 = never */
	bool unmapped;			    /* the filter's map could not take it */
	unsigned failures;		    /* slots in use, at most FAILURES_MAX */
	unsigned newest;		    /* index of the latest failure */
	uint32_t time_ms[FAILURES_MAX];	    /* wraps after 49 days */
	bool hard[FAILURES_MAX];
};

TAILQ_HEAD(source_list, source_entry);

/* Soft and hard evidence each have half of the places, so that what forgers send can never push out
 * what real sources did. A list is in order of the last failure, the longest silent first. */
struct source_class {
	struct source_list list;
	size_t count;
};

struct lockouts {
	pthread_mutex_t lock; /* over all of it */
	struct filter *filter;
	struct table table;
	struct source_class classes[2]; /* by enum lockout_grade */
	size_t class_limit;
	struct lockout_stats stats;
};

static uint64_t hash_of(const struct lockouts *lockouts, const struct sipward_source *source)
{
	return table_hash(&lockouts->table, 0, source, sizeof(*source));
}

static struct source_entry *entry_find(const struct lockouts *lockouts,
				       const struct sipward_source *source)
{
	struct table_node *node = table_first(&lockouts->table, hash_of(lockouts, source));

	for (; node; node = table_next(node)) {
		struct source_entry *entry = table_entry(node, struct source_entry, node);

		if (memcmp(&entry->source, source, sizeof(*source)) == 0)
			return entry;
	}
	return NULL;
}

static void list_add(struct lockouts *lockouts, struct source_entry *entry)
{
	TAILQ_INSERT_TAIL(&lockouts->classes[entry->grade].list, entry, link);
	lockouts->classes[entry->grade].count++;
}

static void list_remove(struct lockouts *lockouts, struct source_entry *entry)
{
	TAILQ_REMOVE(&lockouts->classes[entry->grade].list, entry, link);
	lockouts->classes[entry->grade].count--;
}

static void entry_drop(struct lockouts *lockouts, struct source_entry *entry)
{
	list_remove(lockouts, entry);
	table_remove(&lockouts->table, &entry->node);
	free(entry);
}

/* Whether nothing about the source is worth remembering: no failure within the window, no lockout,
 * and none so lately that the next one would be longer. */
static bool entry_is_idle(const struct source_entry *entry, const struct store_settings *settings,
			  uint64_t now_ns)
{
	uint64_t window_ns = settings->lockout_window_s * NS_PER_S;
	uint64_t memory_ns = settings->lockout_ceiling_s * NS_PER_S;

	return now_ns > entry->last_failure_ns + window_ns &&
	       now_ns >= entry->lockout.until_ns + memory_ns;
}

/* Two a call, more than a call can add. */
static void drop_idle(struct lockouts *lockouts, const struct store_settings *settings,
		      uint64_t now_ns)
{
	for (unsigned i = 0; i < 2; i++) {
		struct source_entry *entry = TAILQ_FIRST(&lockouts->classes[i].list);

		for (unsigned n = 0; n < 2 && entry; n++) {
			if (!entry_is_idle(entry, settings, now_ns))
				break;
			entry_drop(lockouts, entry);
			entry = TAILQ_FIRST(&lockouts->classes[i].list);
		}
	}
}

/* Makes room in the class: the longest silent source that is not locked out goes. Those that are go
 * to the end of the list, so that they are not looked at again and again. */
static bool class_make_room(struct lockouts *lockouts, enum lockout_grade grade, uint64_t now_ns)
{
	struct source_class *class = &lockouts->classes[grade];

	if (class->count < lockouts->class_limit)
		return true;
	for (unsigned i = 0; i < VICTIMS_TRIED; i++) {
		struct source_entry *entry = TAILQ_FIRST(&class->list);

		if (entry->lockout.until_ns <= now_ns) {
			entry_drop(lockouts, entry);
			return true;
		}
		TAILQ_REMOVE(&class->list, entry, link);
		TAILQ_INSERT_TAIL(&class->list, entry, link);
	}
	return false;
}

static struct source_entry *entry_add(struct lockouts *lockouts,
				      const struct sipward_source *source, enum lockout_grade grade,
				      uint64_t now_ns)
{
	struct source_entry *entry;

	if (!class_make_room(lockouts, grade, now_ns))
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->source = *source;
	entry->grade = grade;
	table_insert(&lockouts->table, &entry->node, hash_of(lockouts, source));
	list_add(lockouts, entry);
	return entry;
}

/* The source's entry at the end of the list that its best evidence belongs to; a new one if there
 * is room. NULL: the failure can not be counted. */
static struct source_entry *entry_touch(struct lockouts *lockouts,
					const struct sipward_source *source,
					enum lockout_grade grade, uint64_t now_ns)
{
	struct source_entry *entry = entry_find(lockouts, source);
	bool rises;

	if (!entry)
		return entry_add(lockouts, source, grade, now_ns);
	rises = grade > entry->grade;
	if (rises && !class_make_room(lockouts, grade, now_ns))
		return NULL;
	list_remove(lockouts, entry);
	if (rises)
		entry->grade = grade;
	list_add(lockouts, entry);
	return entry;
}

static void entry_note(struct source_entry *entry, const struct lockout_evidence *evidence,
		       uint64_t window_ns, uint64_t now_ns)
{
	/* After a silence nothing counts any more; this also keeps the wrapping times unambiguous.
	 */
	if (now_ns > entry->last_failure_ns + window_ns || entry->spent)
		entry->failures = 0;
	if (entry->failures == 0)
		entry->first_failure_ns = now_ns;
	entry->spent = false;
	entry->reason = evidence->reason;
	entry->newest = (entry->newest + 1) % FAILURES_MAX;
	entry->time_ms[entry->newest] = (uint32_t)(now_ns / NS_PER_MS);
	entry->hard[entry->newest] = evidence->grade == LOCKOUT_HARD;
	if (entry->failures < FAILURES_MAX)
		entry->failures++;
	entry->last_failure_ns = now_ns;
}

struct recent {
	unsigned soft, hard;
};

/* Failures within the window up to now. */
static struct recent entry_recent(const struct source_entry *entry, unsigned window_s,
				  uint64_t now_ns)
{
	uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);
	struct recent recent = {0};

	for (unsigned i = 0; i < entry->failures; i++) {
		unsigned at = (entry->newest + FAILURES_MAX - i) % FAILURES_MAX;

		if ((uint64_t)(now_ms - entry->time_ms[at]) > window_s * 1000ULL)
			break;
		if (entry->hard[at])
			recent.hard++;
		else
			recent.soft++;
	}
	return recent;
}

/* Twice the last time for a source that was locked out within the ceiling's time, never beyond the
 * ceiling; without a ceiling always the same. */
static uint64_t duration_ns(const struct source_entry *entry, const struct store_settings *settings,
			    uint64_t now_ns)
{
	uint64_t base = settings->lockout_duration_s * NS_PER_S;
	uint64_t ceiling = settings->lockout_ceiling_s * NS_PER_S;
	uint64_t last = entry->lockout.until_ns - entry->lockout.since_ns;

	if (ceiling <= base || last == 0 || now_ns > entry->lockout.until_ns + ceiling)
		return base;
	return 2 * last < ceiling ? 2 * last : ceiling;
}

static void entry_lock(struct lockouts *lockouts, struct source_entry *entry,
		       const struct sipward_lockout *lockout)
{
	entry->lockout = *lockout;
	entry->spent = true; /* when it ends, the source starts anew */
	entry->unmapped = false;
	lockouts->stats.locked++;
	if (!lockouts->filter)
		return;
	if (filter_lockout_set(lockouts->filter, &entry->source, lockout) != 0) {
		entry->unmapped = true;
		lockouts->stats.map_errors++;
	}
}

/* Enters what an earlier daemon had written, so that repeat offenders stay known. */
static void take_over(struct lockouts *lockouts, const struct filter_lockout *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct source_entry *entry;

		if (found[i].lockout.reason == SIPWARD_LOCKOUT_MANUAL)
			continue;
		entry = entry_add(lockouts, &found[i].source, LOCKOUT_HARD,
				  found[i].lockout.since_ns);
		if (!entry)
			break;
		entry->lockout = found[i].lockout;
		entry->reason = found[i].lockout.reason;
		entry->first_failure_ns = found[i].lockout.since_ns;
		entry->last_failure_ns = found[i].lockout.since_ns;
	}
}

static void drop_all(struct lockouts *lockouts)
{
	struct source_entry *entry;

	for (unsigned i = 0; i < 2; i++) {
		while ((entry = TAILQ_FIRST(&lockouts->classes[i].list)))
			entry_drop(lockouts, entry);
	}
}

int lockouts_use_filter(struct lockouts *lockouts, struct filter *filter)
{
	struct filter_lockout *found;
	size_t n;
	int rc = filter_lockouts_read(filter, &found, &n);

	if (rc)
		return rc;
	pthread_mutex_lock(&lockouts->lock);
	drop_all(lockouts);
	lockouts->filter = filter;
	take_over(lockouts, found, n);
	pthread_mutex_unlock(&lockouts->lock);
	free(found);
	return 0;
}

int lockouts_create(struct filter *filter, size_t limit, struct lockouts **ret_lockouts)
{
	struct lockouts *lockouts = calloc(1, sizeof(*lockouts));
	int rc;

	if (!lockouts)
		return -ENOMEM;
	TAILQ_INIT(&lockouts->classes[LOCKOUT_SOFT].list);
	TAILQ_INIT(&lockouts->classes[LOCKOUT_HARD].list);
	pthread_mutex_init(&lockouts->lock, NULL);
	lockouts->class_limit = limit > 1 ? limit / 2 : 1;
	rc = table_init(&lockouts->table);
	if (rc == 0 && filter)
		rc = lockouts_use_filter(lockouts, filter);
	if (rc) {
		lockouts_free(lockouts);
		return rc;
	}
	*ret_lockouts = lockouts;
	return 0;
}

void lockouts_free(struct lockouts *lockouts)
{
	if (!lockouts)
		return;
	drop_all(lockouts);
	table_free(&lockouts->table);
	pthread_mutex_destroy(&lockouts->lock);
	free(lockouts);
}

static bool is_active(struct lockouts *lockouts, const struct store_settings *settings,
		      const struct ip *source, uint64_t now_ns, struct sipward_lockout *ret_lockout)
{
	struct sipward_source key = filter_source(source, settings->source_v6_bits);
	const struct source_entry *entry;
	struct sipward_lockout lockout;
	int rc = -ENOTSUP;

	if (lockouts->filter)
		rc = filter_lockout_get(lockouts->filter, &key, &lockout);
	if (rc != 0) {
		entry = entry_find(lockouts, &key);
		/* What the map took and no longer has was cleared by somebody. */
		if (!entry || (rc == -ENOENT && !entry->unmapped))
			return false;
		lockout = entry->lockout;
	}
	if (lockout.until_ns <= now_ns)
		return false;
	if (ret_lockout)
		*ret_lockout = lockout;
	return true;
}

static bool count_failure(struct lockouts *lockouts, const struct store_settings *settings,
			  const struct lockout_evidence *evidence, uint64_t now_ns,
			  struct sipward_lockout *ret_lockout)
{
	struct sipward_source source = filter_source(&evidence->source, settings->source_v6_bits);
	struct sipward_lockout lockout = {.since_ns = now_ns, .reason = evidence->reason};
	unsigned threshold = settings->lockout_failures;
	struct source_entry *entry;
	struct recent recent;

	if (threshold == 0 || (evidence->vouched && evidence->grade == LOCKOUT_SOFT))
		return false;
	if (is_active(lockouts, settings, &evidence->source, now_ns, NULL))
		return false;
	drop_idle(lockouts, settings, now_ns);
	entry = entry_touch(lockouts, &source, evidence->grade, now_ns);
	if (!entry) {
		lockouts->stats.full++;
		return false;
	}
	entry_note(entry, evidence, settings->lockout_window_s * NS_PER_S, now_ns);
	recent = entry_recent(entry, settings->lockout_window_s, now_ns);
	/* Of a source that somebody vouches for only hard evidence counts. */
	lockout.failures = recent.hard + (evidence->vouched ? 0 : recent.soft);
	if (lockout.failures < (threshold < FAILURES_MAX ? threshold : FAILURES_MAX))
		return false;
	lockout.until_ns = now_ns + duration_ns(entry, settings, now_ns);
	entry_lock(lockouts, entry, &lockout);
	if (ret_lockout)
		*ret_lockout = lockout;
	return true;
}

bool lockout_failure(struct lockouts *lockouts, const struct store_settings *settings,
		     const struct lockout_evidence *evidence, uint64_t now_ns,
		     struct sipward_lockout *ret_lockout)
{
	bool locked;

	pthread_mutex_lock(&lockouts->lock);
	locked = count_failure(lockouts, settings, evidence, now_ns, ret_lockout);
	pthread_mutex_unlock(&lockouts->lock);
	return locked;
}

bool lockout_active(struct lockouts *lockouts, const struct store_settings *settings,
		    const struct ip *source, uint64_t now_ns, struct sipward_lockout *ret_lockout)
{
	bool active;

	pthread_mutex_lock(&lockouts->lock);
	active = is_active(lockouts, settings, source, now_ns, ret_lockout);
	pthread_mutex_unlock(&lockouts->lock);
	return active;
}

/* What counts now; while it is locked out, what led to that. */
static struct recent entry_held(const struct source_entry *entry, unsigned window_s,
				bool locked_out, uint64_t now_ns)
{
	if (entry->spent && locked_out)
		return entry_recent(entry, window_s, entry->last_failure_ns);
	if (entry->spent || now_ns > entry->last_failure_ns + window_s * NS_PER_S)
		return (struct recent){0};
	return entry_recent(entry, window_s, now_ns);
}

void lockout_evidence_of(struct lockouts *lockouts, const struct store_settings *settings,
			 const struct ip *source, uint64_t now_ns,
			 struct lockout_record *ret_record)
{
	static const struct source_entry none;
	struct sipward_source key = filter_source(source, settings->source_v6_bits);
	const struct source_entry *entry;
	struct lockout_record record = {0};
	struct recent held;

	pthread_mutex_lock(&lockouts->lock);
	entry = entry_find(lockouts, &key);
	if (!entry)
		entry = &none;
	record.locked_out = is_active(lockouts, settings, source, now_ns, &record.lockout);
	held = entry_held(entry, settings->lockout_window_s, record.locked_out, now_ns);
	record.soft = held.soft;
	record.hard = held.hard;
	record.grade = entry->grade;
	record.reason = entry->reason;
	record.first_ns = entry->first_failure_ns;
	record.last_ns = entry->last_failure_ns;
	record.next_ns = duration_ns(entry, settings, now_ns);
	pthread_mutex_unlock(&lockouts->lock);
	*ret_record = record;
}

void lockout_stats(struct lockouts *lockouts, struct lockout_stats *ret_stats)
{
	pthread_mutex_lock(&lockouts->lock);
	*ret_stats = lockouts->stats;
	ret_stats->sources = lockouts->table.count;
	ret_stats->limit = 2 * lockouts->class_limit;
	pthread_mutex_unlock(&lockouts->lock);
}
