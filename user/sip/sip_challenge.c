/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>

#include "sip/sip_auth.h"
#include "sip/sip_grammar.h"
#include "sip/sip_msg.h"
#include "sip/sip_scan.h"

#define FIELD(member) SIP_AUTH_FIELD(struct sip_challenge, member)
static const struct sip_auth_field fields[] = {
	FIELD(realm), FIELD(nonce), FIELD(opaque),   FIELD(algorithm),
	FIELD(qop),   FIELD(stale), FIELD(userhash), FIELD(charset),
};

/* Whether another challenge begins: "Digest realm=x", or "Negotiate" alone; but not "realm = x". */
static bool cut_scheme(struct slice element, struct slice *ret_scheme, struct slice *ret_rest)
{
	size_t n = sip_span(element, 0, CHAR_TOKEN);
	struct slice rest = {element.p + n, element.n - n};

	if (n == 0 || (rest.n > 0 && !sip_char_is(rest.p[0], CHAR_LWS)))
		return false;
	rest = slice_trim(rest);
	if (rest.n > 0 && rest.p[0] == '=')
		return false;
	*ret_scheme = (struct slice){element.p, n};
	*ret_rest = rest;
	return true;
}

static int read_param(struct sip_auth_text *text, struct slice element,
		      struct sip_challenge *challenge)
{
	struct slice sent, value, name = slice_trim(slice_cut(element, '=', &sent));
	size_t i = 0;
	int err;

	sent = slice_trim(sent);
	if (!sip_all_are(name, CHAR_TOKEN))
		return -EINVAL;
	err = sip_auth_take(text, sent, &i, &value);
	if (err)
		return err;
	if (i < sent.n)
		return -EINVAL;
	if (!sip_auth_set(SIP_AUTH_TABLE(fields), challenge, name, value))
		challenge->duplicate = true;
	return 0;
}

static int read_challenges(struct sip_auth_text *text, struct sip_challenges *challenges)
{
	struct slice element, value = slice_trim(text->value);
	struct sip_challenge *challenge = NULL;
	size_t position = 0;
	int err = value.n > 0 ? 0 : -EINVAL;

	while (!err && sip_list_next(value, &position, &element)) {
		struct slice scheme;

		if (cut_scheme(element, &scheme, &element)) {
			if (challenges->count == SIP_CHALLENGES_MAX)
				return -E2BIG;
			challenge = &challenges->list[challenges->count++];
			challenge->scheme = scheme;
		}
		if (!challenge)
			err = -EINVAL;
		else if (slice_eq_nocase(challenge->scheme, SLICE("Digest")))
			err = read_param(text, element, challenge);
	}
	return err;
}

int sip_challenges_parse(struct slice value, struct sip_challenges *ret_challenges)
{
	struct sip_challenges challenges = {.count = 0};
	struct sip_auth_text text = {.value = value};
	int err = read_challenges(&text, &challenges);

	if (err) {
		sip_auth_free(text.room);
		return err;
	}
	challenges.owned = text.room;
	*ret_challenges = challenges;
	return 0;
}

void sip_challenges_free(struct sip_challenges *challenges)
{
	if (!challenges)
		return;
	sip_auth_free(challenges->owned);
	*challenges = (struct sip_challenges){.count = 0};
}
