/* SPDX-License-Identifier: BSD-2-Clause */
/* Digest credentials are read by a scan of our own: what is hashed has to be exact, and osip2 keeps
 * neither escapes apart nor a second parameter of one name. */
#include <errno.h>
#include <osipparser2/osip_port.h>
#include <stdlib.h>

#include "sip/sip_grammar.h"
#include "sip/sip_msg.h"
#include "sip/sip_scan.h"

struct owned_text {
	size_t n;
	char text[];
};

static void wipe_and_free(struct owned_text *owned)
{
	if (!owned)
		return;
	explicit_bzero(owned->text, owned->n);
	osip_free(owned);
}

#define FIELD(member)                                                                              \
	{                                                                                          \
		sizeof(#member) - 1, #member, offsetof(struct sip_credentials, member)             \
	}
static const struct {
	size_t length;
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(username), FIELD(realm),	   FIELD(nonce), FIELD(uri), FIELD(response), FIELD(cnonce),
	FIELD(opaque),	 FIELD(algorithm), FIELD(qop),	 FIELD(nc),  FIELD(userhash),
};

/* Where the parameter's value belongs, NULL for one we do not know. */
static struct slice *find_field(struct sip_credentials *credentials, struct slice name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (slice_eq_nocase(name, (struct slice){fields[i].name, fields[i].length}))
			return (struct slice *)((char *)credentials + fields[i].offset);
	}
	return NULL;
}

static bool is_barred(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/* Takes quotes and the backslashes of quoted pairs away, in place. Line ends are refused though a
 * quoted string may be folded: nobody could say what to hash. */
static int unquote(char *text, size_t n, struct slice *ret_value)
{
	size_t used = 0;

	for (size_t i = 1; i < n - 1; i++) {
		if (text[i] == '\\')
			i++;
		if (is_barred(text[i]))
			return -EINVAL;
		text[used++] = text[i];
	}
	*ret_value = (struct slice){text, used};
	return 0;
}

/* ext-value (RFC 5987 §3.2.1) in the one charset of RFC 7616 §3.4, decoded in place. */
static int read_extended(struct owned_text *owned, struct slice value, struct slice *ret_value)
{
	struct slice rest, coded, charset = slice_cut(value, '\'', &rest);
	char *text = owned->text + (value.p - owned->text);
	size_t used = 0;

	slice_cut(rest, '\'', &coded);
	if (!slice_eq_nocase(charset, SLICE("UTF-8")) || !sip_all_are(coded, CHAR_PARAM))
		return -EINVAL;
	for (size_t i = 0; i < coded.n; i++) {
		int c = (uint8_t)coded.p[i];

		if (c == '%') {
			c = sip_escape_value(coded, i);
			i += 2;
		}
		if (c < 0 || is_barred((char)c))
			return -EINVAL;
		text[used++] = (char)c;
	}
	*ret_value = (struct slice){text, used};
	return 0;
}

static int read_value(struct owned_text *owned, struct slice value, struct slice *ret_value)
{
	if (value.n > 0 && value.p[0] == '"') {
		if (sip_quoted_end(value, 0) != value.n)
			return -EINVAL;
		return unquote(owned->text + (value.p - owned->text), value.n, ret_value);
	}
	if (!sip_all_are(value, CHAR_TOKEN))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int read_param(struct owned_text *owned, struct slice element,
		      struct sip_credentials *credentials)
{
	struct slice text, value, *field, name = slice_trim(slice_cut(element, '=', &text));
	int err;

	if (!sip_all_are(name, CHAR_TOKEN))
		return -EINVAL;
	if (slice_eq_nocase(name, SLICE("username*"))) {
		credentials->extended = true;
		name.n--;
		err = read_extended(owned, slice_trim(text), &value);
	} else {
		err = read_value(owned, slice_trim(text), &value);
	}
	if (err)
		return err;
	field = find_field(credentials, name);
	if (!field)
		return 0;
	if (field->p)
		credentials->duplicate = true;
	else
		*field = value;
	return 0;
}

static int read_params(struct owned_text *owned, struct slice params,
		       struct sip_credentials *credentials)
{
	struct slice element;
	size_t position = 0;
	int err = params.n > 0 ? 0 : -EINVAL;

	while (!err && sip_list_next(params, &position, &element))
		err = read_param(owned, element, credentials);
	return err;
}

static int read_credentials(struct owned_text *owned, struct sip_credentials *credentials)
{
	struct slice text = slice_trim((struct slice){owned->text, owned->n});
	size_t scheme = sip_span(text, 0, CHAR_TOKEN);
	struct slice params = {text.p + scheme, text.n - scheme};

	if (scheme == 0 || (params.n > 0 && !sip_char_is(params.p[0], CHAR_LWS)))
		return -EINVAL;
	credentials->scheme = (struct slice){text.p, scheme};
	if (!slice_eq_nocase(credentials->scheme, SLICE("Digest")))
		return 0;
	return read_params(owned, slice_trim(params), credentials);
}

int sip_credentials_parse(struct slice value, struct sip_credentials *ret_credentials)
{
	struct sip_credentials credentials = {0};
	struct owned_text *owned = osip_malloc(sizeof(*owned) + value.n);
	int err;

	if (!owned)
		return -ENOMEM;
	owned->n = value.n;
	if (value.n > 0)
		memcpy(owned->text, value.p, value.n);
	err = read_credentials(owned, &credentials);
	if (err) {
		wipe_and_free(owned);
		return err;
	}
	credentials.owned = owned;
	*ret_credentials = credentials;
	return 0;
}

void sip_credentials_free(struct sip_credentials *credentials)
{
	if (!credentials)
		return;
	wipe_and_free(credentials->owned);
	explicit_bzero(credentials, sizeof(*credentials));
}
