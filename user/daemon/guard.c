/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "policy/prepare.h"

#define ATTACHMENTS_MAX 16

static int lock_state(const char *state_dir, struct error *err)
{
	char path[CONFIG_PATH_SIZE + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/sipwardd.lock", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0; /* left open on purpose */
	close(fd);
	return error_set(err, -EBUSY,
			 "state '%s' is in use by another sipwardd: stop it, or give each its own "
			 "with --state",
			 state_dir);
}

int guard_store(const struct config *config, struct store **ret_store, struct error *err)
{
	struct store *store;
	int rc = store_open(config->state_dir, &store, err);

	if (rc)
		return rc;
	rc = lock_state(config->state_dir, err);
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

static int find_default(const struct store_trunk *trunk, void *arg)
{
	if (strcmp(trunk->domain, "*") != 0 || trunk->user[0])
		return 0;
	*(struct store_trunk *)arg = *trunk;
	return 1;
}

struct comparison {
	const char *wanted;
	bool found;
	char has[STORE_URI_SIZE];
};

static int compare_peer(const struct store_peer *peer, void *arg)
{
	struct comparison *comparison = arg;

	if (peer->role != STORE_UPSTREAM)
		return 0;
	comparison->found |= strcmp(peer->uri, comparison->wanted) == 0;
	strcpy(comparison->has, peer->uri);
	return 0;
}

/* Who changes the file and sees no change is told why. */
static int compare_upstream(struct store *store, const struct store_trunk *trunk,
			    const struct store_peer_uri *wanted, struct error *err)
{
	struct comparison comparison = {.wanted = wanted->text};
	int rc = store_peer_each(store, trunk->id, compare_peer, &comparison, err);

	if (rc == 0 && !comparison.found)
		log_warning("upstream_ignored", LOG_STR("upstream", wanted->text),
			    LOG_STR("trunk", trunk->name), LOG_STR("has", comparison.has),
			    LOG_STR("mend", "sipward trunk set TRUNK --upstream URI"));
	return rc;
}

int guard_default_trunk(const struct config *config, struct store *store, struct error *err)
{
	struct store_peer_uri upstream;
	struct store_trunk trunk;
	int rc;

	if (!config->upstream[0])
		return 0;
	rc = store_peer_uri_parse(config->upstream, STORE_UPSTREAM, &upstream, err);
	if (rc)
		return rc;
	rc = store_trunk_each(store, find_default, &trunk, err);
	if (rc)
		return rc < 0 ? rc : compare_upstream(store, &trunk, &upstream, err);
	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "default");
	strcpy(trunk.domain, "*");
	rc = store_trunk_create(store, &trunk, upstream.text, err);
	if (!rc)
		log_info("trunk_created", LOG_STR("trunk", trunk.name),
			 LOG_STR("upstream", upstream.text));
	return rc;
}

static bool find_attachment(const struct config *config, struct filter_attachment *ret_attachment)
{
	struct filter_attachment found[ATTACHMENTS_MAX];
	size_t n = 0;

	if (filter_attachments(config->pin_dir, found, ATTACHMENTS_MAX, &n))
		return false;
	for (size_t i = 0; i < n && i < ATTACHMENTS_MAX; i++)
		if (strcmp(found[i].ifname, config->interface) == 0) {
			*ret_attachment = found[i];
			return true;
		}
	return false;
}

bool guard_is_attached(const struct config *config)
{
	struct filter_attachment attachment;

	return find_attachment(config, &attachment);
}

static const char *xdp_mode_name(enum filter_xdp_mode mode)
{
	static const char *const names[] = {"none", "native", "generic", "offloaded"};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

/* Fills fresh maps before the program sees its first packet. */
static int prepare(struct filter *filter, void *arg, struct error *err)
{
	struct filter_reconciled done;

	return store_sync(arg, filter, true, &done, err);
}

int guard_attach(const struct config *config, struct store *store, struct error *err)
{
	struct filter_attach_options options = {
		.pin_dir = config->pin_dir,
		.ifname = config->interface,
		.prepare = prepare,
		.prepare_arg = store,
	};
	struct filter_attachment attachment;
	int rc = 0;

	if (!find_attachment(config, &attachment))
		rc = filter_attach(&options, &attachment, err);
	if (!rc)
		log_info("filter", LOG_STR("interface", attachment.ifname),
			 LOG_STR("xdp", xdp_mode_name(attachment.mode)));
	return rc;
}

void guard_challenges(const struct policy *policy, struct filter *filter)
{
	struct prepared prepared = prepared_challenges(policy);
	int rc = filter_challenges_write(filter, prepared.list, prepared.n);

	if (rc)
		log_warning("challenges_not_prepared", LOG_STR("error", strerror(-rc)),
			    LOG_STR("effect", "the daemon challenges in the filter's place"));
}

int guard_filter(const struct config *config, struct store *store, struct filter **ret_filter,
		 struct error *err)
{
	const char *interface = config->interface[0] ? config->interface : NULL;
	struct filter_reconciled done;
	struct filter *filter;
	int rc;

	if (interface) {
		rc = guard_attach(config, store, err);
		if (rc)
			return rc;
	}
	rc = filter_open(config->pin_dir, interface, &filter, err);
	if (rc && !interface) {
		log_warning("no_filter", LOG_STR("why", err->text),
			    LOG_STR("effect", "admission and lockout by the daemon alone"));
		return 0;
	}
	if (rc)
		return rc;
	rc = store_sync(store, filter, true, &done, err);
	if (rc) {
		filter_close(filter);
		return rc;
	}
	*ret_filter = filter;
	return 0;
}
