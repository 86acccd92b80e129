/* SPDX-License-Identifier: BSD-2-Clause */
/* The program $BUILD/sipward as a user meets it, without a filter: what it prints, what it says
 * when something is wrong, and how it exits. With a filter: tests/net/test_cli.sh. */
#include "cli_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>

static void a_wrong_command_is_told_with_the_likeliest_one(void **state)
{
	(void)state;
	expect_failure("staus", 2, "there is no command 'staus'; did you mean 'status'?");
	expect_failure("acl lst", 2, "there is no command 'acl lst'; did you mean 'acl list'?");
	expect_failure("credential list", 2, "did you mean 'credentials'?");
	expect_failure("xyzzy", 2, "there is no command 'xyzzy'; see `sipward help`");
	expect_failure("", 2, "no command is given");
	expect_failure("acl", 2, "'acl' needs a second word");
}

static void wrong_options_are_named(void **state)
{
	(void)state;
	expect_failure("--foo status", 2, "there is no option '--foo' before the command");
	expect_failure("status --foo", 2, "there is no option '--foo'");
	expect_failure("status --json=yes", 2, "--json takes no value");
	expect_failure("status --state", 2, "--state needs a value: DIR");
	expect_failure("acl create a --note x --note y", 2, "--note is given twice");
	expect_failure("trunk set t --challenge-status 402", 2,
		       "--challenge-status: '402' is not one of 401|407\nusage: sipward trunk set");
	expect_failure("attach eth0 --mode fast", 2, "'fast' is not one of auto|native|generic");
	expect_failure("mode fast", 2, "'fast' is not one of monitor|enforce");
	expect_failure("mode", 2, "monitor|enforce is missing");
	expect_failure("status now", 2, "'now' is one argument too many");
	expect_failure("acl add office", 2, "acl add: PREFIX|HOST... is missing");
}

static void global_options_stand_anywhere(void **state)
{
	(void)state;
	expect_success("acl create one", "created ACL one");
	expect_success("--json acl list", "\"name\": \"one\"");
	expect_success("acl --json list", "\"name\": \"one\"");
	expect_success("acl list --json", "\"name\": \"one\"");
	expect_failure("acl list --state=/nonexistent/dir", 3, "there is no store in /nonexistent");
	expect_success("--state $D/other acl create two", "created ACL two");
	expect_success("acl list --state $D/other", "two");
	expect_success("acl create -- --odd", "created ACL --odd");
}

static void help_names_every_command_and_the_exit_codes(void **state)
{
	(void)state;
	expect_success("help", "  lockout add SOURCE --for TIME");
	expect_success("--help", "Exit codes: 0 done, 1 failed, 2 wrong command");
	expect_success("acl --help", "acl import NAME FILE");
	expect_success("acl add --help", "usage: sipward acl add NAME PREFIX|HOST... [--deny]");
	expect_success("help trunk create", "[--challenge auto|filter|daemon]");
	expect_failure("help nothing", 2, "there is no command 'nothing'");
}

static void completion_offers_words_options_and_choices(void **state)
{
	(void)state;
	expect_success("completion", "lockout\n");
	expect_success("completion acl", "create\ndelete\nlist\nshow\nadd\nremove\nimport\n"
					 "refresh\n");
	expect_success("completion -- --state x acl", "import\n");
	expect_success("completion -- attach eth0", "--mode\n--replace\n");
	expect_success("completion -- attach eth0 --mode", "auto\nnative\ngeneric\n");
	expect_success("completion unlisted", "auto\ndrop\nlimit\nreject\n");
	expect_success("completion settings", "lockout-failures\nlockout-window\n");
	expect_success("completion nonsense", "");
	assert_string_equal(out, "");
}

static void reading_makes_no_store(void **state)
{
	(void)state;
	char path[128];
	expect_failure("acl list", 3, "there is no store in");
	expect_failure("trunk show x", 3, "there is no store in");
	expect_success("status", "interface  none");
	expect_success("explain 192.0.2.1", "no ACL holds it");
	snprintf(path, sizeof(path), "%s/state", dir);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void errors_come_as_json_on_request(void **state)
{
	(void)state;
	json_error_t why;
	assert_int_equal(sipward("--json acl list"), 3);
	json_t *error = json_loads(err, 0, &why);
	assert_non_null(error);
	assert_int_equal(json_integer_value(json_object_get(error, "code")), 3);
	assert_non_null(strstr(json_string_value(json_object_get(error, "error")), "no store"));
	assert_string_equal(out, "");
	json_decref(error);
}

static void passwords_come_by_standard_input_and_never_out(void **state)
{
	(void)state;
	expect_success("credentials create phones --realm sip.example", "in realm sip.example");
	expect_failure("credentials create other", 2, "--realm is missing");
	expect_success("echo Passw0rdX | sipward user add phones alice --password-stdin",
		       "added user alice of credential list phones");
	expect_failure("echo Passw0rdX | sipward user add phones alice --password-stdin", 4,
		       "alice");
	expect_failure("echo Passw0rdX | sipward user add nolist bob --password-stdin", 3,
		       "nolist");
	expect_failure("echo short | sipward user add phones bob --password-stdin", 2,
		       "password: must have 8 to 128 bytes");
	expect_failure("printf 'Passw0\\0rdX' | sipward user add phones bob --password-stdin", 2,
		       "holds a zero byte");
	expect_failure("head -c 1000 /dev/zero | tr '\\0' x | sipward user add phones bob "
		       "--password-stdin",
		       2, "too long");
	expect_failure("user add phones bob --password-stdin", 2, "no password was given");
	expect_failure("user add phones bob", 2, "--password-stdin reads it from standard input");
	expect_failure("echo Passw0rdX | sipward user add phones 'b b' --password-stdin", 2, "b b");
	expect_success("credentials show phones", "users 1");
	json_t *list = json_of("credentials show phones");
	json_t *user = json_array_get(json_object_get(list, "entries"), 0);
	assert_int_equal(json_object_size(user), 2);
	json_decref(list);
}

/* Reads the terminal until the text has come. */
static void await(int terminal, const char *text)
{
	char got[512];
	size_t n = 0;
	while (n + 1 < sizeof(got)) {
		struct pollfd wait = {.fd = terminal, .events = POLLIN};
		if (poll(&wait, 1, 5000) <= 0)
			break;
		ssize_t more = read(terminal, got + n, sizeof(got) - 1 - n);
		if (more <= 0)
			break;
		n += (size_t)more;
		got[n] = '\0';
		assert_null(strstr(got, "Passw0rd"));
		if (strstr(got, text))
			return;
	}
	got[n] = '\0';
	fail_msg("'%s' did not come; '%s' did", text, got);
}

/* Starts `sipward user add phones bob` on a terminal of its own. */
static pid_t start_on_terminal(int *ret_terminal)
{
	char program[512], state_dir[128];
	snprintf(program, sizeof(program), "%s/sipward",
		 getenv("BUILD") ? getenv("BUILD") : "build");
	snprintf(state_dir, sizeof(state_dir), "--state=%s/state", dir);
	pid_t pid = forkpty(ret_terminal, NULL, NULL, NULL);
	if (pid == 0) {
		execl(program, "sipward", state_dir, "user", "add", "phones", "bob", NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static void write_text(int terminal, const char *text)
{
	assert_int_equal(write(terminal, text, strlen(text)), strlen(text));
}

static bool echoes(int terminal)
{
	struct termios settings;
	assert_int_equal(tcgetattr(terminal, &settings), 0);
	return settings.c_lflag & ECHO;
}

static void a_terminal_is_asked_twice_without_echo(void **state)
{
	(void)state;
	int terminal, status;
	expect_success("credentials create phones --realm r", "");
	pid_t pid = start_on_terminal(&terminal);
	await(terminal, "Password: ");
	assert_false(echoes(terminal));
	write_text(terminal, "Passw0rdX\n");
	await(terminal, "The same again: ");
	write_text(terminal, "Passw0rdX\n");
	await(terminal, "added user bob");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(terminal);
	pid = start_on_terminal(&terminal);
	await(terminal, "Password: ");
	write_text(terminal, "Passw0rdX\n");
	await(terminal, "The same again: ");
	write_text(terminal, "Passw0rdY\n");
	await(terminal, "the two passwords differ");
	waitpid(pid, &status, 0);
	close(terminal);
}

static void an_interrupted_question_leaves_the_terminal_echoing(void **state)
{
	(void)state;
	int terminal, status;
	expect_success("credentials create phones --realm r", "");
	pid_t pid = start_on_terminal(&terminal);
	/* The master keeps the settings only while somebody has the terminal open. */
	int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	await(terminal, "Password: ");
	write_text(terminal, "Passw\003");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	assert_true(echoes(terminal));
	close(slave);
	close(terminal);
}

static void users_are_changed_and_removed(void **state)
{
	(void)state;
	expect_success("credentials create phones --realm sip.example", "");
	expect_success("echo Passw0rdX | sipward user add phones alice --password-stdin", "");
	expect_success("echo Passw0rdY | sipward user passwd phones alice --password-stdin",
		       "changed the password of user alice");
	expect_failure("echo Passw0rdY | sipward user passwd phones bob --password-stdin", 3,
		       "bob");
	expect_success("user remove phones alice", "removed user alice");
	expect_failure("user remove phones alice", 3, "alice");
	expect_success("credentials set phones --user-at-realm yes", "users may give their names");
	expect_success("credentials show phones", "user@realm yes");
	expect_success("credentials set phones --user-at-realm no", "users may not give");
	expect_failure("credentials set phones", 2, "--user-at-realm");
	expect_success("credentials list", "phones  sip.example  no              0       0\n");
	expect_success("credentials delete phones", "deleted credential list phones");
	expect_success("credentials list", "there are no credential lists");
}

#define TRUNK "trunk create t --domain sip.example --upstream sip:192.0.2.10:5080"

static void a_trunk_tells_all_its_options(void **state)
{
	(void)state;
	expect_failure("trunk create t --upstream sip:192.0.2.1", 2, "--domain is missing");
	expect_success(TRUNK " --user app --algorithms sha-512-256,MD5 --challenge-status 401 "
			     "--allow-no-qop yes --ratchet no",
		       "created trunk t, which authenticates by: none");
	expect_failure(TRUNK, 4, "\"t\"");
	json_t *t = json_of("trunk show t");
	assert_string_equal(json_string_value(json_object_get(t, "user")), "app");
	assert_string_equal(json_string_value(json_array_get(json_object_get(t, "upstreams"), 0)),
			    "sip:192.0.2.10:5080");
	assert_int_equal(json_integer_value(json_object_get(t, "challenge_status")), 401);
	assert_true(json_is_true(json_object_get(t, "allow_no_qop")));
	assert_true(json_is_false(json_object_get(t, "ratchet")));
	assert_true(json_is_true(json_object_get(t, "enabled")));
	json_t *algorithms = json_object_get(t, "algorithms");
	assert_int_equal(json_array_size(algorithms), 2);
	assert_string_equal(json_string_value(json_array_get(algorithms, 0)), "SHA-512-256");
	json_decref(t);
}

static void a_trunk_has_several_upstreams_and_destinations(void **state)
{
	(void)state;
	expect_success("trunk create t --domain sip.example", "created trunk t");
	expect_success("upstream list", "there are none");
	expect_success("trunk set t --upstream sip:192.0.2.1", "changed trunk t");
	expect_success("upstream add t 'sip:Carrier.example;transport=tls' --priority 20",
		       "added upstream sip:Carrier.example;transport=tls of trunk t");
	assert_non_null(strstr(err, "carrier.example;transport=tls is not resolved yet"));
	expect_success("upstream list t",
		       "t      sip:192.0.2.1                            10       1  "
		       "udp/192.0.2.1:5060  -      -                     -  -         -\n");
	expect_success("upstream set t sip:carrier.example\\;transport=tls --weight 7",
		       "changed upstream");
	json_t *rows = json_of("upstream list");
	json_t *row = json_array_get(rows, 1);
	assert_int_equal(json_integer_value(json_object_get(row, "priority")), 20);
	assert_int_equal(json_integer_value(json_object_get(row, "weight")), 7);
	assert_true(json_is_null(json_object_get(row, "address")));
	assert_true(json_is_null(json_object_get(row, "state")));
	json_decref(rows);
	expect_success("destination add t sips:192.0.2.7", "added destination sips:192.0.2.7");
	expect_success("destination list t", "tls/192.0.2.7:5061");
	expect_failure("trunk set t --upstream sip:192.0.2.9", 4, "has 2 upstreams");
	expect_failure("upstream add t sip:192.0.2.1", 4, "has it already");
	expect_failure("upstream add t sip:u@192.0.2.1", 2, "takes no user");
	expect_failure("upstream add t sip:192.0.2.8 --weight 65536", 2, "--weight '65536'");
	expect_failure("upstream set t sip:192.0.2.1", 2, "say what to change");
	expect_failure("upstream list none", 3, "\"none\"");
	expect_failure("upstream remove t sips:192.0.2.7", 3, "none of this URI");
	expect_success("destination remove t sips:192.0.2.7", "removed destination");
	expect_success("upstream remove t sip:192.0.2.1", "removed upstream sip:192.0.2.1");
}

static void outbound_credentials_are_added_and_listed_without_their_secret(void **state)
{
	(void)state;
	expect_success("trunk create t --domain sip.example --upstream sip:192.0.2.1", "");
	expect_success("echo s3cret | sipward outbound add t sip:192.0.2.1 4989 --password-stdin "
		       "--realm carrier.example --register yes --expires 10m",
		       "added outbound user 4989 at upstream sip:192.0.2.1 of trunk t");
	expect_success("echo s3cret | sipward outbound add t sip:192.0.2.1 bob --password-stdin",
		       "added outbound user bob");
	expect_success("outbound list t",
		       "t      sip:192.0.2.1  4989  carrier.example  yes        10 min   -"
		       "                           -\n"
		       "t      sip:192.0.2.1  bob   -                no         60 min   -"
		       "                           -\n");
	expect_success("outbound set t sip:192.0.2.1 4989 --register no", "changed outbound user");
	expect_success("outbound list", "carrier.example  no         10 min  ");
	expect_success("echo other | sipward outbound passwd t sip:192.0.2.1 4989 "
		       "--password-stdin",
		       "changed the password of outbound user 4989");
	expect_success("outbound list", "4989  carrier.example");
	expect_success("trunk show t", "outbound users           4989 bob\n");
	expect_success("export", "\"user\": \"bob\"");
	assert_null(strstr(out, "s3cret"));
	assert_null(strstr(out, "sealed"));
	expect_failure("outbound set t sip:192.0.2.1 eve --register no", 3, "eve");
	expect_failure("echo x | sipward outbound add t sip:192.0.2.1 4989 --password-stdin", 4,
		       "has one already");
	expect_success("outbound remove t sip:192.0.2.1 4989", "removed outbound user 4989");
}

static void headers_for_the_customer_are_added_and_removed(void **state)
{
	(void)state;
	expect_success("trunk create t --domain sip.example", "");
	expect_success("header add t 'X-My-Header: a value'",
		       "calls to the customer of trunk t get X-My-Header: a value");
	expect_success("header list t", "X-My-Header  a value\n");
	expect_success("trunk show t", "headers                  X-My-Header: a value\n");
	expect_failure("header add t 'Via: x'", 2, "SIP itself");
	expect_success("header remove t 'X-My-Header: a value'", "no longer get");
	expect_success("header list t", "the trunk has none");
}

static void every_field_of_a_trunk_has_an_option(void **state)
{
	static const struct {
		const char *option, *value, *key, *json;
	} rows[] = {
		{"--user", "app42", "user", "\"app42\""},
		{"--aliases", "eu.sip.example,us.sip.example", "aliases",
		 "[\"eu.sip.example\",\"us.sip.example\"]"},
		{"--aliases", "''", "aliases", "[]"},
		{"--enabled", "no", "enabled", "false"},
		{"--algorithms", "sha-256,md5", "algorithms", "[\"SHA-256\",\"MD5\"]"},
		{"--challenge-status", "401", "challenge_status", "401"},
		{"--challenge", "filter", "challenge", "\"filter\""},
		{"--ratchet", "no", "ratchet", "false"},
		{"--digest-uri", "equivalent", "digest_uri", "\"equivalent\""},
		{"--allow-no-qop", "yes", "allow_no_qop", "true"},
		{"--auth-int", "yes", "auth_int", "true"},
		{"--userhash", "yes", "userhash", "true"},
		{"--sess", "yes", "sess", "true"},
		{"--register", "upstream", "register", "\"upstream\""},
		{"--register", "gate", "register", "\"gate\""},
		{"--country-code", "49", "country_code", "\"49\""},
		{"--international-prefix", "011", "international_prefix", "\"011\""},
		{"--national-prefix", "0", "national_prefix", "\"0\""},
		{"--e164", "normalize", "e164", "\"normalize\""},
		{"--caller-id", "private", "caller_id", "\"private\""},
		{"--number", "+4989123456", "number", "\"+4989123456\""},
		{"--assert-identity", "no", "assert_identity", "false"},
		{"--upstream-trusted", "no", "upstream_trusted", "false"},
		{"--client-certificate", "yes", "client_certificate", "true"},
		{"--outbound-user", "yes", "outbound_user", "true"},
		{"--calls-per-second", "5", "calls_per_second", "5"},
		{"--calls", "30", "calls", "30"},
		{"--user-calls-per-second", "1", "user_calls_per_second", "1"},
		{"--user-calls", "2", "user_calls", "2"},
	};
	char line[200];

	(void)state;
	expect_success(TRUNK, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "trunk set t %s %s", rows[i].option, rows[i].value);
		expect_success(line, "changed trunk t");
		json_t *t = json_of("trunk show t");
		char *text =
			json_dumps(json_object_get(t, rows[i].key), JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(text, rows[i].json);
		free(text);
		json_decref(t);
	}
	expect_failure("trunk set t --calls many", 2, "--calls: 'many' is no whole number");
	expect_failure("trunk set t --calls -1", 2, "no whole number");
	expect_failure("trunk set t --e164 yes", 2, "not one of off|require|normalize");
}

static void expect_call(const char *options, const char *uris)
{
	char line[200];

	snprintf(line, sizeof(line), "trunk set t %s", options);
	expect_success(line, "");
	json_t *t = json_of("trunk show t");
	char *text = json_dumps(json_object_get(t, "call"), JSON_COMPACT);
	assert_string_equal(text, uris);
	free(text);
	json_decref(t);
}

static void trunk_show_prints_the_uri_to_call(void **state)
{
	(void)state;
	expect_success(TRUNK, "");
	expect_call("--user ''", "[\"sip:NUMBER@sip.example\"]");
	expect_call("--e164 require --aliases eu.sip.example",
		    "[\"sip:+NUMBER@sip.example\",\"sip:+NUMBER@eu.sip.example\"]");
	expect_call("--user app42", "[\"sip:app42@sip.example\",\"sip:app42@eu.sip.example\"]");
	expect_call("--domain '*' --aliases ''", "[\"sip:app42@GATE\"]");
	expect_call("--domain 2001:db8::1 --user '' --e164 off", "[\"sip:NUMBER@[2001:db8::1]\"]");
	expect_success("ports set tcp/5060 udp/5080 udp/5090", "");
	expect_call("--calls 1", "[\"sip:NUMBER@[2001:db8::1]:5080\"]");
	expect_success("ports set udp/5080 udp/5060", "");
	expect_call("--calls 2", "[\"sip:NUMBER@[2001:db8::1]\"]");
}

static void trunk_show_prints_the_steps_of_each_type(void **state)
{
	(void)state;
	expect_success(TRUNK, "");
	expect_success("trunk show t", "first register the From user");
	expect_success("acl create office", "");
	expect_success("acl create branch", "");
	expect_success("trunk attach t --acl office", "");
	expect_success("trunk attach t --acl branch", "");
	expect_success("trunk show t", "an address that ACL branch or office allows");
	assert_null(strstr(out, "credential list c"));
	expect_success("credentials create c --realm r.example", "");
	expect_success("trunk attach t --credentials c", "");
	expect_success("trunk show t", "credential list c, realm r.example, algorithm MD5");
	assert_non_null(strstr(out, "an address that ACL"));
	assert_non_null(strstr(out, "10 refusals within 60 s lock"));
	expect_success("trunk set t --enabled no", "");
	expect_success("trunk show t", "1. Nobody can call now: the trunk is disabled");
	expect_success("status", "0 ip_acl_and_credential, 0 none, 1 disabled");
	expect_success("trunk set t --enabled yes", "");
	expect_success("status", "1 ip_acl_and_credential, 0 none, 0 disabled");
}

static void trunk_set_changes_only_what_is_named(void **state)
{
	(void)state;
	expect_success(TRUNK " --user app", "");
	expect_failure("trunk set t", 2, "say what to change");
	expect_failure("trunk set nope --enabled no", 3, "nope");
	expect_failure("trunk set t --algorithms sha-1", 2,
		       "'sha-1' is not md5, sha-256 or sha-512-256");
	expect_failure("trunk set t --algorithms md5,md5", 2, "MD5 is named twice");
	expect_failure("trunk set t --algorithms ''", 2, "at least one algorithm");
	expect_success("trunk set t --enabled no --user ''", "changed trunk t");
	json_t *t = json_of("trunk show t");
	assert_true(json_is_null(json_object_get(t, "user")));
	assert_true(json_is_false(json_object_get(t, "enabled")));
	assert_string_equal(json_string_value(json_object_get(t, "domain")), "sip.example");
	assert_int_equal(json_integer_value(json_object_get(t, "challenge_status")), 407);
	json_decref(t);
	expect_success("trunk delete t", "deleted trunk t");
	expect_success("trunk list", "there are no trunks");
}

static void attaching_derives_the_authentication(void **state)
{
	(void)state;
	expect_success(TRUNK, "");
	expect_success("acl create a", "");
	expect_success("credentials create c --realm r", "");
	expect_failure("trunk attach t", 2, "name one of --acl and --credentials");
	expect_failure("trunk attach t --acl a --credentials c", 2, "name one of");
	expect_failure("trunk attach t --acl nope", 3, "nope");
	expect_success("trunk attach t --acl a", "authenticates by: ip_acl\n");
	expect_failure("trunk attach t --acl a", 4, "\"a\"");
	expect_success("acl add a 192.0.2.1", "");
	assert_null(strstr(err, "no enabled trunk uses"));
	expect_success("trunk attach t --credentials c", "by: ip_acl_and_credential\n");
	expect_failure("acl delete a", 4, "trunk \"t\"");
	expect_failure("credentials delete c", 4, "trunk \"t\"");
	expect_success("trunk detach t --acl a", "by: credential\n");
	expect_failure("trunk detach t --acl a", 3, "\"a\"");
	expect_success("trunk list", "credential  -     c            yes\n");
}

static void settings_are_checked_and_kept(void **state)
{
	(void)state;
	expect_success("mode enforce", "mode enforce");
	expect_success("unlisted reject", "reject, which now means reject");
	expect_success("ports set udp/5080 TCP/5080", "SIP ports: udp/5080 tcp/5080");
	expect_failure("ports set udp/0", 2, "port 'udp/0' is not between 1 and 65535");
	expect_failure("ports set udp/65536", 2, "'udp/65536'");
	expect_failure("ports set sctp/5060", 2, "does not begin with udp/ or tcp/");
	expect_failure("ports set 5060", 2, "does not begin with udp/ or tcp/");
	expect_failure("ports set udp/1 udp/1", 2, "'udp/1' is named twice");
	expect_failure("ports set udp/1 udp/2 udp/3 udp/4 udp/5 udp/6 udp/7 udp/8 udp/9", 2,
		       "at most 8 ports");
	json_t *status = json_of("status");
	assert_string_equal(json_string_value(json_object_get(status, "mode")), "enforce");
	assert_string_equal(json_string_value(json_object_get(status, "unlisted")), "reject");
	assert_int_equal(json_array_size(json_object_get(status, "ports")), 2);
	assert_true(json_is_false(json_object_get(status, "daemon")));
	json_decref(status);
}

static json_int_t setting(const char *name)
{
	char args[64];
	snprintf(args, sizeof(args), "settings %s", name);
	json_t *object = json_of(args);
	json_int_t value = json_integer_value(json_object_get(object, "value"));
	json_decref(object);
	return value;
}

static void settings_are_listed_set_and_restored(void **state)
{
	(void)state;
	expect_success("settings", "lockout-failures     10          failures   10 ");
	expect_failure("acl list", 3, "there is no store");
	expect_success("settings lockout-failures 5", "lockout-failures 5 failures");
	expect_success("settings lockout-window 2m", "lockout-window 120 s");
	expect_success("settings lockout-ceiling 1h", "lockout-ceiling 3600 s");
	expect_success("settings lockout-action reject", "lockout-action reject");
	expect_success("settings call-retention-days 90", "call-retention-days 90 days");
	expect_success("settings source-rate 0", "source-rate 0 packets/s");
	assert_int_equal(setting("lockout-failures"), 5);
	assert_int_equal(setting("lockout-window"), 120);
	assert_int_equal(setting("lockout-ceiling"), 3600);
	expect_success("settings lockout-failures default", "lockout-failures 10 failures");
	expect_success("settings lockout-action default", "lockout-action drop");
	expect_success("settings user-names-utf8 on", "user-names-utf8 on");
	expect_success("settings header-prefix X-Acme-", "header-prefix X-Acme-");
	expect_success("settings header-prefix default", "header-prefix X-Sipward-");
	expect_success("settings reserved-headers @hosted",
		       "reserved-headers PH-* Plivo* FS-* SipAuth* ZT-* Twilio* ClientRegion\n");
	expect_success("settings reserved-headers default", "reserved-headers (none)");
	json_t *all = json_of("settings");
	assert_int_equal(json_array_size(all), 30);
	json_decref(all);
}

static void wrong_settings_name_field_value_and_rule(void **state)
{
	(void)state;
	expect_failure("settings lockout-windw 5m", 2, "did you mean 'lockout-window'?");
	expect_failure("settings xyzzy", 2, "`sipward settings` lists them");
	expect_failure("settings lockout-failures 0", 2,
		       "lockout-failures '0' is not from 1 to 64 failures");
	expect_failure("settings call-retention-days 0", 2,
		       "call-retention-days '0' is not from 1 to 3650 days");
	expect_failure("settings lockout-failures 5m", 2, "lockout-failures '5m' is not from 1");
	expect_failure("settings lockout-window 2d", 2,
		       "lockout-window '2d' is not from 1 to 86400 s");
	expect_failure("settings lockout-window 5x", 2, "'5x' is no time such as 60s");
	expect_failure("settings lockout-action refuse", 2,
		       "lockout-action 'refuse' is not one of drop|reject");
	expect_failure("settings user-names-utf8 yes", 2, "'yes' is not one of off|on");
	expect_failure("settings header-prefix X", 2, "end with '-'");
	expect_failure("settings reserved-headers Vi*", 2, "would remove Via");
	expect_failure("settings nonce-rotation 1m", 2, "no longer than nonce-rotation, 60 s");
	expect_failure("settings register-max 30m", 2, "register-default 3600 s");
	expect_failure("settings lockout-ceiling 30s", 2,
		       "lockout-ceiling 30 s: must be 0, or no shorter than lockout-duration, "
		       "60 s");
	assert_int_equal(setting("lockout-ceiling"), 0);
}

static void the_version_is_told_by_both_programs(void **state)
{
	(void)state;
	char version[64];
	expect_success("--version", "sipward ");
	snprintf(version, sizeof(version), "sipwardd %.40s", out + strlen("sipward "));
	expect_success("true | ${BUILD:-build}/sipwardd --version", version);
	expect_success("status --version", "sipward ");
}

static void what_needs_a_filter_says_so(void **state)
{
	(void)state;
	static const char *const commands[] = {"counters",
					       "drops",
					       "lockout list",
					       "lockout clear --all",
					       "lockout clear 192.0.2.1",
					       "lockout add 192.0.2.1 --for 60s"};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		expect_failure(commands[i], 3, "no filter is attached");
	expect_failure("reconcile", 3, "there is no store");
	expect_success("acl create a", "");
	expect_failure("reconcile", 3, "no filter is attached");
	expect_failure("lockout add 192.0.2.1 --for 60x", 2,
		       "'60x' is no time such as 60s, 5m, 2h or 1d");
	expect_failure("lockout add 192.0.2.1 --for 0s", 2, "not between 1s and 365d");
	expect_failure("lockout add 192.0.2.1 --for 400d", 2, "not between 1s and 365d");
	expect_failure("lockout add 192.0.2.1", 2, "--for is missing");
	expect_failure("lockout add gate --for 1m", 2, "gate");
	expect_failure("lockout clear", 2, "name a source, or all of them with --all");
	expect_failure("drops --top 0", 2, "--top: '0' is no number above 0");
}

static void explain_answers_the_usual_troubles(void **state)
{
	(void)state;
	expect_failure("explain gate.example", 2, "'gate.example' is no IPv4 or IPv6 address");
	expect_failure("explain 192.0.2.0/24", 2, "no IPv4 or IPv6 address");
	expect_success("explain 2001:db8::/64", "source: 2001:db8::\n");
	expect_success(TRUNK " --user app", "");
	expect_success("acl create a", "");
	expect_success("trunk attach t --acl a", "");
	expect_success("acl create spare", "");
	expect_success("acl add spare 192.0.2.0/24", "");
	expect_success("explain 192.0.2.7", "403");
	assert_non_null(strstr(out, "`sipward acl add a 192.0.2.7`"));
	assert_non_null(strstr(out, "a phone number in the Request-URI"));
	assert_non_null(strstr(out, "It is in ACL spare, which no trunk uses"));
	assert_non_null(strstr(out, "sipwardd does not run"));
	assert_non_null(strstr(out, "evidence: not known, as no daemon answers"));
	expect_success("acl add a 192.0.2.0/24", "");
	expect_success("acl add a 192.0.2.7 --deny", "");
	expect_success("explain 192.0.2.7",
		       "ACL a denies 192.0.2.7: `sipward acl remove a 192.0.2.7`");
	json_t *e = json_of("explain 192.0.2.8");
	assert_true(json_is_true(json_object_get(e, "listed")));
	assert_int_equal(json_array_size(json_object_get(e, "rules")), 2);
	json_t *trunk = json_array_get(json_object_get(e, "trunks"), 0);
	assert_true(json_is_true(json_object_get(trunk, "acl_allows")));
	json_decref(e);
	expect_success("trunk set t --enabled no", "");
	expect_success("explain 192.0.2.8", "`sipward trunk set t --enabled yes`");
	assert_null(strstr(out, "none of its ACLs allows"));
	expect_success("trunk delete t", "");
	expect_success("explain 192.0.2.8", "There is no trunk: every call gets 403");
}

static void a_document_is_exported_and_applied(void **state)
{
	(void)state;
	expect_failure("export", 3, "there is no store");
	expect_failure("apply /dev/null --dry-run", 2, "/dev/null, line 1, column 0: ");
	expect_failure("apply /nowhere", 3, "can not open /nowhere: No such file");
	expect_failure("apply /", 1, "can not read /: Is a directory");
	expect_success("acl create a --note one", "");
	expect_success("sipward export | sipward apply -", "nothing to do");
	expect_success("export >$D/document", "");
	expect_success("acl delete a", "");
	expect_success("acl create b", "");
	expect_success("apply $D/document --dry-run",
		       "+ acl a # one\n- acl b\ndifferences: 2; dry run, nothing is changed\n");
	expect_success("apply $D/document", "changes made: 2\n");
	expect_success("acl list", "a ");
	expect_failure("export --key-file /nowhere", 3, "key file /nowhere: No such file");
	expect_failure("sipward export | sed s/note/gnote/ | sipward apply -", 2,
		       "acls.a.gnote: is no key that is known here");
	expect_failure("sipward export | sed '1s/{/{ \"acls\": {}, /' | sipward apply -", 2,
		       "standard input, line 6, column 8: duplicate object key");
}

static void audit_tells_the_last_changes(void **state)
{
	(void)state;
	expect_failure("audit", 3, "there is no store");
	expect_success("acl create a", "");
	expect_success("acl create b", "");
	expect_success("audit --last 1", "created ACL \"b\"");
	assert_null(strstr(out, "ACL \"a\""));
	expect_success("audit", "created ACL \"a\"");
	assert_true(strstr(out, "ACL \"a\"") < strstr(out, "ACL \"b\""));
	expect_success("audit --since 1m", "created ACL \"a\"");
	expect_success("audit --since '2001-01-01 10:00' --last 1", "created ACL \"b\"");
	expect_success("audit --since 2101-01-01", "nothing was changed");
	expect_failure("audit --last 0", 2, "--last '0' is no number from 1");
	expect_failure("audit --since yesterday", 2, "--since 'yesterday' is neither a time");
	json_t *rows = json_of("audit --last 2");
	assert_int_equal(json_array_size(rows), 2);
	assert_true(json_is_integer(json_object_get(json_array_get(rows, 0), "time")));
	json_decref(rows);
}

static void a_full_or_closed_output_is_an_error(void **state)
{
	(void)state;
	expect_failure("help >/dev/full", 1, "can not write the output: No space left on device");
	expect_failure("help >&-", 1, "can not write the output");
	expect_success("sipward acl create a >/dev/full | cat; sipward acl list", "a");
}

static void every_command_stands_in_the_manual_page(void **state)
{
	(void)state;
	char line[256];
	static char page[65536];
	FILE *man = fopen("man/sipward.8", "r");
	assert_non_null(man);
	page[fread(page, 1, sizeof(page) - 1, man)] = '\0';
	fclose(man);
	expect_success("help", "attach IF");
	for (char *at = out; (at = strstr(at, "\n  ")) && at[3] != '-'; at++) {
		if (at[3] == ' ')
			continue;
		/* The words of the command: lower-case ones before the arguments. */
		size_t n = 0;
		while ((at[3 + n] >= 'a' && at[3 + n] <= 'z') ||
		       (at[3 + n] == ' ' && at[4 + n] >= 'a' && at[4 + n] <= 'z'))
			n++;
		if (at[3 + n] == '|')
			while (at[3 + n] != ' ')
				n--;
		snprintf(line, sizeof(line), ".B %.*s", (int)n, at + 3);
		if (!strstr(page, line))
			fail_msg("no '%s' in man/sipward.8", line);
	}
}

int main(void)
{
	leave_network();
	const struct CMUnitTest tests[] = {
		TEST(a_wrong_command_is_told_with_the_likeliest_one),
		TEST(wrong_options_are_named),
		TEST(global_options_stand_anywhere),
		TEST(help_names_every_command_and_the_exit_codes),
		TEST(completion_offers_words_options_and_choices),
		TEST(reading_makes_no_store),
		TEST(errors_come_as_json_on_request),
		TEST(passwords_come_by_standard_input_and_never_out),
		TEST(a_terminal_is_asked_twice_without_echo),
		TEST(an_interrupted_question_leaves_the_terminal_echoing),
		TEST(users_are_changed_and_removed),
		TEST(a_trunk_tells_all_its_options),
		TEST(headers_for_the_customer_are_added_and_removed),
		TEST(outbound_credentials_are_added_and_listed_without_their_secret),
		TEST(a_trunk_has_several_upstreams_and_destinations),
		TEST(every_field_of_a_trunk_has_an_option),
		TEST(trunk_show_prints_the_uri_to_call),
		TEST(trunk_show_prints_the_steps_of_each_type),
		TEST(trunk_set_changes_only_what_is_named),
		TEST(attaching_derives_the_authentication),
		TEST(settings_are_checked_and_kept),
		TEST(settings_are_listed_set_and_restored),
		TEST(wrong_settings_name_field_value_and_rule),
		TEST(the_version_is_told_by_both_programs),
		TEST(what_needs_a_filter_says_so),
		TEST(explain_answers_the_usual_troubles),
		TEST(a_document_is_exported_and_applied),
		TEST(audit_tells_the_last_changes),
		TEST(a_full_or_closed_output_is_an_error),
		TEST(every_command_stands_in_the_manual_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
