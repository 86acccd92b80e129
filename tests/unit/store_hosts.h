/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names in ACLs, for the store's tests. */
#ifndef SIPWARD_TESTS_STORE_HOSTS_H
#define SIPWARD_TESTS_STORE_HOSTS_H

#include <errno.h>

#include "store_fixture.h"

static inline int add_host(struct fixture *f, const char *acl, const char *name, bool deny)
{
	struct store_acl_host host = {.deny = deny};

	snprintf(host.host, sizeof(host.host), "%s", name);
	return store_acl_host_add(f->store, acl, &host, &f->err);
}

static inline int keep_host(const struct store_acl_host *host, void *arg)
{
	struct store_acl_host *wanted = arg;

	if (strcmp(host->host, wanted->host) != 0)
		return 0;
	*wanted = *host;
	return 1;
}

/* False if the ACL has no such host. */
static inline bool get_host(struct store *store, const char *acl, const char *name,
			    struct store_acl_host *ret_host)
{
	memset(ret_host, 0, sizeof(*ret_host));
	strcpy(ret_host->host, name);
	return store_acl_host_each(store, acl, keep_host, ret_host, NULL) == 1;
}

/* Adds, resolves or removes one of three host names; the addresses are made by the function. */
static inline int random_host_operation(struct store *store, const char *acl,
					struct ip (*make)(void))
{
	static const char *const names[] = {"h0.example", "h1.example", "_sip._udp.h2.example"};
	struct store_acl_host host, wanted = {.deny = rand() % 2};
	const char *name = names[rand() % 3];
	struct ip addresses[5];
	size_t n = 1 + (size_t)rand() % 5;

	strcpy(wanted.host, name);
	if (rand() % 4 == 0)
		return store_acl_host_add(store, acl, &wanted, NULL);
	if (rand() % 6 == 0)
		return store_acl_host_remove(store, acl, name, NULL);
	if (!get_host(store, acl, name, &host))
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		addresses[i] = make();
	return store_acl_host_resolved(store, host.id, addresses, n, 0, NULL);
}

#endif
