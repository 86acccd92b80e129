/* SPDX-License-Identifier: BSD-2-Clause */
/* Proofs where there is no filter to keep them; with one: tests/bpf/test_lockout_map.c. */
#include "admission_fixture.h"

#include "base/clock.h"
#include "policy/vouch.h"

static int setup(void **state)
{
	struct gate *gate;
	int rc = gate_setup(state);

	gate = *state;
	gate->admission.proofs = malloc(sizeof(*gate->admission.proofs));
	assert_non_null(gate->admission.proofs);
	proofs_init(gate->admission.proofs);
	return rc;
}

static int teardown(void **state)
{
	struct gate *gate = *state;

	free(gate->admission.proofs);
	return gate_teardown(state);
}

static struct ip ip(const char *text)
{
	struct ip parsed;

	assert_int_equal(ip_parse(slice_from(text), &parsed), 0);
	return parsed;
}

static enum voucher of(const struct gate *gate, const char *source, uint64_t now_s)
{
	struct ip parsed = ip(source);

	return vouch_of(&gate->admission, &parsed, now_s * NS_PER_S);
}

static void prove(const struct gate *gate, const char *source, uint64_t now_s)
{
	struct ip parsed = ip(source);

	vouch_prove(&gate->admission, &parsed, now_s * NS_PER_S);
}

static void set(struct gate *gate, unsigned proven_s, unsigned v6_bits)
{
	struct store_settings settings;

	assert_ok(gate->f, store_settings_get(gate->f->store, &settings, &gate->f->err));
	settings.proven_s = proven_s;
	settings.source_v6_bits = v6_bits;
	assert_ok(gate->f, store_settings_set(gate->f->store, &settings, &gate->f->err));
	gate_build(gate);
}

static void a_right_digest_proves_the_source_for_an_hour(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	client.spoil = true;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	assert_int_equal(of(gate, UNLISTED, NOW_S), VOUCHER_NONE);
	client.spoil = false;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(of(gate, UNLISTED, NOW_S + 3599), VOUCHER_PROOF);
	assert_int_equal(of(gate, UNLISTED, NOW_S + 3600), VOUCHER_NONE);
	assert_int_equal(of(gate, "203.0.113.2", NOW_S), VOUCHER_NONE);
}

static void a_listed_source_has_no_proof_that_would_outlast_its_entry(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(of(gate, LISTED, NOW_S), VOUCHER_LIST);
	assert_int_equal(of(gate, "198.51.100.1", NOW_S), VOUCHER_LIST); /* the upstream */
	assert_ok(gate->f, deny(gate->f, "office", LISTED));
	gate_build(gate);
	assert_int_equal(of(gate, LISTED, NOW_S), VOUCHER_NONE);
}

static void a_proof_covers_a_prefix_and_lasts_as_the_settings_say(void **state)
{
	struct gate *gate = *state;

	prove(gate, "2001:db8::1", 100);
	assert_int_equal(of(gate, "2001:db8::ffff:1", 100), VOUCHER_PROOF);
	assert_int_equal(of(gate, "2001:db8:0:ff::1", 100), VOUCHER_NONE);
	set(gate, 60, 56);
	assert_int_equal(of(gate, "2001:db8::1", 100), VOUCHER_NONE); /* that was another width */
	prove(gate, "2001:db8::1", 100);
	assert_int_equal(of(gate, "2001:db8:0:ff::1", 159), VOUCHER_PROOF);
	assert_int_equal(of(gate, "2001:db8:0:ff::1", 160), VOUCHER_NONE);
	set(gate, 0, 56);
	prove(gate, "2001:db8:0:100::1", 100);
	assert_int_equal(of(gate, "2001:db8:0:100::1", 100), VOUCHER_NONE);
}

static void forged_requests_never_lock_out_a_proven_source(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");
	struct client refused = client_new("sip:1@addr.example");
	struct lockout_stats stats;

	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	for (int i = 0; i < 100; i++) {
		gate_send(gate, UNLISTED, &refused, "");
		assert_int_equal(gate->result.cause, ADMISSION_ADDRESS_REFUSED);
		assert_false(gate->result.locked_out);
	}
	lockout_stats(gate->admission.lockouts, &stats);
	assert_int_equal(stats.sources, 0);
	client.spoil = true;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
		assert_int_equal(gate->result.locked_out, i == 9);
	}
}

#define VOUCH_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VOUCH_TEST(a_right_digest_proves_the_source_for_an_hour),
		VOUCH_TEST(a_listed_source_has_no_proof_that_would_outlast_its_entry),
		VOUCH_TEST(a_proof_covers_a_prefix_and_lasts_as_the_settings_say),
		VOUCH_TEST(forged_requests_never_lock_out_a_proven_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
