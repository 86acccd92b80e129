/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"

static struct prefix must_parse(const char *text)
{
	struct prefix prefix;
	struct error err;

	if (prefix_parse(slice_from(text), &prefix, &err) != 0)
		fail_msg("%s", err.text);
	return prefix;
}

static void prefixes_parse_and_print(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"2001:DB8:0::1", "2001:db8::1"},
		{"::/0", "::/0"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"[2001:db8::1]", "2001:db8::1"},
	};
	char text[PREFIX_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct prefix prefix = must_parse(rows[i].in);

		prefix_format(&prefix, text);
		assert_string_equal(text, rows[i].out);
	}
}

static void bad_prefixes_say_what_was_meant(void **state)
{
	static const struct {
		const char *in, *says;
	} rows[] = {
		{"10.0.0.1/8", "host bits are set; 10.0.0.0/8 was probably meant"},
		{"2001:db8::1/64", "host bits are set; 2001:db8::/64 was probably meant"},
		{"10.0.0.0/33", "the length must be 0 to 32"},
		{"10.0.0.0/", "the length must be 0 to 32"},
		{"10.0.0.0/-1", "the length must be 0 to 32"},
		{"::/129", "the length must be 0 to 128"},
		{"10.0.0", "not an IPv4 or IPv6 address"},
		{"example.com", "not an IPv4 or IPv6 address"},
		{"[192.0.2.1]", "not an IPv4 or IPv6 address"},
		{"", "not an IPv4 or IPv6 address"},
	};
	struct prefix prefix;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(prefix_parse(slice_from(rows[i].in), &prefix, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].says));
	}
}

static void masking_clears_exactly_the_host_bits(void **state)
{
	struct ip ip;

	(void)state;
	assert_int_equal(ip_parse(SLICE("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), &ip), 0);
	for (unsigned len = 0; len <= 128; len++) {
		const struct ip masked = ip_masked(&ip, len);

		for (unsigned bit = 0; bit < 128; bit++)
			assert_int_equal((masked.bytes[bit / 8] >> (7 - bit % 8)) & 1, bit < len);
	}
}

static void endpoints_parse_and_print(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{"192.0.2.1:5080", "192.0.2.1:5080"},
		{"192.0.2.1", "192.0.2.1:5060"},
		{"[2001:db8::1]:5080", "[2001:db8::1]:5080"},
		{"[2001:db8::1]", "[2001:db8::1]:5060"},
		{"2001:db8::1", "[2001:db8::1]:5060"},
		{"192.0.2.1:0", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:", NULL},
		{"[2001:db8::1]5060", NULL},
		{":5060", NULL},
		{"", NULL},
	};
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int rc = endpoint_parse(slice_from(rows[i].in), 5060, &endpoint);

		assert_int_equal(rc, rows[i].out ? 0 : -EINVAL);
		if (rc == 0) {
			endpoint_format(&endpoint, text);
			assert_string_equal(text, rows[i].out);
		}
	}
}

static void numbers_are_whole_and_bounded(void **state)
{
	uint32_t value = 7;

	(void)state;
	assert_int_equal(slice_u32(SLICE("4294967295"), &value), 0);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(slice_u32(SLICE("4294967296"), &value), -ERANGE);
	assert_int_equal(slice_u32(SLICE("99999999999999999999999999"), &value), -ERANGE);
	assert_int_equal(slice_u32(SLICE("99999999999999999999999x"), &value), -EINVAL);
	assert_int_equal(slice_u32(SLICE("+1"), &value), -EINVAL);
	assert_int_equal(slice_u32(SLICE(" 1"), &value), -EINVAL);
	assert_int_equal(slice_u32(SLICE(""), &value), -EINVAL);
	assert_int_equal(value, UINT32_MAX);
}

static void hex_has_one_text_for_one_value(void **state)
{
	uint8_t bytes[4];
	char text[9];

	(void)state;
	hex_encode("\x00\x9f\xff\x10", 4, text);
	assert_string_equal(text, "009fff10");
	assert_int_equal(hex_decode(SLICE("009fff10"), bytes, 4), 0);
	assert_memory_equal(bytes, "\x00\x9f\xff\x10", 4);
	assert_int_equal(hex_decode(SLICE("009FFF10"), bytes, 4), -EINVAL);
	assert_int_equal(hex_decode(SLICE("009fff1"), bytes, 4), -EINVAL);
	assert_int_equal(hex_decode(SLICE("009fff1g"), bytes, 4), -EINVAL);
}

static void the_steady_clock_tells_the_time(void **state)
{
	const uint64_t wall = clock_wall_s(), steady = clock_steady_s();

	(void)state;
	assert_in_range(steady, wall - 1, wall + 1);
	assert_true(clock_steady_s() >= steady);
}

struct item {
	struct table_node node;
	uint32_t number;
};

static void free_item(struct table_node *node, void *arg)
{
	struct table *table = arg;

	table_remove(table, node);
	free(table_entry(node, struct item, node));
}

static struct item *item_find(struct table *table, uint32_t number)
{
	const uint64_t hash = table_hash(table, 0, &number, sizeof(number));
	struct table_node *node = table_first(table, hash);

	while (node && table_entry(node, struct item, node)->number != number)
		node = table_next(node);
	return node ? table_entry(node, struct item, node) : NULL;
}

static void tables_find_what_they_hold(void **state)
{
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		struct item *item = calloc(1, sizeof(*item));

		item->number = i;
		table_insert(&table, &item->node, table_hash(&table, 0, &i, sizeof(i)));
	}
	assert_int_equal(table.count, 5000);
	for (uint32_t i = 0; i < 5000; i += 2)
		free_item(&item_find(&table, i)->node, &table);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(item_find(&table, i) != NULL, i % 2);
	table_each(&table, free_item, &table);
	assert_int_equal(table.count, 0);
	table_free(&table);
}

/* Runs write on a pipe in the place of standard error and gives back what came out. */
static void capture(void (*write_lines)(void), char *buf, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	write_lines();
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	close(saved);
	n = read(ends[0], buf, size - 1);
	close(ends[0]);
	assert_true(n >= 0);
	buf[n] = '\0';
}

static void write_hostile(void)
{
	log_info("refused", LOG_SLICE("user", SLICE("a\"b\r\ninfo admitted user=root")),
		 LOG_INT("status", 403));
}

static void log_lines_can_not_be_forged(void **state)
{
	char text[4096];

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture(write_hostile, text, sizeof(text));
	assert_string_equal(text,
			    "info refused user=\"a\\\"b\\u000d\\u000ainfo admitted user=root\" "
			    "status=403\n");
	log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	capture(write_hostile, text, sizeof(text));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_non_null(strstr(text, "\"user\":\"a\\\"b\\u000d\\u000ainfo admitted user=root\","
				     "\"status\":403}\n"));
}

static void write_names(void)
{
	log_info("registered", LOG_SLICE("user", SLICE("j\xc3\xa4s\xc3\xb8n")),
		 LOG_SLICE("wrong", SLICE("a\xc3 \xc2\x9b\xed\xa0\x80")));
}

static void log_keeps_utf8_and_escapes_what_is_none(void **state)
{
	char text[4096];

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture(write_names, text, sizeof(text));
	assert_string_equal(text, "info registered user=\"j\xc3\xa4s\xc3\xb8n\" "
				  "wrong=\"a\\u00c3 \\u00c2\\u009b\\u00ed\\u00a0\\u0080\"\n");
}

static void write_long(void)
{
	static char bytes[5000];

	memset(bytes, 'x', sizeof(bytes));
	log_info("long", LOG_SLICE("value", ((struct slice){bytes, sizeof(bytes)})));
}

static void long_log_lines_end_properly(void **state)
{
	char text[8192];

	(void)state;
	log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	capture(write_long, text, sizeof(text));
	assert_non_null(strstr(text, "\"event\":\"long\"}\n"));
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture(write_long, text, sizeof(text));
	assert_true(strlen(text) <= 2048 && text[strlen(text) - 1] == '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_parse_and_print),
		cmocka_unit_test(bad_prefixes_say_what_was_meant),
		cmocka_unit_test(masking_clears_exactly_the_host_bits),
		cmocka_unit_test(endpoints_parse_and_print),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(hex_has_one_text_for_one_value),
		cmocka_unit_test(the_steady_clock_tells_the_time),
		cmocka_unit_test(tables_find_what_they_hold),
		cmocka_unit_test(log_lines_can_not_be_forged),
		cmocka_unit_test(log_keeps_utf8_and_escapes_what_is_none),
		cmocka_unit_test(long_log_lines_end_properly),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
