/* SPDX-License-Identifier: BSD-2-Clause */
/* Any stream: it is cut the same in whatever pieces it comes, and where sip_msg_parse takes a
 * message, it ends where the cut is. */
#include <stdlib.h>

#include "net/framing.h"
#include "net/net.h"
#include "sip/sip_msg.h"

#define CUTS_MAX 64

struct cuts {
	struct framing framing;
	size_t ends[CUTS_MAX]; /* with the result in the low bits */
	unsigned n;
	size_t taken;
	bool broken;
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_message(struct slice message)
{
	static struct sip_msg msg;
	const char *why;
	enum sip_parse_result result = sip_msg_parse(message, &msg, &why);

	must(result != SIP_PARSE_NOT_SIP && message.n <= NET_DATAGRAM_MAX);
	if (result != SIP_PARSE_OK)
		return;
	must(msg.raw.p == message.p && msg.raw.n == message.n);
	must(msg.first[SIP_CONTENT_LENGTH] >= 0);
	must(sip_msg_next(&msg, SIP_CONTENT_LENGTH, msg.first[SIP_CONTENT_LENGTH]) < 0);
}

/* Blanks are not told: how many there are at once depends on the pieces. */
static void note(struct cuts *cuts, enum framing_result result)
{
	if (result != FRAMING_BLANK && cuts->n < CUTS_MAX)
		cuts->ends[cuts->n++] = cuts->taken << 3 | result;
}

static void take(struct cuts *cuts, const uint8_t *data, size_t end)
{
	const char *why = NULL;
	size_t n = 0;

	while (!cuts->broken) {
		struct slice rest = {(const char *)data + cuts->taken, end - cuts->taken};
		enum framing_result result = framing_next(&cuts->framing, rest, &n, &why);

		if (result == FRAMING_MORE)
			return;
		if (result == FRAMING_BROKEN) {
			must(why != NULL);
			cuts->broken = true;
		} else {
			must(n > 0 && n <= rest.n);
			cuts->taken += n;
		}
		if (result == FRAMING_MESSAGE)
			check_message((struct slice){rest.p, n});
		note(cuts, result);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuts whole = {0}, pieces = {0};
	size_t step = size ? 1 + data[0] % 64 : 1;

	if (!size)
		return 0;
	data++;
	size--;
	take(&whole, data, size);
	for (size_t end = 0; end < size; end += step)
		take(&pieces, data, end);
	take(&pieces, data, size);
	must(whole.n == pieces.n && whole.broken == pieces.broken);
	must(memcmp(whole.ends, pieces.ends, whole.n * sizeof(whole.ends[0])) == 0);
	return 0;
}
