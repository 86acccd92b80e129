/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads beside the first one, and those among them that work behind others. */
#ifndef SIPWARD_BASE_THREAD_H
#define SIPWARD_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

struct thread {
	pthread_t id;
	bool started;
};
/* It gets no signals: they are for the first one. 0 or -EAGAIN. */
int thread_start(struct thread *thread, void *(*main)(void *arg), void *arg);
/* Waits until it has ended, if it was started. */
void thread_join(struct thread *thread);

/*
 * A thread that works behind others, so that none of them waits for a disk: they put down what is
 * to be done under its lock and wake it; it takes that, and works without the lock.
 */
struct behind {
	struct thread thread;
	pthread_mutex_t lock; /* over what follows, and over what its owner says */
	pthread_cond_t wake;
	bool work, stop;
};

void behind_init(struct behind *behind);
void behind_free(struct behind *behind);
/* As thread_start. */
int behind_start(struct behind *behind, void *(*main)(void *arg), void *arg);
/* Has the thread stop, and waits until it has. False: it was never started. */
bool behind_stop(struct behind *behind);

/* With the lock held: there is work. Any thread's. */
void behind_wake(struct behind *behind);
/* The same, of the thread itself: waits until there is work, and takes note of it; or until the
 * time is over; or not at all, if it is to stop. */
void behind_wait(struct behind *behind, unsigned ms);
/* The same, but work does not end it. */
void behind_pause(struct behind *behind, unsigned ms);

#endif
