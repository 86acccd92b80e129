/* SPDX-License-Identifier: BSD-2-Clause */
/* The filter and the daemon speak alike: where the filter answers, the daemon would have answered
 * the same but for nonce and tag, to the same place; where it does not, it has changed nothing.
 * SEED=N draws other requests, COUNT=N more. */
#include <glob.h>

#include "challenger.h"
#include "requests.h"

#define COUNT 100000

/* Strangers too, who are unlisted, and IPv6. */
static void draw_source(struct challenger *c, struct generator *g)
{
	static const struct shape shapes[] = {{.src = "198.51.100.7"},
					      {.src = "192.0.2.9"},
					      {.family = 6, .src = LISTED_V6},
					      {.family = 6, .src = "2001:db8:99::1234:5"},
					      {.family = 6, .src = "2001:db8:0:0:1:0:0:1"}};

	unsigned i = draw(g, sizeof(shapes) / sizeof(shapes[0]));

	c->shape = shapes[i];
	c->stranger = i % 2 || i == 4;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void drawn_requests(void **state)
{
	struct challenger *c = *state;
	static struct generator g;
	uint64_t seed = number_of("SEED", 20261126), count = number_of("COUNT", COUNT);
	uint64_t answered = 0;

	print_message("seed %llu, %llu requests\n", (unsigned long long)seed,
		      (unsigned long long)count);
	challenger_unlisted(c, SIPWARD_UNLISTED_LIMIT);
	for (uint64_t i = 0; i < count; i++) {
		g.state = (seed << 20) + i + 1;
		for (int j = 0; j < 4; j++)
			draw(&g, 2);
		draw_source(c, &g);
		answered += compare(c, generate(&g));
	}
	print_message("%llu were answered\n", (unsigned long long)answered);
	assert_true(answered > count / 8 && answered < count);
}

/* With a body, which is looked at no more than its length. */
static const char whole[] = "INVITE sip:+4930123@gate.example SIP/2.0\r\n"
			    "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-1-2;rport,\r\n"
			    " SIP/2.0/TCP phone.example;received=192.0.2.9\r\n"
			    "Max-Forwards: 70\r\n"
			    "From: \"Alice\" <sip:alice@gate.example>;tag=abc\r\n"
			    "t:sip:+4930123@gate.example\r\n"
			    "Call-ID: 1-2@198.51.100.7\r\n"
			    "CSeq: 1 INVITE\r\n"
			    "Subject: a line\r\n\tgoes on\r\n"
			    "Content-Length: 5\r\n\r\nv=0\r\n";

static void cut_off_anywhere_it_is_the_daemons(void **state)
{
	struct challenger *c = *state;
	size_t n = sizeof(whole) - 1;

	assert_true(compare(c, (struct slice){whole, n}));
	while (--n > 0)
		assert_false(compare(c, (struct slice){whole, n}));
}

static void any_byte_may_be_another(void **state)
{
	struct challenger *c = *state;
	char text[sizeof(whole)];

	for (size_t i = 0; i + 1 < sizeof(whole); i++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(text, whole, sizeof(text));
			text[i] = (char)byte;
			compare(c, (struct slice){text, sizeof(whole) - 1});
		}
	}
}

static void random_bytes_are_left_alone(void **state)
{
	static struct generator g = {.state = 88172645463325252ULL};
	struct challenger *c = *state;
	char text[1500];

	for (int i = 0; i < 3000; i++) {
		size_t n = 1 + draw(&g, sizeof(text) - 1);

		for (size_t j = 0; j < n; j++)
			text[j] = (char)draw(&g, 256);
		/* a start that keeps some of them from being passed at once */
		if (i % 2 && n > 45)
			memcpy(text, whole, 43);
		assert_false(compare(c, (struct slice){text, n}));
	}
}

static size_t read_file(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(buf, 1, size, file) : 0;

	if (file)
		fclose(file);
	return n;
}

static void messages_of_others(void **state)
{
	const char *shared = getenv("SIPWARD_SHARED");
	struct challenger *c = *state;
	char pattern[256], text[FRAME_MAX - 100];
	unsigned answered = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/messages/*/*", shared ? shared : "../shared");
	if (glob(pattern, 0, NULL, &found) != 0) {
		print_message("skip messages of others: none at %s\n", pattern);
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		size_t n = read_file(found.gl_pathv[i], text, sizeof(text));

		if (n > 0)
			answered += compare(c, (struct slice){text, n});
	}
	print_message("%u of %zu were answered\n", answered, found.gl_pathc);
	assert_true(answered > 0);
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHALLENGER_TEST(cut_off_anywhere_it_is_the_daemons),
		CHALLENGER_TEST(any_byte_may_be_another),
		CHALLENGER_TEST(random_bytes_are_left_alone),
		CHALLENGER_TEST(messages_of_others),
		CHALLENGER_TEST(drawn_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
