/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole decision by digest, and whether its time tells an unknown user from a wrong password.
 * Prints name, value, unit, target and ok or MISSED, separated by tabs. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "digest/password.h"
#include "net/net.h"
#include "policy/admission.h"
#include "row.h"

#define NOW_S 1700000000u
#define REALM "sip.example"
#define TARGET "sip:+4930123456@sip.example"
#define USERS 10000
#define SAMPLES 20000

static struct nonce_keys keys = {.key = {"a secret of ours"}, .present = {true}};
static struct admission admission = {.nonce_keys = &keys};
static struct policy *policy;
static char dir[] = "/tmp/sipward-bench-XXXXXX";

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%d: %s\n", rc, err->text);
	exit(1);
}

/* ---- a gate ---- */

static void add_users(struct store *store, struct error *err)
{
	struct store_ha1 ha1;
	char name[32];

	must(store_change_begin(store, err), err);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		must(password_hash(admission.digest, slice_from(name), SLICE(REALM),
				   SLICE("Passw0rd"), &ha1),
		     err);
		must(store_user_add(store, "users", name, &ha1, err), err);
	}
	must(store_change_end(store, true, err), err);
}

static void fill(struct store *store, struct error *err)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "t");
	snprintf(trunk.domain, sizeof(trunk.domain), "sip.example");
	trunk.algorithm_count = STORE_ALGORITHMS;
	for (unsigned i = 0; i < STORE_ALGORITHMS; i++)
		trunk.algorithms[i] = STORE_ALGORITHMS - 1 - i;
	trunk.ratchet = false;
	must(store_credentials_create(store, "users", REALM, err), err);
	must(store_credentials_set(store, "users", true, err), err);
	add_users(store, err);
	must(store_trunk_create(store, &trunk, "sip:198.51.100.1", err), err);
	must(store_trunk_attach_credentials(store, "t", "users", err), err);
	must(policy_build(store, &policy, err), err);
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
		exit(1);
	must(digest_context_create(&admission.digest), &err);
	must(store_open(dir, &store, &err), &err);
	fill(store, &err);
	store_close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	admission.policy = policy;
	must(replay_create(65536, 300, &admission.replay), &err);
	must(lockouts_create(NULL, 65536, &admission.lockouts), &err);
}

/* ---- a client ---- */

struct client {
	const char *name, *password;
	enum digest_algorithm algorithm;
};

static void respond(const struct client *client, const char *nonce, char hex[DIGEST_HEX_SIZE])
{
	uint8_t ha1[DIGEST_HASH_MAX];
	const struct digest_input input = {
		.algorithm = client->algorithm,
		.ha1 = ha1,
		.nonce = slice_from(nonce),
		.nc = SLICE("00000001"),
		.cnonce = SLICE("f2/wE4q74E6zIJEtWaHKaf5wv"),
		.qop = DIGEST_QOP_AUTH,
		.method = SLICE("INVITE"),
		.uri = SLICE(TARGET),
	};

	if (digest_ha1(admission.digest, client->algorithm, slice_from(client->name), SLICE(REALM),
		       slice_from(client->password), ha1) ||
	    digest_response(admission.digest, &input, hex))
		exit(1);
}

/* Writes an INVITE with credentials over a fresh nonce. */
static size_t write_request(const struct client *client, char *text, size_t size)
{
	const struct nonce_binding binding = {.source = {4, {192, 0, 2, 1}},
					      .transport = NET_UDP,
					      .realm = SLICE(REALM),
					      .algorithm = client->algorithm};
	char nonce[NONCE_TEXT_SIZE], response[DIGEST_HEX_SIZE];

	nonce_issue(&keys, &binding, NOW_S, nonce);
	respond(client, nonce, response);
	return (size_t)snprintf(
		text, size,
		"INVITE " TARGET " SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:user@sip.example>;tag=1928301774\r\n"
		"To: <" TARGET ">\r\nCall-ID: a84b4c76e66710@192.0.2.1\r\nCSeq: 2 INVITE\r\n"
		"Contact: <sip:user@192.0.2.1:5060>\r\nUser-Agent: bench\r\n"
		"Proxy-Authorization: Digest username=\"%s\", realm=\"" REALM
		"\", nonce=\"%s\", uri=\"" TARGET "\", response=\"%s\", algorithm=%s, "
		"cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv\", qop=auth, nc=00000001\r\n"
		"Content-Length: 0\r\n\r\n",
		client->name, nonce, response, digest_algorithm_name(client->algorithm));
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ns of one decision, which must end as it should. */
static uint64_t decide(const struct client *client, enum admission_cause cause)
{
	static struct sip_msg msg;
	static struct admission_result result;
	const struct admission_request request = {
		.msg = &msg,
		.source = {.ip = {4, {192, 0, 2, 1}}, .port = 5060},
		.transport = NET_UDP,
		.now_s = NOW_S,
		.now_ns = NS_PER_S,
	};
	char text[2048];
	size_t n = write_request(client, text, sizeof(text));
	uint64_t start, end;
	const char *why;

	if (sip_msg_parse((struct slice){text, n}, &msg, &why) != SIP_PARSE_OK)
		exit(1);
	start = clock_ns();
	admission_decide(&admission, &request, &result);
	end = clock_ns();
	if (result.cause != cause) {
		fprintf(stderr, "%s: %s\n", client->name, admission_cause_name(result.cause));
		exit(1);
	}
	return end - start;
}

/* ---- figures ---- */

struct samples {
	const char *what;
	struct client client;
	enum admission_cause cause;
	uint64_t *ns;
};

static int order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* In turns, so that what disturbs the machine disturbs all of them alike. */
static void measure(struct samples *kinds, size_t n)
{
	for (size_t kind = 0; kind < n; kind++)
		kinds[kind].ns = calloc(SAMPLES, sizeof(uint64_t));
	for (unsigned i = 0; i < SAMPLES; i++) {
		for (size_t kind = 0; kind < n; kind++)
			kinds[kind].ns[i] = decide(&kinds[kind].client, kinds[kind].cause);
	}
	for (size_t kind = 0; kind < n; kind++)
		qsort(kinds[kind].ns, SAMPLES, sizeof(uint64_t), order);
}

static double quantile_us(const struct samples *kind, unsigned percent)
{
	return (double)kind->ns[(size_t)SAMPLES * percent / 100] / 1000;
}

static void bench_algorithms(void)
{
	struct samples kinds[DIGEST_ALGORITHMS];
	char name[96];

	for (enum digest_algorithm i = 0; i < DIGEST_ALGORITHMS; i++)
		kinds[i] = (struct samples){digest_algorithm_name(i),
					    {"user4711", "Passw0rd", i},
					    ADMISSION_BY_CREDENTIAL,
					    NULL};
	measure(kinds, DIGEST_ALGORITHMS);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
		snprintf(name, sizeof(name), "decision by digest, right, %s, median",
			 kinds[i].what);
		bench_figure(name, quantile_us(&kinds[i], 50), "us");
		free(kinds[i].ns);
	}
}

static void bench_failures(void)
{
	struct samples kinds[] = {
		{"unknown user",
		 {"nobody", "Wr0ngword", DIGEST_MD5},
		 ADMISSION_BAD_CREDENTIALS,
		 NULL},
		{"wrong password",
		 {"user4711", "Wr0ngword", DIGEST_MD5},
		 ADMISSION_BAD_CREDENTIALS,
		 NULL},
		{"wrong password of user@realm",
		 {"user4711@" REALM, "Wr0ngword", DIGEST_MD5},
		 ADMISSION_BAD_CREDENTIALS,
		 NULL},
	};
	static const unsigned percents[] = {5, 50, 95};
	char name[96];

	measure(kinds, 3);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 3; j++) {
			snprintf(name, sizeof(name), "refused, %s, %u%% below", kinds[i].what,
				 percents[j]);
			bench_figure(name, quantile_us(&kinds[i], percents[j]), "us");
		}
	}
	for (unsigned j = 0; j < 3; j++) {
		double a = quantile_us(&kinds[0], percents[j]),
		       b = quantile_us(&kinds[1], percents[j]);

		snprintf(name, sizeof(name), "unknown user / wrong password, %u%% below, apart by",
			 percents[j]);
		bench_row(name, 100 * (a > b ? a / b - 1 : b / a - 1), "%", "<=", 5);
	}
	for (unsigned i = 0; i < 3; i++)
		free(kinds[i].ns);
}

int main(void)
{
	setup();
	bench_algorithms();
	bench_failures();
	replay_free(admission.replay);
	lockouts_free(admission.lockouts);
	policy_unref(policy);
	digest_context_free(admission.digest);
	return 0;
}
