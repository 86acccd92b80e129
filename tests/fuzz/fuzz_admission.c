/* SPDX-License-Identifier: BSD-2-Clause */
/* Arbitrary requests from arbitrary sources against a fixed gate. Nobody here knows a password, so
 * nothing may be forwarded by credential, and by address only what the ACL allows. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/net.h"
#include "policy/admission.h"

#define NOW_S 1700000000u
#define REALM "sip.example"

/* The input begins with this much about the sender. */
struct sender {
	uint8_t flags; /* bit 0: listed; bit 1: IPv6; bits 2–3: transport; bit 4: nonce expired */
	uint8_t address[16];
};

static struct policy *policy;
static struct digest_context *digest;
static struct nonce_keys keys = {.key = {"a secret of ours"}, .present = {true}};
static char dir[] = "/tmp/sipward-fuzz-admission-XXXXXX";

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%d: %s\n", rc, err->text);
	abort();
}

static void add_trunk(struct store *store, const char *name, const char *acl, const char *list,
		      bool lenient)
{
	struct store_trunk trunk;
	struct error err = {0};

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "%s", name);
	snprintf(trunk.domain, sizeof(trunk.domain), "%s", name);
	trunk.algorithm_count = STORE_ALGORITHMS;
	for (unsigned i = 0; i < STORE_ALGORITHMS; i++)
		trunk.algorithms[i] = STORE_ALGORITHMS - 1 - i;
	trunk.allow_no_qop = trunk.auth_int = lenient;
	must(store_trunk_create(store, &trunk, "sip:198.51.100.1", &err), &err);
	if (acl)
		must(store_trunk_attach_acl(store, name, acl, &err), &err);
	if (list)
		must(store_trunk_attach_credentials(store, name, list, &err), &err);
}

static void fill(struct store *store)
{
	struct store_acl_entry entry = {.prefix = {.ip = {4, {192, 0, 2}}, .len = 24}};
	struct store_ha1 ha1;
	struct error err = {0};

	memset(&ha1, 0x5a, sizeof(ha1));
	must(store_acl_create(store, "office", "", &err), &err);
	must(store_acl_add(store, "office", &entry, 1, NULL, &err), &err);
	must(store_credentials_create(store, "users", REALM, &err), &err);
	must(store_user_add(store, "users", "alice", &ha1, &err), &err);
	add_trunk(store, "a", "office", NULL, false);
	add_trunk(store, "b", "office", "users", false);
	add_trunk(store, "c", NULL, "users", true);
	add_trunk(store, "n", NULL, NULL, false);
	must(policy_build(store, &policy, &err), &err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	struct error err = {0};
	struct store *store;

	if (!mkdtemp(dir))
		abort();
	must(store_open(dir, &store, &err), &err);
	fill(store);
	store_close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	must(digest_context_create(&digest), &err);
}

static void set_sender(const struct sender *sender, struct admission_request *request)
{
	request->transport = 1 + (sender->flags >> 2 & 3) % 3;
	request->reliable = request->transport != NET_UDP;
	request->source.ip.family = sender->flags & 2 ? 6 : 4;
	memcpy(request->source.ip.bytes, sender->address, ip_bits(&request->source.ip) / 8);
	if (sender->flags & 1)
		request->source.ip = (struct ip){4, {192, 0, 2, sender->address[0]}};
}

/* Copies the message with a genuine nonce in the place of each `@M`, `@S` or `@T` (MD5, SHA-256,
 * SHA-512-256), so that mutations reach what lies behind its verification. */
static size_t expand(const struct sender *sender, const struct admission_request *request,
		     struct slice in, char *out, size_t size)
{
	static const char letters[] = "MST";
	struct nonce_binding binding = {.source = request->source.ip,
					.transport = request->transport,
					.realm = SLICE(REALM)};
	uint64_t issued_s = sender->flags & 16 ? NOW_S - 1000 : NOW_S;
	size_t n = 0;

	for (size_t i = 0; i < in.n && n + NONCE_TEXT_SIZE < size; i++) {
		const char *letter = NULL;

		if (in.p[i] == '@' && i + 1 < in.n && in.p[i + 1])
			letter = strchr(letters, in.p[i + 1]);
		if (!letter) {
			out[n++] = in.p[i];
			continue;
		}
		binding.algorithm = (enum digest_algorithm)(letter - letters);
		nonce_issue(&keys, &binding, issued_s, out + n);
		n += strlen(out + n);
		i++;
	}
	return n;
}

static void check(const struct admission_request *request, const struct admission_result *result)
{
	bool ends_well = result->challenge.n >= 2 &&
			 memcmp(result->challenge.p + result->challenge.n - 2, "\r\n", 2) == 0;

	if (result->user)
		abort();
	if (result->verdict == ADMISSION_FORWARD &&
	    (result->cause != ADMISSION_BY_ADDRESS || result->auth != STORE_AUTH_IP_ACL ||
	     !policy_acl_allows(result->trunk, &request->source.ip)))
		abort();
	if (result->verdict == ADMISSION_CHALLENGE &&
	    (!ends_well || (result->status != 401 && result->status != 407)))
		abort();
	if (result->verdict == ADMISSION_REFUSE && (result->status < 400 || result->status > 500))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[SIP_MSG_MAX_BYTES + NONCE_TEXT_SIZE];
	static struct sip_msg msg;
	static struct admission_result result;
	struct admission admission = {.nonce_keys = &keys};
	struct admission_request request = {.msg = &msg, .now_s = NOW_S, .now_ns = NOW_S};
	struct sender sender;
	struct slice raw;
	const char *why;

	if (!policy)
		setup();
	if (size < sizeof(sender))
		return 0;
	memcpy(&sender, data, sizeof(sender));
	set_sender(&sender, &request);
	raw = (struct slice){(const char *)data + sizeof(sender), size - sizeof(sender)};
	raw = (struct slice){text, expand(&sender, &request, raw, text, sizeof(text))};
	if (sip_msg_parse(raw, &msg, &why) != SIP_PARSE_OK || !msg.is_request)
		return 0;
	admission.policy = policy;
	admission.digest = digest;
	must(replay_create(8, 300, &admission.replay), &(struct error){0});
	must(lockouts_create(NULL, 8, &admission.lockouts), &(struct error){0});
	admission_decide(&admission, &request, &result);
	check(&request, &result);
	lockouts_free(admission.lockouts);
	replay_free(admission.replay);
	return 0;
}
