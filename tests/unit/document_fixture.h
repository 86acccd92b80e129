/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents and the stores they are of, for the tests of both. */
#ifndef SIPWARD_TESTS_DOCUMENT_FIXTURE_H
#define SIPWARD_TESTS_DOCUMENT_FIXTURE_H

#include "document/document.h"
#include "store_fixture.h"

static const struct document_key key = {.bytes = {1, 2, 3, 4}, .present = true};
static const struct document_key other_key = {.bytes = {4, 3, 2, 1}, .present = true};

/* Everything that can be said, nothing of it a default. Users are put in by fill(). */
static const char full[] =
	"{'sipward': {'version': 1},"
	" 'settings': {'mode': 'enforce', 'unlisted': 'reject',"
	"  'ports': ['udp/5060', 'tcp/5070'], 'lockout-action': 'reject', 'lockout-failures': 5,"
	"  'lockout-window': 61, 'lockout-duration': 62, 'lockout-ceiling': 630,"
	"  'proven-duration': 60, 'nonce-lifetime': 301, 'nonce-rotation': 3601,"
	"  'source-v6-bits': 56, 'register-min': 61, 'register-max': 7201,"
	"  'register-default': 3601, 'register-contacts': 11, 'call-retention-days': 7,"
	"  'user-names-utf8': true,"
	"  'acl-limit': 50, 'acl-entry-limit': 1000, 'user-limit': 100,"
	"  'header-prefix': 'X-Gate-', 'reserved-headers': ['X-Secret', 'X-Own-*'],"
	"  'failover-timeout': 3000, 'health-interval': 15, 'health-failures': 3,"
	"  'health-successes': 4, 'overload-backlog': 1000,"
	"  'source-rate': 11, 'source-burst': 21, 'cpu-rate': 2001, 'cpu-burst': 4001,"
	"  'challenge-rate': 200001},"
	" 'acls': {"
	"  'empty': {},"
	"  'office': {'note': 'main office', 'entries': ['192.0.2.0/24',"
	"   {'prefix': '192.0.2.66', 'deny': true, 'note': 'the fax'}, '198.51.100.7',"
	"   '2001:db8::/32'],"
	"   'hosts': ['_sip._udp.carrier.example',"
	"    {'host': 'sip.carrier.example', 'deny': true, 'note': 'old'}]}},"
	" 'credentials': {"
	"  'lobby': {'realm': 'acme.example'},"
	"  'phones': {'realm': 'acme.example', 'user-at-realm': true}},"
	" 'trunks': {"
	"  'default': {'domain': '*', 'upstreams': ['sip:192.0.2.10']},"
	"  'main': {'domain': 'acme.example', 'user': 'app-1',"
	"   'aliases': ['eu.acme.example', 'us.acme.example'],"
	"   'upstreams': ['sip:192.0.2.11:5070', {'uri': 'sip:carrier.example;transport=tls',"
	"    'priority': 20, 'weight': 0}],"
	"   'headers': ['X-My-Header: a value', 'X-A: b'],"
	"   'destinations': [{'uri': 'sip:198.51.100.5;transport=tcp', 'weight': 5},"
	"    'sips:pbx.acme.example'],"
	"   'enabled': false, 'algorithms': ['sha-512-256', 'sha-256', 'md5'],"
	"   'challenge-status': 401, 'challenge': 'daemon',"
	"   'allow-no-qop': true, 'auth-int': true, 'digest-uri': 'equivalent', 'ratchet': false,"
	"   'userhash': true, 'sess': true, 'register': 'upstream', 'e164': 'normalize',"
	"   'country-code': '49', 'international-prefix': '000', 'national-prefix': '0',"
	"   'caller-id': 'private', 'number': '+49891234567', 'assert-identity': false,"
	"   'upstream-trusted': false, 'client-certificate': true, 'outbound-user': true,"
	"   'calls-per-second': 5, 'calls': 50,"
	"   'user-calls-per-second': 1, 'user-calls': 2,"
	"   'acls': ['empty', 'office'], 'credentials': ['lobby', 'phones'],"
	"   'callers': ['+4989*', '+498912345']}}}";

/* Text with ' for ". */
static inline json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_error_t why;
	json_t *value;

	assert_non_null(copy);
	for (char *c = copy; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	value = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!value)
		print_error("%s at %d: %s\n", why.text, why.position, copy);
	assert_non_null(value);
	free(copy);
	return value;
}

/* HA1s that differ from each other and are easily found. */
static inline struct store_ha1 ha1_of(int seed)
{
	struct store_ha1 ha1 = {0};

	for (int i = 0; i < STORE_ALGORITHMS; i++) {
		size_t n = i ? STORE_HA1_SIZE : 16;

		memset(ha1.plain[i], 0xa0 + i + 16 * seed, n);
		memset(ha1.at_realm[i], 0xa8 + i + 16 * seed, n);
	}
	return ha1;
}

static inline void add_user(struct fixture *f, const char *list, const char *name, int seed)
{
	struct store_ha1 ha1 = ha1_of(seed);

	assert_ok(f, store_user_add(f->store, list, name, &ha1, &f->err));
}

static inline int apply(struct fixture *f, const json_t *document, const struct document_key *with)
{
	return document_apply(f->store, document, with, false, NULL, NULL, NULL, &f->err);
}

static inline json_t *export(struct fixture *f, const struct document_key *with)
{
	json_t *document = NULL;

	assert_ok(f, document_export(f->store, with, &document, &f->err));
	return document;
}

static inline char *export_text(struct fixture *f)
{
	json_t *document = export(f, &key);
	char *text = json_dumps(document, JSON_INDENT(2));

	assert_non_null(text);
	json_decref(document);
	return text;
}

/* Makes the store hold all that `full` says, and users. */
static inline void fill(struct fixture *f)
{
	json_t *document = parse(full);

	assert_ok(f, apply(f, document, NULL));
	json_decref(document);
	add_user(f, "phones", "alice", 1);
	add_user(f, "phones", "bob", 2);
	add_user(f, "lobby", "j\xc3\xbcrgen", 3);
}

#endif
