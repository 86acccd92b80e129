/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scanning without allocation, for the files of user/sip/ only: characters, quoted strings,
 * parameters, and the outer form of Via and name-addr values. Slices point into the text given.
 * The scans return 0 or -EINVAL and leave their outputs untouched on failure.
 */
#ifndef SIPWARD_SIP_SCAN_H
#define SIPWARD_SIP_SCAN_H

#include "base/slice.h"
#include "sip/sip_grammar.h"

enum {
	CHAR_TOKEN = 1 << 0, /* RFC 3261 §25.1 token */
	CHAR_URI = 1 << 1,   /* visible ASCII but <>"\ */
	CHAR_HOST = 1 << 2,  /* letters, digits, '.', '-', and '_' which is met in practice */
	CHAR_PARAM = 1 << 3, /* in an unquoted parameter value: visible, but not ; , " */
	CHAR_LWS = 1 << 4,   /* SP, HTAB, CR, LF */
	CHAR_MARK = 1 << 5,  /* separates or opens: " < , ; */
};
extern const uint8_t sip_char_class[256];

static inline bool sip_char_is(char c, uint8_t classes)
{
	return (sip_char_class[(uint8_t)c] & classes) != 0;
}

/* Whether s has characters and all are of the classes. */
bool sip_all_are(struct slice s, uint8_t classes);

/* The first index from i on that is not of the classes; s.n if there is none. */
size_t sip_span(struct slice s, size_t i, uint8_t classes);

/* The index after the quoted string that begins at i; 0 if it has no end. */
size_t sip_quoted_end(struct slice s, size_t i);

struct sip_param {
	struct slice text; /* the whole of it, trimmed */
	struct slice name;
	struct slice value; /* quoted strings with their quotes */
	bool has_value;	    /* there is a '=' */
};

/* Walks "a=1;lr;b": true and the next parameter, or false. Start with *position = 0. */
bool sip_param_next(struct slice params, size_t *position, struct sip_param *ret_param);

/* The byte that the escape %HH at i stands for; -1 if there is none whole. */
int sip_escape_value(struct slice s, size_t i);

/* Scheme, colon, and only characters that a URI may hold. */
bool sip_uri_chars_ok(struct slice uri);

/* host[:port] from *i on, with white space around the colon; leaves *i after it. The host comes
 * without brackets, port 0 means none. */
int sip_hostport_scan(struct slice s, size_t *i, struct slice *ret_host, uint16_t *ret_port);

bool sip_uri_is_sip(struct slice uri); /* sip: or sips: */

/* A URI; the user keeps its escapes, of which %00 and broken ones are refused, and loses the
 * password. Of schemes other than sip and sips only the scheme is read, and the number of tel: as
 * the user. owned stays NULL. *ret_headers is the text after the '?'. */
int sip_uri_scan(struct slice text, struct sip_uri *ret_uri, struct slice *ret_headers);

/* One name-addr or addr-spec with parameters. */
int sip_name_addr_scan(struct slice element, struct sip_name_addr *ret_addr);

#endif
