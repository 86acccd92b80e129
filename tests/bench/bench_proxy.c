/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole calls through the proxy with a stub in the network's place: INVITE, 407, ACK, INVITE with
 * digest, 180, 200, ACK, BYE, 200, with call records, on a trunk with an ACL and a credential list.
 * Time and allocations a call, memory of calls in progress and after, and many calls in a row:
 * BENCH_CALLS=10000000 for the ten million of them. OpenSSL 3.0 makes itself a context for every
 * hash: what it takes is counted apart, three of five hashes being the caller's.
 */
#include <ftw.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "digest/password.h"
#include "proxy/proxy.h"
#include "record/record.h"
#include "row.h"

#define REALM "gate.example"
#define PASSWORD "Correct-Horse-7"
#define TARGET "sip:100@" REALM
#define CALLS_DEFAULT 200000
#define CONCURRENT 50000
#define WARM_UP 100000 /* transactions end as others begin, the replay table is full */
#define CALL_NS NS_PER_MS /* a thousand calls a second, so that transactions end as others begin */

static char dir[] = "/tmp/sipward-bench-XXXXXX";
static struct nonce_keys keys = {.key = {"a secret of ours"}, .present = {true}};
static struct digest_context *digest; /* the client's */
static struct digest_context *gate_digest;
static struct policy *policy;
static struct replay *replay;
static struct lockouts *lockouts;
static struct records records;
static struct proxy *proxy;
static uint64_t now = 1000 * NS_PER_S;

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%d: %s\n", rc, err ? err->text : "");
	exit(1);
}

/* ---- counting allocations ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
static uint64_t allocations, openssl_allocations;

void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	openssl_allocations++;
	return __libc_malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	openssl_allocations++;
	return __libc_realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* ---- the network ---- */

enum side { CALLER, GATE, PBX };
static const struct endpoint endpoints[] = {
	[CALLER] = {{4, {10, 9, 0, 2}}, 5062},
	[GATE] = {{4, {10, 9, 0, 1}}, 5060},
	[PBX] = {{4, {10, 9, 1, 2}}, 5060},
};
static struct message {
	char text[4096];
	size_t n;
} to_caller, to_pbx; /* the last ones sent there */

static int output_send(void *arg, const struct net_path *path, const struct iovec *iov,
		       unsigned count)
{
	struct message *m = endpoint_eq(&path->remote, &endpoints[PBX]) ? &to_pbx : &to_caller;

	(void)arg;
	m->n = 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(m->text + m->n, iov[i].iov_base, iov[i].iov_len);
		m->n += iov[i].iov_len;
	}
	m->text[m->n] = '\0';
	return 0;
}

static int output_local_for(void *arg, enum net_transport transport, const struct endpoint *remote,
			    struct endpoint *ret_local)
{
	(void)arg, (void)transport, (void)remote;
	*ret_local = endpoints[GATE];
	return 0;
}

static bool output_is_local(void *arg, const struct endpoint *e)
{
	(void)arg;
	return endpoint_eq(e, &endpoints[GATE]);
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void receive(enum side from, const char *text, size_t n)
{
	struct net_packet packet = {
		.bytes = {text, n},
		.path = {NET_UDP, endpoints[from], endpoints[GATE], NULL},
	};

	proxy_receive(proxy, &packet, 1, now);
}

/* ---- the gate ---- */

static void fill(struct store *store, struct error *err)
{
	struct store_acl_entry entry = {.prefix = {.ip = {4, {10, 9, 0, 0}}, .len = 24}};
	struct store_settings settings;
	struct store_trunk trunk;
	struct store_ha1 ha1;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "main");
	snprintf(trunk.domain, sizeof(trunk.domain), "*");
	must(store_settings_get(store, &settings, err), err);
	settings.health_interval_s = 0;
	must(store_settings_set(store, &settings, err), err);
	must(password_hash(digest, SLICE("alice"), SLICE(REALM), SLICE(PASSWORD), &ha1), err);
	must(store_credentials_create(store, "users", REALM, err), err);
	must(store_user_add(store, "users", "alice", &ha1, err), err);
	must(store_acl_create(store, "customers", "", err), err);
	must(store_acl_add(store, "customers", &entry, 1, NULL, err), err);
	must(store_trunk_create(store, &trunk, "sip:10.9.1.2:5060", err), err);
	must(store_trunk_attach_acl(store, "main", "customers", err), err);
	must(store_trunk_attach_credentials(store, "main", "users", err), err);
	must(policy_build(store, &policy, err), err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	struct proxy_options options = {
		.output = {output_send, output_local_for, output_is_local, NULL, NULL},
		.records = &records,
		.leads = true,
		.branch_key = "branch-key-0123",
		.dialog_key = "dialog-key-0123",
	};
	struct error err = {0};
	struct store *store;

	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	if (!mkdtemp(dir))
		exit(1);
	must(digest_context_create(&digest), NULL);
	must(digest_context_create(&gate_digest), NULL);
	must(store_open(dir, &store, &err), &err);
	fill(store, &err);
	store_close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	must(replay_create(65536, 300, &replay), NULL);
	must(lockouts_create(NULL, 65536, &lockouts), NULL);
	must(records_init(&records, RECORDS_DEFAULT, NULL, clock_wall_ms()), NULL);
	options.admission = (struct admission){.policy = policy,
					       .digest = gate_digest,
					       .nonce_keys = &keys,
					       .replay = replay,
					       .lockouts = lockouts};
	must(proxy_create(&options, &proxy), NULL);
}

/* ---- a call ---- */

#define SDP "v=0\r\no=- 1 1 IN IP4 10.9.0.2\r\ns=-\r\nc=IN IP4 10.9.0.2\r\nt=0 0\r\n" \
	    "m=audio 6000 RTP/AVP 0\r\n"

struct call {
	unsigned number;
	char routes[1024];	/* of its later requests, with line ends */
	char credentials[1024]; /* as a field; empty: none yet */
};

/* Copies the header fields with the name, under another one. */
static size_t copy_fields(const char *text, const char *name, const char *as, char *out)
{
	size_t length = strlen(name), n = 0;

	for (const char *line = text; line[0] != '\r'; line = strchr(line, '\n') + 1)
		if (strncmp(line, name, length) == 0)
			n += (size_t)sprintf(out + n, "%s%.*s\n", as,
					     (int)(strcspn(line + length, "\n")), line + length);
	out[n] = '\0';
	return n;
}

static void respond(struct call *call)
{
	const char *at = strstr(to_caller.text, "nonce=\"");
	char nonce[NONCE_TEXT_SIZE], hex[DIGEST_HEX_SIZE];
	uint8_t ha1[DIGEST_HASH_MAX];
	struct digest_input input = {
		.ha1 = ha1,
		.nonce = {nonce, NONCE_TEXT_SIZE - 1},
		.nc = SLICE("00000001"),
		.cnonce = SLICE("6b8b4567"),
		.qop = DIGEST_QOP_AUTH,
		.method = SLICE("INVITE"),
		.uri = SLICE("sip:10.9.0.1:5060"),
	};

	if (!at)
		exit(1);
	snprintf(nonce, sizeof(nonce), "%s", at + 7);
	must(digest_ha1(digest, DIGEST_MD5, SLICE("alice"), SLICE(REALM), SLICE(PASSWORD), ha1),
	     NULL);
	must(digest_response(digest, &input, hex), NULL);
	snprintf(call->credentials, sizeof(call->credentials),
		 "Proxy-Authorization: Digest username=\"alice\",realm=\"" REALM
		 "\",cnonce=\"6b8b4567\",nc=00000001,qop=auth,uri=\"sip:10.9.0.1:5060\","
		 "nonce=\"%s\",response=\"%s\",algorithm=MD5\r\n",
		 nonce, hex);
}

static void say(const struct call *call, const char *method, unsigned cseq, bool in_dialog)
{
	bool invite = strcmp(method, "INVITE") == 0;
	char text[4096];
	int n = snprintf(
		text, sizeof(text),
		"%s %s SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 10.9.0.2:5062;branch=z9hG4bK-%u-%u-%s;rport\r\n%s"
		"From: <sip:customer@10.9.0.2:5062>;tag=caller-%u\r\n"
		"To: <" TARGET ">%s\r\nCall-ID: %u-4711@10.9.0.2\r\nCSeq: %u %s\r\n"
		"Contact: <sip:customer@10.9.0.2:5062>\r\n%sMax-Forwards: 70\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		method, in_dialog ? "sip:pbx@10.9.1.2:5060" : TARGET, call->number, cseq,
		/* The ACK of a failure has its INVITE's. */
		in_dialog ? method : "", in_dialog ? call->routes : "", call->number,
		in_dialog ? ";tag=pbx" : "", call->number, cseq, method, call->credentials,
		invite ? "Content-Type: application/sdp\r\n" : "", invite ? sizeof(SDP) - 1 : 0,
		invite ? SDP : "");

	receive(CALLER, text, (size_t)n);
}

/* The PBX answers what it got last. */
static void answer(const struct call *call, const char *status, unsigned cseq, const char *method)
{
	char text[4096], vias[1024], records_routes[1024];
	int n;

	copy_fields(to_pbx.text, "Via:", "Via:", vias);
	copy_fields(to_pbx.text, "Record-Route:", "Record-Route:", records_routes);
	n = snprintf(text, sizeof(text),
		     "SIP/2.0 %s\r\n%s%sFrom: <sip:customer@10.9.0.2:5062>;tag=caller-%u\r\n"
		     "To: <" TARGET ">;tag=pbx\r\nCall-ID: %u-4711@10.9.0.2\r\nCSeq: %u %s\r\n"
		     "Contact: <sip:pbx@10.9.1.2:5060>\r\nContent-Length: 0\r\n\r\n",
		     status, vias, records_routes, call->number, call->number, cseq, method);
	receive(PBX, text, (size_t)n);
}

static void want(const struct message *message, const char *begin)
{
	if (strncmp(message->text, begin, strlen(begin)) == 0)
		return;
	fprintf(stderr, "want %s, got %s\n", begin, message->text);
	exit(1);
}

static void call_begin(struct call *call, unsigned number)
{
	*call = (struct call){.number = number};
	say(call, "INVITE", 1, false);
	want(&to_caller, "SIP/2.0 407");
	say(call, "ACK", 1, false);
	respond(call);
	say(call, "INVITE", 2, false);
	want(&to_pbx, "INVITE ");
	answer(call, "180 Ringing", 2, "INVITE");
	want(&to_caller, "SIP/2.0 180");
	answer(call, "200 OK", 2, "INVITE");
	want(&to_caller, "SIP/2.0 200");
	copy_fields(to_caller.text, "Record-Route:", "Route:", call->routes);
	say(call, "ACK", 2, true);
	want(&to_pbx, "ACK ");
}

static void call_end(struct call *call)
{
	say(call, "BYE", 3, true);
	want(&to_pbx, "BYE ");
	answer(call, "200 OK", 3, "BYE");
	want(&to_caller, "SIP/2.0 200");
}

/* ---- figures ---- */

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

static double rss_mb(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		exit(1);
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* What pools keep of a peak goes bit by bit. */
static void rest(void)
{
	for (int i = 0; i < 600; i++) {
		now += NS_PER_S;
		proxy_tick(proxy, now);
	}
}

/* So many calls one after the other, CALL_NS apart. */
static void run_calls(unsigned count, struct call *call)
{
	static unsigned number;

	for (unsigned i = 0; i < count; i++) {
		now += CALL_NS;
		proxy_tick(proxy, now);
		call_begin(call, number++);
		call_end(call);
	}
}

/* What the client and the stub take is in it too: about a fifth. */
static void bench_time(unsigned calls)
{
	static struct call call;
	unsigned part = calls / 10;
	double rss, best = 1e18;
	uint64_t before, openssl_before;

	run_calls(WARM_UP, &call);
	before = allocations;
	openssl_before = openssl_allocations;
	run_calls(1000, &call);
	bench_row("heap allocations a call in the steady state",
		  (double)(allocations - before) / 1000, "", "<=", 0);
	bench_figure("and OpenSSL's own, for five hashes",
		     (double)(openssl_allocations - openssl_before) / 1000, "");
	rss = rss_mb();
	for (unsigned i = 0; i < 10; i++) {
		uint64_t start = clock_ns();
		double us;

		run_calls(part, &call);
		us = (double)(clock_ns() - start) / 1000 / part;
		best = us < best ? us : best;
	}
	bench_figure("a call through the proxy, best of ten parts, CPU", best, "us");
	bench_figure("calls in a row", 10.0 * part, "");
	bench_row("memory they leave behind, growth of RSS", rss_mb() - rss, "MB", "<=", 4);
}

static void bench_memory(void)
{
	struct call *calls = calloc(CONCURRENT, sizeof(*calls));
	struct proxy_stats stats;
	size_t before;

	if (!calls)
		exit(1);
	rest();
	before = heap_bytes();
	for (unsigned i = 0; i < CONCURRENT; i++)
		call_begin(&calls[i], 1u << 31 | i);
	bench_figure("a call just answered: transaction and record",
		     (double)(heap_bytes() - before) / CONCURRENT, "bytes");
	rest();
	bench_row("a call in progress: its record", (double)(heap_bytes() - before) / CONCURRENT,
		  "bytes", "<=", 512);
	for (unsigned i = 0; i < CONCURRENT; i++)
		call_end(&calls[i]);
	proxy_stats(proxy, &stats);
	bench_row("calls held at a time, and ended", stats.transactions, "calls", ">=", CONCURRENT);
	now += 40 * NS_PER_S;
	proxy_tick(proxy, now);
	free(calls);
}

int main(void)
{
	const char *text = getenv("BENCH_CALLS");

	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		exit(1);
	setup();
	bench_time(text ? (unsigned)strtoul(text, NULL, 10) : CALLS_DEFAULT);
	bench_memory();
	proxy_free(proxy);
	records_free(&records);
	replay_free(replay);
	lockouts_free(lockouts);
	policy_unref(policy);
	digest_context_free(digest);
	digest_context_free(gate_digest);
	return 0;
}
