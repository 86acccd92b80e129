/* SPDX-License-Identifier: BSD-2-Clause */
/* A proxy between a customer's side (203.0.113.1, 2001:db8::1) and an upstream's (10.0.0.1), with a
 * real store and policy; what it sends is caught, and time is ours. */
#ifndef SIPWARD_TESTS_PROXY_FIXTURE_H
#define SIPWARD_TESTS_PROXY_FIXTURE_H

#include "store_fixture.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/proxy.h"
#include "record/record.h"

#define SENT_MAX 64
#define CUSTOMER "198.51.100.7:5062"
#define STRANGER "192.0.2.66:5060"
#define PBX "10.0.0.5:5060"

struct sent {
	struct net_path path;
	char text[NET_DATAGRAM_MAX + 1];
	size_t n;
};

struct world {
	struct fixture *f;
	struct policy *policy;
	struct digest_context *digest;
	struct nonce_keys nonce_keys;
	struct replay *replay;
	struct lockouts *lockouts;
	struct registrar *registrar;
	struct records records;
	struct proxy *proxy;
	uint64_t now;
	size_t transactions; /* limit for the next proxy */
	unsigned alias_port; /* of the last connection that was offered for requests */
	size_t waiting;	     /* messages that it is told of */
	bool foreign;	     /* calls are another worker's */
	const char *unreachable; /* nothing can be sent there; NULL: to all */
	unsigned passed_on;
	unsigned sent_count;
	struct sent sent[SENT_MAX];
};

static inline struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(slice_from(text), 5060, &e), 0);
	return e;
}

static inline int world_send(void *arg, const struct net_path *path, const struct iovec *iov,
			     unsigned count)
{
	struct world *w = arg;
	struct endpoint unreachable = {0};
	struct sent *s;

	if (w->unreachable)
		unreachable = endpoint(w->unreachable);
	if (endpoint_eq(&unreachable, &path->remote))
		return -EUSERS;
	s = &w->sent[w->sent_count++ % SENT_MAX];
	s->path = *path;
	s->n = 0;
	for (unsigned i = 0; i < count; i++) {
		assert_true(s->n + iov[i].iov_len < sizeof(s->text));
		memcpy(s->text + s->n, iov[i].iov_base, iov[i].iov_len);
		s->n += iov[i].iov_len;
	}
	assert_true(s->n > 0);
	s->text[s->n] = '\0';
	return 0;
}

static inline struct endpoint side_of(const struct endpoint *remote)
{
	if (remote->ip.family == 6)
		return endpoint("[2001:db8::1]:5060");
	return endpoint(remote->ip.bytes[0] == 10 ? "10.0.0.1:5060" : "203.0.113.1:5060");
}

static inline int world_local_for(void *arg, enum net_transport transport,
				  const struct endpoint *remote, struct endpoint *ret_local)
{
	(void)transport;
	(void)arg;
	*ret_local = side_of(remote);
	return 0;
}

static inline bool world_is_local(void *arg, const struct endpoint *e)
{
	struct endpoint inside = endpoint("10.0.0.1:5060"), outside = endpoint("203.0.113.1:5060"),
			v6 = endpoint("[2001:db8::1]:5060");

	(void)arg;
	return endpoint_eq(e, &inside) || endpoint_eq(e, &outside) || endpoint_eq(e, &v6);
}

static inline void world_alias(void *arg, const struct net_path *path, uint16_t port)
{
	assert_int_not_equal(path->transport, NET_UDP);
	((struct world *)arg)->alias_port = port;
}

static inline void world_learned(void *arg, int64_t credential_id, const char *realm,
				 const struct store_ha1 *ha1)
{
	struct world *w = arg;

	assert_ok(w->f, store_outbound_learned(w->f->store, credential_id, realm, ha1,
					       &w->f->err));
}

static inline bool world_is_own(void *arg, struct slice call_id)
{
	struct world *w = arg;

	assert_true(call_id.n > 0);
	return !w->foreign;
}

static inline bool world_pass_on(void *arg, struct slice call_id, const struct net_packet *packet)
{
	struct world *w = arg;

	assert_true(call_id.n > 0 && packet->bytes.n > 0);
	w->passed_on++;
	return true;
}

static inline size_t world_waiting(void *arg)
{
	return ((struct world *)arg)->waiting;
}

static inline struct proxy_options world_options(struct world *w)
{
	return (struct proxy_options){
	    .output = {world_send, world_local_for, world_is_local, world_alias, world_learned, w,
		       world_is_own, world_pass_on, world_waiting},
	    .admission = {.policy = w->policy,
			  .digest = w->digest,
			  .nonce_keys = &w->nonce_keys,
			  .replay = w->replay,
			  .lockouts = w->lockouts},
	    .registrar = w->registrar,
	    .records = &w->records,
	    .branch_key = "branch-key-0123",
	    .dialog_key = "dialog-key-0123",
	    .transactions = w->transactions,
	    .leads = true,
	};
}

static inline void world_start_proxy(struct world *w)
{
	struct proxy_options options = world_options(w);

	proxy_free(w->proxy);
	assert_int_equal(proxy_create(&options, &w->proxy), 0);
}

static inline void world_read_store(struct world *w)
{
	struct policy *old = w->policy;

	assert_ok(w->f, policy_build(w->f->store, &w->policy, &w->f->err));
	if (w->proxy)
		proxy_set_policy(w->proxy, w->policy);
	policy_unref(old);
}

/* The default trunk, for the customer's network and 2001:db8:1::/64. */
static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct store_settings settings;

	assert_non_null(w);
	w->f = fixture_new();
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	w->now = 1000 * NS_PER_S;
	assert_ok(w->f, store_open(w->f->dir, &w->f->store, &w->f->err));
	assert_ok(w->f, create_trunk(w->f, "default", "*", "sip:" PBX));
	assert_ok(w->f, store_acl_create(w->f->store, "office", "", &w->f->err));
	assert_ok(w->f, allow(w->f, "office", "198.51.100.0/24"));
	assert_ok(w->f, allow(w->f, "office", "2001:db8:1::/64"));
	assert_ok(w->f, store_trunk_attach_acl(w->f->store, "default", "office", &w->f->err));
	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	settings.mode = SIPWARD_ENFORCE;
	settings.health_interval_s = 0; /* nothing is sent unasked */
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	assert_int_equal(digest_context_create(&w->digest), 0);
	assert_int_equal(replay_create(1000, 300, &w->replay), 0);
	assert_int_equal(lockouts_create(NULL, 1000, &w->lockouts), 0);
	assert_int_equal(registrar_create(1000, &w->registrar), 0);
	assert_int_equal(records_init(&w->records, 1000, NULL, clock_wall_ms()), 0);
	w->nonce_keys.present[0] = true;
	world_read_store(w);
	world_start_proxy(w);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	proxy_free(w->proxy);
	registrar_free(w->registrar);
	records_free(&w->records);
	policy_unref(w->policy);
	lockouts_free(w->lockouts);
	replay_free(w->replay);
	digest_context_free(w->digest);
	store_close(w->f->store);
	fixture_remove_dir(w->f);
	free(w->f);
	free(w);
	return 0;
}

/* Hands the proxy what has come from the address. */
static inline void hear_bytes(struct world *w, enum net_transport transport, const char *from,
			      struct slice bytes)
{
	struct net_packet packet = {.bytes = bytes,
				    .path = {.transport = transport, .remote = endpoint(from)}};

	packet.path.local = side_of(&packet.path.remote);
	w->sent_count = 0;
	proxy_receive(w->proxy, &packet, 1, w->now);
}

/* The same with a message whose lines end in LF here. */
static inline void hear_by(struct world *w, enum net_transport transport, const char *from,
			   const char *text)
{
	char *wire = malloc(2 * strlen(text) + 1);
	size_t n = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\n' && (p == text || p[-1] != '\r'))
			wire[n++] = '\r';
		wire[n++] = *p;
	}
	hear_bytes(w, transport, from, (struct slice){wire, n});
	free(wire);
}

static inline void hear(struct world *w, const char *from, const char *text)
{
	hear_by(w, NET_UDP, from, text);
}

static inline void wait_ms(struct world *w, unsigned ms)
{
	w->sent_count = 0;
	w->now += ms * NS_PER_MS;
	proxy_tick(w->proxy, w->now);
}

/* The i-th message sent went to the address and begins with the words. */
static inline const char *sent_to(struct world *w, unsigned i, const char *to, const char *begins)
{
	struct endpoint e = endpoint(to);

	if (i >= w->sent_count) {
		print_error("only %u messages were sent, want %s\n", w->sent_count, begins);
		fail();
	}
	if (!endpoint_eq(&w->sent[i].path.remote, &e) ||
	    strncmp(w->sent[i].text, begins, strlen(begins)) != 0) {
		char text[ENDPOINT_TEXT_SIZE];

		endpoint_format(&w->sent[i].path.remote, text);
		print_error("sent to %s, want %s %s:\n%s\n", text, to, begins, w->sent[i].text);
		fail();
	}
	return w->sent[i].text;
}

static inline uint64_t counted(struct world *w, enum proxy_counter counter)
{
	struct proxy_stats stats;

	proxy_stats(w->proxy, &stats);
	return stats.counters[counter];
}

static inline size_t transactions(struct world *w)
{
	struct proxy_stats stats;

	proxy_stats(w->proxy, &stats);
	return stats.transactions;
}

/* The lines of a message that begin with the word, each with its LF, no CR. */
static inline void lines_of(const char *text, const char *word, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		int len = (int)strcspn(line, "\r\n");

		if (strncmp(line, word, strlen(word)) == 0)
			n += (size_t)snprintf(out + n, size - n, "%.*s\n", len, line);
		if (!strchr(line, '\n'))
			return;
	}
}

#define PROXY_TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

#endif
