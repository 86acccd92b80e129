/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>

#include "sip/sip_auth.h"
#include "sip/sip_grammar.h"
#include "sip/sip_msg.h"
#include "sip/sip_scan.h"

#define FIELD(member) SIP_AUTH_FIELD(struct sip_credentials, member)
static const struct sip_auth_field fields[] = {
	FIELD(username), FIELD(realm),	   FIELD(nonce), FIELD(uri), FIELD(response), FIELD(cnonce),
	FIELD(opaque),	 FIELD(algorithm), FIELD(qop),	 FIELD(nc),  FIELD(userhash),
};

/* ext-value (RFC 5987 §3.2.1) in the one charset of RFC 7616 §3.4, decoded. */
static int read_extended(struct sip_auth_text *text, struct slice value, struct slice *ret_value)
{
	struct slice rest, coded, charset = slice_cut(value, '\'', &rest);
	size_t used = 0;
	char *room;

	slice_cut(rest, '\'', &coded);
	if (!slice_eq_nocase(charset, SLICE("UTF-8")) || !sip_all_are(coded, CHAR_PARAM))
		return -EINVAL;
	room = sip_auth_room(text, coded.n);
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < coded.n; i++) {
		int c = (uint8_t)coded.p[i];

		if (c == '%') {
			c = sip_escape_value(coded, i);
			i += 2;
		}
		if (c < 0 || sip_auth_barred((char)c))
			return -EINVAL;
		room[used++] = (char)c;
	}
	*ret_value = (struct slice){room, used};
	return 0;
}

/* name=value at *i, with white space around both. */
static int read_param(struct sip_auth_text *text, struct slice params, size_t *i,
		      struct sip_credentials *credentials)
{
	size_t begin = sip_span(params, *i, CHAR_LWS), end = sip_span(params, begin, CHAR_TOKEN);
	struct slice value, name = {params.p + begin, end - begin};
	int err;

	*i = sip_span(params, end, CHAR_LWS);
	if (name.n == 0 || *i == params.n || params.p[*i] != '=')
		return -EINVAL;
	*i = begin = sip_span(params, *i + 1, CHAR_LWS);
	if (slice_eq_nocase(name, SLICE("username*"))) {
		credentials->extended = true;
		name.n--;
		*i = sip_span(params, begin, CHAR_PARAM);
		err = read_extended(text, (struct slice){params.p + begin, *i - begin}, &value);
	} else {
		err = sip_auth_take(text, params, i, &value);
	}
	if (err)
		return err;
	if (!sip_auth_set(SIP_AUTH_TABLE(fields), credentials, name, value))
		credentials->duplicate = true;
	*i = sip_span(params, *i, CHAR_LWS);
	return 0;
}

static int read_params(struct sip_auth_text *text, struct slice params,
		       struct sip_credentials *credentials)
{
	size_t i = 0;
	int err = read_param(text, params, &i, credentials);

	while (!err && i < params.n) {
		if (params.p[i++] != ',')
			return -EINVAL;
		err = read_param(text, params, &i, credentials);
	}
	return err;
}

static int read_credentials(struct sip_auth_text *text, struct sip_credentials *credentials)
{
	struct slice value = slice_trim(text->value);
	size_t scheme = sip_span(value, 0, CHAR_TOKEN);
	struct slice params = {value.p + scheme, value.n - scheme};

	if (scheme == 0 || (params.n > 0 && !sip_char_is(params.p[0], CHAR_LWS)))
		return -EINVAL;
	credentials->scheme = (struct slice){value.p, scheme};
	if (!slice_eq_nocase(credentials->scheme, SLICE("Digest")))
		return 0;
	return read_params(text, params, credentials);
}

int sip_credentials_parse(struct slice value, struct sip_credentials *ret_credentials)
{
	struct sip_credentials credentials = {0};
	struct sip_auth_text text = {.value = value};
	int err = read_credentials(&text, &credentials);

	if (err) {
		sip_auth_free(text.room);
		return err;
	}
	credentials.owned = text.room;
	*ret_credentials = credentials;
	return 0;
}

void sip_credentials_free(struct sip_credentials *credentials)
{
	if (!credentials)
		return;
	sip_auth_free(credentials->owned);
	explicit_bzero(credentials, sizeof(*credentials));
}
