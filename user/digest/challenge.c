/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/challenge.h"

#include "digest/writer.h"

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

	writer_text(&w, challenge->proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
	writer_text(&w, ": Digest algorithm=");
	writer_text(&w, digest_algorithm_name(challenge->algorithm));
	writer_text(&w, challenge->sess ? "-sess, realm=" : ", realm=");
	writer_quoted(&w, challenge->realm);
	writer_text(&w, ", nonce=");
	writer_quoted(&w, slice_from(challenge->nonce));
	writer_text(&w, qop_text(challenge->qop));
	writer_text(&w, challenge->utf8 ? ", charset=UTF-8" : "");
	writer_text(&w, challenge->userhash ? ", userhash=true" : "");
	writer_text(&w, challenge->stale ? ", stale=true\r\n" : "\r\n");
	if (w.err != 0)
		return w.err;
	*ret_n = w.n;
	return 0;
}
