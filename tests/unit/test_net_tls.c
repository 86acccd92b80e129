/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS between two nets, with authorities and certificates made here. */
#include "net_fixture.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

static char dir[] = "/tmp/sipward-tls-XXXXXX";

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
};

static struct authority ours, foreign;

/* ---- certificates ---- */

static const char *file(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

/* For the name, or an address; signed by the authority, or by itself as one. */
static X509 *certify(const char *name, EVP_PKEY *key, const struct authority *authority)
{
	static long serial;
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	char alternative[64];

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(certificate,
			     authority ? X509_get_subject_name(authority->certificate) : subject);
	if (authority) {
		snprintf(alternative, sizeof(alternative), "%s:%s",
			 strspn(name, "0123456789.") == strlen(name) ? "IP" : "DNS", name);
		extend(certificate, NID_subject_alt_name, alternative);
	} else {
		extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
	}
	assert_int_not_equal(X509_sign(certificate, authority ? authority->key : key, EVP_sha256()),
			     0);
	return certificate;
}

static void write_certificate(const char *path, X509 *certificate)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(PEM_write_X509(out, certificate), 1);
	fclose(out);
}

static void write_key(const char *path, EVP_PKEY *key)
{
	FILE *out;

	unlink(path);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fchmod(fileno(out), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
}

static void make_authority(const char *name, struct authority *ret_authority)
{
	ret_authority->key = EVP_EC_gen("P-256");
	ret_authority->certificate = certify(name, ret_authority->key, NULL);
	write_certificate(file(name), ret_authority->certificate);
}

/* NAME.pem and NAME.key, the certificate for the subject. */
static void make_files(const char *name, const char *subject, const struct authority *authority)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = certify(subject, key, authority);
	char path[64];

	snprintf(path, sizeof(path), "%s.pem", name);
	write_certificate(file(path), certificate);
	snprintf(path, sizeof(path), "%s.key", name);
	write_key(file(path), key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void add(struct net_tls *tls, const char *domain, const char *name)
{
	unsigned i = tls->certificate_count++;

	snprintf(tls->certificates[i].domain, NET_NAME_SIZE, "%s", domain);
	snprintf(tls->certificates[i].chain_file, NET_FILE_SIZE, "%s/%s.pem", dir, name);
	snprintf(tls->certificates[i].key_file, NET_FILE_SIZE, "%s/%s.key", dir, name);
}

static struct net_tls trusting(const char *authority)
{
	struct net_tls tls = {0};

	snprintf(tls.ca_file, sizeof(tls.ca_file), "%s", file(authority));
	return tls;
}

/* ---- sides ---- */

static void load(struct side *side, const struct net_tls *tls)
{
	struct error err = {0};

	if (net_tls_load(side->net, tls, &err))
		fail_msg("%s", err.text);
}

/* Serves a.example and b.example, and asks for certificates of our authority. */
static struct side *server(const struct net_limits *limits)
{
	struct net_tls tls = trusting("ours");
	struct side *side = side_create(limits);

	add(&tls, "a.example", "a");
	add(&tls, "B.example", "b");
	strcpy(tls.client_ca_file, file("ours"));
	load(side, &tls);
	assert_true(side_listen(side, NET_TLS, "127.0.0.1:0"));
	side->answer = ANSWER;
	return side;
}

static struct side *client(const struct net_tls *tls)
{
	struct side *side = side_create(NULL);

	load(side, tls);
	assert_true(side_listen(side, NET_TCP, "127.0.0.1:0"));
	return side;
}

static struct net_path tls_path(const struct side *to, const char *name)
{
	struct net_path path = path_to(NET_TLS, &to->at);

	path.name = name;
	return path;
}

/* The answer to a request by the name, else why the connection failed. */
static const char *ask(struct side *from, const struct side *to, const char *name)
{
	struct net_path path = tls_path(to, name);
	unsigned answers = from->received, failures = from->failed;
	uint64_t end_ns = clock_coarse_ns() + PATIENCE_MS * NS_PER_MS;

	assert_int_equal(say(from, &path, REQUEST), 0);
	while (from->received == answers && from->failed == failures && clock_coarse_ns() < end_ns)
		run_ms(5);
	return from->received > answers ? from->last : from->why;
}

/* ---- tests ---- */

static void the_server_shows_the_certificate_that_is_asked_for(void **state)
{
	struct net_tls tls = trusting("ours");
	struct side *to = server(NULL), *from = client(&tls);

	(void)state;
	assert_string_equal(ask(from, to, "a.example"), ANSWER);
	assert_int_equal(to->path.transport, NET_TLS);
	assert_string_equal(ask(from, to, "b.example"), ANSWER);
	assert_string_equal(ask(from, to, "A.EXAMPLE"), ANSWER);
	/* Two names, two connections. */
	assert_connections(to, 2, 0);
	/* The first is the default. */
	assert_string_equal(ask(from, to, "c.example"), "hostname mismatch");
	assert_string_equal(ask(from, to, NULL), ANSWER);
	assert_connections(from, 0, 2);
	side_free(from);
	side_free(to);
}

static void without_a_name_the_certificate_must_be_for_the_address(void **state)
{
	struct net_tls tls = trusting("ours"), serves = {0};
	struct side *to = side_create(NULL), *from = client(&tls), *other = server(NULL);

	(void)state;
	add(&serves, "x.example", "address");
	load(to, &serves);
	assert_true(side_listen(to, NET_TLS, "127.0.0.1:0"));
	to->answer = ANSWER;
	assert_string_equal(ask(from, to, NULL), ANSWER);
	assert_string_equal(ask(from, to, "127.0.0.1"), ANSWER);
	assert_string_equal(ask(from, to, "127.0.0.2"), "IP address mismatch");
	assert_string_equal(ask(from, other, NULL), "IP address mismatch");
	side_free(from);
	side_free(to);
	side_free(other);
}

static void a_server_that_nobody_vouches_for_is_not_talked_to(void **state)
{
	struct net_tls tls = trusting("foreign"), system = {0};
	struct side *to = server(NULL), *from = client(&tls), *plain = client(&system);

	(void)state;
	ask(from, to, "a.example");
	assert_non_null(strstr(from->why, "certificate"));
	assert_int_equal(from->received, 0);
	assert_true(endpoint_eq(&from->path.remote, &to->at));
	ask(plain, to, "a.example");
	assert_non_null(strstr(plain->why, "certificate"));
	assert_int_equal(to->received, 0);
	/* They have told the server that they do not know its authority. */
	wait_until(&to->misbehaved, 2);
	assert_int_equal(counted(to, NET_HANDSHAKE_FAILED), 2);
	side_free(from);
	side_free(plain);
	side_free(to);
}

static void clients_are_verified_if_they_show_a_certificate(void **state)
{
	static const struct {
		const char *name;
		bool verified;
	} cases[] = {{"client", true}, {"stranger", false}, {NULL, false}};
	struct side *to = server(NULL);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct net_tls tls = trusting("ours");
		struct side *from;

		if (cases[i].name)
			add(&tls, "x", cases[i].name);
		from = client(&tls);
		assert_string_equal(ask(from, to, "a.example"), ANSWER);
		assert_int_equal(to->verified, cases[i].verified);
		/* Of servers it is not said: that one is verified anyway. */
		assert_false(from->verified);
		side_free(from);
	}
	assert_int_equal(to->misbehaved, 0);
	side_free(to);
}

static void an_alias_holds_for_the_names_in_the_clients_certificate(void **state)
{
	struct net_tls tls = trusting("ours"), strange = trusting("ours");
	struct side *to = server(NULL), *from, *stranger;
	struct net_path path = {.transport = NET_TLS,
				.remote = endpoint_of("127.0.0.1:9"),
				.name = "client.example"};

	(void)state;
	add(&tls, "x", "client");
	add(&strange, "x", "stranger");
	from = client(&tls);
	stranger = client(&strange);
	assert_string_equal(ask(stranger, to, "a.example"), ANSWER);
	assert_int_equal(net_alias(to->net, &to->path, 9), 0);
	assert_string_equal(ask(from, to, "a.example"), ANSWER);
	assert_int_equal(net_alias(to->net, &to->path, 9), 0);
	assert_int_equal(say(to, &path, REQUEST), 0);
	wait_until(&from->received, 2);
	assert_string_equal(from->last, REQUEST);
	assert_connections(to, 2, 0);
	/* Nobody has shown to be these. */
	path.name = "stranger.example";
	assert_int_equal(say(to, &path, REQUEST), 0);
	assert_connections(to, 2, 1);
	wait_until(&to->failed, 1);
	assert_int_equal(stranger->received, 1);
	side_free(from);
	side_free(stranger);
	side_free(to);
}

static void certificates_are_reloaded_for_new_connections(void **state)
{
	struct net_tls tls = trusting("ours"), serves = {0};
	struct side *to = side_create(NULL), *before = client(&tls), *after = client(&tls);
	struct error err = {0};
	FILE *out;

	(void)state;
	make_files("changing", "a.example", &ours);
	add(&serves, "a.example", "changing");
	load(to, &serves);
	assert_true(side_listen(to, NET_TLS, "127.0.0.1:0"));
	to->answer = ANSWER;
	assert_string_equal(ask(before, to, "a.example"), ANSWER);
	make_files("changing", "new.example", &ours);
	load(to, &serves);
	assert_string_equal(ask(before, to, "a.example"), ANSWER);
	assert_string_equal(ask(after, to, "a.example"), "hostname mismatch");
	assert_string_equal(ask(after, to, "new.example"), ANSWER);
	/* A broken file changes nothing. */
	out = fopen(file("changing.pem"), "w");
	fputs("no certificate\n", out);
	fclose(out);
	assert_int_equal(net_tls_load(to->net, &serves, &err), -EINVAL);
	assert_non_null(strstr(err.text, "changing.pem: no certificate in PEM"));
	side_free(after);
	after = client(&tls);
	assert_string_equal(ask(after, to, "new.example"), ANSWER);
	side_free(before);
	side_free(after);
	side_free(to);
}

static void files_that_can_not_be_used_are_named(void **state)
{
	struct side *side = side_create(NULL);
	struct endpoint any = endpoint_of("127.0.0.1:0");
	struct net_tls tls = {0}, mixed = {0}, gone = {0}, authority = {0}, clients = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(net_listen(side->net, NET_TLS, &any, &err), -EINVAL);
	assert_non_null(strstr(err.text, "there is no tls_certificate"));

	add(&tls, "a.example", "a");
	assert_int_equal(chmod(file("a.key"), 0644), 0);
	assert_int_equal(net_tls_load(side->net, &tls, &err), -EACCES);
	assert_non_null(strstr(err.text, "others than its owner and group could read it"));
	assert_non_null(strstr(err.text, "chmod 0600"));
	assert_int_equal(chmod(file("a.key"), 0640), 0);
	load(side, &tls);
	assert_int_equal(chmod(file("a.key"), 0600), 0);

	add(&mixed, "a.example", "a");
	strcpy(mixed.certificates[0].key_file, file("b.key"));
	assert_int_equal(net_tls_load(side->net, &mixed, &err), -EINVAL);
	assert_non_null(
		strstr(err.text, "b.key: no key in PEM without a password, or not that of"));

	add(&gone, "a.example", "gone");
	assert_int_equal(net_tls_load(side->net, &gone, &err), -ENOENT);
	assert_non_null(strstr(err.text, "gone.pem: No such file"));

	strcpy(authority.ca_file, file("a.key"));
	assert_int_equal(net_tls_load(side->net, &authority, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tls_ca: "));

	add(&clients, "a.example", "a");
	strcpy(clients.client_ca_file, file("nowhere"));
	assert_int_equal(net_tls_load(side->net, &clients, &err), -ENOENT);
	assert_non_null(strstr(err.text, "tls_client_ca: "));
	side_free(side);
}

static void broken_and_slow_handshakes_are_told(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int plain, slow, scan;

	(void)state;
	limits.handshake_ms = 500;
	side = server(&limits);
	scan = bare_connect(side, "127.0.0.1:0");
	wait_counted(side, NET_ACCEPTED, 1);
	/* Who looks whether the port is open has done nothing yet. */
	close(scan);
	run_ms(20);
	assert_connections(side, 0, 0);
	assert_int_equal(side->misbehaved, 0);
	plain = bare_connect(side, "127.0.0.1:0");
	bare_send(plain, REQUEST);
	wait_until(&side->misbehaved, 1);
	assert_int_equal(counted(side, NET_HANDSHAKE_FAILED), 1);
	slow = bare_connect(side, "127.0.0.1:0");
	bare_send(slow, "\x16\x03");
	wait_until(&side->misbehaved, 2);
	assert_string_equal(side->why, "handshake took too long");
	assert_int_equal(side->received, 0);
	close(plain);
	close(slow);
	side_free(side);
}

static void large_messages_pass_by_tls_too(void **state)
{
	static char large[NET_DATAGRAM_MAX + 1];
	struct net_tls tls = trusting("ours");
	struct side *to = server(NULL), *from = client(&tls);
	struct net_path path = tls_path(to, "a.example");
	int n = snprintf(large, sizeof(large), "OPTIONS sip:a SIP/2.0\r\nl: %u\r\n\r\n",
			 NET_DATAGRAM_MAX - 35);

	(void)state;
	memset(large + n, 'x', NET_DATAGRAM_MAX - (size_t)n);
	for (int i = 0; i < 10; i++)
		assert_int_equal(say(from, &path, large), 0);
	wait_until(&to->received, 10);
	assert_int_equal(to->last_n, NET_DATAGRAM_MAX);
	wait_until(&from->received, 10);
	side_free(from);
	side_free(to);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make_authority("ours", &ours);
	make_authority("foreign", &foreign);
	make_files("a", "a.example", &ours);
	make_files("b", "b.example", &ours);
	make_files("address", "127.0.0.1", &ours);
	make_files("client", "client.example", &ours);
	make_files("stranger", "stranger.example", &foreign);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	X509_free(ours.certificate);
	X509_free(foreign.certificate);
	EVP_PKEY_free(ours.key);
	EVP_PKEY_free(foreign.key);
	event_base_free(base);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_shows_the_certificate_that_is_asked_for),
		cmocka_unit_test(without_a_name_the_certificate_must_be_for_the_address),
		cmocka_unit_test(a_server_that_nobody_vouches_for_is_not_talked_to),
		cmocka_unit_test(clients_are_verified_if_they_show_a_certificate),
		cmocka_unit_test(an_alias_holds_for_the_names_in_the_clients_certificate),
		cmocka_unit_test(certificates_are_reloaded_for_new_connections),
		cmocka_unit_test(files_that_can_not_be_used_are_named),
		cmocka_unit_test(broken_and_slow_handshakes_are_told),
		cmocka_unit_test(large_messages_pass_by_tls_too),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
