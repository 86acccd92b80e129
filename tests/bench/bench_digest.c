/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints name, value, unit, target and ok or MISSED, separated by tabs. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "digest/nonce.h"
#include "digest/replay.h"

#define ROUNDS 7
#define LOOPS 20000

static struct digest_context *context;
static struct replay *replay;
static char nonce[NONCE_TEXT_SIZE];
static uint64_t now_s = 1700000000;

static const struct nonce_keys keys = {.key = {{1, 2, 3}}, .present = {true}};
static const struct nonce_binding binding = {
	.source = {4, {192, 0, 2, 1}}, .transport = 1, .realm = {"sip.example.com", 15}};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The best of several rounds, ns a call: what disturbs a round only ever adds. */
static double measure(void (*work)(int arg), int arg)
{
	double best = 1e18;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = clock_ns();
		double ns;

		for (unsigned i = 0; i < LOOPS; i++)
			work(arg);
		ns = (double)(clock_ns() - start) / LOOPS;
		best = ns < best ? ns : best;
	}
	return best;
}

static void report(const char *name, double value, const char *unit, double target)
{
	printf("%s\t%.2f\t%s\t", name, value, unit);
	if (target > 0)
		printf("%.2f\t%s\n", target, value <= target ? "ok" : "MISSED");
	else
		printf("-\t-\n");
}

static void issue(int arg)
{
	(void)arg;
	nonce_issue(&keys, &binding, now_s, nonce);
}

static void verify(int arg)
{
	uint64_t issued_s;

	(void)arg;
	if (nonce_verify(&keys, &binding, slice_from(nonce), now_s, 60, &issued_s) != NONCE_VALID)
		abort();
}

static void check_response(int algorithm)
{
	static const uint8_t ha1[DIGEST_HASH_MAX] = {1};
	const struct digest_input input = {
		.algorithm = (enum digest_algorithm)algorithm,
		.ha1 = ha1,
		.nonce = slice_from(nonce),
		.nc = SLICE("00000001"),
		.cnonce = SLICE("f2/wE4q74E6zIJEtWaHKaf5wv"),
		.qop = DIGEST_QOP_AUTH,
		.method = SLICE("INVITE"),
		.uri = SLICE("sip:+4930123456@sip.example.com"),
	};
	char hex[DIGEST_HEX_SIZE];

	if (digest_response(context, &input, hex) != 0 ||
	    digest_response_matches(SLICE("00000000000000000000000000000000"), hex))
		abort();
}

/* The two hashes of such a check over texts of the same lengths, each algorithm looked up anew. */
static void one_shot(int algorithm)
{
	static const char text[256];
	const EVP_MD *md = algorithm == DIGEST_MD5	 ? EVP_md5()
			   : algorithm == DIGEST_SHA_256 ? EVP_sha256()
							 : EVP_sha512_256();
	size_t hex_n = 2 * digest_hash_size((enum digest_algorithm)algorithm);
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(text, 38, hash, NULL, md, NULL) ||
	    !EVP_Digest(text, 2 * hex_n + 106, hash, NULL, md, NULL))
		abort();
}

static void use_new_nonce(int arg)
{
	static uint64_t serial;
	char text[NONCE_TEXT_SIZE] = "";

	(void)arg;
	serial++;
	hex_encode(&serial, sizeof(serial), text);
	if (replay_use(replay, (struct slice){text, 64}, now_s + serial / 1000, 1, now_s) !=
	    REPLAY_FRESH)
		abort();
}

static void bench_nonces(void)
{
	report("nonce issue", measure(issue, 0), "ns", 0);
	report("nonce verify", measure(verify, 0), "ns", 0);
}

static void bench_algorithm(enum digest_algorithm algorithm)
{
	double ours = measure(check_response, algorithm);
	double theirs = measure(one_shot, algorithm);
	char name[64];

	snprintf(name, sizeof(name), "%s response check", digest_algorithm_name(algorithm));
	report(name, ours, "ns", 0);
	snprintf(name, sizeof(name), "%s check / EVP_Digest", digest_algorithm_name(algorithm));
	report(name, ours / theirs, "times", 1);
}

static void bench_replay(void)
{
	report("replay, first use, full table", measure(use_new_nonce, 0), "ns", 0);
}

int main(void)
{
	if (digest_context_create(&context) != 0 || replay_create(10000, 600, &replay) != 0)
		return 1;
	bench_nonces();
	for (enum digest_algorithm i = 0; i < DIGEST_ALGORITHMS; i++)
		bench_algorithm(i);
	bench_replay();
	replay_free(replay);
	digest_context_free(context);
	return 0;
}
