/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two configurations. */
#ifndef SIPWARD_DOCUMENT_DIFF_H
#define SIPWARD_DOCUMENT_DIFF_H

#include "document/state.h"

enum difference_kind {
	DIFFERENCE_SETTINGS,	/* struct store_settings; never added or removed */
	DIFFERENCE_ACL,		/* struct acl: changed means its note */
	DIFFERENCE_ENTRY,	/* struct entry */
	DIFFERENCE_HOST,	/* struct store_acl_host */
	DIFFERENCE_LIST,	/* struct credentials: changed means user-at-realm */
	DIFFERENCE_USER,	/* struct user: changed means the HA1s */
	DIFFERENCE_TRUNK,	/* struct trunk: changed means its fields */
	DIFFERENCE_UPSTREAM,	/* struct peer: changed means priority or weight */
	DIFFERENCE_DESTINATION, /* the same */
	DIFFERENCE_OUTBOUND,	/* struct peer: what of its outbound credentials */
	DIFFERENCE_HEADERS,	/* struct trunk: which header fields, or their order */
	DIFFERENCE_TRUNK_ACL,	/* struct name, as below */
	DIFFERENCE_TRUNK_LIST,
	DIFFERENCE_TRUNK_CALLER,
};

/* What is in a removed object is not told again; what is in an added one is. */
struct difference {
	enum difference_kind kind;
	const char *object;   /* the ACL, list or trunk; NULL for settings */
	const void *was, *is; /* NULL: added; removed */
};

typedef int difference_visit(const struct difference *difference, void *arg);

/* In order of kind and name. A result other than 0 ends the walk and is returned. A list whose
 * realm changes is removed and added, as no HA1 outlives that, and so is what attaches it. */
int state_diff(const struct state *was, const struct state *is, difference_visit *visit, void *arg);

/* Whether the document leaves realm and password as they were. */
bool outbound_same_secret(const struct outbound *was, const struct outbound *is);
bool outbound_same_registration(const struct outbound *was, const struct outbound *is);

/* '+', '-' or '~'. */
char difference_sign(const struct difference *difference);

#endif
