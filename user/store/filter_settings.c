/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings as the filter's map holds them. */
#include "store/internal.h"

static int unlisted_derived(struct store *store, enum sipward_unlisted *ret_unlisted,
			    struct error *err)
{
	int64_t open;
	int rc = db_int(store, &open, err,
			"SELECT EXISTS (SELECT 1 FROM trunk WHERE enabled AND NOT EXISTS"
			" (SELECT 1 FROM trunk_acl WHERE trunk_id = trunk.id))");

	if (rc == 0)
		*ret_unlisted = open ? SIPWARD_UNLISTED_LIMIT : SIPWARD_UNLISTED_DROP;
	return rc;
}

static int unlisted_of(struct store *store, enum store_unlisted choice,
		       enum sipward_unlisted *ret_unlisted, struct error *err)
{
	switch (choice) {
	case STORE_UNLISTED_DROP:
		*ret_unlisted = SIPWARD_UNLISTED_DROP;
		return 0;
	case STORE_UNLISTED_LIMIT:
		*ret_unlisted = SIPWARD_UNLISTED_LIMIT;
		return 0;
	case STORE_UNLISTED_REJECT:
		*ret_unlisted = SIPWARD_UNLISTED_REJECT;
		return 0;
	case STORE_UNLISTED_AUTO:
		break;
	}
	return unlisted_derived(store, ret_unlisted, err);
}

int store_unlisted_effective(struct store *store, enum sipward_unlisted *ret_unlisted,
			     struct error *err)
{
	struct store_settings settings;
	int rc = store_settings_get(store, &settings, err);

	return rc ? rc : unlisted_of(store, settings.unlisted, ret_unlisted, err);
}

int settings_for_filter(struct store *store, struct sipward_settings *ret_settings,
			struct error *err)
{
	struct store_settings settings;
	enum sipward_unlisted unlisted;
	int rc = store_settings_get(store, &settings, err);

	if (rc == 0)
		rc = unlisted_of(store, settings.unlisted, &unlisted, err);
	if (rc)
		return rc;
	*ret_settings = (struct sipward_settings){
		.mode = settings.mode,
		.unlisted = unlisted,
		.flags = settings.lockout_reject ? SIPWARD_LOCKOUT_REJECT : 0,
		.source_rate_pps = settings.source_rate_pps,
		.source_burst = settings.source_burst,
		.cpu_rate_pps = settings.cpu_rate_pps,
		.cpu_burst = settings.cpu_burst,
		.challenge_rate_pps = settings.challenge_rate_pps,
		.port_count = settings.port_count,
		.source_v6_bits = settings.source_v6_bits,
	};
	memcpy(ret_settings->ports, settings.ports, sizeof(settings.ports));
	return 0;
}
