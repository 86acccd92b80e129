/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests as they may come, from a seed: fields in any order, case and spelling, folded, compact,
 * several or missing; some of them spoiled. */
#ifndef SIPWARD_TESTS_REQUESTS_H
#define SIPWARD_TESTS_REQUESTS_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"

#define REQUEST_MAX 2600
#define FIELDS_MAX 40

struct generator {
	uint64_t state;
	char text[REQUEST_MAX];
	size_t n;
	char fields[FIELDS_MAX][640];
	unsigned field_count;
	const char *method;
	bool plain; /* nothing that the filter would leave to the daemon */
};

static inline uint32_t draw(struct generator *g, uint32_t below)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return (uint32_t)(g->state >> 16) % below;
}

static inline bool chance(struct generator *g, uint32_t in)
{
	return draw(g, in) == 0;
}

#define PICK(g, list) ((list)[draw((g), sizeof(list) / sizeof((list)[0]))])

/* The first of them is the plain one. */
#define ODD(g, list) ((g)->plain ? (list)[0] : PICK(g, list))

/* Letters and digits. */
static inline const char *word(struct generator *g, unsigned max)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	static char texts[8][256];
	static unsigned next;
	char *text = texts[next++ % 8];
	unsigned n = 1 + draw(g, max);

	for (unsigned i = 0; i < n; i++)
		text[i] = letters[draw(g, sizeof(letters) - 1)];
	text[n] = '\0';
	return text;
}

static inline void put(struct generator *g, const char *bytes, size_t n)
{
	if (n > REQUEST_MAX - g->n)
		n = REQUEST_MAX - g->n;
	memcpy(g->text + g->n, bytes, n);
	g->n += n;
}

/* Case, blanks and folds of one field. */
static inline void field(struct generator *g, const char *name, const char *format, ...)
{
	static const char *const gaps[] = {": ",  ": ",	    ": ",  ":",	      ":  ",
					   ":\t", ":\r\n ", " : ", ": \r\n\t"};
	static const char *const tails[] = {"", "", "", "", " ", "\t ", "\r\n  x"};
	char *out = g->fields[g->field_count++], value[512], cased[64];
	va_list args;
	size_t n = 0;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	for (n = 0; name[n] && n + 1 < sizeof(cased); n++)
		cased[n] = chance(g, 6) ? (char)(name[n] ^ (name[n] >= 'A' ? 0x20 : 0)) : name[n];
	cased[n] = '\0';
	snprintf(out, sizeof(g->fields[0]), "%s%s%s%s\r\n", cased,
		 chance(g, 4) ? ODD(g, gaps) : ": ", value, chance(g, 12) ? ODD(g, tails) : "");
}

static inline const char *named(struct generator *g, const char *name, const char *compact)
{
	return chance(g, 3) ? compact : name;
}

/* ---- fields ---- */

static inline void add_uri(struct generator *g, char *out, size_t size)
{
	static const char *const users[] = {"+4930123@", "alice@", "", "100@", "a.b-c_d~e+f@"};
	static const char *const odd_users[] = {"al%69ce@", "a:pw@",	 "a;x=y@", "@",
						"a b@",	    "\xc3\xa4@", "a!b@"};
	static const char *const hosts[] = {"gate.example", "GATE.example", "other.example",
					    "192.0.2.1", "x"};
	static const char *const odd_hosts[] = {
		"gate.example.", "[2001:db8::1]", "app.example", "under_score", "", "h\xe4"};
	static const char *const tails[] = {"",
					    "",
					    "",
					    ":5060",
					    ":5062",
					    ";transport=udp",
					    ";user=phone",
					    ":5060;transport=UDP;lr",
					    ";ob"};
	static const char *const odd_tails[] = {":0",	    ":65536", ":05060", ":",
						"?x=y",	    ";",      ";;",	";a=b=c",
						";x=\"q\"", ";p=%41", ";x=a@b", " "};
	static const char *const schemes[] = {"sip:", "sip:", "sip:", "SIP:"};
	static const char *const odd_schemes[] = {"sips:", "tel:", "http:", "sip::", ""};
	bool odd = !g->plain && chance(g, 6);

	snprintf(out, size, "%s%s%s%s",
		 odd && chance(g, 4) ? PICK(g, odd_schemes) : PICK(g, schemes),
		 odd && chance(g, 3) ? PICK(g, odd_users) : PICK(g, users),
		 odd && chance(g, 3) ? PICK(g, odd_hosts) : PICK(g, hosts),
		 odd && chance(g, 2) ? PICK(g, odd_tails) : PICK(g, tails));
}

static inline void add_via_text(struct generator *g, char *out, size_t size, bool topmost)
{
	static const char *const starts[] = {"SIP/2.0/UDP ", "SIP/2.0/UDP ", "sip/2.0/udp "};
	static const char *const odd_starts[] = {
		"SIP/2.0/TCP ", "SIP / 2.0 / UDP ",  "SIP/2.0/UDP  ", "SIP/3.0/UDP ",
		"SIP/2.0/UDP",	"SIP/2.0/TLS-SCTP ", "SIP/2.0/UDP\t"};
	static const char *const hosts[] = {"198.51.100.7",    "192.0.2.9", "phone.example",
					    "[2001:db8:1::7]", "10.0.0.1",  "[2001:db8::9]"};
	static const char *const odd_hosts[] = {
		"198.051.100.7",	 "[2001:DB8:1:0::7]", "", "a..b.", "[::", "h+",
		"[2001:db8:1:0:0:0:0:7]"};
	static const char *const ports[] = {"", "", ":5060", ":5062", ":65535"};
	static const char *const odd_ports[] = {":", ":0", ":65536", " : 5060", ":5060x", ":007"};
	static const char *const params[] = {";rport", ";RPort", ";alias", ";maddr=10.0.0.9",
					     ";ttl=1", ";x",	 ";keep",  ";comp=sigcomp"};
	static const char *const odd_params[] = {";rport=",	 ";rport=5060",
						 ";rport;rport", ";received=192.0.2.9",
						 ";received=",	 "; rport",
						 ";rport ;x",	 ";",
						 ";x=\"a;b\"",	 ";branch=z",
						 ";=",		 ";x=",
						 ";x=a=b",	 ";received=1;received=2",
						 ";rport=0",	 ";rport=99999"};
	bool odd = !g->plain && chance(g, 6);
	size_t n = (size_t)snprintf(out, size, "%s%s%s",
				    odd && chance(g, 3) ? PICK(g, odd_starts) : PICK(g, starts),
				    odd && chance(g, 3) ? PICK(g, odd_hosts) : PICK(g, hosts),
				    odd && chance(g, 3) ? PICK(g, odd_ports) : PICK(g, ports));

	if (!topmost && chance(g, 3))
		n += (size_t)snprintf(out + n, size - n, ";received=192.0.2.%u;rport=%u",
				      draw(g, 256), 1 + draw(g, 65535));
	if (!chance(g, 20))
		n += (size_t)snprintf(out + n, size - n, ";branch=z9hG4bK%s", word(g, 50));
	while (chance(g, 2) && n + 32 < size)
		n += (size_t)snprintf(out + n, size - n, "%s",
				      odd && chance(g, 2) ? PICK(g, odd_params)
				      : chance(g, 2)	  ? params[0]
							  : PICK(g, params));
}

static inline void add_vias(struct generator *g)
{
	static const char *const commas[] = {", ", ",", ",  ", ",\r\n ", " , ", ",,"};
	unsigned count = 1 + (chance(g, 3) ? draw(g, 4) : 0);
	char via[400], one[160];
	size_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		add_via_text(g, one, sizeof(one), i == 0);
		n += (size_t)snprintf(via + n, sizeof(via) - n, "%s", one);
		if (i + 1 < count && n < 220 && chance(g, 2)) {
			n += (size_t)snprintf(via + n, sizeof(via) - n, "%s",
					      g->plain || !chance(g, 3) ? ", " : PICK(g, commas));
			continue;
		}
		field(g, named(g, "Via", "v"), "%s", via);
		n = 0;
	}
	if (n)
		field(g, named(g, "Via", "v"), "%s", via);
}

static inline void add_party(struct generator *g, const char *name, const char *compact, bool to)
{
	static const char *const displays[] = {
		"",	    "",	     "\"Alice\" ",	   "Alice ", "\"A. <x>; y, z\" ",
		"Alice B ", "\"\" ", "\"J\xc3\xbcrgen\" ", "\"a\"  "};
	static const char *const odd_displays[] = {"\"a\\\"b\" ", "\"",	     "a;b ",
						   "a,b",	  "\"x\"y ", "<"};
	static const char *const params[] = {"", "", ";x=y", ";user=phone", ";a;b"};
	static const char *const odd_params[] = {
		";", ";tag=", ";tag=a;tag=b", "; x", " ;x", ";x=\"q\"", ";=", ">", ";x=a b", "?y"};
	char uri[128], tag[80] = "";
	bool odd = !g->plain && chance(g, 8);

	add_uri(g, uri, sizeof(uri));
	if (to ? !g->plain && chance(g, 15) : !chance(g, 30))
		snprintf(tag, sizeof(tag), ";tag=%s", word(g, 40));
	if (chance(g, 5))
		field(g, named(g, name, compact), "%s%s%s", uri, tag,
		      odd ? PICK(g, odd_params) : "");
	else
		field(g, named(g, name, compact), "%s<%s>%s%s%s",
		      odd && chance(g, 2) ? PICK(g, odd_displays) : PICK(g, displays), uri,
		      PICK(g, params), tag, odd && chance(g, 2) ? PICK(g, odd_params) : "");
}

static inline void add_numbers(struct generator *g)
{
	static const char *const odd_cseqs[] = {"%u %s",	 "%u  %s", "0%u %s", "%u\t%s",
						"%u99999999 %s", "x%u %s", "%u %sX", "%u"};
	static const char *const hops[] = {"70", "1", "255", "70"};
	static const char *const odd_hops[] = {"0", "256", "", "070", "7x", "-1", "70 "};

	if (g->plain || !chance(g, 20))
		field(g, "CSeq", "%u %s", draw(g, 1000000), g->method);
	else
		field(g, "CSeq", PICK(g, odd_cseqs), draw(g, 1000000), g->method);
	if (!chance(g, 6))
		field(g, "Max-Forwards", "%s",
		      !g->plain && chance(g, 20) ? PICK(g, odd_hops) : PICK(g, hops));
	field(g, named(g, "Call-ID", "i"), "%s%s%s", word(g, 60), chance(g, 2) ? "@" : "",
	      chance(g, 2) ? "198.51.100.7" : "");
}

static inline void add_others(struct generator *g)
{
	static const char *const harmless[] = {"Contact: <sip:alice@198.51.100.7:5062>\r\n",
					       "m: <sip:a@b>;expires=3600\r\n",
					       "Allow: INVITE, ACK, CANCEL, BYE\r\n",
					       "Supported: replaces, timer\r\n",
					       "k: 100rel\r\n",
					       "User-Agent: A phone 1.0\r\n",
					       "Content-Type: application/sdp\r\n",
					       "c: text/plain\r\n",
					       "Expires: 3600\r\n",
					       "P-Asserted-Identity: <sip:x@y>\r\n",
					       "X-Folded: a\r\n b\r\n\tc\r\n",
					       "Record-Route: <sip:p;lr>\r\n",
					       "Subject: \xe4\xf6\xfc\r\n",
					       "X:\r\n",
					       "Require: 100rel\r\n",
					       "Accept-Language: de,\r\n en\r\n",
					       "Timestamp: 54.21\r\n",
					       "X-A-Header-With-A-Name-Longer-Than-A-Word: 1\r\n"};
	static const char *const odd[] = {
		"Route: <sip:192.0.2.1;lr>\r\n",
		"Authorization: Digest realm=\"sip.example\"\r\n",
		"Proxy-Authorization: Digest username=\"a\", realm=\"sip.example\", nonce=\"\", "
		"uri=\"sip:x\", response=\"\"\r\n",
		"Proxy-Authorization: Digest realm=\"elsewhere\"\r\n",
		"Proxy-Require: sec-agree\r\n",
		"No colon\r\n",
		"X : y\r\n",
		": y\r\n",
		"X\xe4: y\r\n",
		"X-Nul: a%c\r\n",
		"X: a\rb\r\n",
		"X: a\nY: b\r\n",
		"X: a\r\n \r\n",
		"From: <sip:second@x>\r\n",
		"To: <sip:second@x>\r\n",
		"Call-ID: second\r\n",
		"CSeq: 1 INVITE\r\n",
		"Max-Forwards: 3\r\n",
		"Content-Length: 0\r\n",
		"l: 5\r\n",
		"X_1.2: y\r\n",
		"Y: \x01\r\n",
		"Z: \x7f\r\n",
		"t : x\r\n"};
	unsigned count = draw(g, 12);

	for (unsigned i = 0; i < count; i++) {
		const char *text = PICK(g, harmless);

		if (!g->plain && chance(g, 25))
			text = PICK(g, odd);
		snprintf(g->fields[g->field_count++], sizeof(g->fields[0]), text, 0);
	}
}

static inline void shuffle_out(struct generator *g)
{
	while (g->field_count) {
		unsigned i = draw(g, g->field_count);

		/* "%c" above made a zero byte. */
		put(g, g->fields[i], strlen(g->fields[i]));
		if (strncmp(g->fields[i], "X-Nul", 5) == 0)
			put(g, "\r\n", 2);
		memmove(g->fields[i], g->fields[--g->field_count], sizeof(g->fields[0]));
	}
}

/* Changes, removes or doubles a byte. */
static inline void spoil(struct generator *g)
{
	static const char bytes[] = "\0\r\n\t \"<>;:,=@[]?%A9";
	size_t at = draw(g, (uint32_t)g->n);

	switch (draw(g, 4)) {
	case 0:
		g->text[at] = bytes[draw(g, sizeof(bytes) - 1)];
		break;
	case 1:
		memmove(g->text + at, g->text + at + 1, --g->n - at);
		break;
	case 2:
		g->text[at] = (char)draw(g, 256);
		break;
	default:
		if (g->n < REQUEST_MAX)
			memmove(g->text + at + 1, g->text + at, g->n++ - at);
	}
}

/* A request in g->text. */
static inline struct slice generate(struct generator *g)
{
	static const char *const methods[] = {"INVITE",	  "INVITE",    "INVITE",
					      "REGISTER", "SUBSCRIBE", "MESSAGE",
					      "PUBLISH",  "REFER",     "X"};
	static const char *const odd_methods[] = {"ACK",
						  "CANCEL",
						  "OPTIONS",
						  "BYE",
						  "invite",
						  "INVITE2",
						  "AMETHODOFNOSMALLLENGTH",
						  "SIP/2.0",
						  "SIXTEENLETTERSXX"};
	static const char *const lines[] = {"%s %s SIP/2.0\r\n",  "%s  %s SIP/2.0\r\n",
					    "%s %s sip/2.0\r\n",  "%s %s SIP/2.1\r\n",
					    "%s %s SIP/2.0 \r\n", "\r\n%s %s SIP/2.0\r\n",
					    "%s %s\r\n",	  "%s %s SIP/2.0\n"};
	char uri[128], line[256];
	unsigned body = chance(g, 2) ? draw(g, 500) : 0;

	g->plain = chance(g, 2);
	g->method = !g->plain && chance(g, 8) ? PICK(g, odd_methods) : PICK(g, methods);
	g->field_count = 0;
	g->n = 0;
	add_uri(g, uri, sizeof(uri));
	snprintf(line, sizeof(line), !g->plain && chance(g, 15) ? PICK(g, lines) : lines[0],
		 g->method, uri);
	put(g, line, strlen(line));
	add_vias(g);
	add_party(g, "From", "f", false);
	add_party(g, "To", "t", true);
	add_numbers(g);
	add_others(g);
	if (!chance(g, 5))
		field(g, named(g, "Content-Length", "l"), "%u",
		      !g->plain && chance(g, 20) ? body + 1 : body);
	if (!g->plain && chance(g, 20))
		g->field_count--;
	shuffle_out(g);
	put(g, "\r\n", 2);
	while (body--)
		put(g, "v=0\r\n" + draw(g, 5), 1);
	for (int i = 0; !g->plain && i < 3 && chance(g, 4); i++)
		spoil(g);
	return (struct slice){g->text, g->n};
}

#endif
