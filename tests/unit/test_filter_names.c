/* SPDX-License-Identifier: BSD-2-Clause */
/* What needs no kernel: names of reasons, sources as text, the doctor's list. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "filter/filter.h"
#include "filter/findings.h"

static void every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SIPWARD_REASON_COUNT; i++) {
		assert_non_null(filter_reason_name(i));
		assert_string_not_equal(filter_reason_name(i), "unknown");
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(filter_reason_name(i), filter_reason_name(j));
	}
	assert_string_equal(filter_reason_name(SIPWARD_LOCKED_OUT), "locked_out");
	assert_string_equal(filter_reason_name(SIPWARD_REASON_COUNT), "unknown");
	assert_string_equal(filter_reason_name(UINT32_MAX), "unknown");
}

static void only_drop_reasons_are_drops(void **state)
{
	(void)state;
	assert_true(filter_reason_is_drop(SIPWARD_FRAGMENT_DROP));
	assert_true(filter_reason_is_drop(SIPWARD_RATE_LIMITED));
	assert_false(filter_reason_is_drop(SIPWARD_OTHER));
	assert_false(filter_reason_is_drop(SIPWARD_UNLISTED_PASS));
	assert_false(filter_reason_is_drop(SIPWARD_EVENT_LOST));
	assert_false(filter_reason_is_drop(SIPWARD_REASON_COUNT));
	assert_false(filter_reason_is_drop(UINT32_MAX));
}

static void assert_source_of(unsigned v6_bits, const char *text, const char *expected)
{
	char formatted[PREFIX_TEXT_SIZE];
	struct sipward_source source;
	struct error err = {0};
	int rc = filter_source_parse(slice_from(text), v6_bits, &source, &err);

	if (!expected) {
		assert_int_equal(rc, -EINVAL);
		assert_non_null(strstr(err.text, text));
		return;
	}
	assert_int_equal(rc, 0);
	filter_source_format(&source, formatted);
	assert_string_equal(formatted, expected);
}

static void assert_source(const char *text, const char *expected)
{
	assert_source_of(64, text, expected);
}

static void a_source_is_an_address_or_a_64(void **state)
{
	(void)state;
	assert_source("192.0.2.1", "192.0.2.1");
	assert_source("192.0.2.1/32", "192.0.2.1");
	assert_source("::ffff:192.0.2.1", "192.0.2.1");
	assert_source("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
	assert_source("2001:db8:1:2::/64", "2001:db8:1:2::/64");
	assert_source("192.0.2.0/24", NULL);
	assert_source("2001:db8::/48", NULL);
	assert_source("2001:db8::1/64", NULL);
	assert_source("everyone", NULL);
}

static void an_ipv6_source_is_as_long_as_the_setting_says(void **state)
{
	(void)state;
	assert_source_of(56, "2001:db8:1:2ff:3:4:5:6", "2001:db8:1:200::/56");
	assert_source_of(56, "2001:db8:1:200::/56", "2001:db8:1:200::/56");
	assert_source_of(56, "2001:db8:1:200::/64", NULL);
	assert_source_of(61, "2001:db8:1:2ff::1", "2001:db8:1:2f8::/61");
	assert_source_of(32, "2001:db8:ffff:ffff::1", "2001:db8::/32");
	assert_source_of(56, "192.0.2.1", "192.0.2.1");
	/* What no store would say counts as 64. */
	assert_source_of(0, "2001:db8:1:2::1", "2001:db8:1:2::/64");
	assert_source_of(31, "2001:db8:1:2::1", "2001:db8:1:2::/64");
	assert_source_of(65, "2001:db8:1:2::1", "2001:db8:1:2::/64");
}

static void a_full_list_of_findings_takes_no_more(void **state)
{
	struct filter_finding list[2];
	struct findings findings = {.list = list, .max = 1};

	(void)state;
	memset(list, 0xaa, sizeof(list));
	finding_add(&findings, FILTER_FINDING_WARNING, "mtu", "mend it", "%d is large", 9000);
	finding_add(&findings, FILTER_FINDING_OK, "mtu", "", "no room");
	assert_int_equal(findings.n, 1);
	assert_string_equal(list[0].text, "9000 is large");
	assert_string_equal(list[0].mend, "mend it");
	assert_int_equal(list[1].check[0], (char)0xaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
		cmocka_unit_test(only_drop_reasons_are_drops),
		cmocka_unit_test(a_source_is_an_address_or_a_64),
		cmocka_unit_test(an_ipv6_source_is_as_long_as_the_setting_says),
		cmocka_unit_test(a_full_list_of_findings_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
