/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REGISTERs of two users: the input is a list of header fields, each up to a byte 0x1e. A request's
 * first byte says whose it is, by which of two clients, and how much time has passed. A mirror that
 * knows the changes alone must come to hold what the registrar does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/registrar.h"

#define LIMIT 6
#define MIRROR 64

static const struct store_settings settings = {.register_min_s = 60,
					       .register_max_s = 7200,
					       .register_default_s = 3600,
					       .register_contacts = 4};
static const char *const users[] = {"alice", "bob"};

static struct store_binding mirror[MIRROR];
static size_t mirrored;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void mirror_change(const struct store_binding_change *change)
{
	const struct store_binding *binding = &change->binding;
	size_t i = 0;

	must(binding->q <= 1000 && binding->contact[0] && binding->expires_s);
	while (i < mirrored && (strcmp(mirror[i].user, binding->user) != 0 ||
				strcmp(mirror[i].contact, binding->contact) != 0))
		i++;
	if (change->removed) {
		must(i < mirrored);
		mirror[i] = mirror[--mirrored];
		return;
	}
	must(i < MIRROR);
	mirrored += i == mirrored;
	mirror[i] = *binding;
}

static void check_mirror(struct registrar *registrar)
{
	struct store_binding_change changes[4];
	struct registrar_stats stats;
	size_t n;

	do {
		n = registrar_take_changes(registrar, changes, 4);
		for (size_t i = 0; i < n; i++)
			mirror_change(&changes[i]);
	} while (n);
	registrar_stats(registrar, &stats);
	must(stats.bindings == mirrored && mirrored <= LIMIT);
	must(stats.registered == stats.bindings + stats.removed + stats.expired);
}

/* What the answer says is header fields that can be read. */
static void check_answer(const struct registrar_result *result)
{
	static char text[REGISTRAR_HEADERS_SIZE + 256];
	static struct sip_msg msg;
	const char *why;
	int n = snprintf(text, sizeof(text),
			 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:h>;tag=1\r\n"
			 "To: <sip:h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n%.*s\r\n",
			 (int)result->headers.n, result->headers.p);

	must(result->status == 200 || result->cause);
	must(sip_msg_parse((struct slice){text, (size_t)n}, &msg, &why) == SIP_PARSE_OK);
}

static void receive(struct registrar *registrar, struct slice record, uint64_t *now_s,
		    unsigned *cseq)
{
	static const struct net_path path = {.transport = NET_UDP,
					     .remote = {{4, {192, 0, 2, 1}}, 5060}};
	static struct registrar_result result;
	static struct sip_msg msg;
	unsigned op = record.n ? (unsigned char)record.p[0] : 0;
	struct registrar_request request = {
		.msg = &msg,
		.path = &path,
		.trunk_id = 1,
		.user = slice_from(users[op & 1]),
		.settings = &settings,
		.now_s = *now_s += (op >> 4) * (op >> 4) * 10,
	};
	char wire[8192];
	const char *why;
	int n;

	if (!record.n || record.n > 4096)
		return;
	/* Now and then a request comes again. */
	*cseq += (op >> 3 & 1) == 0;
	n = snprintf(wire, sizeof(wire),
		     "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:h>;tag=1\r\n"
		     "To: <sip:h>\r\nCall-ID: %u\r\nCSeq: %u REGISTER\r\n%.*s\r\n\r\n",
		     op >> 1 & 1, *cseq, (int)record.n - 1, record.p + 1);
	if (sip_msg_parse((struct slice){wire, (size_t)n}, &msg, &why) != SIP_PARSE_OK)
		return;
	if (op >> 2 & 1)
		registrar_tick(registrar, request.now_s);
	registrar_receive(registrar, &request, &result);
	check_answer(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct registrar *registrar;
	uint64_t now_s = 1000000;
	unsigned cseq = 0;

	mirrored = 0;
	must(registrar_create(LIMIT, &registrar) == 0);
	while (rest.n) {
		receive(registrar, slice_cut(rest, 0x1e, &rest), &now_s, &cseq);
		check_mirror(registrar);
	}
	registrar_tick(registrar, now_s + 7200);
	check_mirror(registrar);
	must(mirrored == 0);
	registrar_free(registrar);
	return 0;
}
