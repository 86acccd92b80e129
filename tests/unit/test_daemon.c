/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration, the state directory's lock, and the thread that follows the store. */
#include "store_fixture.h"

#include <errno.h>
#include <poll.h>

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/guard.h"
#include "daemon/watch.h"

/* ---- configuration ---- */

static int read_text(struct fixture *f, const char *text, struct config *config)
{
	char path[128];
	FILE *file;
	int rc;

	snprintf(path, sizeof(path), "%s/test.conf", f->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	config_defaults(config);
	memset(&f->err, 0, sizeof(f->err));
	rc = config_read(path, config, &f->err);
	unlink(path);
	return rc;
}

static void assert_listens(const struct config_listen *listen, enum net_transport transport,
			   const char *address)
{
	char text[ENDPOINT_TEXT_SIZE];

	assert_int_equal(listen->transport, transport);
	endpoint_format(&listen->address, text);
	assert_string_equal(text, address);
}

static void every_key_is_read(void **state)
{
	struct fixture *f = *state;
	struct config config;

	assert_ok(f,
		  read_text(f,
			    "# comment\n[sipwardd]\ninterface = eth0\nupstream = sip:pbx:5070\n"
			    "listen = udp:192.0.2.1\nlisten = udp:[2001:db8::1]:5070\n"
			    "dns_servers = 192.0.2.53,[2001:db8::53]:5353\ndns_timeout = 500\n"
			    "state = /var/s\npin_dir = /p\nnonce_key_file = /k\n"
			    "listen = tcp:192.0.2.1\nlisten = tls:192.0.2.1\n"
			    "tls_certificate = a.example  /a.pem /a.key\n"
			    "tls_certificate = b.example /b.pem /b.key\n"
			    "tls_client_ca = /clients\ntls_ca = /servers\n"
			    "tls_cbc_suites = yes\n"
			    "tcp_connections = 11\ntcp_connections_per_source = 12\n"
			    "tcp_idle_timeout = 13\ntcp_message_timeout = 14\n"
			    "tcp_connect_timeout = 15\ntls_handshake_timeout = 16\n"
			    "tcp_output_limit = 170000\n"
			    "call_log = /l/calls\n"
			    "log_level = debug\nlog_format = json\n",
			    &config));
	assert_string_equal(config.interface, "eth0");
	assert_string_equal(config.upstream, "sip:pbx:5070");
	assert_string_equal(config.state_dir, "/var/s");
	assert_string_equal(config.pin_dir, "/p");
	assert_string_equal(config.dns_servers, "192.0.2.53,[2001:db8::53]:5353");
	assert_int_equal(config.dns_timeout_ms, 500);
	assert_string_equal(config.nonce_key_file, "/k");
	assert_string_equal(config.call_log, "/l/calls");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config.log_format, LOG_FORMAT_JSON);
	assert_int_equal(config.listen_count, 4);
	assert_listens(&config.listen[0], NET_UDP, "192.0.2.1:5060");
	assert_listens(&config.listen[1], NET_UDP, "[2001:db8::1]:5070");
	assert_listens(&config.listen[2], NET_TCP, "192.0.2.1:5060");
	assert_listens(&config.listen[3], NET_TLS, "192.0.2.1:5061");
	assert_int_equal(config.tls.certificate_count, 2);
	assert_string_equal(config.tls.certificates[0].domain, "a.example");
	assert_string_equal(config.tls.certificates[0].chain_file, "/a.pem");
	assert_string_equal(config.tls.certificates[1].key_file, "/b.key");
	assert_string_equal(config.tls.client_ca_file, "/clients");
	assert_string_equal(config.tls.ca_file, "/servers");
	assert_true(config.tls.cbc_suites);
	assert_int_equal(config.limits.connections, 11);
	assert_int_equal(config.limits.connections_per_source, 12);
	assert_int_equal(config.limits.idle_ms, 13000);
	assert_int_equal(config.limits.message_ms, 14000);
	assert_int_equal(config.limits.connect_ms, 15000);
	assert_int_equal(config.limits.handshake_ms, 16000);
	assert_int_equal(config.limits.output_bytes, 170000);
}

static void without_listen_all_addresses_of_both_families_are_listened_on(void **state)
{
	struct fixture *f = *state;
	struct config config;

	assert_ok(f, read_text(f, "[sipwardd]\n", &config));
	config_complete(&config);
	assert_int_equal(config.listen_count, 4);
	assert_listens(&config.listen[0], NET_UDP, "0.0.0.0:5060");
	assert_listens(&config.listen[1], NET_UDP, "[::]:5060");
	assert_listens(&config.listen[2], NET_TCP, "0.0.0.0:5060");
	assert_listens(&config.listen[3], NET_TCP, "[::]:5060");
	assert_int_equal(config.limits.connections, net_limits_default.connections);

	assert_ok(f, read_text(f, "[sipwardd]\ntls_certificate = a /a.pem /a.key\n", &config));
	config_complete(&config);
	assert_int_equal(config.listen_count, 6);
	assert_listens(&config.listen[4], NET_TLS, "0.0.0.0:5061");
	assert_listens(&config.listen[5], NET_TLS, "[::]:5061");
}

static void configuration_errors_name_line_field_value_and_rule(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"[sipwardd]\ncolour = red\n",
		 "test.conf:2: unknown key 'colour': there are interface"},
		{"[other]\nlisten = udp:1.2.3.4\n",
		 "test.conf:2: key 'listen' is in section [other]"},
		{"listen = udp:1.2.3.4\n",
		 "test.conf:1: key 'listen' stands before the line [sipwardd]"},
		{"[sipwardd]\n\nlisten = sctp:1.2.3.4\n",
		 "test.conf:3: listen 'sctp:1.2.3.4' is not udp:"},
		{"[sipwardd]\ntcp_connections = 0\n",
		 "tcp_connections '0' is no number of connections from 1 to 1000000"},
		{"[sipwardd]\ntcp_idle_timeout = 1h\n",
		 "tcp_idle_timeout '1h' is no number of seconds from 1 to 86400"},
		{"[sipwardd]\ntls_certificate = a.example /a.pem\n",
		 "tls_certificate 'a.example /a.pem' is not DOMAIN CERTIFICATE KEY"},
		{"[sipwardd]\ntls_certificate = a /a.pem /a.key b\n", "is not DOMAIN"},
		{"[sipwardd]\ntls_certificate = a /1 /2\ntls_certificate = A /3 /4\n",
		 "test.conf:3: tls_certificate 'A /3 /4': the domain is given twice"},
		{"[sipwardd]\nlisten = udp:host\n", "listen 'udp:host' is not udp:"},
		{"[sipwardd]\nlisten = udp:1.2.3.4:99999\n", "listen 'udp:1.2.3.4:99999'"},
		{"[sipwardd]\nlog_level = loud\n", "log_level 'loud' is none of error, warning"},
		{"[sipwardd]\ndns_servers = ns.example\n", "DNS server \"ns.example\": must be"},
		{"[sipwardd]\ndns_timeout = 50\n",
		 "dns_timeout '50' is no number of ms from 100 to 60000"},
		{"[sipwardd]\nlog_format = xml\n", "log_format 'xml' is neither text nor json"},
		{"[sipwardd]\ninterface = much-too-long-name\n", "is longer than 15 bytes"},
		{"[sipwardd]\ninterface =\n", "interface is empty"},
		{"[sipwardd]\nsteering = on\n", "steering 'on' is neither yes nor no"},
		{"[sipwardd]\nnonsense\n", "test.conf:2: not a [section] or a key = value"},
		{"[sipwardd\nlog_level = loud\n", "test.conf:1: not a [section]"},
		{"[sipwardd]\nlog_level = loud\nnonsense\n", "test.conf:2: log_level 'loud'"},
		{"[sipwardd]\nstate = /s\nstate = /t\n",
		 "test.conf:3: state '/t' is given a second"},
		{"[sipwardd]\nstate = /s\n log_level = loud\n", "test.conf:3: log_level 'loud'"},
		{"[sipwardd]\nlisten = udp:1.2.3.4\nlisten = udp:1.2.3.4:5060\n",
		 "test.conf:3: listen 'udp:1.2.3.4:5060' is given twice"},
	};
	struct fixture *f = *state;
	struct config config;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(f, -EINVAL, cases[i].words, read_text(f, cases[i].text, &config));
	assert_refused(f, -EISDIR, "is a directory", config_read(f->dir, &config, &f->err));
	assert_refused(f, -ENOENT, "/nonexistent/x.conf",
		       config_read("/nonexistent/x.conf", &config, &f->err));
}

/* ---- the store ---- */

static void second_daemon_on_a_state_directory_is_refused(void **state)
{
	struct fixture *f = *state;
	struct config config;
	struct store *store, *second;
	char path[128];

	config_defaults(&config);
	strcpy(config.state_dir, f->dir);
	assert_ok(f, guard_store(&config, &store, &f->err));
	assert_refused(f, -EBUSY, "in use by another sipwardd",
		       guard_store(&config, &second, &f->err));
	store_close(store);
	snprintf(path, sizeof(path), "%s/sipwardd.lock", f->dir);
	unlink(path);
}

static void default_trunk_is_made_once_and_then_left_alone(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;
	struct config config;

	config_defaults(&config);
	assert_ok(f, guard_default_trunk(&config, f->store, &f->err));
	assert_refused(f, -ENOENT, "default",
		       store_trunk_get(f->store, "default", &trunk, &f->err));
	strcpy(config.upstream, "sip:192.0.2.5:5070");
	assert_ok(f, guard_default_trunk(&config, f->store, &f->err));
	strcpy(config.upstream, "sip:192.0.2.6");
	assert_ok(f, guard_default_trunk(&config, f->store, &f->err));
	assert_ok(f, store_trunk_get(f->store, "default", &trunk, &f->err));
	assert_string_equal(get_peer(f, "default", NULL).uri, "sip:192.0.2.5:5070");
	assert_string_equal(trunk.domain, "*");
	strcpy(config.upstream, "sip:u@192.0.2.6");
	assert_refused(f, -EINVAL, "takes no user",
		       guard_default_trunk(&config, f->store, &f->err));
}

/* ---- following it ---- */

static struct policy *next_policy(struct watch *watch, int timeout_ms)
{
	struct pollfd p = {.fd = watch_fd(watch), .events = POLLIN};
	struct watch_news news;

	if (poll(&p, 1, timeout_ms) <= 0)
		return NULL;
	watch_take(watch, &news);
	assert_null(news.filter);
	return news.policy;
}

static struct watch *watch_of(struct fixture *f)
{
	static struct config config;
	struct watch_options options = {.config = &config};
	struct watch *watch;

	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	config_defaults(&config);
	strcpy(config.state_dir, f->dir);
	strcpy(config.pin_dir, "/nonexistent");
	assert_ok(f, policy_build(f->store, &options.policy, &f->err));
	assert_ok(f, watch_start(&options, &watch, &f->err));
	policy_unref(options.policy);
	return watch;
}

static void change_of_the_store_brings_a_snapshot(void **state)
{
	struct fixture *f = *state;
	struct watch *watch = watch_of(f);
	struct policy *policy;

	assert_null(next_policy(watch, 100));
	assert_ok(f, create_trunk(f, "a", "a.example", "sip:192.0.2.1"));
	policy = next_policy(watch, 5000);
	assert_non_null(policy);
	assert_int_equal(policy_generation(policy), generation(f));
	assert_non_null(policy_trunk_find(policy, SLICE(""), SLICE("a.example")));
	policy_unref(policy);
	watch_stop(watch);
}

static void reload_is_told_even_if_nothing_changed(void **state)
{
	struct fixture *f = *state;
	struct watch *watch = watch_of(f);
	struct pollfd p = {.fd = watch_fd(watch), .events = POLLIN};
	struct watch_news news;

	watch_reload(watch);
	assert_int_equal(poll(&p, 1, 5000), 1);
	watch_take(watch, &news);
	assert_true(news.reloaded);
	policy_unref(news.policy);
	watch_stop(watch);
}

static void snapshots_not_taken_are_freed(void **state)
{
	struct fixture *f = *state;
	struct watch *watch = watch_of(f);
	struct pollfd p = {.fd = watch_fd(watch), .events = POLLIN};

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%d", i);
		assert_ok(f, store_acl_create(f->store, name, "", &f->err));
		poll(&p, 1, 5000);
	}
	watch_stop(watch);
}

static int take_strongest(const struct store_user *user, void *arg)
{
	*(unsigned *)arg = user->strongest;
	return 0;
}

static void ratchet_is_written_at_the_latest_when_the_watch_ends(void **state)
{
	static const struct store_ha1 ha1;
	struct fixture *f = *state;
	struct watch *watch = watch_of(f);
	unsigned strongest = 0;

	assert_ok(f, store_credentials_create(f->store, "phones", "sip.example", &f->err));
	assert_ok(f, store_user_add(f->store, "phones", "alice", &ha1, &f->err));
	/* Far more than there is room for: nobody waits, nothing breaks. */
	for (int i = 0; i < 10000; i++)
		watch_ratchet(watch, 1, 1 + (unsigned)i % 2);
	watch_stop(watch);
	assert_ok(f, store_user_each(f->store, "phones", take_strongest, &strongest, &f->err));
	assert_int_equal(strongest, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_key_is_read),
		STORE_TEST(without_listen_all_addresses_of_both_families_are_listened_on),
		STORE_TEST(configuration_errors_name_line_field_value_and_rule),
		STORE_TEST(second_daemon_on_a_state_directory_is_refused),
		STORE_TEST(default_trunk_is_made_once_and_then_left_alone),
		STORE_TEST(change_of_the_store_brings_a_snapshot),
		STORE_TEST(reload_is_told_even_if_nothing_changed),
		STORE_TEST(snapshots_not_taken_are_freed),
		STORE_TEST(ratchet_is_written_at_the_latest_when_the_watch_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
