/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trunk asks of a call beyond who places it: the called number, the number shown, the
 * identity asserted (RFC 3323, RFC 3325). Decides; the proxy writes it down. */
#ifndef SIPWARD_POLICY_CALLER_H
#define SIPWARD_POLICY_CALLER_H

#include "policy/admission.h"

#define CALLER_URI_SIZE 512

enum caller_cause {
	CALLER_OK,
	CALLER_BAD_NUMBER, /* 484: the called number is no E.164 number (RFC 3398 §7.2.4.1) */
	CALLER_NOT_ALLOWED, /* 403: the number shown is none of the trunk's */
};
/* "bad_number", "caller_not_allowed" */
const char *caller_cause_name(enum caller_cause cause);

struct caller_decision {
	enum caller_cause cause;
	unsigned status; /* of the refusal; 0 = none */
	char called[STORE_NUMBER_SIZE]; /* the user part that the Request-URI gets; or empty */
	bool anonymous; /* From becomes anonymous, and Privacy: id is added */
	char asserted[CALLER_URI_SIZE]; /* the SIP URI for P-Asserted-Identity; empty: none */
	char asserted_tel[STORE_NUMBER_SIZE]; /* its number, for a tel: URI beside; or empty */
};
/* For a request out of dialog that admission has let in; user may be NULL. REGISTER calls nobody,
 * and the user of an app-style trunk is no number. */
void caller_decide(const struct policy_trunk *trunk, const struct policy_user *user,
		   const struct sip_msg *msg, struct caller_decision *ret_decision);

/* Whether the trunk's rule lets the caller show what From says, in any request of a call. */
bool caller_may_show(const struct policy_trunk *trunk, const struct sip_msg *msg);

/* What is asserted of the caller, for any request of a call; the rest of the decision is empty. */
void caller_identify(const struct policy_trunk *trunk, const struct policy_user *user,
		     struct caller_decision *ret_decision);

/* +digits from what was dialled, as the trunk's rule says: 7 to 15 digits, the first no zero, so
 * that short numbers (110, 112, 911) are none. Rule off: the text itself. 0 with the number;
 * -EINVAL: no number that the rule takes. */
int caller_number(const struct store_trunk *trunk, struct slice dialled,
		  char ret_number[STORE_NUMBER_SIZE]);

/* Whether Privacy asks that P-Asserted-Identity stays inside the trust domain: the token "id" in
 * any Privacy field, without case, and no "none" (RFC 3323 §4.2, RFC 3325 §9.3). */
bool caller_wants_privacy(const struct sip_msg *msg);
/* Whether any Privacy field holds the token, without case. */
bool caller_privacy_has(const struct sip_msg *msg, struct slice token);

#endif
