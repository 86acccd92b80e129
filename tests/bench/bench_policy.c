/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy snapshot at four sizes: what it takes to build, what it takes in memory, and that a
 * lookup does not grow with it. Each trunk has an ACL of 100 prefixes and a list of 10 users. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/net.h"
#include "policy/admission.h"
#include "row.h"

#define PREFIXES 100 /* of each trunk */
#define USERS 10
#define LOOKUPS 200000
#define ROUNDS 5
#define SWITCHES 2000

static struct error err;
static const struct policy *policy;
static unsigned trunks;
static unsigned used; /* the trunks that lookups are spread over */
static uint32_t seed = 1;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned draw(unsigned below)
{
	seed = seed * 1664525 + 1013904223;
	return (unsigned)((uint64_t)seed * below >> 32);
}

/* ---- the store ---- */

/* 10.0.0.0/8 in pieces: the j-th /31 of trunk i. */
static struct ip address_of(unsigned i, unsigned j)
{
	uint32_t address = 10U << 24 | (i * PREFIXES + j) << 1;
	struct ip ip = {.family = 4};

	for (int byte = 0; byte < 4; byte++)
		ip.bytes[byte] = (uint8_t)(address >> (24 - 8 * byte));
	return ip;
}

static int fill_acl(struct store *store, const char *name, unsigned i)
{
	struct store_acl_entry entries[PREFIXES] = {0};
	int rc = store_acl_create(store, name, "", &err);

	for (unsigned j = 0; j < PREFIXES; j++)
		entries[j].prefix = (struct prefix){address_of(i, j), 31};
	return rc ? rc : store_acl_add(store, name, entries, PREFIXES, NULL, &err);
}

static int fill_list(struct store *store, const char *name)
{
	static const struct store_ha1 ha1 = {.plain = {{1}}};
	int rc = store_credentials_create(store, name, "sip.example", &err);

	for (unsigned j = 0; j < USERS && rc == 0; j++) {
		char user[STORE_USER_SIZE];

		snprintf(user, sizeof(user), "user-%u", j);
		rc = store_user_add(store, name, user, &ha1, &err);
	}
	return rc;
}

static int fill_trunk(struct store *store, unsigned i)
{
	struct store_trunk trunk;
	int rc;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "t%u", i);
	snprintf(trunk.domain, sizeof(trunk.domain), "t%u.example", i);
	rc = store_trunk_create(store, &trunk, "sip:192.0.2.1", &err);
	if (rc == 0)
		rc = fill_acl(store, trunk.name, i);
	if (rc == 0)
		rc = fill_list(store, trunk.name);
	if (rc == 0)
		rc = store_trunk_attach_acl(store, trunk.name, trunk.name, &err);
	/* The first decides by address alone. */
	if (rc == 0 && i > 0)
		rc = store_trunk_attach_credentials(store, trunk.name, trunk.name, &err);
	return rc;
}

static int fill_store(struct store *store)
{
	int rc = store_change_begin(store, &err), end;

	if (rc)
		return rc;
	for (unsigned i = 0; i < trunks && rc == 0; i++)
		rc = fill_trunk(store, i);
	end = store_change_end(store, rc == 0, &err);
	return rc ? rc : end;
}

/* ---- lookups ---- */

static const struct policy_trunk *find_trunk(unsigned i)
{
	char host[40];
	int n = snprintf(host, sizeof(host), "t%u.example", i);

	return policy_trunk_find(policy, SLICE("1000"), (struct slice){host, (size_t)n});
}

static void look_for_trunk(void)
{
	if (!find_trunk(draw(used)))
		abort();
}

static void look_for_address(void)
{
	unsigned i = draw(used);
	struct ip ip = address_of(i, draw(PREFIXES));

	if (!policy_acl_allows(find_trunk(i), &ip))
		abort();
}

static void look_for_user(void)
{
	char name[40];
	int n = snprintf(name, sizeof(name), "user-%u", draw(USERS));

	if (!policy_user_find(find_trunk(1 + draw(used - 1)), (struct slice){name, (size_t)n},
			      SLICE("sip.example")))
		abort();
}

static void look_for_listed(void)
{
	struct ip ip = address_of(draw(used), draw(PREFIXES));

	if (!policy_is_listed(policy, &ip))
		abort();
}

static void look_for_unlisted(void)
{
	struct ip ip = {4, {203, 0, (uint8_t)draw(256), (uint8_t)draw(256)}};

	if (policy_is_listed(policy, &ip))
		abort();
}

/* The best of several rounds, ns a call. */
static double measure(void (*look)(void))
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_s(), ns;

		for (int i = 0; i < LOOKUPS; i++)
			look();
		ns = (now_s() - start) / LOOKUPS * 1e9;
		best = ns < best ? ns : best;
	}
	return best;
}

static void figure(const char *what, double value, const char *unit)
{
	char name[100];

	snprintf(name, sizeof(name), "%s, %u trunks", what, trunks);
	bench_figure(name, value, unit);
}

static void bench_lookups(void)
{
	/* Over ten trunks all that is touched stays in the cache, whatever else there is. */
	used = 10;
	figure("trunk by domain, of ten", measure(look_for_trunk), "ns");
	figure("its ACL, of ten", measure(look_for_address), "ns");
	figure("its user, of ten", measure(look_for_user), "ns");
	figure("listed address, of ten ACLs", measure(look_for_listed), "ns");
	figure("unlisted address", measure(look_for_unlisted), "ns");
	used = trunks;
	figure("trunk by domain, of all", measure(look_for_trunk), "ns");
	figure("its ACL, of all", measure(look_for_address), "ns");
	figure("its user, of all", measure(look_for_user), "ns");
	figure("listed address, of all ACLs", measure(look_for_listed), "ns");
}

/* ---- the whole decision by address ---- */

static struct sip_msg msg;
static struct admission admission;
static struct admission_result result;

static void decide(void)
{
	struct admission_request request = {
		.msg = &msg, .source = {address_of(0, draw(PREFIXES)), 5060}, .transport = NET_UDP};

	admission_decide(&admission, &request, &result);
	if (result.cause != ADMISSION_BY_ADDRESS)
		abort();
}

static void bench_decision(void)
{
	static const char text[] = "INVITE sip:+4989123456@t0.example SIP/2.0\r\n"
				   "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK776\r\n"
				   "Max-Forwards: 70\r\n"
				   "From: <sip:1000@t0.example>;tag=1928\r\n"
				   "To: <sip:+4989123456@t0.example>\r\n"
				   "Call-ID: a84b4c76e66710\r\n"
				   "CSeq: 1 INVITE\r\n"
				   "Content-Length: 0\r\n\r\n";
	const char *why;

	if (sip_msg_parse(slice_from(text), &msg, &why) != SIP_PARSE_OK)
		abort();
	admission.policy = policy;
	figure("whole decision by address", measure(decide) / 1000, "us");
}

/* ---- the switch ---- */

static struct policy *current;
static bool done;

/* A reader as fast as it can: each round takes the snapshot that is there. */
static void *read_on(void *arg)
{
	uint64_t *rounds = arg;

	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		const struct policy *seen = __atomic_load_n(&current, __ATOMIC_ACQUIRE);

		if (!policy_trunk_find(seen, SLICE("1000"), SLICE("t0.example")))
			abort();
		++*rounds;
	}
	return NULL;
}

static int compare_double(const void *a_, const void *b_)
{
	const double *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

static void bench_switch(struct policy *a, struct policy *b)
{
	struct policy *both[] = {a, b};
	static double took[SWITCHES];
	uint64_t rounds = 0;
	pthread_t reader;

	current = a;
	if (pthread_create(&reader, NULL, read_on, &rounds))
		abort();
	for (int i = 0; i < SWITCHES; i++) {
		double start = now_s();

		(void)__atomic_exchange_n(&current, policy_ref(both[i % 2]), __ATOMIC_ACQ_REL);
		policy_unref(both[i % 2]);
		took[i] = now_s() - start;
		usleep(50);
	}
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	pthread_join(reader, NULL);
	if (rounds < SWITCHES)
		abort();
	qsort(took, SWITCHES, sizeof(took[0]), compare_double);
	figure("switch of the snapshot while it is read", took[SWITCHES / 2] * 1e6, "us");
}

/* ---- */

static int bench_largest(struct store *store, struct policy *first)
{
	struct policy *second = NULL;
	double start;
	int rc = policy_build(store, &second, &err);

	if (rc)
		return rc;
	bench_decision();
	bench_switch(first, second);
	start = now_s();
	policy_unref(second);
	figure("freeing the snapshot", (now_s() - start) * 1000, "ms");
	return 0;
}

static int bench_size(bool largest)
{
	char dir[] = "/tmp/sipward-bench-policy-XXXXXX", command[80];
	struct store *store = NULL;
	struct policy *built = NULL;
	size_t before;
	double start;
	int rc;

	if (!mkdtemp(dir))
		return error_set(&err, -1, "%s can not be made", dir);
	rc = store_open(dir, &store, &err);
	if (rc == 0)
		rc = fill_store(store);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	start = now_s();
	if (rc == 0)
		rc = policy_build(store, &built, &err);
	if (rc == 0) {
		figure("build from the store", (now_s() - start) * 1000, "ms");
		figure("memory",
		       (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / 1048576,
		       "MB");
		policy = built;
		bench_lookups();
	}
	if (rc == 0 && largest)
		rc = bench_largest(store, built);
	policy_unref(built);
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		fprintf(stderr, "%s is left\n", dir);
	return rc;
}

int main(void)
{
	int rc = 0;

	for (trunks = 10; trunks <= 10000 && rc == 0; trunks *= 10)
		rc = bench_size(trunks == 10000);
	if (rc)
		fprintf(stderr, "bench_policy: %s\n", err.text);
	return rc ? 1 : 0;
}
