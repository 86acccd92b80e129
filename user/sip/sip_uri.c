/* SPDX-License-Identifier: BSD-2-Clause */
/* URIs. A sip URI that could be read in more than one way is read twice, by osip2 and by our scan:
 * what they disagree on, the PBX behind may read in a third way, so it is refused. */
#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>
#include <pthread.h>
#include <stdlib.h>

#include "sip/sip_grammar.h"
#include "sip/sip_scan.h"

struct owned_uri {
	osip_uri_t *osip;
	char text[];
};

static void free_owned(struct owned_uri *owned)
{
	if (!owned)
		return;
	osip_uri_free(owned->osip);
	osip_free(owned);
}

/* By itself osip2 writes what it dislikes to standard output. */
static void trace_nothing(const char *file, int line, osip_trace_level_t level, const char *format,
			  va_list args)
{
	(void)file;
	(void)line;
	(void)level;
	(void)format;
	(void)args;
}

static void init_osip(void)
{
	osip_trace_initialize_func(TRACE_LEVEL0, trace_nothing);
	parser_init();
}

static bool is_plain_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!sip_char_is(s.p[i], CHAR_HOST) && s.p[i] != '+')
			return false;
	return true;
}

/* A number or a name at a host: all that most calls have, and there is one way to read it. */
static bool is_plain(const struct sip_uri *uri)
{
	return is_plain_text(uri->user) && is_plain_text(uri->host) &&
	       (!uri->user.n || uri->user.p[uri->user.n] == '@');
}

/* The user without its escapes, and whether osip2 reads what our scan read. It is shown no more
 * than user, host and port: it loses memory over parameters when there is none left. */
static int read_by_osip(struct owned_uri *owned, struct sip_uri *uri)
{
	char *at = strchr(owned->text, '@'), *host = at ? at : owned->text;
	int err = osip_uri_init(&owned->osip);

	host[strcspn(host, ";?")] = '\0';
	if (err)
		return -ENOMEM;
	err = osip_uri_parse(owned->osip, owned->text);
	if (err)
		return err == OSIP_NOMEM ? -ENOMEM : -EINVAL;
	if (!slice_eq(uri->host, slice_from(owned->osip->host)) ||
	    !uri->user.p != !owned->osip->username)
		return -EINVAL;
	uri->user = slice_from(owned->osip->username);
	return 0;
}

static int ask_osip(struct slice text, struct sip_uri *uri)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct owned_uri *owned;
	int err;

	pthread_once(&once, init_osip);
	owned = osip_malloc(sizeof(*owned) + text.n + 1);
	if (!owned)
		return -ENOMEM;
	owned->osip = NULL;
	memcpy(owned->text, text.p, text.n);
	owned->text[text.n] = '\0';
	err = read_by_osip(owned, uri);
	if (err)
		free_owned(owned);
	else
		uri->owned = owned;
	return err;
}

int sip_uri_read(struct slice text, struct sip_uri *ret_uri)
{
	struct slice headers;

	return sip_uri_scan(text, ret_uri, &headers);
}

int sip_uri_parse(struct slice text, struct sip_uri *ret_uri)
{
	struct sip_uri uri = {0};
	int err = sip_uri_read(text, &uri);

	if (!err && sip_uri_is_sip(text) && !is_plain(&uri))
		err = ask_osip(text, &uri);
	if (!err)
		*ret_uri = uri;
	return err;
}

void sip_uri_free(struct sip_uri *uri)
{
	if (!uri)
		return;
	free_owned(uri->owned);
	memset(uri, 0, sizeof(*uri));
}
