/* SPDX-License-Identifier: BSD-2-Clause */
/* A proxy that has run a while asks the heap for nothing, call after call. */
#include "proxy_digest.h"

#include <openssl/crypto.h>

#define WARM_UP 200 /* as many transactions end as begin */
#define CALLS 200
#define CALL_MS 200
#define TARGET "sip:100@digest.example"

/* ---- counting ---- */

/* sanitizer/allocator_interface.h, which gcc does not come with */
extern int __sanitizer_install_malloc_and_free_hooks(void (*malloced)(const volatile void *p,
								      size_t n),
						     void (*freed)(const volatile void *p));

static volatile bool counting; /* compilers hold that malloc looks at nothing */
static unsigned allocations;

static void count(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	allocations += counting;
}

static void count_nothing(const volatile void *p)
{
	(void)p;
}

/* OpenSSL 3.0 makes itself a context for every hash; of that nothing can be said here. */
static void *openssl_malloc(size_t n, const char *file, int line)
{
	bool before = counting;
	void *p;

	(void)file;
	(void)line;
	counting = false;
	p = malloc(n);
	counting = before;
	return p;
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
	bool before = counting;

	(void)file;
	(void)line;
	counting = false;
	p = realloc(p, n);
	counting = before;
	return p;
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* ---- a call ---- */

struct call {
	unsigned number;
	char credentials[1024]; /* as a field; empty: none yet */
	char routes[1024];
};

static void hear_counted(struct world *w, const char *from, const char *text)
{
	static char wire[8192];
	size_t n = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			wire[n++] = '\r';
		wire[n++] = *p;
	}
	counting = true;
	hear_bytes(w, NET_UDP, from, (struct slice){wire, n});
	counting = false;
}

static void say(struct world *w, const struct call *call, const char *method, unsigned cseq)
{
	bool in_dialog = call->routes[0];
	char text[4096];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\nVia: SIP/2.0/UDP " CUSTOMER ";branch=z9hG4bK%u-%u%s\n%s"
		 "From: <sip:alice@digest.example>;tag=f\nTo: <" TARGET ">%s\nCall-ID: c%u\n"
		 "CSeq: %u %s\nContact: <sip:a@" CUSTOMER ">\n%sMax-Forwards: 70\n"
		 "Content-Length: 0\n\n",
		 method, in_dialog ? "sip:pbx@10.0.0.5" : TARGET, call->number, cseq,
		 in_dialog ? method : "", call->routes, in_dialog ? ";tag=t" : "", call->number,
		 cseq, method, call->credentials);
	hear_counted(w, CUSTOMER, text);
}

/* The PBX answers what it got. */
static void say_back(struct world *w, const struct call *call, const char *request,
		     const char *status)
{
	char text[4096], vias[1024], routes[1024], cseq[64];

	lines_of(request, "Via:", vias, sizeof(vias));
	lines_of(request, "Record-Route:", routes, sizeof(routes));
	lines_of(request, "CSeq:", cseq, sizeof(cseq));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %s\n%s%sFrom: <sip:alice@digest.example>;tag=f\nTo: <" TARGET
		 ">;tag=t\nCall-ID: c%u\n%sContact: <sip:pbx@10.0.0.5>\nContent-Length: 0\n\n",
		 status, vias, routes, call->number, cseq);
	hear_counted(w, PBX, text);
}

static void take_routes(const char *text, char routes[1024])
{
	char records[1024], *rest = records;

	lines_of(text, "Record-Route:", records, sizeof(records));
	for (char *line; (line = strsep(&rest, "\n")) && *line;)
		snprintf(routes + strlen(routes), 1024 - strlen(routes), "%s\n",
			 line + strlen("Record-"));
}

/* INVITE, 407, ACK, INVITE with digest, 100, 180, 200, ACK, BYE, 200. */
static void place_call(struct world *w)
{
	static unsigned number;
	struct call call = {.number = number++};
	char nonce[NONCE_TEXT_SIZE], request[4096];

	say(w, &call, "INVITE", 1);
	nonce_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), nonce);
	say(w, &call, "ACK", 1);
	snprintf(call.credentials, sizeof(call.credentials), "%s",
		 credentials(w, "INVITE", nonce, 1));
	say(w, &call, "INVITE", 2);
	sent_to(w, 1, CUSTOMER, "SIP/2.0 100 ");
	strcpy(request, sent_to(w, 0, PBX, "INVITE "));
	say_back(w, &call, request, "180 Ringing");
	sent_to(w, 0, CUSTOMER, "SIP/2.0 180 ");
	say_back(w, &call, request, "200 OK");
	take_routes(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), call.routes);
	say(w, &call, "ACK", 2);
	sent_to(w, 0, PBX, "ACK ");
	say(w, &call, "BYE", 3);
	strcpy(request, sent_to(w, 0, PBX, "BYE "));
	say_back(w, &call, request, "200 OK");
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
}

static void place_calls(struct world *w, unsigned n)
{
	while (n-- > 0) {
		counting = true;
		wait_ms(w, CALL_MS);
		counting = false;
		place_call(w);
	}
}

/* Nonces of minutes ago, whose time is over when the first call comes. */
static void use_old_nonces(struct world *w)
{
	uint64_t then_s = clock_steady_s() - 400;
	char nonce[16];

	for (int i = 0; i < WARM_UP + CALLS; i++) {
		snprintf(nonce, sizeof(nonce), "old-%d", i);
		assert_int_equal(replay_use(w->replay, slice_from(nonce), then_s, 1, then_s),
				 REPLAY_FRESH);
	}
}

static void count_calls(struct world *w)
{
	use_old_nonces(w);
	place_calls(w, WARM_UP);
	assert_in_range(allocations, 1, UINT32_MAX); /* what was taken is counted */
	allocations = 0;
	place_calls(w, CALLS);
	assert_int_equal(allocations, 0);
}

static void further_calls_take_nothing_from_the_heap(void **state)
{
	count_calls(*state);
}

/* Calls under a limit are remembered. */
static void nor_do_calls_that_are_counted(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;

	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	trunk.calls_max = 10;
	trunk.calls_per_s = 1000;
	trunk.user_calls_max = 10;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	count_calls(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIGEST_TEST(further_calls_take_nothing_from_the_heap),
		DIGEST_TEST(nor_do_calls_that_are_counted),
	};

	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) ||
	    !__sanitizer_install_malloc_and_free_hooks(count, count_nothing))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
