/* SPDX-License-Identifier: BSD-2-Clause */
/* Bad input in credentials: what each field may not be, and what becomes of those who send it. */
#include "admission_fixture.h"
#include "policy/credentials.h"

#define TARGET "sip:1@cred.example"
#define FIELD_MAX 4096

/* Credentials in the making: each field as it will stand there, from its name to the comma. */
struct fields {
	const char *name;
	char text[FIELD_MAX];
	size_t n;
};
enum { USERNAME, REALM_, NONCE, URI, RESPONSE, ALGORITHM, QOP, NC, CNONCE, OPAQUE, FIELDS };

static void set_field(struct fields *field, const char *name, const char *value)
{
	field->name = name;
	field->n = (size_t)snprintf(field->text, sizeof(field->text), "%s=%s", name, value);
}

static void set_quoted(struct fields *field, const char *name, const char *value)
{
	char quoted[256];

	snprintf(quoted, sizeof(quoted), "\"%s\"", value);
	set_field(field, name, quoted);
}

/* Right in all points. */
static void make_fields(const struct gate *gate, const struct client *client,
			struct fields fields[FIELDS])
{
	char response[DIGEST_HEX_SIZE];

	client_response(gate, client, response);
	set_quoted(&fields[USERNAME], "username", client->username);
	set_quoted(&fields[REALM_], "realm", client->realm);
	set_quoted(&fields[NONCE], "nonce", client->nonce);
	set_quoted(&fields[URI], "uri", client->uri);
	set_quoted(&fields[RESPONSE], "response", response);
	set_field(&fields[ALGORITHM], "algorithm", "MD5");
	set_field(&fields[QOP], "qop", client->qop);
	set_field(&fields[NC], "nc", client->nc);
	set_quoted(&fields[CNONCE], "cnonce", client->cnonce);
	set_quoted(&fields[OPAQUE], "opaque", "x");
}

/* The value of the header without regard to the message around it: it may hold zero bytes. */
static enum admission_cause check_fields(struct gate *gate, const struct fields *fields)
{
	static char value[FIELDS * FIELD_MAX + 64];
	static struct sip_msg msg;
	struct admission_request request = {
		.msg = &msg, .transport = gate->transport, .now_s = gate->now_s};
	struct credentials_query query = {&gate->admission, &request, gate->result.trunk};
	struct credentials_outcome outcome;
	size_t n = 7;

	memcpy(value, "Digest ", n);
	for (unsigned i = 0; i < FIELDS; i++) {
		memcpy(value + n, fields[i].text, fields[i].n);
		n += fields[i].n;
		if (fields[i].n > 0)
			value[n++] = ',';
	}
	msg = (struct sip_msg){.method_text = SLICE("INVITE"), .uri = SLICE(TARGET)};
	assert_int_equal(ip_parse(SLICE(UNLISTED), &request.source.ip), 0);
	if (!credentials_check(&query, (struct slice){value, n - 1}, &outcome))
		return ADMISSION_NO_CREDENTIALS;
	return outcome.cause;
}

static void ask(struct gate *gate, struct client *client, struct fields fields[FIELDS])
{
	client_ask(gate, UNLISTED, client);
	make_fields(gate, client, fields);
}

static void assert_cause(struct gate *gate, const struct fields *fields, enum admission_cause want,
			 const char *what)
{
	enum admission_cause cause = check_fields(gate, fields);

	if (cause != want)
		fail_msg("%s: %s, want %s", what, admission_cause_name(cause),
			 admission_cause_name(want));
}

#define MALFORMED ADMISSION_MALFORMED_CREDENTIALS
#define FOREIGN ADMISSION_FOREIGN_NONCE
#define NONE ADMISSION_NO_CREDENTIALS /* they are for another realm */
#define WRONG ADMISSION_BAD_CREDENTIALS
#define WEAK ADMISSION_WEAK_ALGORITHM
#define RIGHT ADMISSION_BY_CREDENTIAL

/* What becomes of the whole if one field is spoilt in one way. */
static const struct {
	unsigned field;
	enum admission_cause missing, empty, strange; /* strange: no UTF-8, or very long */
} spoilt[] = {
	{USERNAME, MALFORMED, WRONG, WRONG},	{REALM_, MALFORMED, NONE, NONE},
	{NONCE, MALFORMED, FOREIGN, FOREIGN},	{URI, MALFORMED, WRONG, WRONG},
	{RESPONSE, MALFORMED, WRONG, WRONG},	{ALGORITHM, RIGHT, RIGHT, WEAK},
	{QOP, MALFORMED, MALFORMED, MALFORMED}, {NC, MALFORMED, MALFORMED, MALFORMED},
	{CNONCE, MALFORMED, WRONG, WRONG},	{OPAQUE, RIGHT, RIGHT, RIGHT},
};
#define SPOILT (sizeof(spoilt) / sizeof(spoilt[0]))

static void a_missing_or_empty_field_is_refused(void **state)
{
	struct gate *gate = *state;
	struct fields fields[FIELDS];

	for (size_t i = 0; i < SPOILT; i++) {
		struct client client = client_new(TARGET);
		struct fields *field = &fields[spoilt[i].field];

		ask(gate, &client, fields);
		set_field(field, field->name, "\"\"");
		assert_cause(gate, fields, spoilt[i].empty, field->text);
		ask(gate, &client, fields);
		set_field(field, field->name, "");
		assert_cause(gate, fields, MALFORMED, field->text);
		field->n = strlen(field->name); /* not even a '=' */
		assert_cause(gate, fields, MALFORMED, field->name);
		field->n = 0;
		assert_cause(gate, fields, spoilt[i].missing, field->name);
	}
}

static void a_field_that_stands_twice_is_refused(void **state)
{
	struct gate *gate = *state;
	struct fields fields[FIELDS], other;

	for (size_t i = 0; i < SPOILT; i++) {
		struct client client = client_new(TARGET);
		struct fields *field = &fields[spoilt[i].field];

		ask(gate, &client, fields);
		other = *field;
		field->n += (size_t)snprintf(field->text + field->n, FIELD_MAX - field->n, ",%s",
					     other.text);
		assert_cause(gate, fields, MALFORMED, field->text);
		field->n = (size_t)snprintf(field->text, FIELD_MAX, "%s, %s=\"0\"", other.text,
					    field->name);
		assert_cause(gate, fields, MALFORMED, field->text);
		*field = other;
		field->text[0] -= 0x20; /* in capitals it is the same field */
		assert_cause(gate, fields, RIGHT, field->text);
	}
}

/* Bytes that no field may hold at all, and bytes that are right in none. */
static void a_field_with_strange_bytes_is_refused(void **state)
{
	static const struct {
		struct slice value;
		bool malformed;
	} rows[] = {
		{SLICE("\"a\0b\""), true},
		{SLICE("\"a\\\0b\""), true},
		{SLICE("\"\0\""), true},
		{SLICE("\0"), true},
		{SLICE("\"a\r\n b\""), true},
		{SLICE("\"a\\\nb\""), true},
		{SLICE("\"unfinished"), true},
		{SLICE("\"unfinished\\\""), true},
		{SLICE("\"finished\" twice"), true},
		{SLICE("a b"), true},
		{SLICE("\"a\"\"b\""), true},
		{SLICE("'a\""), true},
		{SLICE("<a>"), true},
		{SLICE("\"\xff\xfe\""), false},
		{SLICE("\"\xc0\x80\""), false},	    /* an overlong zero */
		{SLICE("\"\xed\xa0\x80\""), false}, /* a surrogate */
		{SLICE("\"\xc3\""), false},	    /* half a letter */
		{SLICE("\"\x01\x7f\""), false},
		{SLICE("\"%s%n\""), false},
		{SLICE("\"a,b=\\\"c\\\"\""), false},
	};
	struct gate *gate = *state;
	struct fields fields[FIELDS];

	for (size_t i = 0; i < SPOILT * sizeof(rows) / sizeof(rows[0]); i++) {
		size_t row = i / SPOILT, which = i % SPOILT;
		struct client client = client_new(TARGET);
		struct fields *field = &fields[spoilt[which].field];

		ask(gate, &client, fields);
		field->n = strlen(field->name) + 1;
		memcpy(field->text + field->n, rows[row].value.p, rows[row].value.n);
		field->n += rows[row].value.n;
		field->text[field->n] = '\0';
		assert_cause(gate, fields, rows[row].malformed ? MALFORMED : spoilt[which].strange,
			     field->text);
	}
}

static void an_oversized_field_is_refused(void **state)
{
	static const size_t sizes[] = {64, 65, 66, 121, 128, 255, 256, 1024, FIELD_MAX - 64};
	struct gate *gate = *state;
	struct fields fields[FIELDS];
	char value[FIELD_MAX];

	for (size_t i = 0; i < SPOILT * sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t which = i % SPOILT, size = sizes[i / SPOILT];
		struct client client = client_new(TARGET);
		struct fields *field = &fields[spoilt[which].field];

		ask(gate, &client, fields);
		snprintf(value, sizeof(value), "\"%0*d\"", (int)size, 0);
		set_field(field, field->name, value);
		assert_cause(gate, fields, spoilt[which].strange, field->text);
	}
}

/* One field too many does no harm if it can be read. */
static void unknown_fields_are_passed_over(void **state)
{
	static const struct {
		const char *text;
		enum admission_cause cause;
	} rows[] = {
		{"", RIGHT},	     {"charset=UTF-8", RIGHT},	{"userhash=false", RIGHT},
		{"nc2=1", RIGHT},    {"x=\"a,b\"", RIGHT},	{"rspauth=\"0\"", RIGHT},
		{"x", MALFORMED},    {"x=", MALFORMED},		{"=1", MALFORMED},
		{"\"\"", MALFORMED}, {"\xc3\xbc=1", MALFORMED}, {", ,", MALFORMED},
	};
	struct gate *gate = *state;
	struct fields fields[FIELDS];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(TARGET);

		ask(gate, &client, fields);
		fields[OPAQUE].n =
			(size_t)snprintf(fields[OPAQUE].text, FIELD_MAX, "%s", rows[i].text);
		assert_cause(gate, fields, rows[i].cause, rows[i].text);
	}
}

static void a_wrong_response_is_refused(void **state)
{
	struct gate *gate = *state;
	struct fields fields[FIELDS], *response = &fields[RESPONSE];
	struct client client = client_new(TARGET);
	char right[FIELD_MAX];

	ask(gate, &client, fields);
	memcpy(right, response->text, sizeof(right));
	for (size_t i = strlen("response=\""); right[i] != '"'; i++) {
		memcpy(response->text, right, sizeof(right));
		response->text[i] = right[i] == '0' ? '1' : '0';
		assert_cause(gate, fields, WRONG, response->text);
		response->text[i] = 'g';
		assert_cause(gate, fields, WRONG, response->text);
		snprintf(response->text, FIELD_MAX, "%.*s\"", (int)i, right);
		response->n = i + 1;
		assert_cause(gate, fields, WRONG, response->text);
		response->n = strlen(right);
	}
	snprintf(response->text, FIELD_MAX, "%.*s0\"", (int)strlen(right) - 1, right);
	response->n++;
	assert_cause(gate, fields, WRONG, response->text);
}

/* ---- nonce counts ---- */

static void nonce_counts_are_taken_or_refused(void **state)
{
	static const struct {
		const char *nc; /* in this order, over one nonce */
		enum admission_cause cause;
	} rows[] = {
		{"00000000", MALFORMED},
		{"0", MALFORMED},
		{"1", MALFORMED},
		{"0000001", MALFORMED},
		{"000000001", MALFORMED},
		{"0000000g", MALFORMED},
		{"+0000001", MALFORMED},
		{"-0000001", MALFORMED},
		{"0x000001", MALFORMED},
		{"\" 0000001\"", MALFORMED},
		{"\"0000001 \"", MALFORMED},
		{"00000001;", MALFORMED},
		{"\"\xef\xbc\x91\x30\x30\x30\x30\x30\"", MALFORMED},
		{"00000010", RIGHT},
		{"00000010", ADMISSION_REPLAYED},
		{"\"00000011\"", RIGHT}, /* quoted is met in practice */
		{"0000000f", RIGHT},
		{"0000000F", ADMISSION_REPLAYED},
		{"00000001", RIGHT},
		{"00000001", ADMISSION_REPLAYED},
		{"00000051", RIGHT},
		{"00000012", RIGHT},
		{"00000011", ADMISSION_REPLAYED}, /* 64 behind: and used */
		{"00000002", ADMISSION_REPLAYED}, /* too far behind to know */
		{"fffffffe", RIGHT},
		{"00000052", ADMISSION_REPLAYED},
		{"ffffffff", RIGHT},
		{"ffffffff", ADMISSION_REPLAYED},
		{"00000001", ADMISSION_REPLAYED},
		{"fffffffd", RIGHT},
	};
	struct gate *gate = *state;
	struct fields fields[FIELDS];
	struct client client = client_new(TARGET);
	char nc[16];

	client_ask(gate, UNLISTED, &client);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(nc, sizeof(nc), "%.8s", rows[i].nc + (rows[i].nc[0] == '"'));
		client.nc = nc; /* what is hashed */
		make_fields(gate, &client, fields);
		set_field(&fields[NC], "nc", rows[i].nc);
		assert_cause(gate, fields, rows[i].cause, rows[i].nc);
	}
}

/* ---- nonces ---- */

static void of_another_key(struct gate *gate, struct client *client)
{
	(void)client;
	gate->keys.key[0][0] ^= 1;
}

static void of_a_key_that_is_gone(struct gate *gate, struct client *client)
{
	(void)client;
	gate->keys.present[0] = false;
}

static void of_another_transport(struct gate *gate, struct client *client)
{
	(void)client;
	gate->transport = NET_TCP;
}

static void from_the_future(struct gate *gate, struct client *client)
{
	(void)client;
	gate->now_s -= 6;
}

static void without_its_end(struct gate *gate, struct client *client)
{
	(void)gate;
	client->nonce[62] = '\0';
}

static void without_its_last_digit(struct gate *gate, struct client *client)
{
	(void)gate;
	client->nonce[63] = '\0';
}

static void with_another_time(struct gate *gate, struct client *client)
{
	(void)gate;
	client->nonce[15] ^= 1;
}

static void of_another_version(struct gate *gate, struct client *client)
{
	(void)gate;
	client->nonce[1] = '2';
}

static void with_a_key_number_there_is_not(struct gate *gate, struct client *client)
{
	(void)gate;
	memcpy(client->nonce + 2, "ff", 2);
}

static void in_capitals(struct gate *gate, struct client *client)
{
	(void)gate;
	for (char *c = client->nonce; *c; c++)
		*c = (char)(*c >= 'a' ? *c - 0x20 : *c);
}

static void made_up(struct gate *gate, struct client *client)
{
	(void)gate;
	memset(client->nonce, '0', 64);
}

static void of_another_source(struct gate *gate, struct client *client)
{
	assert_true(gate_send(gate, LISTED, client, "") == ADMISSION_NO_CREDENTIALS);
	assert_true(client_take_nonce(gate, client));
}

static void of_another_realm(struct gate *gate, struct client *client)
{
	struct client other = *client;

	other.target = other.uri = "sip:1@two.example";
	other.realm = "second.example";
	client_ask(gate, UNLISTED, &other);
	memcpy(client->nonce, other.nonce, sizeof(client->nonce));
	assert_int_equal(gate_send(gate, UNLISTED, client, ""), ADMISSION_NO_CREDENTIALS);
}

static void of_another_algorithm(struct gate *gate, struct client *client)
{
	static const unsigned both[] = {DIGEST_SHA_256, DIGEST_MD5};
	struct client other = *client;

	gate_offer(gate, "cred", 2, both);
	other.algorithm = DIGEST_SHA_256;
	client_ask(gate, UNLISTED, &other);
	memcpy(client->nonce, other.nonce, sizeof(client->nonce));
}

/* With the right password each of them is worth a fresh challenge, and no more. */
static void a_nonce_that_is_not_for_this_is_foreign(void **state)
{
	static void (*const rows[])(struct gate *, struct client *) = {
		of_another_key,
		of_a_key_that_is_gone,
		of_another_transport,
		from_the_future,
		without_its_end,
		without_its_last_digit,
		with_another_time,
		of_another_version,
		with_a_key_number_there_is_not,
		in_capitals,
		made_up,
		of_another_source,
		of_another_realm,
		of_another_algorithm,
	};
	struct gate *gate = *state;
	struct nonce_keys keys = gate->keys;
	struct fields fields[FIELDS];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(TARGET);
		char what[32];

		gate->keys = keys;
		gate->now_s = NOW_S + 100 * i;
		gate->transport = NET_UDP;
		client_ask(gate, UNLISTED, &client);
		rows[i](gate, &client);
		make_fields(gate, &client, fields);
		snprintf(what, sizeof(what), "row %zu", i);
		assert_cause(gate, fields, FOREIGN, what);
	}
}

static void a_clock_that_steps_back_opens_nothing_and_refuses_nobody(void **state)
{
	struct gate *gate = *state;
	struct client used = client_new(TARGET), held = used, later = used;

	assert_int_equal(client_call(gate, UNLISTED, &used), ADMISSION_BY_CREDENTIAL);
	client_ask(gate, UNLISTED, &held);
	gate->now_s -= 5;
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_REPLAYED);
	assert_int_equal(client_send(gate, UNLISTED, &held), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_call(gate, UNLISTED, &later), ADMISSION_BY_CREDENTIAL);
	gate->now_s += 300; /* and forward again: both are about to end */
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_REPLAYED);
	gate->now_s += 100;
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_EXPIRED_NONCE);
	assert_int_equal(client_call(gate, UNLISTED, &later), ADMISSION_BY_CREDENTIAL);
	gate->now_s -= 200; /* its window is gone: it must not look fresh */
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_EXPIRED_NONCE);
	assert_int_equal(client_call(gate, UNLISTED, &later), ADMISSION_BY_CREDENTIAL);
}

/* The windows are gone then, and what they held may look as if it were issued after the start. */
static void a_clock_set_back_over_a_restart_opens_nothing(void **state)
{
	struct gate *gate = *state;
	struct client used = client_new(TARGET);

	gate->keys.alone = true;
	assert_int_equal(client_call(gate, UNLISTED, &used), ADMISSION_BY_CREDENTIAL);
	gate->now_s -= 60;
	gate->keys.node++;
	replay_free(gate->admission.replay);
	assert_int_equal(replay_create(64, 300, &gate->admission.replay), 0);
	replay_refuse_until(gate->admission.replay, gate->now_s);
	gate->now_s += 60;
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_EXPIRED_NONCE);
	assert_true(client_take_nonce(gate, &used));
	assert_int_equal(client_send(gate, UNLISTED, &used), ADMISSION_BY_CREDENTIAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(a_missing_or_empty_field_is_refused),
		GATE_TEST(a_field_that_stands_twice_is_refused),
		GATE_TEST(a_field_with_strange_bytes_is_refused),
		GATE_TEST(an_oversized_field_is_refused),
		GATE_TEST(unknown_fields_are_passed_over),
		GATE_TEST(a_wrong_response_is_refused),
		GATE_TEST(nonce_counts_are_taken_or_refused),
		GATE_TEST(a_nonce_that_is_not_for_this_is_foreign),
		GATE_TEST(a_clock_that_steps_back_opens_nothing_and_refuses_nobody),
		GATE_TEST(a_clock_set_back_over_a_restart_opens_nothing),
	};

	return cmocka_run_group_tests_name("digest_input", tests, NULL, NULL);
}
