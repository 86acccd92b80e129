/* SPDX-License-Identifier: BSD-2-Clause */
/* A keyed hash over several fields, such that no two lists of fields run together. */
#ifndef SIPWARD_PROXY_MAC_H
#define SIPWARD_PROXY_MAC_H

#include "base/addr.h"
#include "base/slice.h"

#define MAC_FIELDS 8
#define MAC_TEXT_SIZE 17 /* 16 hex digits and a zero */

enum mac_purpose { MAC_BRANCH = 1, MAC_LOOP, MAC_TO_TAG, MAC_DIALOG, MAC_SOURCE, MAC_CALL };

struct mac {
	const uint8_t *key; /* 16 bytes */
	uint64_t parts[MAC_FIELDS + 1];
	unsigned count;
};

/* One value serves one purpose only. At most MAC_FIELDS fields may follow. */
void mac_begin(struct mac *mac, const uint8_t *key, enum mac_purpose purpose);
void mac_slice(struct mac *mac, struct slice field);
void mac_number(struct mac *mac, uint64_t field);
void mac_ip(struct mac *mac, const struct ip *ip);
uint64_t mac_end(const struct mac *mac);

/* 16 lower-case hex digits and a zero. */
void mac_format(uint64_t value, char text[MAC_TEXT_SIZE]);
/* Whether the text is that value's, in time that does not depend on where they differ. */
bool mac_matches(uint64_t value, struct slice text);

#endif
