/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/thread.h"

#include <signal.h>
#include <time.h>

#include "base/clock.h"

int thread_start(struct thread *thread, void *(*main)(void *arg), void *arg)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread->id, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread->started = rc == 0;
	return -rc;
}

void thread_join(struct thread *thread)
{
	if (thread->started)
		pthread_join(thread->id, NULL);
	thread->started = false;
}

void behind_init(struct behind *behind)
{
	*behind = (struct behind){.lock = PTHREAD_MUTEX_INITIALIZER,
				  .wake = PTHREAD_COND_INITIALIZER};
}

void behind_free(struct behind *behind)
{
	pthread_cond_destroy(&behind->wake);
	pthread_mutex_destroy(&behind->lock);
}

int behind_start(struct behind *behind, void *(*main)(void *arg), void *arg)
{
	return thread_start(&behind->thread, main, arg);
}

bool behind_stop(struct behind *behind)
{
	if (!behind->thread.started)
		return false;
	pthread_mutex_lock(&behind->lock);
	behind->stop = true;
	pthread_cond_signal(&behind->wake);
	pthread_mutex_unlock(&behind->lock);
	thread_join(&behind->thread);
	return true;
}

void behind_wake(struct behind *behind)
{
	behind->work = true;
	pthread_cond_signal(&behind->wake);
}

static void wait_ms(struct behind *behind, unsigned ms, bool despite_work)
{
	struct timespec until;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = (uint64_t)until.tv_nsec + ms * NS_PER_MS;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	while (!behind->stop && (despite_work || !behind->work))
		if (pthread_cond_clockwait(&behind->wake, &behind->lock, CLOCK_MONOTONIC, &until))
			return;
}

void behind_wait(struct behind *behind, unsigned ms)
{
	wait_ms(behind, ms, false);
	behind->work = false;
}

void behind_pause(struct behind *behind, unsigned ms)
{
	wait_ms(behind, ms, true);
}
