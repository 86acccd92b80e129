/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dns/dns.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061
#define DNS_TIMEOUT_MS 3000
#define DRAIN_MS 5000

void config_defaults(struct config *ret_config)
{
	*ret_config = (struct config){
		.state_dir = STORE_STATE_DIR_DEFAULT,
		.pin_dir = FILTER_PIN_DIR_DEFAULT,
		.dns_timeout_ms = DNS_TIMEOUT_MS,
		.workers = 1,
		.steering = true,
		.drain_ms = DRAIN_MS,
		.limits = net_limits_default,
		.log_level = LOG_LEVEL_INFO,
	};
}

static void listen_on_all(struct config *config, enum net_transport transport, uint16_t port)
{
	for (uint8_t family = 4; family <= 6; family += 2)
		config->listen[config->listen_count++] =
			(struct config_listen){transport, {{.family = family}, port}};
}

void config_complete(struct config *config)
{
	if (config->listen_count)
		return;
	listen_on_all(config, NET_UDP, SIP_PORT);
	listen_on_all(config, NET_TCP, SIP_PORT);
	if (config->tls.certificate_count)
		listen_on_all(config, NET_TLS, SIPS_PORT);
}

static int read_listen(const char *value, struct config_listen *ret_listen)
{
	struct slice address, name = slice_cut(slice_from(value), ':', &address);
	enum net_transport transport = NET_UDP;

	while (!slice_eq(name, slice_from(net_transport_name(transport))))
		if (++transport > NET_TLS)
			return -EINVAL;
	ret_listen->transport = transport;
	return endpoint_parse(address, transport == NET_TLS ? SIPS_PORT : SIP_PORT,
			      &ret_listen->address);
}

static int set_listen(struct config *config, const char *value, struct error *err)
{
	struct config_listen listen;

	if (read_listen(value, &listen))
		return error_set(err, -EINVAL,
				 "listen '%s' is not udp:ADDRESS or udp:ADDRESS:PORT, nor the same "
				 "with tcp or tls (IPv6 in brackets where a port follows)",
				 value);
	for (unsigned i = 0; i < config->listen_count; i++)
		if (config->listen[i].transport == listen.transport &&
		    endpoint_eq(&config->listen[i].address, &listen.address))
			return error_set(err, -EINVAL, "listen '%s' is given twice", value);
	if (config->listen_count == CONFIG_LISTEN_MAX)
		return error_set(err, -EINVAL, "listen '%s' is one too many: at most %d", value,
				 CONFIG_LISTEN_MAX);
	config->listen[config->listen_count++] = listen;
	return 0;
}

static struct slice next_word(struct slice *rest)
{
	return slice_cut(slice_trim(*rest), ' ', rest);
}

static bool has_certificate(const struct net_tls *tls, struct slice domain)
{
	for (unsigned i = 0; i < tls->certificate_count; i++)
		if (slice_eq_nocase(slice_from(tls->certificates[i].domain), domain))
			return true;
	return false;
}

static int set_certificate(struct config *config, const char *value, struct error *err)
{
	struct net_tls *tls = &config->tls;
	struct slice rest = slice_from(value), domain = next_word(&rest);
	struct slice chain = next_word(&rest), key = next_word(&rest);

	if (!key.n || slice_trim(rest).n)
		return error_set(err, -EINVAL,
				 "tls_certificate '%s' is not DOMAIN CERTIFICATE KEY, with the "
				 "names of two files",
				 value);
	if (has_certificate(tls, domain))
		return error_set(err, -EINVAL, "tls_certificate '%s': the domain is given twice",
				 value);
	if (tls->certificate_count == NET_CERTIFICATES_MAX)
		return error_set(err, -EINVAL, "tls_certificate '%s' is one too many: at most %d",
				 value, NET_CERTIFICATES_MAX);
	if (slice_text(domain, tls->certificates[tls->certificate_count].domain, NET_NAME_SIZE) ||
	    slice_text(chain, tls->certificates[tls->certificate_count].chain_file,
		       NET_FILE_SIZE) ||
	    slice_text(key, tls->certificates[tls->certificate_count].key_file, NET_FILE_SIZE))
		return error_set(err, -EINVAL, "tls_certificate '%s': no part may have %d bytes",
				 value, NET_FILE_SIZE);
	tls->certificate_count++;
	return 0;
}

/* The place of value among the names, or -1. */
static int index_of(const char *value, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	return -1;
}

static int set_log_level(struct config *config, const char *value, struct error *err)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	int i = index_of(value, names, 4);

	if (i < 0)
		return error_set(err, -EINVAL,
				 "log_level '%s' is none of error, warning, info, debug", value);
	config->log_level = (enum log_level)i;
	return 0;
}

static int set_log_format(struct config *config, const char *value, struct error *err)
{
	static const char *const names[] = {"text", "json"};
	int i = index_of(value, names, 2);

	if (i < 0)
		return error_set(err, -EINVAL, "log_format '%s' is neither text nor json", value);
	config->log_format = (enum log_format)i;
	return 0;
}

static int set_dns_servers(struct config *config, const char *value, struct error *err)
{
	struct dns *dns;
	int rc;

	if (!value[0])
		return error_set(err, -EINVAL, "dns_servers is empty: leave the line out instead");
	if (strlen(value) >= sizeof(config->dns_servers))
		return error_set(err, -EINVAL, "dns_servers '%s' is longer than %zu bytes", value,
				 sizeof(config->dns_servers) - 1);
	rc = dns_create(value, config->dns_timeout_ms, &dns, err);
	if (rc)
		return rc;
	dns_free(dns);
	strcpy(config->dns_servers, value);
	return 0;
}

/* A key with a setter, yes or no, a number in a unit, or a text of at most size - 1 bytes. */
struct key {
	const char *name;
	int (*set)(struct config *config, const char *value, struct error *err);
	size_t offset, size;
	const char *unit;
	unsigned least, most;
	unsigned scale; /* what one of the unit is in the field */
	bool yes_no, repeats;
};

#define TEXT_KEY(name_, field)                                                                     \
	{                                                                                          \
		.name = (name_), .offset = offsetof(struct config, field),                         \
		.size = sizeof(((struct config *)0)->field)                                        \
	}
#define YES_NO_KEY(name_, field)                                                                   \
	{                                                                                          \
		.name = (name_), .offset = offsetof(struct config, field), .yes_no = true          \
	}
#define NUMBER_KEY(name_, field, unit_, least_, most_, scale_)                                     \
	{                                                                                          \
		.name = (name_), .offset = offsetof(struct config, field), .unit = (unit_),        \
		.least = (least_), .most = (most_), .scale = (scale_)                              \
	}
#define SECONDS_KEY(name_, field, most_) NUMBER_KEY(name_, field, "seconds", 1, most_, 1000)

static const struct key keys[] = {
	TEXT_KEY("interface", interface),
	TEXT_KEY("upstream", upstream),
	{.name = "listen", .set = set_listen, .repeats = true},
	TEXT_KEY("state", state_dir),
	TEXT_KEY("pin_dir", pin_dir),
	TEXT_KEY("nonce_key_file", nonce_key_file),
	TEXT_KEY("call_log", call_log),
	{.name = "dns_servers", .set = set_dns_servers},
	NUMBER_KEY("workers", workers, "threads", 1, CONFIG_WORKERS_MAX, 1),
	YES_NO_KEY("steering", steering),
	NUMBER_KEY("drain_timeout", drain_ms, "seconds", 0, 60, 1000),
	NUMBER_KEY("dns_timeout", dns_timeout_ms, "ms", 100, 60000, 1),
	NUMBER_KEY("tcp_connections", limits.connections, "connections", 1, 1000000, 1),
	NUMBER_KEY("tcp_connections_per_source", limits.connections_per_source, "connections", 1,
		   1000000, 1),
	SECONDS_KEY("tcp_idle_timeout", limits.idle_ms, 86400),
	SECONDS_KEY("tcp_message_timeout", limits.message_ms, 3600),
	SECONDS_KEY("tcp_connect_timeout", limits.connect_ms, 60),
	NUMBER_KEY("tcp_output_limit", limits.output_bytes, "bytes", NET_DATAGRAM_MAX, 1 << 30, 1),
	SECONDS_KEY("tls_handshake_timeout", limits.handshake_ms, 3600),
	{.name = "tls_certificate", .set = set_certificate, .repeats = true},
	TEXT_KEY("tls_client_ca", tls.client_ca_file),
	TEXT_KEY("tls_ca", tls.ca_file),
	YES_NO_KEY("tls_cbc_suites", tls.cbc_suites),
	{.name = "log_level", .set = set_log_level},
	{.name = "log_format", .set = set_log_format},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int set_text(struct config *config, const struct key *key, const char *value,
		    struct error *err)
{
	if (!value[0])
		return error_set(err, -EINVAL, "%s is empty: leave the line out instead",
				 key->name);
	if (strlen(value) >= key->size)
		return error_set(err, -EINVAL, "%s '%s' is longer than %zu bytes", key->name, value,
				 key->size - 1);
	memcpy((char *)config + key->offset, value, strlen(value) + 1);
	return 0;
}

static int set_number(struct config *config, const struct key *key, const char *value,
		      struct error *err)
{
	uint32_t number;

	if (slice_u32(slice_from(value), &number) || number < key->least || number > key->most)
		return error_set(err, -EINVAL, "%s '%s' is no number of %s from %u to %u",
				 key->name, value, key->unit, key->least, key->most);
	*(unsigned *)((char *)config + key->offset) = number * key->scale;
	return 0;
}

static int set_yes_no(struct config *config, const struct key *key, const char *value,
		      struct error *err)
{
	static const char *const names[] = {"no", "yes"};
	int i = index_of(value, names, 2);

	if (i < 0)
		return error_set(err, -EINVAL, "%s '%s' is neither yes nor no", key->name, value);
	*(bool *)((char *)config + key->offset) = i;
	return 0;
}

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(name, keys[i].name) == 0)
			return &keys[i];
	return NULL;
}

static int refuse_unknown(const char *name, struct error *err)
{
	char names[400];
	size_t n = 0;

	for (size_t i = 0; i < KEYS; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
				      keys[i].name);
	return error_set(err, -EINVAL, "unknown key '%.40s': there are %s", name, names);
}

int config_set(struct config *config, const char *name, const char *value, struct error *err)
{
	const struct key *key = key_find(name);

	if (!key)
		return refuse_unknown(name, err);
	if (key->set)
		return key->set(config, value, err);
	if (key->yes_no)
		return set_yes_no(config, key, value, err);
	return key->unit ? set_number(config, key, value, err) : set_text(config, key, value, err);
}

/* ---- the file ---- */

struct reading {
	FILE *file;
	struct config *config;
	int line; /* the one that was read last */
	bool given[KEYS];
	int bad_line; /* the first that can not be taken, 0 = none so far */
	struct error error;
};

static void refuse(struct reading *reading, const struct error *why)
{
	if (reading->bad_line)
		return;
	reading->bad_line = reading->line;
	reading->error = *why;
}

static void skip_rest(FILE *file)
{
	int c;

	do
		c = fgetc(file);
	while (c != '\n' && c != EOF);
}

/* Hands inih one whole line at a time, so that ours and its line numbers agree: it would take the
 * rest of a long line for another one, and an indented line for more of the value above it. */
static char *read_line(char *line, int size, void *arg)
{
	struct reading *reading = arg;
	struct error why;
	size_t n, blanks;
	bool whole;

	if (!fgets(line, size, reading->file))
		return NULL;
	reading->line++;
	n = strlen(line);
	whole = n < (size_t)size - 1 || line[n - 1] == '\n' || feof(reading->file);
	blanks = strspn(line, " \t");
	memmove(line, line + blanks, n - blanks + 1);
	if (whole)
		return line;
	skip_rest(reading->file);
	error_set(&why, -EINVAL, "the line is longer than %d bytes", size - 2);
	if (!strchr("#;", line[0]))
		refuse(reading, &why);
	return line;
}

static int take(struct reading *reading, const char *section, const char *name, const char *value,
		struct error *err)
{
	const struct key *key = key_find(name);
	bool *given = key ? &reading->given[key - keys] : NULL;

	if (!section[0])
		return error_set(err, -EINVAL, "key '%s' stands before the line [sipwardd]", name);
	if (strcmp(section, "sipwardd") != 0)
		return error_set(err, -EINVAL,
				 "key '%s' is in section [%s]: the only section is [sipwardd]",
				 name, section);
	if (given && *given && !key->repeats)
		return error_set(err, -EINVAL, "%s '%s' is given a second time", name, value);
	if (given)
		*given = true;
	return config_set(reading->config, name, value, err);
}

/* Called by inih for each key; 0 is an error at that line. */
static int on_key(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *reading = arg;
	struct error why;

	if (take(reading, section, name, value, &why) == 0)
		return 1;
	refuse(reading, &why);
	return 0;
}

/* fopen takes a directory, and reading it would look like an empty file. */
static int open_file(const char *path, FILE **ret_file, struct error *err)
{
	FILE *file = fopen(path, "re");
	struct stat st;

	if (!file)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(file);
		return error_set(err, -EISDIR, "%s is a directory, not a configuration file", path);
	}
	*ret_file = file;
	return 0;
}

int config_read(const char *path, struct config *config, struct error *err)
{
	struct reading reading = {.config = config};
	int rc = open_file(path, &reading.file, err);
	int line, failed;

	if (rc)
		return rc;
	line = ini_parse_stream(read_line, &reading, on_key, &reading);
	failed = ferror(reading.file) ? errno : 0;
	fclose(reading.file);
	if (failed)
		return error_set(err, -EIO, "%s: can not be read: %s", path, strerror(failed));
	if (line < 0)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	if (reading.bad_line && (!line || reading.bad_line <= line))
		return error_set(err, -EINVAL, "%s:%d: %s", path, reading.bad_line,
				 reading.error.text);
	if (line)
		return error_set(err, -EINVAL, "%s:%d: not a [section] or a key = value", path,
				 line);
	return 0;
}
