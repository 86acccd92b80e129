/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "document/reader.h"

static int read_attached(struct reader *r, const char *key, json_t *value, void *item)
{
	struct slice text = {json_string_value(value), json_string_length(value)};
	struct name *name = item;

	(void)key;
	if (!json_is_string(value) || slice_text(text, name->text, sizeof(name->text)))
		return reader_wrong(r, "must be a string of at most %zu bytes",
				    sizeof(name->text) - 1);
	return 0;
}

struct peers {
	struct trunk *trunk;
	struct list *list;
	enum store_peer_role role;
};

/* ---- outbound credentials ---- */

static int open_secret(struct reader *r, const struct seal_owner *owner, const json_t *value,
		       struct outbound *outbound)
{
	const struct slice text = {json_string_value(value), json_string_length(value)};
	int rc;

	reader_enter(r, "sealed");
	if (!json_is_string(value))
		return reader_wrong(r, "must be a string");
	if (!r->sealing)
		return reader_wrong(r, "is sealed; --key-file names the key that opens it");
	rc = seal_read(&r->seal, owner, text, &outbound->ha1);
	if (rc == -EBADMSG)
		return reader_wrong(r, "does not open: it was sealed with another key, or for "
				       "another trunk, upstream, user or realm, or has been "
				       "changed");
	if (rc == -EINVAL)
		return reader_wrong(r, "is no sealed password (\"v1:...\"), or not all of one");
	outbound->known = rc == 0;
	return rc;
}

static int read_expires(struct reader *r, const json_t *object, unsigned *ret_expires_s)
{
	const json_t *value = json_object_get(object, "expires");
	json_int_t expires = json_integer_value(value);

	if (value && (!json_is_integer(value) || expires < 0 || expires > INT32_MAX)) {
		reader_enter(r, "expires");
		return reader_wrong(r, "must be a whole number of seconds");
	}
	*ret_expires_s = value ? (unsigned)expires : STORE_OUTBOUND_EXPIRES_S;
	return 0;
}

static int read_outbound(struct reader *r, json_t *value, const struct seal_owner *peer,
			 struct outbound *outbound)
{
	const struct seal_owner owner = {peer->list, outbound->user, outbound->realm,
					 peer->upstream};
	const json_t *sealed = json_object_get(value, "sealed");
	int rc = reader_check(r, value, NULL, "user|realm|register|expires|sealed");

	if (rc == 0)
		rc = reader_text(r, value, "user", outbound->user, sizeof(outbound->user));
	if (rc == 0)
		rc = reader_text(r, value, "realm", outbound->realm, sizeof(outbound->realm));
	if (rc == 0)
		rc = reader_yes(r, value, "register", &outbound->registers);
	if (rc == 0)
		rc = read_expires(r, value, &outbound->expires_s);
	if (rc == 0 && sealed)
		rc = open_secret(r, &owner, sealed, outbound);
	return rc;
}

static int read_outbounds(struct reader *r, json_t *array, const char *trunk, struct peer *peer)
{
	const struct seal_owner owner = {.list = trunk, .upstream = peer->uri};
	json_t *value;
	size_t i;

	if (array && !json_is_array(array))
		return reader_wrong(r, "must be a list");
	json_array_foreach(array, i, value)
	{
		struct outbound *outbound = list_add(&peer->outbound, sizeof(*outbound));
		size_t at = reader_enter_element(r, i);
		int rc = outbound ? read_outbound(r, value, &owner, outbound) : -ENOMEM;

		if (rc)
			return rc;
		if (outbound_find(&peer->outbound, outbound->user) != outbound)
			return reader_wrong(r, "%s is given twice", outbound->user);
		reader_leave(r, at);
	}
	return 0;
}

/* ---- peers ---- */

static int read_share(struct reader *r, const json_t *object, const char *key, unsigned *ret_share)
{
	const json_t *value = json_object_get(object, key);
	json_int_t share = json_integer_value(value);

	if (value && (!json_is_integer(value) || share < 0 || share > UINT16_MAX)) {
		reader_enter(r, key);
		return reader_wrong(r, "must be a whole number from 0 to %d", UINT16_MAX);
	}
	if (value)
		*ret_share = (unsigned)share;
	return 0;
}

/* "URI" or {"uri": "URI", "priority": …, "weight": …}. */
static int read_peer_fields(struct reader *r, json_t *value, bool upstream, struct peer *peer)
{
	int rc;

	peer->priority = STORE_PEER_PRIORITY;
	peer->weight = STORE_PEER_WEIGHT;
	if (!json_is_object(value)) {
		struct slice text = {json_string_value(value), json_string_length(value)};

		if (json_is_string(value) && slice_text(text, peer->uri, sizeof(peer->uri)) == 0)
			return 0;
		return reader_wrong(r, "must be a SIP URI, or an object with \"uri\"");
	}
	rc = reader_check(r, value, NULL,
			  upstream ? "uri|priority|weight|outbound" : "uri|priority|weight");
	if (rc == 0)
		rc = reader_text(r, value, "uri", peer->uri, sizeof(peer->uri));
	if (rc == 0)
		rc = read_share(r, value, "priority", &peer->priority);
	return rc ? rc : read_share(r, value, "weight", &peer->weight);
}

static int read_peer(struct reader *r, json_t *value, const struct peers *peers, struct peer *peer)
{
	struct store_peer_uri uri;
	struct error why;
	int rc = read_peer_fields(r, value, peers->role == STORE_UPSTREAM, peer);
	size_t at;

	if (rc)
		return rc;
	if (store_peer_uri_parse(peer->uri, peers->role, &uri, &why))
		return reader_wrong_by(r, &why);
	strcpy(peer->uri, uri.text);
	at = reader_enter(r, "outbound");
	rc = read_outbounds(r, json_object_get(value, "outbound"), peers->trunk->name, peer);
	if (rc == 0)
		reader_leave(r, at);
	return rc;
}

static int read_peers(struct reader *r, json_t *array, const struct peers *peers)
{
	const struct peer *twice;
	json_t *value;
	size_t i;

	if (array && !json_is_array(array))
		return reader_wrong(r, "must be a list");
	json_array_foreach(array, i, value)
	{
		struct peer *peer = list_add(peers->list, sizeof(*peer));
		size_t at = reader_enter_element(r, i);
		int rc = peer ? read_peer(r, value, peers, peer) : -ENOMEM;

		if (rc)
			return rc;
		reader_leave(r, at);
	}
	twice = list_sort(peers->list, sizeof(struct peer), name_order);
	return twice ? reader_wrong(r, "%s is given twice", twice->uri) : 0;
}

/* "upstream" is what documents have that were written when a trunk had one. */
static int read_trunk_peers(struct reader *r, const json_t *object, struct trunk *trunk)
{
	const struct {
		const char *key;
		struct peers peers;
	} lists[] = {
		{"upstreams", {trunk, &trunk->upstreams, STORE_UPSTREAM}},
		{"destinations", {trunk, &trunk->destinations, STORE_DESTINATION}},
	};
	json_t *one = json_object_get(object, "upstream");
	struct peer *peer = one ? list_add(&trunk->upstreams, sizeof(*peer)) : NULL;
	size_t at = reader_enter(r, "upstream");
	int rc = 0;

	if (one)
		rc = peer ? read_peer(r, one, &lists[0].peers, peer) : -ENOMEM;
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		reader_leave(r, at);
		at = reader_enter(r, lists[i].key);
		rc = read_peers(r, json_object_get(object, lists[i].key), &lists[i].peers);
	}
	if (rc == 0)
		reader_leave(r, at);
	return rc;
}

static int read_names(struct reader *r, const json_t *object, const char *key,
		      struct list *ret_names)
{
	const struct items items = {ret_names, sizeof(struct name), read_attached};
	size_t at = reader_enter(r, key);
	int rc = reader_elements(r, json_object_get(object, key), &items);
	const struct name *twice;

	if (rc)
		return rc;
	twice = list_sort(ret_names, sizeof(struct name), name_order);
	if (twice)
		return reader_wrong(r, "\"%s\" is given twice", twice->text);
	reader_leave(r, at);
	return 0;
}

/* ---- header fields ---- */

static int read_header(struct reader *r, const char *key, json_t *value, void *item)
{
	struct store_header parsed;
	struct header *header = item;
	struct error why;

	(void)key;
	if (!json_is_string(value))
		return reader_wrong(r, "must be a string such as \"X-My-Header: value\"");
	if (strlen(json_string_value(value)) != json_string_length(value))
		return reader_wrong(r, "holds a zero byte");
	if (store_header_parse(json_string_value(value), &parsed, &why))
		return reader_wrong_by(r, &why);
	snprintf(header->text, sizeof(header->text), "%s: %s", parsed.name, parsed.value);
	return 0;
}

static int read_headers(struct reader *r, const json_t *object, struct list *headers)
{
	const struct items items = {headers, sizeof(struct header), read_header};
	size_t at = reader_enter(r, "headers");
	int rc = reader_elements(r, json_object_get(object, "headers"), &items);

	if (rc == 0)
		reader_leave(r, at);
	return rc;
}

/* ---- the trunk ---- */

int read_trunk(struct reader *r, const char *key, json_t *value, void *item)
{
	struct trunk *trunk = item;
	struct error why;
	int rc = reader_check(r, value, &trunk_fields,
			      "upstream|upstreams|destinations|headers|acls|credentials|"
			      "callers");

	store_trunk_defaults(&trunk->fields);
	if (rc == 0)
		rc = reader_name(r, key, trunk->name, sizeof(trunk->name));
	strcpy(trunk->fields.name, trunk->name);
	if (rc == 0)
		rc = reader_fields(r, value, &trunk_fields, &trunk->fields);
	if (rc == 0)
		rc = read_trunk_peers(r, value, trunk);
	if (rc == 0)
		rc = read_headers(r, value, &trunk->headers);
	if (rc == 0)
		rc = read_names(r, value, "acls", &trunk->acls);
	if (rc == 0)
		rc = read_names(r, value, "credentials", &trunk->credentials);
	if (rc == 0)
		rc = read_names(r, value, "callers", &trunk->callers);
	if (rc)
		return rc;
	return store_trunk_check(&trunk->fields, &why) ? reader_wrong_by(r, &why) : 0;
}
