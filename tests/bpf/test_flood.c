/* SPDX-License-Identifier: BSD-2-Clause */
/* What nobody vouches for while a flood has spent the CPU's budget: the filter challenges, and lets
 * pass who brings the nonce back. */
#include "challenger.h"

#define FIRST "192.0.2.77"
#define SECOND "192.0.2.78"
#define REQUEST(method, fields)                                                                    \
	method " sip:+4930123@gate.example SIP/2.0\r\n"                                            \
	       "Via: SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK-1-2\r\n"                           \
	       "From: \"Alice\" <sip:alice@gate.example>;tag=abc\r\n"                              \
	       "To: <sip:+4930123@gate.example>%s\r\n"                                             \
	       "Call-ID: 1-2@192.0.2.77\r\nCSeq: 1 " method "\r\n" fields "%s\r\n"
#define LONG                                                                                       \
	"X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789012345678"  \
	"901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"  \
	"678901234567890123456789012345678901234567890\r\n"

static struct slice request(const char *text, const char *to_tag, const char *fields)
{
	static char buf[4096];

	snprintf(buf, sizeof(buf), text, to_tag, fields);
	return slice_from(buf);
}

static struct slice invite(void)
{
	return request(REQUEST("INVITE", LONG), "", "");
}

static struct slice with_nonce(const char *nonce)
{
	char credentials[512];

	snprintf(credentials, sizeof(credentials),
		 "Proxy-Authorization: Digest username=\"alice\",cnonce=\"0a4f113b\",nc=00000001,"
		 "\r\n realm=\"sip.example\", NONCE=\"%s\", response=\"%032d\"\r\n",
		 nonce, 0);
	return request(REQUEST("INVITE", LONG), "", credentials);
}

static struct sipward_settings flood_settings(struct challenger *c)
{
	struct sipward_settings settings;

	assert_int_equal(filter_settings_read(c->judge->filter, &settings), 0);
	settings.mode = SIPWARD_ENFORCE;
	settings.unlisted = SIPWARD_UNLISTED_LIMIT;
	settings.flags = 0;
	settings.cpu_rate_pps = settings.cpu_burst = 1;
	settings.source_rate_pps = 1;
	settings.source_burst = 100;
	settings.challenge_rate_pps = 0;
	return settings;
}

/* The one packet of the budget is gone. */
static void flood(struct challenger *c)
{
	struct frame f;

	judge_settings(c->judge, flood_settings(c));
	c->shape.src = "203.0.113.1";
	f = frame_of(c, request(REQUEST("OPTIONS", ""), "", ""));
	run_filter(c, &f);
	expect_reason(c, request(REQUEST("OPTIONS", ""), "", ""), XDP_DROPPED,
		      SIPWARD_RATE_LIMITED);
	c->shape.src = FIRST;
}

static void challenged_nonce(struct challenger *c, char ret_nonce[NONCE_TEXT_SIZE])
{
	flood(c);
	assert_true(compare(c, invite()));
	nonce_of(c, ret_nonce);
}

static void first_requests_are_challenged_and_all_else_is_dropped(void **state)
{
	struct challenger *c = *state;
	char tag[32], *at;

	flood(c);
	assert_true(compare(c, invite()));
	at = strstr((char *)c->out + 42, "\r\nTo: ");
	assert_non_null(at);
	snprintf(tag, sizeof(tag), "%.21s", strstr(at, ";tag="));
	expect_reason(c, request(REQUEST("ACK", ""), tag, ""), XDP_DROPPED, SIPWARD_CHALLENGE_ACK);
	tag[8] ^= 1;
	expect_reason(c, request(REQUEST("ACK", ""), tag, ""), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	expect_reason(c, request(REQUEST("BYE", LONG), tag, ""), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	/* its answer would be larger */
	expect_reason(c, request(REQUEST("INVITE", ""), "", ""), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	expect_reason(c, SLICE("x"), XDP_DROPPED, SIPWARD_NOT_SIP);
	/* no source got an entry for that */
	assert_int_equal(bpf_map_lookup_elem(c->judge->filter->limits,
					     &(struct sipward_source){4, 0, {192, 0, 2, 77}},
					     &(struct sipward_bucket){}),
			 -ENOENT);
}

static void who_brings_the_nonce_back_passes(void **state)
{
	struct challenger *c = *state;
	char nonce[NONCE_TEXT_SIZE];
	struct frame f;

	challenged_nonce(c, nonce);
	expect_reason(c, with_nonce(nonce), XDP_PASSED, SIPWARD_UNLISTED_PASS);
	f = frame_of(c, with_nonce(nonce));
	assert_int_equal(run_filter(c, &f), XDP_PASSED);
	assert_true(is_untouched(c, &f));
	/* another can not have been sent it */
	c->shape.src = SECOND;
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
}

static void no_other_nonce_does(void **state)
{
	static const char *const odd[] = {"", "0", "\\\"", "\" nonce=\""};
	struct challenger *c = *state;
	char nonce[NONCE_TEXT_SIZE], text[NONCE_TEXT_SIZE + 1];

	challenged_nonce(c, nonce);
	for (size_t i = 0; i < strlen(nonce); i++) {
		for (int bit = 0; bit < 6; bit++) {
			memcpy(text, nonce, sizeof(nonce));
			text[i] = (char)(text[i] ^ 1 << bit);
			if (text[i] != '"')
				expect_reason(c, with_nonce(text), XDP_DROPPED,
					      SIPWARD_RATE_LIMITED);
		}
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		expect_reason(c, with_nonce(odd[i]), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	snprintf(text, sizeof(text), "0%.63s", nonce);
	expect_reason(c, with_nonce(text), XDP_DROPPED, SIPWARD_RATE_LIMITED);
}

static void the_daemons_nonces_count_as_the_filters(void **state)
{
	struct challenger *c = *state;
	struct nonce_binding binding = {
		.transport = NET_UDP, .realm = SLICE("sip.example"), .algorithm = DIGEST_MD5};
	char nonce[NONCE_TEXT_SIZE];

	flood(c);
	binding.source = endpoint(FIRST).ip;
	nonce_issue(&c->world->nonce_keys, &binding, clock_steady_s(), nonce);
	expect_reason(c, with_nonce(nonce), XDP_PASSED, SIPWARD_UNLISTED_PASS);
	binding.realm = SLICE("another.example");
	nonce_issue(&c->world->nonce_keys, &binding, clock_steady_s(), nonce);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	/* a connection's */
	binding.realm = SLICE("sip.example");
	binding.transport = NET_TCP;
	nonce_issue(&c->world->nonce_keys, &binding, clock_steady_s(), nonce);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
}

static void the_nonce_of_any_field_counts(void **state)
{
	struct challenger *c = *state;
	struct fixture *f = c->world->f;
	struct nonce_binding binding = {
		.transport = NET_UDP, .realm = SLICE("sip.example"), .algorithm = DIGEST_SHA_256};
	char nonce[NONCE_TEXT_SIZE];
	struct store_trunk trunk;

	binding.source = endpoint(FIRST).ip;
	flood(c);
	nonce_issue(&c->world->nonce_keys, &binding, clock_steady_s(), nonce);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	trunk.algorithm_count = 2;
	memcpy(trunk.algorithms, (unsigned[]){DIGEST_MD5, DIGEST_SHA_256}, 2 * sizeof(unsigned));
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
	flood(c);
	expect_reason(c, with_nonce(nonce), XDP_PASSED, SIPWARD_UNLISTED_PASS);
}

static void a_source_is_limited_all_the_same(void **state)
{
	struct challenger *c = *state;
	struct sipward_settings settings;
	char nonce[NONCE_TEXT_SIZE];

	challenged_nonce(c, nonce);
	settings = flood_settings(c);
	settings.source_burst = 2;
	judge_settings(c->judge, settings);
	expect_reason(c, with_nonce(nonce), XDP_PASSED, SIPWARD_UNLISTED_PASS);
	expect_reason(c, with_nonce(nonce), XDP_PASSED, SIPWARD_UNLISTED_PASS);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	expect_reason(c, invite(), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	c->shape.src = SECOND;
	assert_true(compare(c, invite()));
}

static void so_is_what_is_looked_at(void **state)
{
	struct challenger *c = *state;
	struct sipward_settings settings;

	flood(c);
	settings = flood_settings(c);
	settings.challenge_rate_pps = 64;
	judge_settings(c->judge, settings);
	assert_true(compare(c, invite()));
	expect_reason(c, invite(), XDP_DROPPED, SIPWARD_RATE_LIMITED);
}

static void where_the_daemon_challenges_the_flood_is_dropped(void **state)
{
	struct challenger *c = *state;
	struct fixture *f = c->world->f;
	struct sipward_lease lease;
	struct store_trunk trunk;
	char nonce[NONCE_TEXT_SIZE];

	challenged_nonce(c, nonce);
	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	trunk.challenge = STORE_CHALLENGE_DAEMON;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
	flood(c);
	expect_reason(c, invite(), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	trunk.challenge = STORE_CHALLENGE_AUTO;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
	flood(c);
	assert_true(compare(c, invite()));
	assert_int_equal(filter_lease_read(c->judge->filter, &lease), 0);
	lease.until_ns = 0;
	assert_int_equal(filter_lease_write(c->judge->filter, &lease), 0);
	expect_reason(c, invite(), XDP_DROPPED, SIPWARD_RATE_LIMITED);
	expect_reason(c, with_nonce(nonce), XDP_DROPPED, SIPWARD_RATE_LIMITED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHALLENGER_TEST(first_requests_are_challenged_and_all_else_is_dropped),
		CHALLENGER_TEST(who_brings_the_nonce_back_passes),
		CHALLENGER_TEST(no_other_nonce_does),
		CHALLENGER_TEST(the_daemons_nonces_count_as_the_filters),
		CHALLENGER_TEST(the_nonce_of_any_field_counts),
		CHALLENGER_TEST(a_source_is_limited_all_the_same),
		CHALLENGER_TEST(so_is_what_is_looked_at),
		CHALLENGER_TEST(where_the_daemon_challenges_the_flood_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
