/* SPDX-License-Identifier: BSD-2-Clause */
/* The proxy with each of its allocations failing in turn. */
#include "proxy_fixture.h"

static int allocations_left = -1; /* -1 = no limit */

static bool must_fail(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

static void *failing_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : calloc(n, size);
}

static void *failing_realloc(void *p, size_t n)
{
	return must_fail() ? NULL : realloc(p, n);
}

/* The real code with the allocator above: the library's copies are not linked then. */
#define calloc failing_calloc
#define realloc failing_realloc
#include "../../user/base/pool.c"
#include "../../user/proxy/calls.c"
#include "../../user/proxy/deadline.c"
#define hash_of outbound_hash_of /* txn.c has one too */
#include "../../user/proxy/outbound.c"
#undef hash_of
#include "../../user/proxy/txn.c"
#undef calloc
#undef realloc

static const char invite[] = "INVITE sip:100@gate.example SIP/2.0\n"
			     "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKabc\n"
			     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\n"
			     "CSeq: 7 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n";

/* Busy is what the PBX says to the INVITE it got. */
static void busy(struct world *w, const char *request)
{
	char text[4096], vias[1024];

	lines_of(request, "Via:", vias, sizeof(vias));
	snprintf(text, sizeof(text),
		 "SIP/2.0 486 Busy Here\n%sFrom: <sip:a@b>;tag=f1\nTo: "
		 "<sip:100@gate.example>;tag=t\n"
		 "Call-ID: c1\nCSeq: 7 INVITE\nContent-Length: 0\n\n",
		 vias);
	hear(w, PBX, text);
}

/* A call with the n-th allocation failing; false once there are no more that could. */
static bool call_with_failure(struct world *w, int n)
{
	char request[4096] = "";
	bool failed;

	world_start_proxy(w);
	allocations_left = n;
	hear(w, CUSTOMER, invite);
	assert_true(w->sent_count >= 1);
	if (strncmp(w->sent[0].text, "INVITE ", 7) == 0) {
		strcpy(request, w->sent[0].text);
		busy(w, request);
		assert_true(w->sent_count >= 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 486 ");
		wait_ms(w, 500);
	} else {
		sent_to(w, 0, CUSTOMER, "SIP/2.0 503 ");
		assert_int_equal(transactions(w), 0);
	}
	failed = allocations_left < 0;
	allocations_left = -1;
	/* The retransmission is served as if nothing had been. */
	hear(w, CUSTOMER, invite);
	assert_true(w->sent_count >= 1 || request[0]);
	wait_ms(w, 40000);
	wait_ms(w, 40000);
	return failed;
}

/* As busy, but credentials are asked for. */
static void challenged(struct world *w, const char *request, const char *cseq)
{
	char text[4096], vias[1024];

	lines_of(request, "Via:", vias, sizeof(vias));
	snprintf(text, sizeof(text),
		 "SIP/2.0 407 Who?\n%sFrom: <sip:a@b>;tag=f1\nTo: "
		 "<sip:100@gate.example>;tag=t\n"
		 "Call-ID: c1\n%sProxy-Authenticate: Digest realm=\"c\", nonce=\"n\"\n"
		 "Content-Length: 0\n\n",
		 vias, cseq);
	hear(w, PBX, text);
}

/* The caller hears of it, or the upstream gets credentials. */
static bool challenge_with_failure(struct world *w, int n)
{
	bool failed, answered = false;
	char request[4096], cseq[64];

	world_start_proxy(w);
	hear(w, CUSTOMER, invite);
	strcpy(request, sent_to(w, 0, PBX, "INVITE "));
	lines_of(request, "CSeq:", cseq, sizeof(cseq));
	allocations_left = n;
	challenged(w, request, cseq);
	failed = allocations_left < 0;
	allocations_left = -1;
	for (unsigned i = 0; i < w->sent_count; i++)
		answered |= strstr(w->sent[i].text, "\r\nProxy-Authorization: ") ||
			    strncmp(w->sent[i].text, "SIP/2.0 403 ", 12) == 0;
	assert_true(answered);
	for (int i = 0; i < 8; i++)
		wait_ms(w, 40000);
	assert_int_equal(transactions(w), 0);
	return failed;
}

static void challenge_survives_each_failing_allocation(void **state)
{
	const struct store_outbound_key key = {"default", "sip:" PBX, "gate"};
	const struct store_outbound outbound = {.expires_s = 60};
	struct world *w = *state;
	int n = 0;

	assert_ok(w->f, store_outbound_add(w->f->store, &key, &outbound, "Carrier1Secret",
					   &w->f->err));
	world_read_store(w);
	while (challenge_with_failure(w, n))
		n++;
	assert_true(n >= 4);
}

/* With a From to give back, and a call to count. */
static void limit_and_hide(struct world *w)
{
	struct store_trunk trunk;

	assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
	trunk.caller = STORE_CALLER_PRIVATE;
	trunk.calls_max = 1;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
}

static void call_survives_each_failing_allocation(void **state)
{
	struct world *w = *state;
	int n = 0;

	limit_and_hide(w);

	while (call_with_failure(w, n))
		n++;
	assert_true(n >= 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(call_survives_each_failing_allocation),
		PROXY_TEST(challenge_survives_each_failing_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
