/* SPDX-License-Identifier: BSD-2-Clause */
/* The filter and the daemon's own code side by side, with the same store, the same nonce keys and
 * the same request, so that their answers can be compared. */
#ifndef SIPWARD_TESTS_CHALLENGER_H
#define SIPWARD_TESTS_CHALLENGER_H

#include "../unit/proxy_fixture.h"
#include "judge.h"

#include "digest/password.h"
#include "policy/prepare.h"

enum { XDP_ANSWERED = 3 };

#define IFINDEX_OF_TEST 1 /* lo, which BPF_PROG_RUN has packets come from */
#define LISTED_V6 "2001:db8:1::7"

struct challenger {
	struct judge *judge;
	struct world *world;
	struct shape shape; /* of the frames that requests come in */
	bool stranger;	    /* who sends them: nobody vouches for it */
	uint8_t out[4096];  /* the frame as the filter left it */
	uint32_t out_n;
};

static inline void challenger_lease(struct challenger *c)
{
	struct sipward_lease lease = {
		.until_ns = clock_coarse_ns() + 3600 * NS_PER_S,
		.epoch_ns = clock_steady_s() * NS_PER_S - clock_coarse_ns(),
		.current = (__u8)c->world->nonce_keys.current,
	};

	memcpy(lease.key, c->world->nonce_keys.key, sizeof(lease.key));
	assert_int_equal(filter_lease_write(c->judge->filter, &lease), 0);
}

static inline void challenger_own(struct challenger *c, unsigned ifindex, const char *address,
				  uint32_t flags)
{
	struct sipward_own_key key = {.ifindex = ifindex};
	struct sipward_own own = {flags};
	struct ip ip;

	assert_int_equal(ip_parse(slice_from(address), &ip), 0);
	key.family = ip.family;
	key.port_be = ifindex ? htons(5060) : 0;
	memcpy(key.addr_be, ip.bytes, sizeof(key.addr_be));
	assert_int_equal(bpf_map_update_elem(c->judge->filter->own_addresses, &key, &own, BPF_ANY),
			 0);
}

/* Brings both sides to what the store says. */
static inline void challenger_sync(struct challenger *c)
{
	struct fixture *f = c->world->f;
	struct prepared prepared;

	world_read_store(c->world);
	assert_ok(f, store_sync(f->store, c->judge->filter, true, NULL, &f->err));
	prepared = prepared_challenges(c->world->policy);
	assert_int_equal(filter_challenges_write(c->judge->filter, prepared.list, prepared.n), 0);
}

static inline void challenger_list(struct challenger *c, const char *trunk, const char *name,
				   const char *realm)
{
	struct fixture *f = c->world->f;
	struct store_ha1 ha1;

	assert_int_equal(password_hash(c->world->digest, SLICE("alice"), slice_from(realm),
				       SLICE("Passw0rd-of-alice"), &ha1),
			 0);
	if (store_credentials_create(f->store, name, realm, &f->err) == 0)
		assert_ok(f, store_user_add(f->store, name, "alice", &ha1, &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, trunk, name, &f->err));
}

static inline void challenger_unlisted(struct challenger *c, enum sipward_unlisted unlisted)
{
	struct sipward_settings settings;

	assert_int_equal(filter_settings_read(c->judge->filter, &settings), 0);
	settings.unlisted = unlisted;
	settings.source_rate_pps = settings.cpu_rate_pps = 0;
	settings.flags = 0; /* what tests put into the maps is in no index */
	judge_settings(c->judge, settings);
}

/* gate.example by credential, and all other domains by address and credential. */
static inline int challenger_setup(void **state)
{
	struct challenger *c = calloc(1, sizeof(*c));
	void *judge = NULL, *world = NULL;

	assert_non_null(c);
	assert_int_equal(judge_open(&judge), 0);
	assert_int_equal(world_setup(&world), 0);
	c->judge = judge;
	c->world = world;
	assert_ok(c->world->f, create_trunk(c->world->f, "main", "gate.example", "sip:" PBX));
	challenger_list(c, "main", "users", "sip.example");
	challenger_list(c, "default", "users", "sip.example");
	memcpy(c->world->nonce_keys.key[0], "a secret of ours", 16);
	challenger_sync(c);
	challenger_lease(c);
	challenger_own(c, IFINDEX_OF_TEST, "192.0.2.1", SIPWARD_OWN_ANSWERS | SIPWARD_OWN_NATIVE);
	challenger_own(c, IFINDEX_OF_TEST, "2001:db8::1", SIPWARD_OWN_ANSWERS | SIPWARD_OWN_NATIVE);
	challenger_own(c, 0, "192.0.2.1", SIPWARD_OWN_BARRED);
	*state = c;
	return 0;
}

static inline int challenger_teardown(void **state)
{
	struct challenger *c = *state;
	void *judge = c->judge, *world = c->world;

	judge_close(&judge);
	world_teardown(&world);
	free(c);
	return 0;
}

#define CHALLENGER_TEST(function)                                                                  \
	cmocka_unit_test_setup_teardown(function, challenger_setup, challenger_teardown)

/* ---- the filter's side ---- */

static inline int run_filter(struct challenger *c, const struct frame *f)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->n,
		    .data_out = c->out, .data_size_out = sizeof(c->out), .repeat = 1);

	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(c->judge->skel->progs.sipward), &opts), 0);
	c->out_n = opts.data_size_out;
	return opts.retval;
}

static inline struct frame frame_of(const struct challenger *c, struct slice request)
{
	struct shape shape = c->shape;

	shape.payload = request.p;
	shape.payload_n = request.n;
	return frame_make(shape);
}

static inline bool is_untouched(const struct challenger *c, const struct frame *f)
{
	return c->out_n == f->n && memcmp(c->out, f->bytes, f->n) == 0;
}

static inline uint32_t sum_words(const uint8_t *bytes, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint16_t get_u16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* Where the answer goes, and its text; every header checked. */
static inline struct slice answer_of(const struct challenger *c, const struct frame *f,
				     struct endpoint *ret_to)
{
	bool v6 = c->shape.family == 6;
	const uint8_t *ip = c->out + 14, *udp = ip + (v6 ? 40 : 20);
	uint32_t udp_n = c->out_n - (uint32_t)(udp - c->out);
	uint32_t addresses = v6 ? 32 : 8;

	assert_memory_equal(c->out, f->bytes + 6, 6);
	assert_memory_equal(c->out + 6, f->bytes, 6);
	assert_memory_equal(c->out + 12, f->bytes + 12, 2);
	if (v6) {
		assert_int_equal(ip[0] >> 4, 6);
		assert_int_equal(get_u16(ip + 4), udp_n);
		assert_int_equal(ip[6], PROTO_UDP);
	} else {
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(get_u16(ip + 2), udp_n + 20);
		assert_int_equal(ip[9], PROTO_UDP);
		assert_int_equal(sum_words(ip, 20, 0), 0xffff);
	}
	assert_memory_equal(udp - addresses, f->bytes + f->transport_at - addresses / 2,
			    addresses / 2);
	assert_memory_equal(udp - addresses / 2, f->bytes + f->transport_at - addresses,
			    addresses / 2);
	assert_int_equal(get_u16(udp), get_u16(f->bytes + f->transport_at + 2));
	assert_int_equal(get_u16(udp + 4), udp_n);
	assert_int_equal(
		sum_words(udp, udp_n, sum_words(udp - addresses, addresses, PROTO_UDP + udp_n)),
		0xffff);
	*ret_to = (struct endpoint){.ip.family = v6 ? 6 : 4, .port = get_u16(udp + 2)};
	memcpy(ret_to->ip.bytes, udp - addresses / 2, addresses / 2);
	return (struct slice){(const char *)udp + 8, udp_n - 8};
}

/* ---- both ---- */

/* Without what may differ: nonces and the To tag. */
static inline void blank(char *text)
{
	char *to = strstr(text, "\r\nTo: "), *end = to ? strstr(to + 2, "\r\n") : NULL;

	for (char *p = text; (p = strstr(p, "nonce=\"")); p += 7)
		memset(p + 7, 'N', strspn(p + 7, "0123456789abcdef"));
	if (end && end - to > 16)
		memset(end - 16, 'T', 16);
}

static inline void keep_text(struct slice s, char *buf, size_t size)
{
	assert_true(s.n < size);
	memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
}

/* What the daemon does with the request: NULL: it sends nothing, or more than one message. */
static inline const struct sent *run_daemon(struct challenger *c, struct slice request)
{
	const char *from = c->shape.src		  ? c->shape.src
			   : c->shape.family == 6 ? "2001:db8:51::7"
						  : "198.51.100.7";
	char text[64];

	snprintf(text, sizeof(text), c->shape.family == 6 ? "[%s]:40000" : "%s:40000", from);
	c->world->now += 10 * NS_PER_S;
	hear_bytes(c->world, NET_UDP, text, request);
	return c->world->sent_count == 1 ? &c->world->sent[0] : NULL;
}

/* Hands the request to both. True: the filter answered, as the daemon does. */
static inline bool compare(struct challenger *c, struct slice request)
{
	struct frame f = frame_of(c, request);
	static char by_filter[4096], by_daemon[65536];
	const struct sent *sent;
	struct endpoint to;
	int verdict = run_filter(c, &f);

	if (verdict == XDP_PASSED) {
		if (!is_untouched(c, &f))
			fail_msg("passed but changed:\n%.*s", (int)request.n, request.p);
		return false;
	}
	if (verdict == XDP_DROPPED && c->stranger)
		return false; /* not_sip */
	if (verdict == XDP_DROPPED)
		fail_msg("dropped:\n%.*s", (int)request.n, request.p);
	keep_text(answer_of(c, &f, &to), by_filter, sizeof(by_filter));
	sent = run_daemon(c, request);
	if (!sent)
		fail_msg("the daemon would send nothing:\n%.*s\n---\n%s", (int)request.n, request.p,
			 by_filter);
	keep_text((struct slice){sent->text, sent->n}, by_daemon, sizeof(by_daemon));
	blank(by_filter);
	blank(by_daemon);
	if (strcmp(by_filter, by_daemon) || !endpoint_eq(&to, &sent->path.remote))
		fail_msg("request:\n%.*s\n--- the filter, to port %u:\n%s\n--- the daemon, to "
			 "port %u:\n%s",
			 (int)request.n, request.p, to.port, by_filter, sent->path.remote.port,
			 by_daemon);
	return true;
}

static inline void expect_reason(struct challenger *c, struct slice request, int verdict,
				 int reason)
{
	struct frame f = frame_of(c, request);
	struct judgement judgement = judge_frame(c->judge, &f);

	if (judgement.verdict != verdict || judgement.reason != reason)
		fail_msg("%s, verdict %d", filter_reason_name((uint32_t)judgement.reason),
			 judgement.verdict);
}

static inline void nonce_of(const struct challenger *c, char ret_nonce[NONCE_TEXT_SIZE])
{
	const char *at = memmem(c->out, c->out_n, "nonce=\"", 7);

	assert_non_null(at);
	memcpy(ret_nonce, at + 7, NONCE_TEXT_SIZE - 1);
	ret_nonce[NONCE_TEXT_SIZE - 1] = '\0';
}

#endif
