/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole conversations: the input is a list of datagrams, each up to a byte 0x1e. A datagram's first
 * byte says who sends it (lowest two bits) and how much time has passed before (the others). $V
 * stands for the Via fields, $R for Routes made of the Record-Routes, of the last request that was
 * forwarded, so that responses and later requests verify.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/proxy.h"

#define TRANSACTIONS 8
#define BINDINGS 8
#define CALLS 4

static const struct endpoint peers[4] = {
	{{4, {198, 51, 100, 7}}, 5062},			   /* the customer */
	{{4, {10, 0, 0, 5}}, 5060},			   /* the upstream */
	{{4, {192, 0, 2, 66}}, 5060},			   /* a stranger */
	{{6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 7}}, 5060}, /* a customer with IPv6 */
};
static const struct endpoint ours[2] = {{{4, {203, 0, 113, 1}}, 5060},
					{{6, {0x20, 0x01, 0x0d, 0xb8}}, 5060}};

static struct proxy_options options;
static char forwarded[NET_DATAGRAM_MAX + 1]; /* the last INVITE that left */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static bool is_peer(const struct ip *ip)
{
	for (size_t i = 0; i < 4; i++)
		if (ip_eq(ip, &peers[i].ip))
			return true;
	return false;
}

/* A refusal of what could not be read repeats its unreadable fields. */
static bool is_unreadable(struct slice message)
{
	return slice_starts_nocase(message, SLICE("SIP/2.0 400")) ||
	       slice_starts_nocase(message, SLICE("SIP/2.0 505"));
}

/* What the upstream gets of callers who may not be shown, whatever they say. */
static void must_be_anonymous(const struct sip_msg *msg)
{
	unsigned asserted = 0;

	must(slice_starts_nocase(sip_msg_value(msg, SIP_FROM), SLICE("\"Anonymous\" <")));
	for (int i = -1; (i = sip_msg_next(msg, SIP_P_ASSERTED_IDENTITY, i)) >= 0;)
		asserted++;
	must(asserted == 2);
	for (unsigned i = 0; i < msg->header_count; i++)
		must(!slice_eq_nocase(msg->headers[i].name, SLICE("Remote-Party-ID")) &&
		     !slice_starts_nocase(msg->headers[i].name, SLICE("ZT-")));
}

/* Whatever else leaves can be read, and goes to somebody who took part. */
static int on_send(void *arg, const struct net_path *path, const struct iovec *iov, unsigned count)
{
	static struct sip_msg msg;
	struct slice message = {iov->iov_base, iov->iov_len};
	const char *why;

	(void)arg;
	must(count == 1 && is_peer(&path->remote.ip));
	if (is_unreadable(message))
		return 0;
	must(sip_msg_parse(message, &msg, &why) == SIP_PARSE_OK);
	if (msg.is_request && msg.method == SIP_INVITE) {
		if (endpoint_eq(&path->remote, &peers[1]))
			must_be_anonymous(&msg);
		memcpy(forwarded, iov->iov_base, iov->iov_len);
		forwarded[iov->iov_len] = '\0';
	}
	return 0;
}

static int on_local_for(void *arg, enum net_transport transport, const struct endpoint *remote,
			struct endpoint *ret_local)
{
	(void)arg;
	(void)transport;
	*ret_local = ours[remote->ip.family == 6];
	return 0;
}

static bool on_is_local(void *arg, const struct endpoint *e)
{
	(void)arg;
	return endpoint_eq(e, &ours[0]) || endpoint_eq(e, &ours[1]);
}

static void fill_store(struct store *store)
{
	struct store_acl_entry entries[2] = {{.prefix = {peers[0].ip, 32}},
					     {.prefix = {peers[3].ip, 128}}};
	struct store_settings settings;
	struct store_trunk trunk;
	struct error err;

	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "default");
	strcpy(trunk.domain, "*");
	strcpy(trunk.number, "+493012345");
	trunk.caller = STORE_CALLER_PRIVATE;
	trunk.calls_max = 3;
	must(store_trunk_create(store, &trunk, "sip:10.0.0.5", &err) == 0);
	strcpy(trunk.name, "number");
	strcpy(trunk.domain, "number.example");
	strcpy(trunk.country_code, "49");
	strcpy(trunk.international_prefix, "00");
	trunk.e164 = STORE_E164_NORMALIZE;
	trunk.calls_per_s = 2;
	must(store_trunk_create(store, &trunk, "sip:10.0.0.5", &err) == 0);
	must(store_acl_create(store, "office", "", &err) == 0);
	must(store_acl_add(store, "office", entries, 2, NULL, &err) == 0);
	must(store_trunk_attach_acl(store, "default", "office", &err) == 0);
	must(store_trunk_attach_acl(store, "number", "office", &err) == 0);
	must(store_settings_get(store, &settings, &err) == 0);
	settings.mode = SIPWARD_ENFORCE;
	settings.health_interval_s = 0; /* nothing is left that waits */
	strcpy(settings.reserved_headers, "ZT-*");
	must(store_settings_set(store, &settings, &err) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct nonce_keys keys = {.present = {true}};
	char dir[] = "/tmp/sipward-fuzz-proxy-XXXXXX", command[64];
	struct policy *policy;
	struct store *store;
	struct error err;

	(void)argc, (void)argv;
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	must(mkdtemp(dir) != NULL);
	must(store_open(dir, &store, &err) == 0);
	fill_store(store);
	must(policy_build(store, &policy, &err) == 0);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	must(system(command) == 0);
	options.output = (struct proxy_output){
		.send = on_send, .local_for = on_local_for, .is_local = on_is_local};
	options.leads = true;
	options.transactions = TRANSACTIONS;
	options.calls = CALLS;
	options.admission.policy = policy;
	options.admission.nonce_keys = &keys;
	must(digest_context_create(&options.admission.digest) == 0);
	return 0;
}

/* The lines of the forwarded request that begin with the word, under another name. */
static size_t put_lines(char *out, size_t room, const char *word, const char *name)
{
	size_t n = 0;

	for (const char *line = forwarded; line && *line; line = strchr(line, '\n')) {
		size_t length;

		line += *line == '\n';
		length = strcspn(line, "\r\n");
		if (strncmp(line, word, strlen(word)) != 0 || n + length + 16 > room)
			continue;
		n += (size_t)sprintf(out + n, "%s%.*s\r\n", name, (int)(length - strlen(word)),
				     line + strlen(word));
	}
	return n;
}

static size_t expand(struct slice text, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 1 < room; i++) {
		if (text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == 'V')
			n += put_lines(out + n, room - n, "Via:", "Via:"), i++;
		else if (text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == 'R')
			n += put_lines(out + n, room - n, "Record-Route:", "Route:"), i++;
		else
			out[n++] = text.p[i];
	}
	return n;
}

static void hear(struct proxy *proxy, struct slice record, uint64_t *now)
{
	static char wire[8192];
	struct net_packet packet = {.path = {.transport = NET_UDP}};
	unsigned op = record.n ? (unsigned char)record.p[0] : 0;

	if (!record.n)
		return;
	*now += (op >> 2) * (op >> 2) * 100 * NS_PER_MS;
	proxy_tick(proxy, *now);
	packet.path.remote = peers[op & 3];
	packet.path.local = ours[packet.path.remote.ip.family == 6];
	packet.bytes = (struct slice){
		wire, expand((struct slice){record.p + 1, record.n - 1}, wire, sizeof(wire))};
	proxy_receive(proxy, &packet, 1, *now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	uint64_t now = 1000 * NS_PER_S;
	struct proxy_stats stats;
	struct proxy *proxy;

	forwarded[0] = '\0';
	must(replay_create(16, 300, &options.admission.replay) == 0);
	must(lockouts_create(NULL, 16, &options.admission.lockouts) == 0);
	must(registrar_create(BINDINGS, &options.registrar) == 0);
	must(proxy_create(&options, &proxy) == 0);
	while (rest.n) {
		struct slice record = slice_cut(rest, 0x1e, &rest);

		hear(proxy, record, &now);
		proxy_stats(proxy, &stats);
		must(stats.transactions <= TRANSACTIONS && stats.calls <= CALLS);
	}
	/* Nothing lives for ever. */
	for (int i = 0; i < 3; i++)
		proxy_tick(proxy, now += 300 * NS_PER_S);
	proxy_tick(proxy, now += 13 * 3600 * NS_PER_S);
	proxy_stats(proxy, &stats);
	must(stats.transactions == 0 && stats.calls == 0);
	proxy_free(proxy);
	registrar_free(options.registrar);
	lockouts_free(options.admission.lockouts);
	replay_free(options.admission.replay);
	return 0;
}
