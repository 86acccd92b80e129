/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line tool. A command is a row of the table in commands.c and a function in the
 * cmd_*.c of its noun. It returns 0 or a negative errno with the sentence in cli->err; main prints
 * the sentence and turns the errno into an exit code.
 */
#ifndef SIPWARD_CLI_H
#define SIPWARD_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "filter/filter.h"
#include "store/store.h"

/* Exit codes; sipward(8) and `sipward --help` tell them. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2, /* wrong command, option or value */
	CLI_NOT_FOUND = 3,
	CLI_IN_USE = 4,	     /* exists already, or is in use */
	CLI_NOT_ALLOWED = 5, /* no permission */
};

#define CLI_OPTIONS_MAX 32
#define CLI_ANY 0x7fffffff /* command.max_args: no limit */

struct cli;

struct command {
	const char *words; /* "status", "acl add" */
	int (*run)(struct cli *cli);
	const char *args; /* what follows; the options that a command takes are read from it */
	const char *help; /* NULL: not listed */
	int min_args, max_args;
};

struct cli_option {
	struct slice name; /* with its "--"; points into the row's args */
	const char *value; /* "" for a flag */
};

struct cli {
	const char *state_dir, *pin_dir;
	bool json;
	bool help, version;
	const struct command *command;
	const char *group; /* the first word of a command of two */
	char **args;	   /* what is no option and no word of the command */
	int arg_count;
	struct cli_option options[CLI_OPTIONS_MAX];
	unsigned option_count;
	struct store *store;   /* see cli_store */
	struct filter *filter; /* see cli_filter */
	struct error err;
	bool show_usage; /* print the command's usage after the error */
};

/* ---- arguments (args.c) ---- */

/* Reads argv[1..]: finds the command, its options and arguments (argv is reordered), and the global
 * options wherever they stand. -EINVAL; cli->command is NULL where no command is named. */
int args_parse(struct cli *cli, int argc, char **argv);
/* The option's value, "" for a flag that was given, NULL if it was not. */
const char *args_option(const struct cli *cli, const char *name);
/* The value of an option that must be there: 0 or -EINVAL. */
int args_required(struct cli *cli, const char *name, const char **ret_value);
/* The place of text among choices such as "auto|native|generic", or -1. */
int args_choice(struct slice choices, const char *text);
/* The place of the option's value among its choices, which the parser has checked; otherwise if it
 * was not given. */
int args_option_choice(const struct cli *cli, const char *name, int otherwise);
/* Walks the options that a row's args name: true and the next one with the text of its value (empty
 * for a flag). Start with *position = 0. */
bool args_next_option(const char *args, size_t *position, struct slice *ret_name,
		      struct slice *ret_value);

/* ---- the table (commands.c) ---- */

extern const struct command commands[];
extern const size_t command_count;

/* The row with these words, or NULL. */
const struct command *command_find(const char *word, const char *second);
/* Whether rows begin with the word and have a second one. */
bool command_is_group(const char *word);
/* Levenshtein's distance of two words, 40 where one of them is longer than any word we know. */
unsigned word_distance(const char *a, const char *b);
/* Sets the error for words that name no command, with the likeliest one. */
int command_unknown(struct cli *cli, const char *word, const char *second);
void command_usage(FILE *out, const struct command *command);
/* All commands, or those of the group. */
void command_help(FILE *out, const char *group);
int cmd_help(struct cli *cli);
int cmd_completion(struct cli *cli);

/* ---- what commands share (session.c) ---- */

/* Sets cli->err; returns code. */
int cli_error(struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with the command's usage after it: -EINVAL. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A remark on standard error that changes nothing about success. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Opens the store once. To read it must exist (-ENOENT); to change it is made. */
int cli_store(struct cli *cli);
int cli_store_to_change(struct cli *cli);
bool cli_store_exists(const struct cli *cli);
/* Opens the filter's maps once. -ENOENT: no filter is attached. */
int cli_filter(struct cli *cli);
/* After a change of the store: brings the maps to it. Without a filter only a note is left. */
int cli_sync(struct cli *cli);
/* The same for what the filter does not look at, such as users: no note. */
int cli_sync_silently(struct cli *cli);
/* The settings, or the default ones where there is no store yet. */
int cli_settings(struct cli *cli, struct store_settings *ret_settings);
/* Changes settings by a function, stores them, brings them to the filter. ret_settings, what is in
 * force then, may be NULL. */
int cli_settings_change(struct cli *cli,
			int (*change)(struct cli *cli, struct store_settings *settings),
			struct store_settings *ret_settings);
void cli_close(struct cli *cli);

/* Whether a daemon listens on this state directory. */
bool cli_daemon_runs(const struct cli *cli);
/* "60s", "5m", "2h", "1d" or plain seconds, 1 s to 365 days. 0 or -EINVAL. */
int cli_duration(struct cli *cli, const char *text, uint64_t *ret_seconds);
/* The value of --since in seconds since 1970: "2h", so long ago, or a local date with or without a
 * time. 0 or -EINVAL. */
int cli_since(struct cli *cli, const char *text, int64_t *ret_s);
/* A time of the coarse monotonic clock as seconds since 1970. */
int64_t cli_wall_time(uint64_t monotonic_ns);
/* Calls print once, or each second until interrupted where --watch is given. */
int cli_watch(struct cli *cli, int (*print)(struct cli *cli, void *arg), void *arg);
/* Whether watching goes on line by line: standard output is no terminal. */
bool cli_watch_is_plain(void);

/* ---- passwords (password.c) ---- */

#define PASSWORD_SIZE 256
/* From the terminal, asked twice without echo, or one line of standard input where
 * --password-stdin is given. The caller wipes it. */
int password_read(struct cli *cli, char ret_password[PASSWORD_SIZE]);

/* ---- commands ---- */

int cmd_attach(struct cli *cli);
int cmd_detach(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_mode(struct cli *cli);
int cmd_unlisted(struct cli *cli);
int cmd_ports_set(struct cli *cli);
int cmd_settings(struct cli *cli);
/* The names of the settings, one a line, for completion. */
void settings_complete(FILE *out);
int cmd_reconcile(struct cli *cli);
int cmd_counters(struct cli *cli);
int cmd_drops(struct cli *cli);
int cmd_acl_create(struct cli *cli);
int cmd_acl_delete(struct cli *cli);
int cmd_acl_list(struct cli *cli);
int cmd_acl_show(struct cli *cli);
int cmd_acl_add(struct cli *cli);
int cmd_acl_remove(struct cli *cli);
int cmd_acl_import(struct cli *cli);
int cmd_acl_refresh(struct cli *cli);
int cmd_credentials_create(struct cli *cli);
int cmd_credentials_set(struct cli *cli);
int cmd_credentials_delete(struct cli *cli);
int cmd_credentials_list(struct cli *cli);
int cmd_credentials_show(struct cli *cli);
int cmd_user_add(struct cli *cli);
int cmd_user_passwd(struct cli *cli);
int cmd_user_remove(struct cli *cli);
int cmd_trunk_create(struct cli *cli);
int cmd_trunk_set(struct cli *cli);
int cmd_trunk_delete(struct cli *cli);
int cmd_trunk_list(struct cli *cli);
int cmd_trunk_show(struct cli *cli);
int cmd_trunk_attach(struct cli *cli);
int cmd_trunk_detach(struct cli *cli);
int cmd_peer_add(struct cli *cli); /* upstream and destination, both */
int cmd_peer_set(struct cli *cli);
int cmd_peer_remove(struct cli *cli);
int cmd_peer_list(struct cli *cli);
int cmd_outbound_add(struct cli *cli);
int cmd_outbound_set(struct cli *cli);
int cmd_outbound_passwd(struct cli *cli);
int cmd_outbound_remove(struct cli *cli);
int cmd_outbound_list(struct cli *cli);
int cmd_header_add(struct cli *cli);
int cmd_header_remove(struct cli *cli);
int cmd_header_list(struct cli *cli);
int cmd_caller_add(struct cli *cli);
int cmd_caller_remove(struct cli *cli);
int cmd_caller_list(struct cli *cli);
int cmd_registration_list(struct cli *cli);
int cmd_registration_remove(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_apply(struct cli *cli);
int cmd_audit(struct cli *cli);
int cmd_calls(struct cli *cli);
int cmd_lockout_list(struct cli *cli);
int cmd_lockout_add(struct cli *cli);
int cmd_lockout_clear(struct cli *cli);
int cmd_explain(struct cli *cli);

#endif
