/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/challenge.h"

#include <errno.h>

struct writer {
	char *p;
	size_t n, size;
	int err; /* the first failure; nothing is written after it */
};

static void put(struct writer *w, const char *bytes, size_t n)
{
	if (w->err == 0 && n > w->size - w->n)
		w->err = -ENOSPC;
	if (w->err != 0)
		return;
	memcpy(w->p + w->n, bytes, n);
	w->n += n;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

/* quoted-string of RFC 3261 §25.1 */
static void put_quoted(struct writer *w, struct slice s)
{
	put(w, "\"", 1);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20 || c == 0x7f)
			w->err = -EINVAL;
		if (c == '"' || c == '\\')
			put(w, "\\", 1);
		put(w, &s.p[i], 1);
	}
	put(w, "\"", 1);
}

static const char *qop_text(enum digest_qop qop)
{
	switch (qop) {
	case DIGEST_QOP_AUTH:
		return ", qop=\"auth\"";
	case DIGEST_QOP_AUTH_INT:
		return ", qop=\"auth,auth-int\"";
	default:
		return "";
	}
}

int challenge_write(const struct challenge *challenge, char *buf, size_t size, size_t *ret_n)
{
	struct writer w = {.p = buf, .size = size};

	put_text(&w, challenge->proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
	put_text(&w, ": Digest algorithm=");
	put_text(&w, digest_algorithm_name(challenge->algorithm));
	put_text(&w, challenge->sess ? "-sess, realm=" : ", realm=");
	put_quoted(&w, challenge->realm);
	put_text(&w, ", nonce=");
	put_quoted(&w, slice_from(challenge->nonce));
	put_text(&w, qop_text(challenge->qop));
	put_text(&w, challenge->utf8 ? ", charset=UTF-8" : "");
	put_text(&w, challenge->userhash ? ", userhash=true" : "");
	put_text(&w, challenge->stale ? ", stale=true\r\n" : "\r\n");
	if (w.err != 0)
		return w.err;
	*ret_n = w.n;
	return 0;
}
