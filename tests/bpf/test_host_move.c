/* SPDX-License-Identifier: BSD-2-Clause */
/* A host name in an ACL that moves from one address to another is never without both in the maps.
 * As root, on a veth in a network namespace that ends with this process. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../unit/store_fixture.h"

#define MOVES 200

static char pin_dir[64];
static struct filter *filter;
static struct ip ips[2];
static atomic_bool moved_enough;
static atomic_uint moves_begun;

static int group_setup(void **state)
{
	struct filter_attach_options options = {.pin_dir = pin_dir, .ifname = "move0"};
	struct filter_attachment attachment;
	struct error err = {0};
	int rc;

	(void)state;
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/sipward-test-move-%d", (int)getpid());
	if (unshare(CLONE_NEWNET) || system("ip link add move0 type veth peer name move1"))
		return -1;
	rc = filter_attach(&options, &attachment, &err);
	if (rc == 0)
		rc = filter_open(pin_dir, NULL, &filter, &err);
	if (rc)
		print_error("%s\n", err.text);
	return rc;
}

static int group_teardown(void **state)
{
	(void)state;
	filter_close(filter);
	return filter_detach(pin_dir, NULL, NULL);
}

static bool is_there(const struct ip *ip)
{
	struct sipward_acl_value value;

	return filter_acl_lookup(filter, ip, &value) == 0;
}

struct watched {
	unsigned long looks, neither;
};

/* Whether there was a moment without both. The second look at the first address is for the way
 * back: whichever way the host moves, some look at where it goes follows one at where it was. Looks
 * that more than one move came between say nothing. */
static bool saw_neither(void)
{
	unsigned before = moves_begun;
	bool neither = !is_there(&ips[0]) && !is_there(&ips[1]) && !is_there(&ips[0]);

	return neither && before == moves_begun;
}

static void *look(void *arg)
{
	struct watched *watched = arg;

	for (; !moved_enough; watched->looks++)
		watched->neither += saw_neither();
	return NULL;
}

static int take_id(const struct store_acl_host *host, void *ret_id)
{
	*(int64_t *)ret_id = host->id;
	return 0;
}

static int64_t host_in_acl(struct fixture *f)
{
	struct store_acl_host host = {.host = "sip.example"};
	int64_t id = 0;

	assert_ok(f, create_trunk(f, "t", "*", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
	assert_ok(f, store_acl_host_add(f->store, "a", &host, &f->err));
	assert_ok(f, store_acl_host_each(f->store, "a", take_id, &id, &f->err));
	return id;
}

static void move(struct fixture *f, int64_t host, unsigned to)
{
	moves_begun++;
	assert_ok(f, store_acl_host_resolved(f->store, host, &ips[to], 1, 0, &f->err));
	assert_ok(f, store_sync(f->store, filter, false, NULL, &f->err));
	assert_true(is_there(&ips[to]));
	assert_false(is_there(&ips[1 - to]));
}

static void a_host_that_moves_is_always_at_one_of_its_addresses(void **state)
{
	struct fixture *f = *state;
	struct watched watched = {0};
	int64_t host = host_in_acl(f);
	pthread_t thread;

	assert_int_equal(ip_parse(SLICE("203.0.113.1"), &ips[0]), 0);
	assert_int_equal(ip_parse(SLICE("2001:db8::1"), &ips[1]), 0);
	move(f, host, 0);
	assert_int_equal(pthread_create(&thread, NULL, look, &watched), 0);
	for (unsigned i = 1; i <= MOVES; i++)
		move(f, host, i % 2);
	moved_enough = true;
	pthread_join(thread, NULL);
	assert_in_range(watched.looks, MOVES, -1UL);
	assert_int_equal(watched.neither, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_host_that_moves_is_always_at_one_of_its_addresses),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
