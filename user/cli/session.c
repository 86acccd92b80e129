/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"

static void set_error(struct cli *cli, int code, const char *format, va_list args)
{
	cli->err.code = code;
	vsnprintf(cli->err.text, sizeof(cli->err.text), format, args);
}

int cli_error(struct cli *cli, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_error(cli, code, format, args);
	va_end(args);
	return code;
}

int cli_usage(struct cli *cli, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_error(cli, -EINVAL, format, args);
	va_end(args);
	cli->show_usage = true;
	return -EINVAL;
}

void cli_note(const char *format, ...)
{
	va_list args;
	fputs("note: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

bool cli_store_exists(const struct cli *cli)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/sipward.db", cli->state_dir);
	/* A store that can not be looked at is left for store_open to explain. */
	return access(path, F_OK) == 0 || errno == EACCES;
}

int cli_store_to_change(struct cli *cli)
{
	return cli->store ? 0 : store_open(cli->state_dir, &cli->store, &cli->err);
}

int cli_store(struct cli *cli)
{
	if (!cli->store && !cli_store_exists(cli))
		return cli_error(cli, -ENOENT,
				 "there is no store in %s yet; the first change makes one "
				 "(--state DIR names another place)",
				 cli->state_dir);
	return cli_store_to_change(cli);
}

int cli_filter(struct cli *cli)
{
	if (cli->filter)
		return 0;
	int rc = filter_open(cli->pin_dir, NULL, &cli->filter, &cli->err);
	if (rc == -ENOENT)
		return cli_error(cli, rc,
				 "no filter is attached (nothing in %s and on no interface); "
				 "`sipward attach IF` attaches it",
				 cli->pin_dir);
	return rc;
}

int cli_sync_silently(struct cli *cli)
{
	struct filter_reconciled reconciled;
	struct error err;
	int rc = cli_filter(cli);
	if (rc == -ENOENT) {
		cli->err.text[0] = '\0';
		return 0;
	}
	if (rc == 0)
		rc = store_sync(cli->store, cli->filter, false, &reconciled, &cli->err);
	if (rc == 0)
		return 0;
	err = cli->err;
	return cli_error(cli, rc,
			 "the change is stored, but the filter does not have it (`sipward "
			 "reconcile` tries again): %.380s",
			 err.text[0] ? err.text : strerror(-rc));
}

int cli_sync(struct cli *cli)
{
	int rc = cli_sync_silently(cli);
	if (rc == 0 && !cli->filter && !cli->json)
		cli_note("no filter is attached; the change is stored and takes effect with "
			 "`sipward attach IF`");
	return rc;
}

int cli_settings(struct cli *cli, struct store_settings *ret_settings)
{
	if (!cli_store_exists(cli)) {
		store_settings_defaults(ret_settings);
		return 0;
	}
	int rc = cli_store(cli);
	return rc < 0 ? rc : store_settings_get(cli->store, ret_settings, &cli->err);
}

int cli_settings_change(struct cli *cli,
			int (*change)(struct cli *cli, struct store_settings *settings),
			struct store_settings *ret_settings)
{
	struct store_settings settings;
	int rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = store_settings_get(cli->store, &settings, &cli->err);
	if (rc == 0)
		rc = change(cli, &settings);
	if (rc == 0)
		rc = store_settings_set(cli->store, &settings, &cli->err);
	if (rc == 0)
		rc = cli_sync(cli);
	if (rc == 0 && ret_settings)
		*ret_settings = settings;
	return rc;
}

void cli_close(struct cli *cli)
{
	if (cli->filter)
		filter_close(cli->filter);
	if (cli->store)
		store_close(cli->store);
}

bool cli_daemon_runs(const struct cli *cli)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", cli->state_dir);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool runs = n < (int)sizeof(address.sun_path) &&
		    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return runs;
}

int cli_duration(struct cli *cli, const char *text, uint64_t *ret_seconds)
{
	static const char units[] = "smhd";
	static const uint64_t seconds[] = {1, 60, 3600, 86400};
	struct slice number = slice_from(text);
	const char *unit = number.n ? strchr(units, text[number.n - 1]) : NULL;
	uint32_t value;
	if (unit)
		number.n--;
	if (slice_u32(number, &value) < 0)
		return cli_error(cli, -EINVAL, "'%s' is no time such as 60s, 5m, 2h or 1d", text);
	uint64_t total = value * seconds[unit ? unit - units : 0];
	if (total < 1 || total > 365 * 86400)
		return cli_error(cli, -EINVAL, "the time '%s' is not between 1s and 365d", text);
	*ret_seconds = total;
	return 0;
}

int cli_since(struct cli *cli, const char *text, int64_t *ret_s)
{
	static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"};
	uint64_t ago;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, formats[i], &tm);
		if (!end || *end)
			continue;
		*ret_s = mktime(&tm);
		return 0;
	}
	if (cli_duration(cli, text, &ago) < 0)
		return cli_error(cli, -EINVAL,
				 "--since '%s' is neither a time such as 2h (ago) nor a date such "
				 "as \"2026-01-31 17:00\"",
				 text);
	*ret_s = time(NULL) - (int64_t)ago;
	return 0;
}

int64_t cli_wall_time(uint64_t monotonic_ns)
{
	int64_t ahead_ns = (int64_t)(monotonic_ns - clock_coarse_ns());
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t wall_ns = now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec + ahead_ns;
	return (wall_ns + (int64_t)NS_PER_S / 2) / (int64_t)NS_PER_S;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

bool cli_watch_is_plain(void)
{
	return !isatty(STDOUT_FILENO);
}

int cli_watch(struct cli *cli, int (*print)(struct cli *cli, void *arg), void *arg)
{
	const struct sigaction action = {.sa_handler = on_interrupt};
	struct timespec next;
	bool watching = args_option(cli, "--watch") != NULL;
	if (!watching)
		return print(cli, arg);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!interrupted) {
		if (!cli->json && !cli_watch_is_plain())
			fputs("\033[H\033[J", stdout);
		int rc = print(cli, arg);
		if (rc == 0)
			rc = output_finish(cli);
		if (rc < 0)
			return rc;
		next.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return 0;
}
