/* SPDX-License-Identifier: BSD-2-Clause */
/* The nonce keys' rotation, and gates that share them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/keys.h"

#define PERIOD 3600u
#define LIFETIME 300u
#define NOON (472222u * PERIOD) /* where a period begins */

static const struct store_settings settings = {.nonce_lifetime_s = LIFETIME,
					       .nonce_rotation_s = PERIOD};
static const struct nonce_binding binding = {
	.source = {4, {192, 0, 2, 1}}, .transport = 1, .realm = SLICE("sip.example")};

static struct nonce_master master_of(const char *text)
{
	struct nonce_master master = {.n = strlen(text)};

	memcpy(master.bytes, text, master.n);
	return master;
}

static void start(struct keys *gate, const char *secret, uint64_t now_s)
{
	struct nonce_master master = master_of(secret);

	*gate = (struct keys){0};
	assert_int_equal(keys_use_master(gate, &master, &settings, now_s), 0);
}

static void tick(struct keys *gate, uint64_t now_s)
{
	assert_int_equal(keys_follow(gate, &settings, now_s), 0);
}

static void issue(struct keys *gate, uint64_t now_s, char *text)
{
	nonce_issue(&gate->nonce, &binding, now_s, text);
}

static enum nonce_result verify(const struct keys *gate, const char *nonce, uint64_t now_s)
{
	uint64_t issued_s;

	return nonce_verify(&gate->nonce, &binding, slice_from(nonce), now_s, LIFETIME, &issued_s);
}

#define SECRET "sixteen bytes or more"

static void two_gates_with_one_master_take_each_others_nonces(void **state)
{
	struct keys a, b, stranger;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	start(&a, SECRET, NOON);
	start(&b, SECRET, NOON);
	start(&stranger, "another secret of a gate", NOON);
	b.nonce.node = 2;
	issue(&b, NOON, nonce);
	assert_int_equal(verify(&a, nonce, NOON), NONCE_VALID);
	assert_int_equal(verify(&stranger, nonce, NOON), NONCE_FOREIGN);
}

/* Over the second before, at and after each boundary, for a day: what was issued then is good for
 * the whole of its life, at a gate that has rotated and at one that comes up later. */
static void nobody_is_refused_at_a_boundary(void **state)
{
	struct keys gate, late;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	start(&gate, SECRET, NOON);
	for (uint64_t boundary = NOON; boundary < NOON + 24 * PERIOD; boundary += PERIOD) {
		for (uint64_t at = boundary - 1; at <= boundary + 1; at++) {
			tick(&gate, at);
			issue(&gate, at, nonce);
			for (unsigned age = 0; age <= LIFETIME; age += LIFETIME / 4) {
				struct keys then = gate;

				tick(&then, at + age);
				assert_int_equal(verify(&then, nonce, at + age), NONCE_VALID);
				start(&late, SECRET, at + age);
				assert_int_equal(verify(&late, nonce, at + age), NONCE_VALID);
			}
		}
	}
}

static void each_period_has_a_key_and_a_number_of_its_own(void **state)
{
	struct keys gate, next;

	(void)state;
	start(&gate, SECRET, NOON);
	for (unsigned i = 1; i < 6; i++) {
		start(&next, SECRET, NOON + i * PERIOD);
		assert_int_equal(next.nonce.current, (gate.nonce.current + i) % 4);
		assert_memory_not_equal(next.nonce.key[next.nonce.current],
					gate.nonce.key[gate.nonce.current], 16);
	}
}

/* So that a key which leaked is of no use for long. */
static void a_key_of_long_ago_is_foreign(void **state)
{
	struct keys old, now;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	start(&old, SECRET, NOON - 4 * PERIOD);
	issue(&old, NOON, nonce); /* a forger can write any time */
	start(&now, SECRET, NOON);
	assert_int_equal(verify(&now, nonce, NOON), NONCE_FOREIGN);
}

static void what_has_expired_is_told_from_what_is_forged(void **state)
{
	struct keys gate;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	start(&gate, SECRET, NOON);
	issue(&gate, NOON, nonce);
	for (unsigned age = LIFETIME + 1; age < 3 * PERIOD; age += 100) {
		tick(&gate, NOON + age);
		assert_int_equal(verify(&gate, nonce, NOON + age), NONCE_EXPIRED);
	}
	nonce[63] ^= 1;
	assert_int_equal(verify(&gate, nonce, NOON + 3 * PERIOD - 1), NONCE_FOREIGN);
}

static void a_gate_whose_clock_is_behind_takes_the_next_periods_nonces(void **state)
{
	struct keys ahead, behind;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	start(&ahead, SECRET, NOON + 2);
	start(&behind, SECRET, NOON - 3);
	issue(&ahead, NOON + 2, nonce);
	assert_int_equal(verify(&behind, nonce, NOON - 3), NONCE_VALID);
}

static void a_clock_that_steps_back_over_a_boundary_refuses_nobody(void **state)
{
	struct keys gate;
	char before[NONCE_TEXT_SIZE], after[NONCE_TEXT_SIZE];

	(void)state;
	start(&gate, SECRET, NOON - 1);
	issue(&gate, NOON - 1, before);
	tick(&gate, NOON + 2);
	issue(&gate, NOON + 2, after);
	tick(&gate, NOON - 2);
	assert_int_equal(verify(&gate, before, NOON - 2), NONCE_VALID);
	assert_int_equal(verify(&gate, after, NOON - 2), NONCE_VALID);
	tick(&gate, NOON + 3);
	assert_int_equal(verify(&gate, after, NOON + 3), NONCE_VALID);
}

static void a_new_master_leaves_the_old_nonces_one_lifetime(void **state)
{
	struct nonce_master master = master_of("the secret that came by SIGHUP");
	struct keys gate;
	char old[NONCE_TEXT_SIZE], new[NONCE_TEXT_SIZE];

	(void)state;
	start(&gate, SECRET, NOON);
	issue(&gate, NOON, old);
	assert_int_equal(keys_use_master(&gate, &master, &settings, NOON + 1), 0);
	issue(&gate, NOON + 1, new);
	tick(&gate, NOON + LIFETIME);
	assert_int_equal(verify(&gate, old, NOON + LIFETIME), NONCE_VALID);
	assert_int_equal(verify(&gate, new, NOON + LIFETIME), NONCE_VALID);
	tick(&gate, NOON + LIFETIME + 2);
	issue(&gate, NOON + LIFETIME + 2, new);
	assert_int_equal(verify(&gate, old, NOON + LIFETIME + 2), NONCE_FOREIGN);
	assert_int_equal(verify(&gate, new, NOON + LIFETIME + 2), NONCE_VALID);
}

/* The timer may be late by the time that the signal comes. */
static void a_new_master_retires_the_keys_of_the_very_moment(void **state)
{
	const struct store_settings shortest = {.nonce_lifetime_s = LIFETIME,
						.nonce_rotation_s = LIFETIME};
	struct nonce_master old = master_of(SECRET), new = master_of("a secret of tomorrow");
	struct keys gate = {0}, other = {0};
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	assert_int_equal(keys_use_master(&gate, &old, &shortest, NOON - 1), 0);
	assert_int_equal(keys_use_master(&gate, &new, &shortest, NOON + LIFETIME - 2), 0);
	assert_int_equal(keys_use_master(&other, &old, &shortest, NOON + LIFETIME + 1), 0);
	issue(&other, NOON + LIFETIME + 1, nonce);
	assert_int_equal(verify(&gate, nonce, NOON + LIFETIME + 1), NONCE_VALID);
}

static void the_same_master_again_changes_nothing(void **state)
{
	struct nonce_master master = master_of(SECRET);
	struct keys gate, before;

	(void)state;
	start(&gate, SECRET, NOON);
	before = gate;
	assert_int_equal(keys_use_master(&gate, &master, &settings, NOON + 1), 0);
	assert_memory_equal(&gate, &before, sizeof(gate));
}

static void a_new_period_leaves_the_old_nonces_one_lifetime(void **state)
{
	struct store_settings faster = settings;
	struct keys gate;
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	faster.nonce_rotation_s = 700;
	start(&gate, SECRET, NOON);
	issue(&gate, NOON, nonce);
	for (unsigned age = 1; age <= LIFETIME; age++) {
		assert_int_equal(keys_follow(&gate, &faster, NOON + age), 0);
		assert_int_equal(verify(&gate, nonce, NOON + age), NONCE_VALID);
	}
}

/* Two rotations while one client thinks: the shortest period there is, a nonce's whole life. */
static void a_period_is_never_shorter_than_a_nonces_life(void **state)
{
	const struct store_settings hasty = {.nonce_lifetime_s = LIFETIME, .nonce_rotation_s = 1};
	struct nonce_master master = master_of(SECRET);
	char nonce[NONCE_TEXT_SIZE];

	(void)state;
	for (uint64_t at = NOON; at < NOON + 2 * LIFETIME; at += 7) {
		struct keys gate = {0};

		assert_int_equal(keys_use_master(&gate, &master, &hasty, at), 0);
		issue(&gate, at, nonce);
		for (unsigned age = 0; age <= LIFETIME; age++)
			assert_int_equal(keys_follow(&gate, &hasty, at + age), 0);
		assert_int_equal(verify(&gate, nonce, at + LIFETIME), NONCE_VALID);
	}
}

static void bad_masters_and_periods_are_refused(void **state)
{
	struct nonce_master master = master_of("fifteen bytes..");
	struct nonce_keys keys = {.current = 3};

	(void)state;
	assert_int_equal(nonce_keys_at(&master, PERIOD, NOON, &keys), -EINVAL);
	master.n = NONCE_MASTER_MAX + 1;
	assert_int_equal(nonce_keys_at(&master, PERIOD, NOON, &keys), -EINVAL);
	master.n = NONCE_MASTER_MIN;
	assert_int_equal(nonce_keys_at(&master, 0, NOON, &keys), -EINVAL);
	assert_int_equal(keys.current, 3);
	assert_false(keys.present[0]);
	assert_int_equal(nonce_keys_at(&master, 1, 0, &keys), 0);
	assert_int_equal(nonce_keys_at(&master, 1, UINT64_MAX, &keys), 0);
}

/* ---- the file ---- */

static char path[] = "/tmp/sipward-keys-XXXXXX";

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(const char *text, size_t n, mode_t mode, struct nonce_master *ret_master,
		     struct error *err)
{
	struct config config = {0};
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	snprintf(config.nonce_key_file, sizeof(config.nonce_key_file), "%s", path);
	return keys_read_master(&config, NULL, ret_master, err);
}

#define HEX16 "000102030405060708090a0b0c0d0e0f"

static void the_file_is_one_line_of_hex(void **state)
{
	static const struct {
		struct slice text;
		size_t bytes; /* 0 = refused */
	} rows[] = {
		{SLICE(HEX16 "\n"), 16},
		{SLICE(HEX16), 16},
		{SLICE(HEX16 HEX16 "\n"), 32},
		{SLICE("  " HEX16 HEX16 "\r\n"), 32},
		{SLICE(HEX16 HEX16 HEX16 HEX16 "\n"), 64},
		{SLICE(HEX16 HEX16 HEX16 HEX16 "00\n"), 0},
		{SLICE(HEX16 HEX16 HEX16 HEX16 HEX16 HEX16), 0},
		{SLICE("000102030405060708090a0b0c0d0e\n"), 0},
		{SLICE(HEX16 "0\n"), 0},
		{SLICE(HEX16 "\n" HEX16 "\n"), 0},
		{SLICE(HEX16 " " HEX16 "\n"), 0},
		{SLICE("# a key\n" HEX16 "\n"), 0},
		{SLICE("000102030405060708090A0B0C0D0E0F\n"), 0},
		{SLICE(HEX16 "\0\n"), 0},
		{SLICE("\n"), 0},
		{SLICE(""), 0},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nonce_master master = {.n = 4711};
		int rc = read_text(rows[i].text.p, rows[i].text.n, 0600, &master, &err);

		if (rc != (rows[i].bytes ? 0 : -EINVAL))
			fail_msg("row %zu: %d", i, rc);
		assert_int_equal(master.n, rows[i].bytes ? rows[i].bytes : 4711);
		if (rc == 0) {
			assert_int_equal(master.bytes[15], 15);
			continue;
		}
		assert_non_null(strstr(err.text, path));
		assert_null(strstr(err.text, "0a0b")); /* never the key itself */
	}
}

static void a_file_that_others_can_read_or_write_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		int rc;
	} rows[] = {{0600, 0},	     {0640, 0},	      {0400, 0},       {0440, 0},
		    {0644, -EACCES}, {0660, -EACCES}, {0604, -EACCES}, {0602, -EACCES},
		    {0650, -EACCES}, {0601, -EACCES}, {0777, -EACCES}};
	struct nonce_master master;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(read_text(HEX16, 32, rows[i].mode, &master, &err), rows[i].rc);
}

static void what_is_no_file_is_refused(void **state)
{
	struct config config = {.nonce_key_file = "/tmp"};
	struct nonce_master master;
	struct error err;

	(void)state;
	assert_int_equal(keys_read_master(&config, NULL, &master, &err), -EINVAL);
	strcpy(config.nonce_key_file, "/dev/zero");
	assert_int_equal(keys_read_master(&config, NULL, &master, &err), -EINVAL);
	strcpy(config.nonce_key_file, "/nowhere/key");
	assert_int_equal(keys_read_master(&config, NULL, &master, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_gates_with_one_master_take_each_others_nonces),
		cmocka_unit_test(nobody_is_refused_at_a_boundary),
		cmocka_unit_test(each_period_has_a_key_and_a_number_of_its_own),
		cmocka_unit_test(a_key_of_long_ago_is_foreign),
		cmocka_unit_test(what_has_expired_is_told_from_what_is_forged),
		cmocka_unit_test(a_gate_whose_clock_is_behind_takes_the_next_periods_nonces),
		cmocka_unit_test(a_clock_that_steps_back_over_a_boundary_refuses_nobody),
		cmocka_unit_test(a_new_master_leaves_the_old_nonces_one_lifetime),
		cmocka_unit_test(a_new_master_retires_the_keys_of_the_very_moment),
		cmocka_unit_test(the_same_master_again_changes_nothing),
		cmocka_unit_test(a_new_period_leaves_the_old_nonces_one_lifetime),
		cmocka_unit_test(a_period_is_never_shorter_than_a_nonces_life),
		cmocka_unit_test(bad_masters_and_periods_are_refused),
		cmocka_unit_test_setup_teardown(the_file_is_one_line_of_hex, make_file,
						remove_file),
		cmocka_unit_test_setup_teardown(a_file_that_others_can_read_or_write_is_refused,
						make_file, remove_file),
		cmocka_unit_test(what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
