/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is told what about whom (RFC 3323, RFC 3325): edits of a message between a customer and an
 * upstream. The upstream is the trusted side, unless its trunk says otherwise.
 */
#ifndef SIPWARD_PROXY_IDENTITY_H
#define SIPWARD_PROXY_IDENTITY_H

#include "policy/caller.h"
#include "sip/sip_edit.h"

/* The longest From that is kept for the responses of a call made anonymous. */
#define IDENTITY_FROM_MAX 2048

/* Takes out what a customer may not say: identities that only a trusted element may assert, and
 * the fields reserved by name (RFC 3325 §5). anonymous: also what tells who is calling (RFC 3323
 * §5.3), with the names and users of Contact. For requests and responses. */
void identity_screen(struct sip_edit *edit, const struct store_settings *settings, bool anonymous);

/* Tells the upstream who the caller is: P-Asserted-Identity, the number that the Request-URI gets,
 * or that nobody may know. */
void identity_write(struct sip_edit *edit, const struct policy_trunk *trunk,
		    const struct caller_decision *caller);

/* Takes out of what goes to a customer the identity that the customer may not see.
 * upstream_trusted: whether it could be believed at all. */
void identity_withhold(struct sip_edit *edit, bool upstream_trusted);

/* What the PBX may want to know about who was let in, and how: fields with the gate's prefix. */
struct identity_context {
	const struct store_settings *settings;
	const struct admission_result *admitted;
	const struct ip *source;
	bool anonymous; /* the call was made so */
};
void identity_tell(struct sip_edit *edit, const struct identity_context *context);

#endif
