/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parameters of challenges and credentials (RFC 7235 §2.1), for the files of user/sip/ only.
 * Read by a scan of our own: what is hashed has to be exact, and osip2 keeps neither escapes apart
 * nor a second parameter of one name.
 */
#ifndef SIPWARD_SIP_AUTH_H
#define SIPWARD_SIP_AUTH_H

#include "base/slice.h"

/* A field's value that is being read. What is unquoted without a change stays in it; what had
 * escapes gets room of its own. */
struct sip_auth_text {
	struct slice value;
	struct sip_auth_room *room; /* NULL until it is needed */
};
/* Room for n bytes, of which there are never more than the value has; NULL: out of memory. */
char *sip_auth_room(struct sip_auth_text *text, size_t n);
/* Wipes before it frees; takes NULL. */
void sip_auth_free(struct sip_auth_room *room);

/* Where the parameters known by name belong in a struct. */
struct sip_auth_field {
	size_t length;
	const char *name;
	size_t offset;
};
#define SIP_AUTH_FIELD(type, member) {sizeof(#member) - 1, #member, offsetof(type, member)}

struct sip_auth_table {
	const struct sip_auth_field *fields;
	size_t n;
};
#define SIP_AUTH_TABLE(array) ((struct sip_auth_table){(array), sizeof(array) / sizeof((array)[0])})

/* Sets the slice in base that the table has for the name (its case does not matter), if it has one.
 * False if the slice is set already: it stays. */
bool sip_auth_set(struct sip_auth_table table, void *base, struct slice name, struct slice value);

/* Takes the token at *i, or the quoted string without its quotes and the backslashes of its quoted
 * pairs. Line ends are refused though a quoted string may be folded: nobody could say what to hash.
 * 0, -EINVAL or -ENOMEM. */
int sip_auth_take(struct sip_auth_text *text, struct slice s, size_t *i, struct slice *ret_value);

/* Not to stand in any value: CR, LF and zero. */
bool sip_auth_barred(char c);

#endif
