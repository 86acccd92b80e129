/* SPDX-License-Identifier: BSD-2-Clause */
/* A store of an older version is brought up to date with all that is in it. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/internal.h"
#include "store_fixture.h"
#include "store_v1.h"

static int old_setup(void **state)
{
	struct fixture *f = fixture_new();
	char path[96];
	sqlite3 *db;
	int result;

	*state = f;
	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	result = sqlite3_open(path, &db);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, store_v1, NULL, NULL, NULL);
	sqlite3_close(db);
	return result;
}

#define OLD_TEST(function) cmocka_unit_test_setup_teardown(function, old_setup, fixture_teardown)

static void open_old(struct fixture *f)
{
	assert_ok(f, store_open(f->dir, &f->store, &f->err));
}

static void trunks_get_the_defaults_of_what_is_new(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk, defaults;

	open_old(f);
	store_trunk_defaults(&defaults);
	assert_ok(f, store_trunk_get(f->store, "acme", &trunk, &f->err));
	assert_int_equal(trunk.digest_uri, STORE_URI_EXACT);
	assert_int_equal(trunk.algorithm_count, 3);
	assert_int_equal(trunk.algorithms[2], 1);
	assert_false(trunk.client_certificate || trunk.outbound_user);
	assert_int_equal(trunk.auth, STORE_AUTH_IP_ACL_AND_CREDENTIAL);
	assert_true(trunk.enabled && trunk.auth_int && trunk.ratchet && !trunk.allow_no_qop);
	assert_int_equal(trunk.assert_identity, defaults.assert_identity);
	assert_int_equal(trunk.upstream_trusted, defaults.upstream_trusted);
	assert_string_equal(trunk.international_prefix, defaults.international_prefix);
	assert_string_equal(trunk.aliases, "");
	assert_int_equal(trunk.e164, STORE_E164_OFF);
	assert_int_equal(trunk.caller, STORE_CALLER_OFF);
	assert_int_equal(trunk.calls_max, 0);
	assert_ok(f, store_trunk_get(f->store, "app", &trunk, &f->err));
	assert_int_equal(trunk.digest_uri, STORE_URI_ANY);
	assert_true(!trunk.enabled && trunk.allow_no_qop);
	assert_int_equal(trunk.challenge_status, 401);
	assert_int_equal(trunk.challenge, STORE_CHALLENGE_AUTO);
	assert_string_equal(trunk.user, "app-1");
}

static void upstream_becomes_the_first_peer_with_its_address(void **state)
{
	struct fixture *f = *state;
	struct store_peer peer;

	open_old(f);
	peer = get_peer(f, "acme", NULL);
	assert_int_equal(peer.role, STORE_UPSTREAM);
	assert_string_equal(peer.uri, "sip:192.0.2.1");
	assert_int_equal(peer.priority, STORE_PEER_PRIORITY);
	assert_int_equal(peer.weight, STORE_PEER_WEIGHT);
	assert_true(peer.due_s == STORE_NEVER);
	assert_places(f, peer.id, "udp/192.0.2.1:5060");
	/* A name keeps what it was resolved to until it is resolved again, at once. */
	peer = get_peer(f, "app", NULL);
	assert_string_equal(peer.uri, "sip:pbx.example:5061");
	assert_int_equal(peer.due_s, 0);
	assert_places(f, peer.id, "udp/192.0.2.2:5061");
	strcpy(peer.uri, "sip:PBX.example:5061");
	assert_ok(f, store_peer_remove(f->store, "app", &peer, &f->err));
}

static int keep_user(const struct store_user *user, void *arg)
{
	*(struct store_user *)arg = *user;
	return 0;
}

static void users_keep_their_passwords(void **state)
{
	static const struct store_ha1 none;
	struct fixture *f = *state;
	struct store_credentials list;
	struct store_user user = {0};

	open_old(f);
	assert_ok(f, store_user_each(f->store, "phones", keep_user, &user, &f->err));
	assert_string_equal(user.name, "alice");
	assert_int_equal(user.id, 4);
	assert_int_equal(user.strongest, 2);
	assert_int_equal(user.ha1.plain[0][1], 0x11);
	assert_memory_equal(user.ha1.at_realm, none.at_realm, sizeof(none.at_realm));
	assert_ok(f, store_credentials_get(f->store, "phones", &list, &f->err));
	assert_false(list.at_realm);
}

static int check_entry(const struct store_acl_entry *entry, void *arg)
{
	static const struct {
		int64_t id;
		const char *prefix, *note;
		bool deny;
	} wanted[] = {{7, "10.0.0.0/8", "ten", false}, {3, "10.1.0.0/16", "", true}};
	int i = (*(int *)arg)++;
	char text[PREFIX_TEXT_SIZE];

	prefix_format(&entry->prefix, text);
	assert_string_equal(text, wanted[i].prefix);
	assert_string_equal(entry->note, wanted[i].note);
	assert_int_equal(entry->id, wanted[i].id);
	assert_int_equal(entry->deny, wanted[i].deny);
	assert_int_equal(entry->host_id, 0);
	return 0;
}

static void entries_keep_their_ids_and_the_rules_stay(void **state)
{
	struct fixture *f = *state;
	struct filter_rules rules = {0};
	int seen = 0;

	open_old(f);
	assert_ok(f, store_acl_entry_each(f->store, "office", check_entry, &seen, &f->err));
	assert_int_equal(seen, 2);
	/* Those of "other" are attached to nothing; the third is the upstream's. */
	assert_ok(f, store_filter_rules(f->store, &rules, &f->err));
	assert_int_equal(rules.count, 3);
	assert_int_equal(rules.rules[0].value.rule_id, 7);
	assert_int_equal(rules.generation, 1700000000000000);
	filter_rules_free(&rules);
	assert_ok(f, allow(f, "other", "10.2.0.0/16"));
	assert_ok(f, take_away(f, "other", "10.0.0.0/8"));
}

static void settings_keep_their_values(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;

	open_old(f);
	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	assert_int_equal(settings.mode, SIPWARD_ENFORCE);
	assert_int_equal(settings.port_count, 1);
	assert_int_equal(settings.nonce_lifetime_s, 600);
	assert_int_equal(settings.nonce_rotation_s, 3600);
	assert_string_equal(settings.header_prefix, "X-Sipward-");
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
}

static void killed_update_leaves_the_old_or_the_new(void **state)
{
	struct store *store;
	int status;

	for (useconds_t delay = 200; delay < 6000; delay += 400) {
		struct fixture *f = *state;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(store_open(f->dir, &store, NULL) != 0);
		usleep(delay);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		entries_keep_their_ids_and_the_rules_stay(state);
		fixture_teardown(state);
		assert_int_equal(old_setup(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OLD_TEST(trunks_get_the_defaults_of_what_is_new),
		OLD_TEST(upstream_becomes_the_first_peer_with_its_address),
		OLD_TEST(users_keep_their_passwords),
		OLD_TEST(entries_keep_their_ids_and_the_rules_stay),
		OLD_TEST(settings_keep_their_values),
		OLD_TEST(killed_update_leaves_the_old_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
