/* SPDX-License-Identifier: BSD-2-Clause */
/* A store in a directory of its own, for the store's tests. */
#ifndef SIPWARD_TESTS_STORE_FIXTURE_H
#define SIPWARD_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"

struct fixture {
	char dir[64];
	struct store *store;
	struct error err;
};

static inline struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/sipward-test-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	return f;
}

static inline void fixture_remove_dir(const struct fixture *f)
{
	static const char *const files[] = {"sipward.db", "sipward.db-wal", "sipward.db-shm",
					    "notify", "outbound.key"};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
		unlink(path);
	}
	rmdir(f->dir);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = fixture_new();

	*state = f;
	return store_open(f->dir, &f->store, &f->err);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	fixture_remove_dir(f);
	free(f);
	return 0;
}

static inline int keep_last_audit(int64_t time_s, const char *who, const char *what, void *arg)
{
	(void)time_s;
	(void)who;
	snprintf(arg, 512, "%s", what);
	return 1;
}

/* What the last change was, as the audit tells it. */
static inline void assert_last_audit(struct fixture *f, const char *wanted)
{
	char what[512] = "";

	assert_int_equal(store_audit_each(f->store, 1, keep_last_audit, what, &f->err), 1);
	assert_string_equal(what, wanted);
}

#define STORE_TEST(function)                                                                       \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* Says why before it fails. */
#define assert_ok(f, call)                                                                         \
	do {                                                                                       \
		int ok_rc_ = (call);                                                               \
		if (ok_rc_)                                                                        \
			print_error("%s: %d: %s\n", #call, ok_rc_, (f)->err.text);                 \
		assert_int_equal(ok_rc_, 0);                                                       \
	} while (0)

/* The call fails with this code and a sentence that holds these words. */
#define assert_refused(f, errno_, words, call)                                                     \
	do {                                                                                       \
		memset(&(f)->err, 0, sizeof((f)->err));                                            \
		assert_int_equal((call), (errno_));                                                \
		if (!strstr((f)->err.text, (words)))                                               \
			print_error("\"%s\" is not in: %s\n", (words), (f)->err.text);             \
		assert_non_null(strstr((f)->err.text, (words)));                                   \
		assert_int_equal((f)->err.code, (errno_));                                         \
	} while (0)

static inline uint64_t generation(struct fixture *f)
{
	uint64_t value = 0;

	assert_int_equal(store_generation(f->store, &value), 0);
	return value;
}

static inline struct prefix prefix(const char *text)
{
	struct prefix value;
	struct error err;

	assert_int_equal(prefix_parse(slice_from(text), &value, &err), 0);
	return value;
}

static inline int add(struct fixture *f, const char *acl, const char *text, bool deny)
{
	struct store_acl_entry entry = {.prefix = prefix(text), .deny = deny};

	return store_acl_add(f->store, acl, &entry, 1, NULL, &f->err);
}

static inline int allow(struct fixture *f, const char *acl, const char *text)
{
	return add(f, acl, text, false);
}

static inline int deny(struct fixture *f, const char *acl, const char *text)
{
	return add(f, acl, text, true);
}

static inline int take_away(struct fixture *f, const char *acl, const char *text)
{
	struct prefix value = prefix(text);

	return store_acl_remove(f->store, acl, &value, 1, &f->err);
}

static inline int create_trunk(struct fixture *f, const char *name, const char *domain,
			       const char *upstream)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "%s", name);
	snprintf(trunk.domain, sizeof(trunk.domain), "%s", domain);
	return store_trunk_create(f->store, &trunk, upstream, &f->err);
}

struct peer_search {
	const char *uri; /* NULL: the first */
	struct store_peer *ret_peer;
};

static inline int match_peer(const struct store_peer *peer, void *arg)
{
	const struct peer_search *search = arg;

	if (search->uri && strcmp(peer->uri, search->uri) != 0)
		return 0;
	*search->ret_peer = *peer;
	return 1;
}

/* A peer of the trunk: of this URI, or the first where it is NULL. */
static inline struct store_peer get_peer(struct fixture *f, const char *trunk, const char *uri)
{
	struct store_peer peer = {0};
	struct peer_search search = {uri, &peer};
	struct store_trunk got;

	assert_ok(f, store_trunk_get(f->store, trunk, &got, &f->err));
	assert_int_equal(store_peer_each(f->store, got.id, match_peer, &search, &f->err), 1);
	return peer;
}

/* What the peer stands for, "udp/192.0.2.1:5060 tcp/[2001:db8::1]:5062". */
static inline const char *peer_places(struct fixture *f, int64_t peer_id, char text[1024])
{
	static const char *const transports[] = {"none", "udp", "tcp", "tls"};
	struct store_peer_address addresses[STORE_PEER_ADDRESSES_MAX];
	char endpoint[ENDPOINT_TEXT_SIZE];
	size_t n = 0, used = 0;

	text[0] = '\0';
	assert_ok(f, store_peer_addresses(f->store, peer_id, addresses, &n, &f->err));
	for (size_t i = 0; i < n; i++) {
		endpoint_format(&addresses[i].endpoint, endpoint);
		used += (size_t)snprintf(text + used, 1024 - used, "%s%s/%s", i ? " " : "",
					 transports[addresses[i].transport], endpoint);
	}
	return text;
}

#define assert_places(f, peer_id, wanted)                                                          \
	do {                                                                                       \
		char places_[1024];                                                                \
		assert_string_equal(peer_places(f, peer_id, places_), wanted);                     \
	} while (0)

#endif
