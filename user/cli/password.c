/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a password. read(2), not stdio: no copy stays in a buffer that nobody wipes. */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define ENDING (sizeof(ending) / sizeof(ending[0]))

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

/* Waits for input with the given signals let in, and only then: one that came a moment earlier ends
 * the wait too. */
static int read_byte(const sigset_t *let_in, char *ret_c)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	while (ppoll(&input, 1, NULL, let_in) < 0)
		if (errno != EINTR || caught)
			return -errno;
	ssize_t n = read(STDIN_FILENO, ret_c, 1);
	return n < 0 ? -errno : (int)n;
}

/* Reads up to the end of the line; what is too long is read and refused. */
static int read_line(struct cli *cli, const sigset_t *let_in, char ret_password[PASSWORD_SIZE])
{
	size_t n = 0;
	bool zero = false;
	char c = 0;
	for (;;) {
		int got = read_byte(let_in, &c);
		if (got < 0)
			return cli_error(cli, got, "can not read the password: %s", strerror(-got));
		if (got == 0 && n == 0)
			return cli_error(cli, -EINVAL, "no password was given");
		if (got == 0 || c == '\n')
			break;
		zero |= c == '\0';
		if (n < PASSWORD_SIZE)
			ret_password[n] = c;
		n++;
	}
	c = '\0';
	if (n > 0 && n < PASSWORD_SIZE && ret_password[n - 1] == '\r')
		n--;
	if (n >= PASSWORD_SIZE || zero)
		return cli_error(cli, -EINVAL, "the password is %s",
				 zero ? "not text: it holds a zero byte" : "too long");
	ret_password[n] = '\0';
	return 0;
}

static int ask_twice(struct cli *cli, const sigset_t *let_in, char ret_password[PASSWORD_SIZE])
{
	char again[PASSWORD_SIZE] = "";
	fputs("Password: ", stderr);
	int rc = read_line(cli, let_in, ret_password);
	if (rc == 0) {
		fputs("\nThe same again: ", stderr);
		rc = read_line(cli, let_in, again);
	}
	fputc('\n', stderr);
	if (rc == 0 && strcmp(ret_password, again) != 0)
		rc = cli_error(cli, -EINVAL, "the two passwords differ");
	explicit_bzero(again, sizeof(again));
	return rc;
}

/* Whatever signal comes, the terminal echoes again before the process obeys it. */
static int ask_on_terminal(struct cli *cli, char ret_password[PASSWORD_SIZE])
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct sigaction before[ENDING];
	struct termios shown, hidden;
	sigset_t blocked, let_in;
	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return cli_error(cli, -errno, "the terminal does not answer: %s", strerror(errno));
	sigemptyset(&blocked);
	for (size_t i = 0; i < ENDING; i++) {
		sigaddset(&blocked, ending[i]);
		sigaction(ending[i], &action, &before[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &let_in);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	int rc = ask_twice(cli, &let_in, ret_password);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	sigprocmask(SIG_SETMASK, &let_in, NULL);
	for (size_t i = 0; i < ENDING; i++)
		sigaction(ending[i], &before[i], NULL);
	if (caught) {
		explicit_bzero(ret_password, PASSWORD_SIZE);
		raise(caught);
	}
	return rc;
}

int password_read(struct cli *cli, char ret_password[PASSWORD_SIZE])
{
	if (args_option(cli, "--password-stdin"))
		return read_line(cli, NULL, ret_password);
	if (!isatty(STDIN_FILENO))
		return cli_error(cli, -EINVAL,
				 "there is no terminal to ask for the password on; "
				 "--password-stdin reads it from standard input");
	return ask_on_terminal(cli, ret_password);
}
