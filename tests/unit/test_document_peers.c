/* SPDX-License-Identifier: BSD-2-Clause */
/* Outbound credentials and header fields in documents. */
#include <errno.h>

#include "document_fixture.h"

#define URI "sip:carrier.example"

static const struct store_outbound known = {
	.realm = "carrier.example",
	.expires_s = STORE_OUTBOUND_EXPIRES_S,
	.ha1 = {.plain = {{0xa0, 1}, {0xa1, 2}, {0xa2, 3}}},
};
static const struct store_outbound unknown = {.registers = true, .expires_s = 600};

/* A trunk with a credential of a known realm, one of none, and two header fields. */
static int peers_setup(void **state)
{
	static const struct store_outbound_key alice = {"t", URI, "alice"}, bob = {"t", URI, "bob"};
	struct fixture *f;
	int rc = fixture_setup(state);

	if (rc)
		return rc;
	f = *state;
	assert_ok(f, create_trunk(f, "t", "t.example", URI));
	assert_ok(f, store_outbound_add(f->store, &bob, &known, NULL, &f->err));
	assert_ok(f, store_outbound_add(f->store, &alice, &unknown, "n0 g00d", &f->err));
	assert_ok(f, store_trunk_header_add(f->store, "t", "X-B: 1", &f->err));
	return store_trunk_header_add(f->store, "t", "X-A: 2", &f->err);
}

#define PEERS_TEST(function)                                                                       \
	cmocka_unit_test_setup_teardown(function, peers_setup, fixture_teardown)

static json_t *outbound_in(json_t *document)
{
	json_t *trunk = json_object_get(json_object_get(document, "trunks"), "t");
	json_t *upstream = json_array_get(json_object_get(trunk, "upstreams"), 0);

	return json_object_get(upstream, "outbound");
}

static json_t *headers_in(json_t *document)
{
	return json_object_get(json_object_get(json_object_get(document, "trunks"), "t"),
			       "headers");
}

struct lines {
	char text[4096];
};

static void note_line(char sign, const char *what, void *arg)
{
	struct lines *lines = arg;
	size_t used = strlen(lines->text);

	snprintf(lines->text + used, sizeof(lines->text) - used, "%c %s\n", sign, what);
}

static int apply_with(struct fixture *f, const json_t *document, const struct document_key *with,
		      struct lines *lines)
{
	lines->text[0] = '\0';
	return document_apply(f->store, document, with, false, note_line, lines, NULL, &f->err);
}

#define assert_told(f, document, with, wanted)                                                     \
	do {                                                                                       \
		struct lines lines_;                                                               \
		assert_ok(f, apply_with(f, document, with, &lines_));                              \
		assert_string_equal(lines_.text, wanted);                                          \
	} while (0)

struct password {
	struct store *store;
	char text[STORE_PASSWORD_SIZE];
};

static int take_password(const struct store_outbound *outbound, void *arg)
{
	struct password *password = arg;

	return outbound->has_secret
		       ? store_outbound_secret(password->store, outbound->id, password->text, NULL)
		       : 0;
}

static const char *password_of(struct fixture *f, struct password *password)
{
	*password = (struct password){.store = f->store};
	assert_ok(f, store_outbound_each(f->store, get_peer(f, "t", URI).id, take_password,
					 password, &f->err));
	return password->text;
}

static void sealed_credentials_make_the_same_store_elsewhere(void **state)
{
	struct fixture *f = *state, *other = fixture_new();
	json_t *document = export(f, &key), *again;
	char *text = json_dumps(document, 0);
	struct password password;

	assert_null(strstr(text, "n0 g00d"));
	assert_int_equal(json_array_size(outbound_in(document)), 2);
	assert_ok(other, store_open(other->dir, &other->store, &other->err));
	assert_told(other, document, &key,
		    "+ trunk t\n+ trunk t domain \"t.example\"\n+ trunk t upstream " URI "\n"
		    "+ trunk t upstream " URI " outbound bob\n"
		    "+ trunk t upstream " URI " outbound alice\n"
		    "+ trunk t header X-B: 1\n+ trunk t header X-A: 2\n");
	again = export(other, &key);
	assert_true(json_equal(document, again));
	assert_string_equal(password_of(other, &password), "n0 g00d");
	assert_told(other, document, &key, "");
	assert_refused(other, -EINVAL, "does not open",
		       apply_with(other, document, &other_key, &(struct lines){""}));
	json_decref(document);
	json_decref(again);
	free(text);
	fixture_teardown((void **)&other);
}

static void without_a_key_they_keep_what_they_have(void **state)
{
	struct fixture *f = *state;
	json_t *document = export(f, NULL);
	json_t *alice = json_array_get(outbound_in(document), 1);
	struct password password;

	assert_null(json_object_get(alice, "sealed"));
	assert_told(f, document, NULL, "");
	json_object_set_new(alice, "expires", json_integer(700));
	assert_told(f, document, NULL,
		    "~ trunk t upstream " URI
		    " outbound alice: register true, expires 600 -> true, 700\n");
	/* In another order they are made anew, with what the store has. */
	json_array_append(outbound_in(document), json_array_get(outbound_in(document), 0));
	json_array_remove(outbound_in(document), 0);
	assert_told(f, document, NULL, "~ trunk t upstream " URI " outbound: another order\n");
	assert_string_equal(password_of(f, &password), "n0 g00d");
	assert_told(f, document, NULL, "");
	json_array_remove(outbound_in(document), 0);
	assert_told(f, document, NULL, "- trunk t upstream " URI " outbound alice\n");
	json_array_append_new(outbound_in(document), parse("{'user': 'eve'}"));
	assert_refused(f, -EINVAL, "trunks.t: outbound user \"eve\": is new",
		       apply_with(f, document, NULL, &(struct lines){""}));
	json_decref(document);
}

/* The realm is learned after the export: what is not said stays. */
static void learned_realm_stays(void **state)
{
	struct fixture *f = *state;
	json_t *plain = export(f, NULL), *sealed = export(f, &key), *now;
	int64_t id = 2;

	assert_ok(f, store_outbound_learned(f->store, id, "carrier.example", &known.ha1, &f->err));
	assert_told(f, plain, NULL, "");
	now = export(f, NULL);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(outbound_in(now), 1), "realm")),
		"carrier.example");
	assert_told(f, sealed, &key,
		    "~ trunk t upstream " URI " outbound alice: another realm or password\n");
	json_decref(plain);
	json_decref(sealed);
	json_decref(now);
}

static void sealed_for_one_place_it_opens_at_no_other(void **state)
{
	struct fixture *f = *state;
	json_t *document = export(f, &key);
	json_t *bob = json_array_get(outbound_in(document), 0);
	json_t *alice = json_array_get(outbound_in(document), 1);

	json_object_set(bob, "sealed", json_object_get(alice, "sealed"));
	assert_refused(f, -EINVAL, "trunks.t.upstreams[0].outbound[0].sealed: does not open",
		       apply_with(f, document, &key, &(struct lines){""}));
	assert_refused(f, -EINVAL, "--key-file",
		       apply_with(f, document, NULL, &(struct lines){""}));
	json_object_set_new(bob, "sealed", json_string("v1:x"));
	assert_refused(f, -EINVAL, "is no sealed password",
		       apply_with(f, document, &key, &(struct lines){""}));
	json_decref(document);
}

static void headers_keep_their_order(void **state)
{
	struct fixture *f = *state;
	json_t *document = export(f, NULL);
	json_t *headers = headers_in(document);

	json_array_append_new(headers, json_string("X-C:3"));
	assert_told(f, document, NULL, "+ trunk t header X-C: 3\n");
	json_array_remove(headers, 0);
	assert_told(f, document, NULL, "- trunk t header X-B: 1\n");
	json_array_insert(headers, 0, json_array_get(headers, 1));
	json_array_remove(headers, 2);
	assert_told(f, document, NULL, "~ trunk t headers: another order\n");
	assert_told(f, document, NULL, "");
	json_array_append_new(headers, json_string("Via: x"));
	assert_refused(f, -EINVAL, "trunks.t.headers[2]: header \"Via\"",
		       apply_with(f, document, NULL, &(struct lines){""}));
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEERS_TEST(sealed_credentials_make_the_same_store_elsewhere),
		PEERS_TEST(without_a_key_they_keep_what_they_have),
		PEERS_TEST(learned_realm_stays),
		PEERS_TEST(sealed_for_one_place_it_opens_at_no_other),
		PEERS_TEST(headers_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
