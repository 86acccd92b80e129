/* SPDX-License-Identifier: BSD-2-Clause */
/* Arbitrary values of Authorization against trunks of every strictness. Who does not know the
 * password is never let in, and who does is not let in twice by one answer. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "digest/password.h"
#include "net/net.h"
#include "policy/credentials.h"
#include "sip/sip_grammar.h"

#define NOW_S 1700000000u
#define REALM "sip.example"
#define TRUNKS 4

static struct policy *policy;
static struct digest_context *digest;
static struct store_ha1 alice;
static struct nonce_keys keys = {.key = {"a secret of ours"}, .present = {true}};
static char dir[] = "/tmp/sipward-fuzz-credentials-XXXXXX";

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%d: %s\n", rc, err->text);
	abort();
}

/* t0 is strict, the others are more and more lenient; t3 has the -sess forms. */
static void add_trunk(struct store *store, unsigned i)
{
	struct store_trunk trunk;
	struct error err = {0};

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "t%u", i);
	snprintf(trunk.domain, sizeof(trunk.domain), "t%u", i);
	trunk.digest_uri = i == 0 ? STORE_URI_EXACT : i == 1 ? STORE_URI_EQUIVALENT : STORE_URI_ANY;
	trunk.algorithm_count = i == 0 ? 1 : STORE_ALGORITHMS;
	for (unsigned j = 0; j < trunk.algorithm_count; j++)
		trunk.algorithms[j] = trunk.algorithm_count - 1 - j;
	trunk.userhash = trunk.auth_int = i > 0;
	trunk.allow_no_qop = i > 1;
	trunk.sess = i == 3;
	must(store_trunk_create(store, &trunk, "sip:198.51.100.1", &err), &err);
	must(store_trunk_attach_credentials(store, trunk.name, "users", &err), &err);
}

static void fill(struct store *store)
{
	struct error err = {0};

	must(password_hash(digest, SLICE("alice"), SLICE(REALM), SLICE("Passw0rd"), &alice), &err);
	must(store_credentials_create(store, "users", REALM, &err), &err);
	must(store_credentials_set(store, "users", true, &err), &err);
	must(store_user_add(store, "users", "alice", &alice, &err), &err);
	for (unsigned i = 0; i < TRUNKS; i++)
		add_trunk(store, i);
	must(policy_build(store, &policy, &err), &err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	struct error err = {0};
	struct store *store;

	if (!mkdtemp(dir))
		abort();
	must(digest_context_create(&digest), &err);
	must(store_open(dir, &store, &err), &err);
	fill(store);
	store_close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Copies the value with a genuine nonce in the place of `@M`, `@S` or `@T` (MD5, SHA-256,
 * SHA-512-256), and 64 zeroes in that of `@R` or 32 in that of `@r`, which *ret_response tells. */
static size_t expand(const struct credentials_query *query, struct slice in, char *out, size_t size,
		     struct slice *ret_response)
{
	struct nonce_binding binding = {.source = query->request->source.ip,
					.transport = query->request->transport,
					.realm = SLICE(REALM),
					.sess = query->trunk->config.sess};
	size_t n = 0;

	for (size_t i = 0; i < in.n && n + NONCE_TEXT_SIZE < size; i++) {
		const char *letter = NULL;

		if (in.p[i] == '@' && i + 1 < in.n && in.p[i + 1])
			letter = strchr("MSTRr", in.p[i + 1]);
		if (!letter) {
			out[n++] = in.p[i];
			continue;
		}
		i++;
		if (*letter == 'R' || *letter == 'r') {
			*ret_response = (struct slice){out + n, *letter == 'R' ? 64 : 32};
			memset(out + n, '0', ret_response->n);
			n += ret_response->n;
			continue;
		}
		binding.algorithm = *letter == 'M'   ? DIGEST_MD5
				    : *letter == 'S' ? DIGEST_SHA_256
						     : DIGEST_SHA_512_256;
		nonce_issue(&keys, &binding, NOW_S, out + n);
		n += strlen(out + n);
	}
	return n;
}

/* Puts in what alice would answer: false if it does not fit. */
static bool answer(const struct credentials_query *query, struct slice value, char *response,
		   size_t size)
{
	struct digest_input input = {.method = query->request->msg->method_text};
	struct sip_credentials text;
	char hex[DIGEST_HEX_SIZE];
	bool at_realm, ok;

	if (sip_credentials_parse(value, &text) != 0)
		return false;
	at_realm = text.username.n > 0 && memchr(text.username.p, '@', text.username.n);
	ok = digest_algorithm_of(text.algorithm, &input.algorithm, &input.sess) == 0;
	input.ha1 = at_realm ? alice.at_realm[input.algorithm] : alice.plain[input.algorithm];
	input.nonce = text.nonce;
	input.nc = text.nc;
	input.cnonce = text.cnonce;
	input.uri = text.uri;
	input.qop = !text.qop.p				       ? DIGEST_QOP_NONE
		    : slice_eq_nocase(text.qop, SLICE("auth")) ? DIGEST_QOP_AUTH
							       : DIGEST_QOP_AUTH_INT;
	if (ok && digest_response(digest, &input, hex) != 0)
		abort();
	ok = ok && strlen(hex) == size;
	if (ok)
		memcpy(response, hex, size);
	sip_credentials_free(&text);
	return ok;
}

/* No text is longer than the value they stand in, or holds a zero byte. */
static void check_parse(struct slice value)
{
	struct sip_credentials text;
	size_t sum = 0;

	if (sip_credentials_parse(value, &text) != 0)
		return;
	for (const struct slice *s = &text.scheme; s <= &text.userhash; s++) {
		sum += s->n;
		if (s->n > 0 && memchr(s->p, '\0', s->n))
			abort();
	}
	if (sum > value.n)
		abort();
	sip_credentials_free(&text);
}

static void check(const struct credentials_query *query, struct slice value, bool knows)
{
	struct credentials_outcome first, second;

	if (!credentials_check(query, value, &first))
		return;
	if (!credentials_check(query, value, &second) ||
	    !credentials_are_ours(query->admission->policy, value))
		abort();
	if (first.name_n > sizeof(first.name) || second.cause == ADMISSION_BY_CREDENTIAL)
		abort();
	if (!knows && (first.user || first.cause == ADMISSION_BY_CREDENTIAL))
		abort();
	if (first.cause == ADMISSION_BY_CREDENTIAL && !first.user)
		abort();
	if (first.user && !slice_eq(first.user->name, SLICE("alice")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sip_msg msg = {.method_text = SLICE("INVITE"), .uri = SLICE("sip:1@t")};
	const struct admission_request request = {
		.msg = &msg,
		.source = {.ip = {4, {192, 0, 2, 1}}},
		.transport = NET_UDP,
		.now_s = NOW_S,
	};
	struct admission admission = {.nonce_keys = &keys};
	struct credentials_query query = {&admission, &request, NULL};
	char domain[] = "t0", text[8192];
	struct slice value, response = {NULL, 0};
	bool knows = false;

	if (!policy)
		setup();
	if (size == 0)
		return 0;
	domain[1] = (char)('0' + data[0] % TRUNKS);
	admission.policy = policy;
	admission.digest = digest;
	query.trunk = policy_trunk_find(policy, SLICE(""), slice_from(domain));
	must(replay_create(8, 300, &admission.replay), &(struct error){0});
	value = (struct slice){text,
			       expand(&query, (struct slice){(const char *)data + 1, size - 1},
				      text, sizeof(text), &response)};
	if (response.n > 0)
		knows = answer(&query, value, text + (response.p - text), response.n);
	check_parse(value);
	check(&query, value, knows);
	replay_free(admission.replay);
	return 0;
}
