/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#define SIP_PORT 5060

void config_defaults(struct config *ret_config)
{
	*ret_config = (struct config){
	    .state_dir = STORE_STATE_DIR_DEFAULT,
	    .pin_dir = FILTER_PIN_DIR_DEFAULT,
	    .log_level = LOG_LEVEL_INFO,
	};
}

void config_complete(struct config *config)
{
	if (config->listen_count)
		return;
	config->listen[0] = (struct endpoint){{.family = 4}, SIP_PORT};
	config->listen[1] = (struct endpoint){{.family = 6}, SIP_PORT};
	config->listen_count = 2;
}

static int set_text(char *field, size_t size, const char *key, const char *value, struct error *err)
{
	if (!value[0])
		return error_set(err, -EINVAL, "%s is empty: leave the line out instead", key);
	if (strlen(value) >= size)
		return error_set(err, -EINVAL, "%s '%s' is longer than %zu bytes", key, value,
				 size - 1);
	memcpy(field, value, strlen(value) + 1);
	return 0;
}

static int set_listen(struct config *config, const char *value, struct error *err)
{
	struct endpoint e;

	if (strncmp(value, "udp:", 4) != 0 || endpoint_parse(slice_from(value + 4), SIP_PORT, &e))
		return error_set(err, -EINVAL,
				 "listen '%s' is not udp:ADDRESS or udp:ADDRESS:PORT "
				 "(IPv6 in brackets where a port follows)",
				 value);
	if (config->listen_count == CONFIG_LISTEN_MAX)
		return error_set(err, -EINVAL, "listen '%s' is one too many: at most %d", value,
				 CONFIG_LISTEN_MAX);
	config->listen[config->listen_count++] = e;
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

int config_set(struct config *config, const char *key, const char *value, struct error *err)
{
	if (strcmp(key, "interface") == 0)
		return set_text(config->interface, sizeof(config->interface), key, value, err);
	if (strcmp(key, "upstream") == 0)
		return set_text(config->upstream, sizeof(config->upstream), key, value, err);
	if (strcmp(key, "state") == 0)
		return set_text(config->state_dir, sizeof(config->state_dir), key, value, err);
	if (strcmp(key, "pin_dir") == 0)
		return set_text(config->pin_dir, sizeof(config->pin_dir), key, value, err);
	if (strcmp(key, "listen") == 0)
		return set_listen(config, value, err);
	if (strcmp(key, "log_level") == 0)
		return set_log_level(config, value, err);
	if (strcmp(key, "log_format") == 0)
		return set_log_format(config, value, err);
	return error_set(err, -EINVAL,
			 "unknown key '%s': there are interface, upstream, listen, state, pin_dir, "
			 "log_level, log_format",
			 key);
}

struct reading {
	struct config *config;
	struct error error;
	bool failed;
};

/* Called by inih for each line; 0 is an error at that line. The first one counts. */
static int on_line(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *reading = arg;

	if (reading->failed)
		return 0;
	if (strcmp(section, "sipwardd") != 0)
		reading->failed =
		    error_set(&reading->error, -EINVAL,
			      "key '%s' is in section [%s]: the only section is [sipwardd]", name,
			      section) != 0;
	else
		reading->failed = config_set(reading->config, name, value, &reading->error) != 0;
	return !reading->failed;
}

int config_read(const char *path, struct config *config, struct error *err)
{
	struct reading reading = {.config = config};
	FILE *file = fopen(path, "re");
	int line;

	if (!file)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	line = ini_parse_file(file, on_line, &reading);
	fclose(file);
	if (reading.failed)
		return error_set(err, -EINVAL, "%s:%d: %s", path, line, reading.error.text);
	if (line)
		return error_set(err, -EINVAL, "%s:%d: not a [section] or a key = value", path,
				 line);
	return 0;
}
