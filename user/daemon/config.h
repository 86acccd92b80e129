/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process itself is told: where to listen, what to guard, where its state lives. */
#ifndef SIPWARD_DAEMON_CONFIG_H
#define SIPWARD_DAEMON_CONFIG_H

#include "base/addr.h"
#include "base/error.h"
#include "base/log.h"
#include "net/net.h"
#include "store/store.h"

#define CONFIG_FILE_DEFAULT "/etc/sipward/sipward.conf"
#define CONFIG_LISTEN_MAX NET_SOCKETS_MAX
#define CONFIG_PATH_SIZE 256
#define CONFIG_WORKERS_MAX 64

struct config_listen {
	enum net_transport transport;
	struct endpoint address;
};

struct config {
	char interface[16]; /* empty: none */
	char upstream[STORE_URI_SIZE];
	char state_dir[CONFIG_PATH_SIZE];
	char pin_dir[CONFIG_PATH_SIZE];
	char nonce_key_file[CONFIG_PATH_SIZE]; /* empty: the store's own secret */
	struct config_listen listen[CONFIG_LISTEN_MAX];
	unsigned listen_count;
	unsigned workers;
	bool steering;
	unsigned drain_ms; /* how long a stop waits for answers at most */
	struct net_limits limits;
	struct net_tls tls;
	char call_log[CONFIG_PATH_SIZE]; /* empty: none */
	char dns_servers[CONFIG_PATH_SIZE]; /* empty: those of resolv.conf */
	unsigned dns_timeout_ms;
	enum log_level log_level;
	enum log_format log_format;
};

void config_defaults(struct config *ret_config);
/* Sets one field by its name in the file; listen and tls_certificate add one. -EINVAL says field,
 * value and rule. */
int config_set(struct config *config, const char *key, const char *value, struct error *err);
/* Reads the file over what config says already. -EINVAL names file and line too; -ENOENT and the
 * like if it can not be read. */
int config_read(const char *path, struct config *config, struct error *err);
/* Fills in what must not be empty (listen). */
void config_complete(struct config *config);

#endif
