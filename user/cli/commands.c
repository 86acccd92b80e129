/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands, and what follows from it: help, usage, completion, "did you mean". */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TRUNK_OPTIONS                                                                              \
	"[--user USER] [--aliases DOMAIN,DOMAIN] [--enabled yes|no] "                              \
	"[--algorithms md5,sha-256,sha-512-256] [--challenge-status 401|407] "                     \
	"[--challenge auto|filter|daemon] [--ratchet yes|no] "                                     \
	"[--digest-uri any|equivalent|exact] [--allow-no-qop yes|no] [--auth-int yes|no] "         \
	"[--userhash yes|no] [--sess yes|no] [--register gate|upstream] "                          \
	"[--e164 off|require|normalize] [--country-code DIGITS] "                                  \
	"[--international-prefix DIGITS] [--national-prefix DIGITS] "                              \
	"[--caller-id off|refuse|private] [--number NUMBER] [--assert-identity yes|no] "           \
	"[--upstream-trusted yes|no] [--client-certificate yes|no] [--outbound-user yes|no] "      \
	"[--calls-per-second N] [--calls N] [--user-calls-per-second N] [--user-calls N]"

/* The order of choices such as monitor|enforce is that of the enum they stand for. */
const struct command commands[] = {
	{"attach", cmd_attach, "IF [--mode auto|native|generic] [--replace]",
	 "attach the filter to an interface", 1, 1},
	{"detach", cmd_detach, "IF", "take the filter off an interface", 1, 1},
	{"status", cmd_status, "", "tell what is attached and what state it is in", 0, 0},
	{"doctor", cmd_doctor, "[IF]", "look for what hinders the filter, and say what mends it", 0,
	 1},
	{"mode", cmd_mode, "monitor|enforce", "only count what would be dropped, or drop it", 1, 1},
	{"unlisted", cmd_unlisted, "auto|drop|limit|reject",
	 "say what becomes of sources that nobody vouches for", 1, 1},
	{"ports set", cmd_ports_set, "PROTO/PORT...",
	 "set the SIP ports, such as udp/5060 tcp/5060 tcp/5061", 1, CLI_ANY},
	{"settings", cmd_settings, "[NAME] [VALUE|default]", "list what can be set, or set one", 0,
	 2},
	{"reconcile", cmd_reconcile, "", "write all that the store says to the filter again", 0, 0},
	{"counters", cmd_counters, "[--watch]", "count packets by reason", 0, 0},
	{"drops", cmd_drops, "[--top N] [--watch]", "tell which sources are dropped most", 0, 0},
	{"acl create", cmd_acl_create, "NAME [--note TEXT]", "make an empty ACL", 1, 1},
	{"acl delete", cmd_acl_delete, "NAME", "delete an ACL that no trunk uses", 1, 1},
	{"acl list", cmd_acl_list, "", "list the ACLs", 0, 0},
	{"acl show", cmd_acl_show, "NAME", "list what an ACL holds", 1, 1},
	{"acl add", cmd_acl_add, "NAME PREFIX|HOST... [--deny] [--note TEXT]",
	 "add addresses, prefixes or host names to an ACL", 2, CLI_ANY},
	{"acl remove", cmd_acl_remove, "NAME PREFIX|HOST...", "remove entries from an ACL", 2,
	 CLI_ANY},
	{"acl import", cmd_acl_import, "NAME FILE",
	 "add the entries in a file, one a line: PREFIX|HOST [deny] [# note]", 2, 2},
	{"acl refresh", cmd_acl_refresh, "[NAME]", "resolve the host names in ACLs now", 0, 1},
	{"credentials create", cmd_credentials_create,
	 "NAME --realm REALM [--user-at-realm yes|no]", "make an empty credential list", 1, 1},
	{"credentials set", cmd_credentials_set, "NAME --user-at-realm yes|no",
	 "say whether users may give their names as user@realm", 1, 1},
	{"credentials delete", cmd_credentials_delete, "NAME",
	 "delete a credential list that no trunk uses", 1, 1},
	{"credentials list", cmd_credentials_list, "", "list the credential lists", 0, 0},
	{"credentials show", cmd_credentials_show, "NAME", "list the users of a credential list", 1,
	 1},
	{"user add", cmd_user_add, "LIST USER [--password-stdin]",
	 "add a user to a credential list", 2, 2},
	{"user passwd", cmd_user_passwd, "LIST USER [--password-stdin]", "set a user's password", 2,
	 2},
	{"user remove", cmd_user_remove, "LIST USER", "remove a user from a credential list", 2, 2},
	{"trunk create", cmd_trunk_create,
	 "NAME --domain DOMAIN [--upstream URI] " TRUNK_OPTIONS, "make a trunk", 1, 1},
	{"trunk set", cmd_trunk_set,
	 "NAME [--domain DOMAIN] [--upstream URI] " TRUNK_OPTIONS, "change a trunk", 1, 1},
	{"trunk delete", cmd_trunk_delete, "NAME", "delete a trunk", 1, 1},
	{"trunk list", cmd_trunk_list, "", "list the trunks", 0, 0},
	{"trunk show", cmd_trunk_show, "NAME", "tell all about a trunk, and how to call it", 1, 1},
	{"trunk attach", cmd_trunk_attach, "NAME --acl ACL | --credentials LIST",
	 "make a trunk require an address or a credential", 1, 1},
	{"trunk detach", cmd_trunk_detach, "NAME --acl ACL | --credentials LIST",
	 "undo trunk attach", 1, 1},
	{"upstream add", cmd_peer_add, "TRUNK URI [--priority N] [--weight N]",
	 "let calls go to a further PBX or carrier, sip:HOST[:PORT][;transport=udp|tcp|tls]", 2, 2},
	{"upstream set", cmd_peer_set, "TRUNK URI [--priority N] [--weight N]",
	 "change which upstream comes first, the lowest priority, and its share", 2, 2},
	{"upstream remove", cmd_peer_remove, "TRUNK URI", "let no more calls go there", 2, 2},
	{"upstream list", cmd_peer_list, "[TRUNK]",
	 "list the upstreams, what their names stand for, and how they are", 0, 1},
	{"destination add", cmd_peer_add, "TRUNK URI [--priority N] [--weight N]",
	 "let calls from the upstream go to a fixed URI of the customer", 2, 2},
	{"destination set", cmd_peer_set, "TRUNK URI [--priority N] [--weight N]",
	 "change which destination comes first, and its share", 2, 2},
	{"destination remove", cmd_peer_remove, "TRUNK URI", "let no more calls go there", 2, 2},
	{"destination list", cmd_peer_list, "[TRUNK]", "list the destinations, as upstream list",
	 0, 1},
	{"outbound add", cmd_outbound_add,
	 "TRUNK URI USER [--realm REALM] [--register yes|no] [--expires TIME] [--password-stdin]",
	 "add a credential that an upstream asks for", 3, 3},
	{"outbound set", cmd_outbound_set, "TRUNK URI USER [--register yes|no] [--expires TIME]",
	 "say whether the gate keeps a registration there", 3, 3},
	{"outbound passwd", cmd_outbound_passwd,
	 "TRUNK URI USER [--realm REALM] [--password-stdin]", "set its password", 3, 3},
	{"outbound remove", cmd_outbound_remove, "TRUNK URI USER", "remove it", 3, 3},
	{"outbound list", cmd_outbound_list, "[TRUNK]", "list the credentials at upstreams", 0, 1},
	{"header add", cmd_header_add, "TRUNK HEADER",
	 "add a header field, 'X-My-Header: value', to calls to the customer", 2, 2},
	{"header remove", cmd_header_remove, "TRUNK HEADER", "add it no more", 2, 2},
	{"header list", cmd_header_list, "TRUNK", "list these header fields", 1, 1},
	{"caller add", cmd_caller_add, "TRUNK NUMBER...",
	 "let the trunk's callers show a number, +4989123, or all that begin so, +4989*", 2,
	 CLI_ANY},
	{"caller remove", cmd_caller_remove, "TRUNK NUMBER...", "take numbers off the list", 2,
	 CLI_ANY},
	{"caller list", cmd_caller_list, "TRUNK", "list the numbers that callers may show", 1, 1},
	{"registration list", cmd_registration_list, "[TRUNK]",
	 "list who has registered, and from where", 0, 1},
	{"registration remove", cmd_registration_remove, "TRUNK USER [--contact URI]",
	 "remove a user's registrations, or one of them", 2, 2},
	{"calls", cmd_calls, "[--active] [--since TIME] [--trunk NAME] [--limit N]",
	 "list calls that are over, or those in progress", 0, 0},
	{"lockout list", cmd_lockout_list, "", "list the sources that are locked out", 0, 0},
	{"lockout add", cmd_lockout_add, "SOURCE --for TIME",
	 "lock a source out for a time such as 60s, 5m, 2h or 1d", 1, 1},
	{"lockout clear", cmd_lockout_clear, "SOURCE | --all", "end a lockout", 0, 1},
	{"explain", cmd_explain, "SOURCE",
	 "tell what the filter and the daemon would do with a source now, and why", 1, 1},
	{"export", cmd_export, "[--key-file FILE]",
	 "print the configuration as one JSON document; with a key, passwords are in it, sealed", 0,
	 0},
	{"apply", cmd_apply, "FILE [--dry-run] [--key-file FILE]",
	 "make the configuration as a document says, or only tell what differs", 1, 1},
	{"audit", cmd_audit, "[--last N] [--since TIME]", "list who changed what and when", 0, 0},
	{"help", cmd_help, "[COMMAND...]", "tell about a command", 0, 2},
	{"completion", cmd_completion, "WORD...", NULL, 0, CLI_ANY},
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *word, const char *second)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < command_count; i++) {
		const char *words = commands[i].words;
		if (strncmp(words, word, n) != 0)
			continue;
		if (second ? words[n] == ' ' && strcmp(words + n + 1, second) == 0 : !words[n])
			return &commands[i];
	}
	return NULL;
}

static bool in_group(const struct command *command, const char *word)
{
	size_t n = strlen(word);
	return strncmp(command->words, word, n) == 0 && command->words[n] == ' ';
}

bool command_is_group(const char *word)
{
	for (size_t i = 0; i < command_count; i++)
		if (in_group(&commands[i], word))
			return true;
	return false;
}

unsigned word_distance(const char *a, const char *b)
{
	unsigned row[40];
	size_t n = strlen(b);
	if (n >= 40 || strlen(a) >= 40)
		return 40;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (; *a; a++) {
		unsigned diagonal = row[0]++;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = diagonal + (*a != b[j - 1]);
			diagonal = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = diagonal + 1 < best ? diagonal + 1 : best;
		}
	}
	return row[n];
}

/* What a mistyped word may have meant: compared with whole rows, and with the first word of each.
 */
static const struct command *likeliest(const char *typed, bool whole, unsigned *ret_distance)
{
	const struct command *best = NULL;
	for (size_t i = 0; i < command_count; i++) {
		char words[40];
		struct slice rest, text = slice_from(commands[i].words);
		if (!whole)
			text = slice_cut(text, ' ', &rest);
		if (!commands[i].help || slice_text(text, words, sizeof(words)) < 0)
			continue;
		unsigned d = word_distance(typed, words);
		if (!best || d < *ret_distance) {
			best = &commands[i];
			*ret_distance = d;
		}
	}
	return best;
}

int command_unknown(struct cli *cli, const char *word, const char *second)
{
	char typed[40];
	unsigned d = 0;
	snprintf(typed, sizeof(typed), "%s%s%s", word, second ? " " : "", second ? second : "");
	const struct command *best = likeliest(typed, second != NULL, &d);
	if (d > 1 + strlen(typed) / 4)
		return cli_error(cli, -EINVAL, "there is no command '%s'; see `sipward help%s%s`",
				 typed, second ? " " : "", second ? word : "");
	int n = (int)(second ? strlen(best->words) : strcspn(best->words, " "));
	return cli_error(cli, -EINVAL, "there is no command '%s'; did you mean '%.*s'?", typed, n,
			 best->words);
}

/* Prints text broken at blanks to lines of 80 columns, the first of which is filled to `column`. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
	const size_t indent = 12, width = 80;
	while (*text) {
		size_t n = strcspn(text, " ");
		/* "[--name VALUE]" stays on one line */
		if (*text == '[' && text[n])
			n = strcspn(text, "]") + 1;
		if (column + 1 + n > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)n, text);
		column += n;
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

void command_usage(FILE *out, const struct command *command)
{
	int n = fprintf(out, "usage: sipward %s", command->words);
	print_wrapped(out, command->args, (size_t)n);
}

static void print_row(FILE *out, const struct command *command)
{
	char text[200];
	const char *options = strstr(command->args, " [--user");
	size_t n = options ? (size_t)(options - command->args) : strlen(command->args);
	int used = snprintf(text, sizeof(text), "%s%s%.*s%s", command->words, n ? " " : "", (int)n,
			    command->args, options ? " ..." : "");
	if (used > 38)
		fprintf(out, "  %s\n  %38s", text, "");
	else
		fprintf(out, "  %-38s", text);
	fprintf(out, "  %s\n", command->help);
}

void command_help(FILE *out, const char *group)
{
	if (!group)
		fputs("usage: sipward [--json] [--state DIR] [--pin-dir DIR] COMMAND ...\n\n", out);
	for (size_t i = 0; i < command_count; i++)
		if (commands[i].help && (!group || in_group(&commands[i], group)))
			print_row(out, &commands[i]);
	if (group)
		return;
	fputs("\nGlobal options, before or after the command:\n"
	      "  --json         print JSON; errors too, on standard error\n"
	      "  --state DIR    where the store is (SIPWARD_STATE; " STORE_STATE_DIR_DEFAULT ")\n"
	      "  --pin-dir DIR  where the maps are pinned (SIPWARD_PIN_DIR; " FILTER_PIN_DIR_DEFAULT
	      ")\n"
	      "  --help         tell about the command\n"
	      "  --version      tell the version\n\n"
	      "Exit codes: 0 done, 1 failed, 2 wrong command, option or value, 3 not found,\n"
	      "4 exists already or is in use, 5 not permitted. Manual: sipward(8)\n",
	      out);
}

int cmd_help(struct cli *cli)
{
	const char *word = cli->arg_count > 0 ? cli->args[0] : NULL;
	const char *second = cli->arg_count > 1 ? cli->args[1] : NULL;
	if (!word || (!second && command_is_group(word))) {
		command_help(stdout, word);
		return 0;
	}
	const struct command *command = command_find(word, second);
	if (!command)
		return command_unknown(cli, word, second);
	command_usage(stdout, command);
	if (command->help)
		printf("\n  %s\n", command->help);
	return 0;
}

/* Prints the choices of "a|b|c", one a line. */
static void complete_choices(struct slice choices)
{
	while (choices.n) {
		struct slice choice = slice_cut(choices, '|', &choices);
		printf("%.*s\n", (int)choice.n, choice.p);
	}
}

static void complete_options(const struct command *command, const char *last)
{
	struct slice name, value;
	for (size_t at = 0; args_next_option(command->args, &at, &name, &value);) {
		if (!slice_eq(name, slice_from(last))) {
			printf("%.*s\n", (int)name.n, name.p);
		} else if (memchr(value.p, '|', value.n)) {
			complete_choices(value);
		}
	}
	if (islower((unsigned char)command->args[0]))
		complete_choices(slice_from(command->args));
}

/* Whether the row before begins with the same word: each is offered once. */
static bool is_same_group(size_t i)
{
	size_t n = strcspn(commands[i].words, " ");
	return i > 0 && commands[i].words[n] &&
	       strncmp(commands[i - 1].words, commands[i].words, n + 1) == 0;
}

/* For the shell: the words that may follow the given ones, one a line. */
int cmd_completion(struct cli *cli)
{
	int n = cli->arg_count, at = 0;
	while (at < n && strncmp(cli->args[at], "--", 2) == 0)
		at += strcmp(cli->args[at], "--json") == 0 ? 1 : 2;
	const char *first = at < n ? cli->args[at] : NULL;
	const char *second = at + 1 < n ? cli->args[at + 1] : NULL;
	const struct command *command = first ? command_find(first, NULL) : NULL;
	if (!command && second)
		command = command_find(first, second);
	if (command && command->run == cmd_settings && !second)
		settings_complete(stdout);
	if (command) {
		complete_options(command, cli->args[cli->arg_count - 1]);
		return 0;
	}
	for (size_t i = 0; i < command_count; i++) {
		struct slice rest, word = slice_cut(slice_from(commands[i].words), ' ', &rest);
		if (first && !second && rest.n && slice_eq(word, slice_from(first)))
			printf("%s\n", rest.p);
		else if (!first && commands[i].help && !is_same_group(i))
			printf("%.*s\n", (int)word.n, word.p);
	}
	return 0;
}
