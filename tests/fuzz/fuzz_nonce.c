/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client sends back of a challenge: only the very nonce that was issued is ever ours. */
#include <stdlib.h>

#include "digest/challenge.h"
#include "digest/nonce.h"
#include "digest/replay.h"

#define NOW 1700000000u

static const struct nonce_keys keys = {
	.key = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, .present = {true, true}, .current = 1};
static const struct nonce_binding binding = {
	.source = {4, {192, 0, 2, 1}}, .transport = 1, .realm = {"sip.example.com", 15}};
static struct slice issued;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char text[NONCE_TEXT_SIZE];

	(void)argc, (void)argv;
	nonce_issue(&keys, &binding, NOW, text);
	issued = slice_from(text);
	return 0;
}

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_nonce(struct slice text)
{
	uint64_t issued_s = 0;
	enum nonce_result result = nonce_verify(&keys, &binding, text, NOW, 60, &issued_s);

	must(result == (slice_eq(text, issued) ? NONCE_VALID : NONCE_FOREIGN));
	must(issued_s == (result == NONCE_VALID ? NOW : 0));
}

/* The input as a change of the issued nonce: XORed onto its beginning. */
static void check_changed(struct slice input)
{
	char text[NONCE_TEXT_SIZE];

	memcpy(text, issued.p, issued.n);
	for (size_t i = 0; i < input.n && i < issued.n; i++)
		text[i] ^= input.p[i];
	check_nonce((struct slice){text, issued.n});
}

static void check_algorithm(struct slice input)
{
	enum digest_algorithm algorithm = DIGEST_ALGORITHMS;
	bool sess = false;

	if (digest_algorithm_of(input, &algorithm, &sess) != 0)
		return;
	must(algorithm < DIGEST_ALGORITHMS);
	must(input.n == 0 || input.n == strlen(digest_algorithm_name(algorithm)) + 5 * sess);
}

static void check_challenge(struct slice realm)
{
	struct challenge challenge = {.realm = realm, .nonce = issued.p, .qop = DIGEST_QOP_AUTH};
	char buf[512];
	size_t n;

	if (challenge_write(&challenge, buf, sizeof(buf), &n) != 0)
		return;
	must(n <= sizeof(buf) && memchr(buf, '\r', n) == buf + n - 2);
}

static void check_replay(struct slice nonce)
{
	struct replay *replay;
	enum replay_result first;

	if (replay_create(2, 60, &replay) != 0)
		return;
	first = replay_use(replay, nonce, NOW, 1, NOW);
	must(first == (nonce.n > 0 && nonce.n <= NONCE_TEXT_SIZE ? REPLAY_FRESH : REPLAY_STALE));
	must(replay_use(replay, nonce, NOW, 1, NOW) != REPLAY_FRESH);
	replay_free(replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice input = {(const char *)data, size};

	check_nonce(input);
	check_changed(input);
	check_algorithm(input);
	check_challenge(input);
	check_replay(input);
	digest_response_matches(input, issued.p);
	return 0;
}
