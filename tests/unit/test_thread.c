/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that work behind others. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"

#define LONG_MS 3600000

static void *note_signals(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
	return NULL;
}

static void thread_gets_no_signals_and_the_first_one_does(void **state)
{
	struct thread thread;
	sigset_t its, ours;

	(void)state;
	assert_int_equal(thread_start(&thread, note_signals, &its), 0);
	thread_join(&thread);
	thread_join(&thread);
	pthread_sigmask(SIG_SETMASK, NULL, &ours);
	for (int number = SIGHUP; number <= SIGTERM; number++) {
		assert_true(number == SIGKILL || sigismember(&its, number));
		assert_false(sigismember(&ours, number));
	}
}

struct clerk {
	struct behind behind;
	unsigned in, done; /* under the lock */
};

static void *work(void *arg)
{
	struct clerk *clerk = arg;

	pthread_mutex_lock(&clerk->behind.lock);
	while (!clerk->behind.stop) {
		behind_wait(&clerk->behind, LONG_MS);
		clerk->done += clerk->in;
		clerk->in = 0;
	}
	pthread_mutex_unlock(&clerk->behind.lock);
	return NULL;
}

static void put_down(struct clerk *clerk)
{
	pthread_mutex_lock(&clerk->behind.lock);
	clerk->in++;
	behind_wake(&clerk->behind);
	pthread_mutex_unlock(&clerk->behind.lock);
}

/* It would wait for hours if a wake were lost. */
static void all_that_is_put_down_is_done_and_a_stop_ends_the_waiting(void **state)
{
	struct clerk clerk = {0};
	unsigned done = 0;

	(void)state;
	behind_init(&clerk.behind);
	assert_false(behind_stop(&clerk.behind));
	assert_int_equal(behind_start(&clerk.behind, work, &clerk), 0);
	for (int i = 0; i < 1000; i++)
		put_down(&clerk);
	while (done < 1000) {
		pthread_mutex_lock(&clerk.behind.lock);
		done = clerk.done;
		pthread_mutex_unlock(&clerk.behind.lock);
	}
	assert_true(behind_stop(&clerk.behind));
	assert_false(behind_stop(&clerk.behind));
	assert_int_equal(clerk.done, 1000);
	behind_free(&clerk.behind);
}

static void work_ends_a_wait_once_and_no_pause(void **state)
{
	uint64_t started = clock_coarse_ns();
	struct behind behind;

	(void)state;
	behind_init(&behind);
	pthread_mutex_lock(&behind.lock);
	behind_wake(&behind);
	behind_pause(&behind, 20);
	assert_true(clock_coarse_ns() - started >= 10 * NS_PER_MS);
	behind_wait(&behind, LONG_MS);
	started = clock_coarse_ns();
	behind_wait(&behind, 20);
	assert_true(clock_coarse_ns() - started >= 10 * NS_PER_MS);
	behind.stop = true;
	behind_wait(&behind, LONG_MS);
	behind_pause(&behind, LONG_MS);
	pthread_mutex_unlock(&behind.lock);
	behind_free(&behind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_gets_no_signals_and_the_first_one_does),
		cmocka_unit_test(all_that_is_put_down_is_done_and_a_stop_ends_the_waiting),
		cmocka_unit_test(work_ends_a_wait_once_and_no_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
