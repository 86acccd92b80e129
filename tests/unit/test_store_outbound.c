/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials that the gate has at upstreams. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store_fixture.h"

#define URI "sip:carrier.example"

static const struct store_outbound_key alice = {"t", URI, "alice"};
static const struct store_outbound unknown = {.expires_s = STORE_OUTBOUND_EXPIRES_S};
static const struct store_outbound known = {
	.realm = "carrier.example",
	.registers = true,
	.expires_s = 600,
	.ha1 = {.plain = {{1, 2}, {3, 4}, {5, 6}}},
};

static int outbound_setup(void **state)
{
	int rc = fixture_setup(state);

	return rc ? rc : create_trunk(*state, "t", "t.example", URI);
}

#define OUTBOUND_TEST(function)                                                                    \
	cmocka_unit_test_setup_teardown(function, outbound_setup, fixture_teardown)

struct all {
	struct store_outbound list[4];
	size_t n;
};

static int keep(const struct store_outbound *outbound, void *arg)
{
	struct all *all = arg;

	assert_true(all->n < 4);
	all->list[all->n++] = *outbound;
	return 0;
}

static struct all all_of(struct fixture *f)
{
	struct all all = {.n = 0};

	assert_ok(f, store_outbound_each(f->store, get_peer(f, "t", URI).id, keep, &all, &f->err));
	return all;
}

static void with_a_realm_only_hashes_are_kept(void **state)
{
	struct fixture *f = *state;
	char password[STORE_PASSWORD_SIZE];
	struct all all;

	assert_ok(f, store_outbound_add(f->store, &alice, &known, NULL, &f->err));
	assert_last_audit(f, "trunk \"t\": upstream sip:carrier.example: added outbound user "
			     "\"alice\"");
	all = all_of(f);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.list[0].user, "alice");
	assert_string_equal(all.list[0].realm, "carrier.example");
	assert_true(all.list[0].registers && !all.list[0].has_secret);
	assert_int_equal(all.list[0].expires_s, 600);
	assert_memory_equal(&all.list[0].ha1, &known.ha1, sizeof(known.ha1));
	assert_refused(f, -ENOENT, "no password",
		       store_outbound_secret(f->store, all.list[0].id, password, &f->err));
}

static bool file_holds(const char *dir, const char *name, const char *words)
{
	static char content[1 << 20];
	char path[128];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fread(content, 1, sizeof(content), file);
	fclose(file);
	return memmem(content, n, words, strlen(words)) != NULL;
}

static void without_a_realm_the_password_is_sealed_until_it_is_learned(void **state)
{
	static const char secret[] = "n0t A g00d one";
	struct fixture *f = *state;
	char password[STORE_PASSWORD_SIZE], path[128];
	struct stat st;
	struct all all;

	assert_ok(f, store_outbound_add(f->store, &alice, &unknown, secret, &f->err));
	all = all_of(f);
	assert_true(all.list[0].has_secret);
	assert_string_equal(all.list[0].realm, "");
	assert_ok(f, store_outbound_secret(f->store, all.list[0].id, password, &f->err));
	assert_string_equal(password, secret);
	snprintf(path, sizeof(path), "%s/outbound.key", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_false(file_holds(f->dir, "sipward.db", secret));
	assert_false(file_holds(f->dir, "sipward.db-wal", secret));
	assert_ok(f, store_outbound_learned(f->store, all.list[0].id, "carrier.example", &known.ha1,
					    &f->err));
	assert_last_audit(f, "trunk \"t\": upstream sip:carrier.example: outbound user \"alice\" "
			     "is of realm \"carrier.example\"");
	all = all_of(f);
	assert_false(all.list[0].has_secret);
	assert_memory_equal(&all.list[0].ha1, &known.ha1, sizeof(known.ha1));
	assert_refused(f, -ENOENT, "no password",
		       store_outbound_secret(f->store, all.list[0].id, password, &f->err));
	/* Pinned: what is learned is not learned again. */
	assert_refused(f, -ENOENT, "has a realm already",
		       store_outbound_learned(f->store, all.list[0].id, "evil.example", &known.ha1,
					      &f->err));
	assert_refused(f, -ENOENT, "any more",
		       store_outbound_learned(f->store, 99, "x", &known.ha1, &f->err));
}

static void password_does_not_open_elsewhere_or_with_another_key(void **state)
{
	static const struct store_outbound_key bob = {"t", URI, "bob"};
	struct fixture *f = *state;
	char password[STORE_PASSWORD_SIZE], path[128];
	struct all all;

	assert_ok(f, store_outbound_add(f->store, &alice, &unknown, "secret", &f->err));
	assert_ok(f, store_outbound_add(f->store, &bob, &unknown, "other", &f->err));
	all = all_of(f);
	assert_true(db_run(f->store, &f->err,
			   "UPDATE outbound SET sealed = (SELECT sealed FROM outbound"
			   " WHERE user = 'alice') WHERE user = 'bob'") == 1);
	assert_refused(f, -EBADMSG, "another outbound.key",
		       store_outbound_secret(f->store, all.list[1].id, password, &f->err));
	assert_ok(f, store_outbound_secret(f->store, all.list[0].id, password, &f->err));
	snprintf(path, sizeof(path), "%s/outbound.key", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_outbound_secret(f->store, all.list[0].id, password, &f->err),
			 -EBADMSG);
	assert_ok(f, store_outbound_passwd(f->store, &bob, &unknown, "third", &f->err));
	assert_ok(f, store_outbound_secret(f->store, all.list[1].id, password, &f->err));
	assert_string_equal(password, "third");
	assert_refused(f, -EBADMSG, "another outbound.key",
		       store_outbound_secret(f->store, all.list[0].id, password, &f->err));
}

static void several_stand_in_the_order_they_were_added(void **state)
{
	static const struct store_outbound_key zoe = {"t", "SIP:Carrier.Example", "zoe"};
	struct store_outbound changed = known;
	struct fixture *f = *state;
	uint64_t before;
	struct all all;

	assert_ok(f, store_outbound_add(f->store, &zoe, &known, NULL, &f->err));
	assert_ok(f, store_outbound_add(f->store, &alice, &known, NULL, &f->err));
	assert_refused(f, -EEXIST, "has one already",
		       store_outbound_add(f->store, &alice, &known, NULL, &f->err));
	all = all_of(f);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.list[0].user, "zoe");
	before = generation(f);
	assert_ok(f, store_outbound_set(f->store, &zoe, &changed, &f->err));
	assert_int_equal(generation(f), before);
	changed.registers = false;
	assert_ok(f, store_outbound_set(f->store, &zoe, &changed, &f->err));
	assert_last_audit(f, "trunk \"t\": upstream sip:carrier.example: outbound user \"zoe\" "
			     "does not register (expires 600)");
	changed.expires_s = 59;
	assert_refused(f, -EINVAL, "from 60",
		       store_outbound_set(f->store, &zoe, &changed, &f->err));
	assert_ok(f, store_outbound_remove(f->store, &zoe, &f->err));
	assert_refused(f, -ENOENT, "\"zoe\"", store_outbound_remove(f->store, &zoe, &f->err));
	assert_refused(f, -ENOENT, "\"zoe\"",
		       store_outbound_passwd(f->store, &zoe, &known, NULL, &f->err));
	assert_refused(f, -ENOENT, "\"zoe\"", store_outbound_set(f->store, &zoe, &known, &f->err));
	assert_int_equal(all_of(f).n, 1);
}

static void what_breaks_the_rules_is_refused(void **state)
{
	struct store_outbound_key key = alice;
	struct store_outbound wrong = known;
	struct fixture *f = *state;
	char password[140] = "";

	key.user = "";
	assert_refused(f, -EINVAL, "outbound user",
		       store_outbound_add(f->store, &key, &known, NULL, &f->err));
	key.user = "a\"b";
	assert_refused(f, -EINVAL, "quote",
		       store_outbound_add(f->store, &key, &known, NULL, &f->err));
	strcpy(wrong.realm, "a\\b");
	assert_refused(f, -EINVAL, "realm",
		       store_outbound_add(f->store, &alice, &wrong, NULL, &f->err));
	assert_refused(f, -EINVAL, "1 to 128",
		       store_outbound_add(f->store, &alice, &unknown, "", &f->err));
	memset(password, 'x', 129);
	assert_refused(f, -EINVAL, "1 to 128",
		       store_outbound_add(f->store, &alice, &unknown, password, &f->err));
	assert_refused(f, -EINVAL, "control",
		       store_outbound_add(f->store, &alice, &unknown, "a\tb", &f->err));
	password[128] = '\0';
	assert_ok(f, store_outbound_add(f->store, &alice, &unknown, password, &f->err));
	key.uri = "sip:other.example";
	key.user = "alice";
	assert_refused(f, -ENOENT, "none of this URI",
		       store_outbound_add(f->store, &key, &known, NULL, &f->err));
}

/* Nobody else gets them. */
static void they_go_with_their_upstream(void **state)
{
	struct store_peer peer = {.role = STORE_UPSTREAM, .uri = URI};
	struct fixture *f = *state;
	int64_t n = -1;

	assert_ok(f, store_outbound_add(f->store, &alice, &known, NULL, &f->err));
	assert_refused(f, -EBUSY, "outbound credentials",
		       store_upstream_replace(f->store, "t", "sip:evil.example", &f->err));
	assert_ok(f, store_peer_remove(f->store, "t", &peer, &f->err));
	assert_ok(f, db_int(f->store, &n, &f->err, "SELECT count(*) FROM outbound"));
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTBOUND_TEST(with_a_realm_only_hashes_are_kept),
		OUTBOUND_TEST(without_a_realm_the_password_is_sealed_until_it_is_learned),
		OUTBOUND_TEST(password_does_not_open_elsewhere_or_with_another_key),
		OUTBOUND_TEST(several_stand_in_the_order_they_were_added),
		OUTBOUND_TEST(what_breaks_the_rules_is_refused),
		OUTBOUND_TEST(they_go_with_their_upstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
