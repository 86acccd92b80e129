/* SPDX-License-Identifier: BSD-2-Clause */
/* A document of the configuration: written, read, compared, applied. */
#include <errno.h>
#include <sys/stat.h>

#include "base/slice.h"
#include "document/fields.h"
#include "document_fixture.h"

/* ---- round trip ---- */

static void a_store_made_from_a_document_exports_the_same_bytes(void **state)
{
	struct fixture *f = *state, *g = fixture_new();
	char *text, *again;
	json_t *document;

	fill(f);
	text = export_text(f);
	assert_ok(g, store_open(g->dir, &g->store, &g->err));
	document = parse(text);
	assert_ok(g, apply(g, document, &key));
	again = export_text(g);
	assert_string_equal(text, again);
	json_decref(document);
	free(text);
	free(again);
	fixture_teardown((void **)&g);
}

static void what_a_document_says_is_what_is_exported(void **state)
{
	struct fixture *f = *state;
	json_t *document = parse(full), *exported;

	assert_ok(f, apply(f, document, NULL));
	exported = export(f, NULL);
	assert_true(json_equal(document, exported));
	json_decref(exported);
	json_decref(document);
}

static void an_empty_store_is_a_short_document(void **state)
{
	json_t *exported = export(*state, &key);
	json_t *expected = parse("{'sipward': {'version': 1}, 'settings': {}, 'acls': {},"
				 " 'credentials': {}, 'trunks': {}}");

	assert_true(json_equal(exported, expected));
	json_decref(exported);
	json_decref(expected);
}

static void what_is_as_the_document_says_is_not_touched(void **state)
{
	struct fixture *f = *state;
	json_t *document;
	size_t changes = 99;
	uint64_t before;

	fill(f);
	before = generation(f);
	document = export(f, &key);
	assert_ok(f,
		  document_apply(f->store, document, &key, false, NULL, NULL, &changes, &f->err));
	assert_int_equal(changes, 0);
	assert_true(generation(f) == before);
	json_decref(document);
	/* Users without HA1s keep theirs. */
	document = export(f, NULL);
	assert_ok(f,
		  document_apply(f->store, document, NULL, false, NULL, NULL, &changes, &f->err));
	assert_int_equal(changes, 0);
	json_decref(document);
}

/* Spelt otherwise, it means the same. */
static void a_domain_or_host_in_capitals_is_no_difference(void **state)
{
	struct fixture *f = *state;
	json_t *document;
	size_t changes = 99;

	fill(f);
	document = export(f, NULL);
	json_object_set_new(json_object_get(json_object_get(document, "trunks"), "main"), "domain",
			    json_string("ACME.Example."));
	json_array_set_new(
		json_object_get(json_object_get(json_object_get(document, "acls"), "office"),
				"hosts"),
		0, json_string("_SIP._udp.Carrier.example."));
	assert_ok(f, document_apply(f->store, document, NULL, true, NULL, NULL, &changes, &f->err));
	assert_int_equal(changes, 0);
	json_decref(document);
}

/* ---- differences ---- */

struct lines {
	char text[8192];
	size_t n;
};

static void note_line(char sign, const char *what, void *arg)
{
	struct lines *lines = arg;
	size_t used = strlen(lines->text);

	snprintf(lines->text + used, sizeof(lines->text) - used, "%c %s\n", sign, what);
	lines->n++;
}

static void check_lines(const struct lines *lines, const char *expected)
{
	if (strcmp(lines->text, expected) != 0)
		print_error("told:\n%sexpected:\n%s", lines->text, expected);
	assert_string_equal(lines->text, expected);
}

/* Applies a change of the full document: first dry, when nothing happens, then really. */
static void check_change(struct fixture *f, const json_t *document, const char *expected)
{
	struct lines dry = {0}, real = {0};
	char *before = export_text(f), *after;
	uint64_t at = generation(f);
	size_t changes = 0;
	json_t *exported;

	assert_ok(f, document_apply(f->store, document, &key, true, note_line, &dry, &changes,
				    &f->err));
	check_lines(&dry, expected);
	assert_int_equal(changes, dry.n);
	assert_true(generation(f) == at);
	after = export_text(f);
	assert_string_equal(before, after);
	assert_ok(f, document_apply(f->store, document, &key, false, note_line, &real, &changes,
				    &f->err));
	check_lines(&real, expected);
	assert_true(generation(f) == at + 1);
	exported = export(f, &key);
	assert_true(json_equal(document, exported));
	json_decref(exported);
	free(before);
	free(after);
}

/* The value that a path such as "acls/office/note" leads to; an element by its number. */
static json_t *find(json_t *value, const char *path)
{
	struct slice rest = slice_from(path);

	while (rest.n) {
		struct slice step = slice_cut(rest, '/', &rest);
		char name[64];
		uint32_t i;

		assert_int_equal(slice_text(step, name, sizeof(name)), 0);
		value = json_is_array(value) && slice_u32(step, &i) == 0
				? json_array_get(value, i)
				: json_object_get(value, name);
		assert_non_null(value);
	}
	return value;
}

/* Puts a value (NULL: removes what is there) at a place; an element is put in front of it. */
static void put(json_t *document, const char *path, const char *name, const char *text)
{
	json_t *at = find(document, path);
	json_t *value = text ? parse(text) : NULL;
	int rc;

	if (json_is_array(at))
		rc = value ? json_array_insert_new(at, (size_t)atoi(name), value)
			   : json_array_remove(at, (size_t)atoi(name));
	else
		rc = value ? json_object_set_new(at, name, value) : json_object_del(at, name);
	assert_int_equal(rc, 0);
}

static const struct {
	const char *path, *name, *value;
	const char *told;
} changes[] = {
	{"settings", "mode", NULL, "~ settings mode: \"enforce\" -> \"monitor\"\n"},
	{"settings", "ports", "['udp/5080']",
	 "~ settings ports: [\"udp/5060\",\"tcp/5070\"] -> [\"udp/5080\"]\n"},
	{"settings", "lockout-failures", "7", "~ settings lockout-failures: 5 -> 7\n"},
	{"settings", "user-names-utf8", NULL, "~ settings user-names-utf8: true -> false\n"},
	{"acls", "new", "{'entries': ['10.0.0.0/8']}", "+ acl new\n+ acl new entry 10.0.0.0/8\n"},
	{"acls", "new", "{'note': 'a note'}", "+ acl new # a note\n"},
	{"acls/office", "note", "'old office'",
	 "~ acl office note: \"main office\" -> \"old office\"\n"},
	{"acls/office", "note", NULL, "~ acl office note: \"main office\" -> \"\"\n"},
	{"acls/office/entries", "0", "'10.0.0.0/8'", "+ acl office entry 10.0.0.0/8\n"},
	{"acls/office/entries", "0", "{'prefix': '10.0.0.0/8', 'deny': true}",
	 "+ acl office entry 10.0.0.0/8 deny\n"},
	{"acls/office/entries", "0", NULL, "- acl office entry 192.0.2.0/24\n"},
	{"acls/office/entries/1", "deny", NULL,
	 "~ acl office entry 192.0.2.66: deny # the fax -> allow # the fax\n"},
	{"acls/office/entries/1", "note", NULL,
	 "~ acl office entry 192.0.2.66: deny # the fax -> deny\n"},
	{"acls/office/entries/1", "note", "'a fax'",
	 "~ acl office entry 192.0.2.66: deny # the fax -> deny # a fax\n"},
	{"acls/office/hosts", "0", "'_sip._tcp.carrier.example'",
	 "+ acl office host _sip._tcp.carrier.example\n"},
	{"acls/office/hosts", "0", NULL, "- acl office host _sip._udp.carrier.example\n"},
	{"acls/office/hosts/1", "deny", NULL,
	 "~ acl office host sip.carrier.example: deny # old -> allow # old\n"},
	{"acls/office/hosts/1", "note", NULL,
	 "~ acl office host sip.carrier.example: deny # old -> deny\n"},
	{"credentials", "new", "{'realm': 'a b'}", "+ credentials new realm \"a b\"\n"},
	{"credentials", "new", "{'realm': 'x', 'user-at-realm': true}",
	 "+ credentials new realm \"x\" user-at-realm true\n"},
	{"credentials/phones", "user-at-realm", NULL,
	 "~ credentials phones user-at-realm: true -> false\n"},
	{"credentials/phones/users", "alice", NULL, "- credentials phones user alice\n"},
	{"trunks", "new",
	 "{'domain': 'new.example', 'upstreams': ['sip:192.0.2.12'],"
	 " 'acls': ['office'], 'callers': ['+4989123456']}",
	 "+ trunk new\n+ trunk new domain \"new.example\"\n"
	 "+ trunk new upstream sip:192.0.2.12\n+ trunk new acl office\n"
	 "+ trunk new caller +4989123456\n"},
	{"trunks", "main", NULL, "- trunk main\n"},
	{"trunks/main/upstreams", "0", NULL, "- trunk main upstream sip:192.0.2.11:5070\n"},
	{"trunks/main/upstreams/1", "weight", "3",
	 "~ trunk main upstream sip:carrier.example;transport=tls: priority 20, weight 0 -> "
	 "20, 3\n"},
	{"trunks/main/destinations", "0", "'sip:10.0.0.1'",
	 "+ trunk main destination sip:10.0.0.1\n"},
	{"trunks/main", "e164", "'require'", "~ trunk main e164: \"normalize\" -> \"require\"\n"},
	{"trunks/main", "enabled", NULL, "~ trunk main enabled: false -> true\n"},
	{"trunks/main", "algorithms", NULL,
	 "~ trunk main algorithms: [\"sha-512-256\",\"sha-256\",\"md5\"] -> [\"md5\"]\n"},
	{"trunks/main/aliases", "0", NULL,
	 "~ trunk main aliases: [\"eu.acme.example\",\"us.acme.example\"] -> "
	 "[\"us.acme.example\"]\n"},
	{"trunks/main", "acls", NULL, "- trunk main acl empty\n- trunk main acl office\n"},
	{"trunks/main/credentials", "0", NULL, "- trunk main credentials lobby\n"},
	{"trunks/main/callers", "0", "'+49*'", "+ trunk main caller +49*\n"},
	{"trunks/main/callers", "1", NULL, "- trunk main caller +498912345\n"},
	{"trunks/default", "credentials", "['phones']", "+ trunk default credentials phones\n"},
};

static void every_kind_of_difference_is_told_and_made(void **state)
{
	struct fixture *f = *state;
	json_t *start, *document;

	fill(f);
	start = export(f, &key);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		document = json_deep_copy(start);
		put(document, changes[i].path, changes[i].name, changes[i].value);
		check_change(f, document, changes[i].told);
		json_decref(document);
		assert_ok(f, apply(f, start, &key));
	}
	json_decref(start);
}

static void a_removed_list_is_detached_first(void **state)
{
	struct fixture *f = *state;
	json_t *document;

	fill(f);
	document = export(f, &key);
	put(document, "credentials", "phones", NULL);
	put(document, "trunks/main/credentials", "1", NULL);
	put(document, "acls", "empty", NULL);
	put(document, "trunks/main/acls", "0", NULL);
	check_change(f, document,
		     "- acl empty\n- credentials phones realm \"acme.example\"\n"
		     "- trunk main acl empty\n- trunk main credentials phones\n");
	json_decref(document);
}

static void another_password_is_told_without_it(void **state)
{
	struct fixture *f = *state;
	struct store_ha1 ha1 = ha1_of(4);
	json_t *document;
	char *text;

	fill(f);
	document = export(f, &key);
	text = export_text(f);
	assert_ok(f, store_user_passwd(f->store, "phones", "alice", &ha1, &f->err));
	check_change(f, document, "~ credentials phones user alice: another password\n");
	free(text);
	json_decref(document);
}

/* Nothing can be kept of a list whose realm is another: no HA1 holds in it. */
static void another_realm_is_another_list(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;
	json_t *document;
	int64_t id;

	fill(f);
	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	id = trunk.id;
	document = export(f, NULL);
	put(document, "credentials/phones", "realm", "'other.example'");
	assert_refused(f, -EINVAL, "credentials.phones: user \"alice\": is new",
		       apply(f, document, NULL));
	put(document, "credentials/phones", "users", NULL);
	assert_ok(f, apply(f, document, NULL));
	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	assert_true(trunk.id == id);
	assert_int_equal(trunk.auth, STORE_AUTH_IP_ACL_AND_CREDENTIAL);
	json_decref(document);
}

static void trunks_that_change_places_stay_the_same_trunks(void **state)
{
	struct fixture *f = *state;
	struct store_trunk main, other;
	json_t *document;

	fill(f);
	assert_ok(f, store_trunk_get(f->store, "main", &main, &f->err));
	assert_ok(f, create_trunk(f, "other", "other.example", "sip:192.0.2.13"));
	assert_ok(f, store_trunk_get(f->store, "other", &other, &f->err));
	document = export(f, NULL);
	put(document, "trunks/main", "domain", "'other.example'");
	put(document, "trunks/main", "user", NULL);
	put(document, "trunks/main", "aliases", NULL);
	put(document, "trunks/other", "domain", "'eu.acme.example'");
	put(document, "trunks/other", "user", "'app-1'");
	assert_ok(f, apply(f, document, NULL));
	assert_ok(f, store_trunk_get(f->store, "main", &main, &f->err));
	assert_string_equal(main.domain, "other.example");
	assert_ok(f, store_trunk_get(f->store, "other", &other, &f->err));
	assert_string_equal(other.domain, "eu.acme.example");
	json_decref(document);
}

/* ---- what is refused ---- */

/* Nothing is a real number. */
static void refuse(struct fixture *f, const json_t *document, const char *before)
{
	uint64_t at = generation(f);
	char *after;

	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(apply(f, document, &key), -EINVAL);
	assert_true(f->err.text[0] != '\0');
	assert_true(generation(f) == at);
	after = export_text(f);
	assert_string_equal(before, after);
	free(after);
}

static size_t spoil(struct fixture *f, json_t *document, json_t *value, const char *before);

static size_t spoil_members(struct fixture *f, json_t *document, json_t *object, const char *before)
{
	const char *name;
	json_t *member;
	void *next;
	size_t n = 0;

	json_object_foreach_safe(object, next, name, member)
	{
		json_incref(member);
		assert_int_equal(json_object_set_new(object, name, json_real(1.5)), 0);
		refuse(f, document, before);
		assert_int_equal(json_object_set_new(object, name, member), 0);
		n += 1 + spoil(f, document, member, before);
	}
	assert_int_equal(json_object_set_new(object, "unknown key", json_real(1.5)), 0);
	refuse(f, document, before);
	assert_int_equal(json_object_del(object, "unknown key"), 0);
	return n;
}

static size_t spoil(struct fixture *f, json_t *document, json_t *value, const char *before)
{
	json_t *element;
	size_t i, n = 0;

	if (json_is_object(value))
		return spoil_members(f, document, value, before);
	json_array_foreach(value, i, element)
	{
		json_incref(element);
		assert_int_equal(json_array_set_new(value, i, json_real(1.5)), 0);
		refuse(f, document, before);
		assert_int_equal(json_array_set_new(value, i, element), 0);
		n += 1 + spoil(f, document, element, before);
	}
	return n;
}

/* Also where all before it differs from what the store has. */
static void one_wrong_value_anywhere_changes_nothing(void **state)
{
	struct fixture *f = *state;
	json_t *document;
	char *before;
	size_t n;

	fill(f);
	document = export(f, &key);
	before = export_text(f);
	n = spoil(f, document, document, before);
	assert_true(n > 80);
	free(before);
	before = NULL;
	json_decref(document);
}

static const struct {
	const char *path, *name, *value;
	const char *why;
} mistakes[] = {
	{"sipward", "version", "2", "sipward.version: must be 1"},
	{"", "trunk", "{}", "trunk: is no key that is known here"},
	{"settings", "lockout", "5", "settings.lockout: is no key"},
	{"settings", "mode", "'off'", "settings.mode: must be one of monitor|enforce"},
	{"settings", "lockout-failures", "0", "settings: "},
	{"settings", "lockout-failures", "-1", "settings.lockout-failures: must be a whole number"},
	{"settings", "ports", "['sctp/5060']", "settings.ports: must be a list of such as"},
	{"settings", "ports", "['udp/0']", "settings.ports: "},
	{"settings", "reserved-headers", "['a b']", "settings.reserved-headers: must be a list"},
	{"settings", "header-prefix", "'X-1234567890123456789012345678901234567890'",
	 "settings.header-prefix: is longer than 39 bytes"},
	{"acls", "", "{}", "acls.: ACL name: is empty"},
	{"acls", "a\033[31m", "{}", "ACL name"},
	{"acls/office/entries", "0", "'192.0.2.1/24'",
	 "acls.office.entries[0]: prefix \"192.0.2.1/24\": host bits are set; 192.0.2.0/24 was "
	 "probably meant"},
	{"acls/office/entries", "1", "'192.0.2.0/24'",
	 "acls.office.entries: 192.0.2.0/24 is given twice"},
	{"acls/office/entries", "1", "'192.0.2.0/33'", "the length must be 0 to 32"},
	{"acls/office/entries", "1", "{}", "acls.office.entries[1]: prefix"},
	{"acls/office/hosts", "0", "'a b'", "acls.office: "},
	{"credentials", "new", "{}", "credentials.new: needs a \"realm\""},
	{"credentials/phones/users", "carol", "{}",
	 "credentials.phones: user \"carol\": is new in this realm and has no sealed"},
	{"credentials/lobby/users", "al", "{}", "credentials.lobby: user"},
	{"trunks", "new", "{'domain': 'new.example', 'upstreams': ['sip:u@pbx.example']}",
	 "trunks.new.upstreams[0]: upstream \"sip:u@pbx.example\": takes no user"},
	{"trunks/main", "destinations", "['sip:a', 'SIP:A']", "sip:a is given twice"},
	{"trunks/main/upstreams/1", "weight", "-1", "trunks.main.upstreams[1].weight: must"},
	{"trunks", "new", "{'domain': '*', 'upstream': 'sip:192.0.2.1'}",
	 "trunks.new: domain \"*\": belongs to trunk \"default\""},
	{"trunks/main", "e164", "'yes'", "trunks.main.e164: must be one of off|require|normalize"},
	{"trunks/main", "challenge-status", "403", "trunks.main: challenge status 403"},
	{"trunks/main/acls", "0", "'nowhere'",
	 "trunks.main.acls: \"nowhere\" is not in the document"},
	{"trunks/main/acls", "0", "'office'", "trunks.main.acls: \"office\" is given twice"},
	{"trunks/main/credentials", "0", "'x'", "trunks.main.credentials: \"x\" is not in"},
	{"trunks/main/callers", "0", "'4989'", "trunks.main: "},
};

static void an_error_names_the_place(void **state)
{
	struct fixture *f = *state;
	json_t *start, *document;

	fill(f);
	start = export(f, &key);
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		uint64_t at = generation(f);

		document = json_deep_copy(start);
		put(document, mistakes[i].path, mistakes[i].name, mistakes[i].value);
		assert_refused(f, -EINVAL, mistakes[i].why, apply(f, document, &key));
		assert_null(strchr(f->err.text, '\033'));
		assert_true(generation(f) == at);
		json_decref(document);
	}
	json_decref(start);
}

static void what_is_no_document_is_refused(void **state)
{
	static const char *const texts[] = {"[]", "{}", "{'sipward': 1}", "{'sipward': {}}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *document = parse(texts[i]);

		memset(&f->err, 0, sizeof(f->err));
		assert_int_equal(apply(f, document, NULL), -EINVAL);
		assert_true(f->err.text[0]);
		json_decref(document);
	}
}

/* A store that is larger than a limit set later stays so, and may be exported and applied. */
static void what_a_lowered_limit_no_longer_allows_stays(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;
	json_t *document;

	fill(f);
	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.acl_limit = 1;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	document = export(f, &key);
	assert_ok(f, apply(f, document, &key));
	put(document, "acls", "third", "{}");
	assert_refused(f, -EINVAL, "acls.third: ", apply(f, document, &key));
	json_decref(document);
}

static void a_name_is_taken_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct lines lines = {0};
	json_t *document = parse("{'sipward': {'version': 1}, 'trunks': {'main': {'domain': '*',"
				 " 'upstream': 'sip:No-Such-Host.invalid'}}}");

	assert_ok(f,
		  document_apply(f->store, document, NULL, true, note_line, &lines, NULL, &f->err));
	assert_int_equal(lines.n, 3);
	assert_ok(f, apply(f, document, NULL));
	assert_places(f, get_peer(f, "main", "sip:no-such-host.invalid").id, "");
	json_decref(document);
}

/* ---- secrets ---- */

static json_t *sealed(json_t *document, const char *list, const char *user)
{
	json_t *lists = json_object_get(document, "credentials");
	json_t *users = json_object_get(json_object_get(lists, list), "users");

	return json_object_get(json_object_get(users, user), "ha1");
}

static void another_key_opens_nothing(void **state)
{
	struct fixture *f = *state;
	json_t *document;

	fill(f);
	document = export(f, &key);
	assert_refused(f, -EINVAL, "ha1: does not open", apply(f, document, &other_key));
	assert_refused(f, -EINVAL,
		       "credentials.lobby.users.j\xc3\xbcrgen.ha1: is sealed; --key-file",
		       apply(f, document, NULL));
	json_decref(document);
}

static void sealed_for_one_user_it_opens_for_no_other(void **state)
{
	struct fixture *f = *state;
	json_t *document, *changed;

	fill(f);
	document = export(f, &key);
	changed = json_deep_copy(document);
	json_string_set(sealed(changed, "phones", "alice"),
			json_string_value(sealed(document, "phones", "bob")));
	assert_refused(f, -EINVAL, "credentials.phones.users.alice.ha1: does not open",
		       apply(f, changed, &key));
	json_decref(changed);
	changed = json_deep_copy(document);
	put(changed, "credentials/phones", "realm", "'other.example'");
	assert_refused(f, -EINVAL, "ha1: does not open", apply(f, changed, &key));
	json_decref(changed);
	changed = json_deep_copy(document);
	json_object_set(find(changed, "credentials"), "renamed",
			find(changed, "credentials/phones"));
	put(changed, "credentials", "phones", NULL);
	assert_refused(f, -EINVAL, "ha1: does not open", apply(f, changed, &key));
	json_decref(changed);
	json_decref(document);
}

static void what_is_sealed_can_not_be_cut_or_changed(void **state)
{
	struct fixture *f = *state;
	json_t *document, *ha1;
	char text[400];
	size_t n;

	fill(f);
	document = export(f, &key);
	ha1 = sealed(document, "phones", "alice");
	n = (size_t)snprintf(text, sizeof(text), "%s", json_string_value(ha1));
	assert_true(n > 290 && n < sizeof(text));
	for (size_t i = 0; i < n; i++) {
		json_string_setn(ha1, text, i);
		assert_int_equal(apply(f, document, &key), -EINVAL);
	}
	/* The last two are padding. */
	for (size_t i = 0; i < n - 3; i++) {
		char old = text[i];

		text[i] = old == 'A' ? 'B' : 'A';
		json_string_set(ha1, text);
		assert_int_equal(apply(f, document, &key), -EINVAL);
		text[i] = old;
	}
	json_decref(document);
}

static void check_absent(const char *text, const uint8_t *secret, size_t n)
{
	char lower[2 * STORE_HA1_SIZE + 1], upper[sizeof(lower)];

	hex_encode(secret, n, lower);
	for (size_t i = 0; i < sizeof(lower); i++)
		upper[i] = lower[i] >= 'a' && lower[i] <= 'f' ? lower[i] - 32 : lower[i];
	assert_null(strstr(text, lower));
	assert_null(strstr(text, upper));
	assert_null(memmem(text, strlen(text), secret, 8));
}

/* Neither raw, nor in hex, nor (at any of the three alignments) in base64. */
static void no_ha1_is_in_clear_in_an_export(void **state)
{
	static const char *const base64[] = {"oaGhoaGh", "sbGxsbGx", "qKioqKio",
					     "wcHBwcHB", "wsLCwsLC", "0dHR0dHR"};
	struct fixture *f = *state;
	char *texts[2];

	fill(f);
	for (int i = 0; i < 2; i++) {
		json_t *document = export(f, i ? &key : NULL);

		texts[i] = json_dumps(document, JSON_INDENT(1));
		json_decref(document);
		for (int seed = 1; seed <= 3; seed++) {
			struct store_ha1 ha1 = ha1_of(seed);

			for (int j = 0; j < STORE_ALGORITHMS; j++) {
				check_absent(texts[i], ha1.plain[j], 16);
				check_absent(texts[i], ha1.at_realm[j], 16);
			}
		}
		for (size_t j = 0; j < sizeof(base64) / sizeof(base64[0]); j++)
			assert_null(strstr(texts[i], base64[j]));
		assert_true((strstr(texts[i], "v1:") != NULL) == (i == 1));
		free(texts[i]);
	}
}

static int write_key(const char *path, const char *text, unsigned mode)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -1;
	fputs(text, file);
	fclose(file);
	return chmod(path, mode);
}

static void a_key_file_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct document_key first = {0}, second = {0};
	char path[96];

	snprintf(path, sizeof(path), "%s/key", f->dir);
	assert_refused(f, -ENOENT, path, document_key_read(path, &first, &f->err));
	assert_int_equal(write_key(path, "0123456789abcdef0123456789abcdef", 0640), 0);
	assert_refused(f, -EACCES, "chmod 600", document_key_read(path, &first, &f->err));
	assert_int_equal(write_key(path, "0123456789abcdef0123456789abcdef", 0600), 0);
	assert_ok(f, document_key_read(path, &first, &f->err));
	assert_true(first.present);
	assert_int_equal(write_key(path, "0123456789abcdef0123456789abcdeF", 0600), 0);
	assert_ok(f, document_key_read(path, &second, &f->err));
	assert_memory_not_equal(first.bytes, second.bytes, sizeof(first.bytes));
	assert_int_equal(write_key(path, "0123456789abcdef0123456789abcde", 0600), 0);
	assert_refused(f, -EINVAL, "must hold 32 to", document_key_read(path, &first, &f->err));
	unlink(path);
	assert_refused(f, -EINVAL, "is no regular file",
		       document_key_read("/dev", &first, &f->err));
}

/* ---- nothing is forgotten ---- */

/* The names of a struct's fields in store.h must be in the tables, but for those named here. */
static void check_fields(const char *header, const char *name, const char *table,
			 const char *others)
{
	char start[64], word[64];
	const char *at, *end;
	size_t n = 0;

	snprintf(start, sizeof(start), "struct %s {", name);
	at = strstr(header, start);
	assert_non_null(at);
	end = strstr(at, "\n};");
	for (at += strlen(start); at < end; at++) {
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

		if (strncmp(at, "/*", 2) == 0) {
			at = strstr(at, "*/") + 1;
			continue;
		}
		/* A field's name stands before ';', ',' or '['. */
		if (length && length < sizeof(word) - 4 && strchr(";,[", at[length])) {
			snprintf(word, sizeof(word), " %.*s,", (int)length, at);
			if (!strstr(table, word) && !strstr(others, word))
				fail_msg("%s of struct %s is in no table of the document", word,
					 name);
			n++;
		}
		at += length ? length - 1 : 0;
	}
	assert_true(n > 20);
}

static char *read_source(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	assert_non_null(text);
	if (!file)
		skip();
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

static void every_field_of_the_store_is_in_the_document(void **state)
{
	char *header = read_source("user/store/store.h");
	char *table = read_source("user/document/fields.c");

	(void)state;
	check_fields(header, "store_trunk", table, " id, name, auth,");
	check_fields(header, "store_settings", table, " max,");
	free(header);
	free(table);
}

/* Each row such as OPTION("e164", … in a source of the CLI names a field. */
static void check_rows(const char *source, const char *start, const struct fields *fields)
{
	size_t n = 0;

	for (const char *at = source; (at = strstr(at, start)); n++) {
		char name[64];

		at += strlen(start);
		assert_int_equal(
			slice_text((struct slice){at, strcspn(at, "\"")}, name, sizeof(name)), 0);
		if (!field_find(fields, name))
			fail_msg("%s has another name in the document", name);
	}
	assert_true(n > 10);
}

static void names_are_those_of_the_command_line(void **state)
{
	char *options = read_source("user/cli/trunk_options.c");
	char *settings = read_source("user/cli/cmd_settings.c");

	(void)state;
	check_rows(options, "\tOPTION(\"", &trunk_fields);
	check_rows(settings, "\tSETTING(\"", &setting_fields);
	free(options);
	free(settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_store_made_from_a_document_exports_the_same_bytes),
		STORE_TEST(what_a_document_says_is_what_is_exported),
		STORE_TEST(an_empty_store_is_a_short_document),
		STORE_TEST(what_is_as_the_document_says_is_not_touched),
		STORE_TEST(a_domain_or_host_in_capitals_is_no_difference),
		STORE_TEST(every_kind_of_difference_is_told_and_made),
		STORE_TEST(a_removed_list_is_detached_first),
		STORE_TEST(another_password_is_told_without_it),
		STORE_TEST(another_realm_is_another_list),
		STORE_TEST(trunks_that_change_places_stay_the_same_trunks),
		STORE_TEST(one_wrong_value_anywhere_changes_nothing),
		STORE_TEST(an_error_names_the_place),
		STORE_TEST(what_is_no_document_is_refused),
		STORE_TEST(what_a_lowered_limit_no_longer_allows_stays),
		STORE_TEST(a_name_is_taken_as_it_is),
		STORE_TEST(another_key_opens_nothing),
		STORE_TEST(sealed_for_one_user_it_opens_for_no_other),
		STORE_TEST(what_is_sealed_can_not_be_cut_or_changed),
		STORE_TEST(no_ha1_is_in_clear_in_an_export),
		STORE_TEST(a_key_file_is_its_owners_alone),
		cmocka_unit_test(every_field_of_the_store_is_in_the_document),
		cmocka_unit_test(names_are_those_of_the_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
