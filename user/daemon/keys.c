/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the master ---- */

static int check_file(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "nonce_key_file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "nonce_key_file %s: is no file", path);
	if (st.st_mode & 037)
		return error_set(err, -EACCES,
				 "nonce_key_file %s: others than its owner and group could know "
				 "the key, or change it: chmod 0600 %s",
				 path, path);
	return 0;
}

static int decode(char *text, size_t n, struct nonce_master *ret_master)
{
	struct slice line = slice_trim((struct slice){text, n});
	struct nonce_master master = {.n = line.n / 2};
	int rc = -EINVAL;

	if (master.n >= NONCE_MASTER_MIN && master.n <= sizeof(master.bytes))
		rc = hex_decode(line, master.bytes, master.n);
	if (rc == 0)
		*ret_master = master;
	explicit_bzero(&master, sizeof(master));
	return rc;
}

static int read_file(const char *path, struct nonce_master *ret_master, struct error *err)
{
	char text[2 * NONCE_MASTER_MAX + 8];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;
	int rc;

	if (fd < 0)
		return error_set(err, -errno, "nonce_key_file %s: %s", path, strerror(errno));
	rc = check_file(fd, path, err);
	if (rc == 0) {
		n = read(fd, text, sizeof(text));
		if (n < 0)
			rc = error_set(err, -EIO, "nonce_key_file %s: %s", path, strerror(errno));
		else if (decode(text, (size_t)n, ret_master) != 0)
			rc = error_set(err, -EINVAL,
				       "nonce_key_file %s: is not one line of %d to %d lower-case "
				       "hex digits; make it by: openssl rand -hex 32",
				       path, 2 * NONCE_MASTER_MIN, 2 * NONCE_MASTER_MAX);
		explicit_bzero(text, sizeof(text));
	}
	close(fd);
	return rc;
}

int keys_read_master(const struct config *config, struct store *store,
		     struct nonce_master *ret_master, struct error *err)
{
	struct nonce_master master = {.n = NONCE_MASTER_MIN};
	int rc;

	if (config->nonce_key_file[0])
		return read_file(config->nonce_key_file, ret_master, err);
	rc = store_secret(store, "nonce", master.bytes, err);
	if (rc == 0)
		*ret_master = master;
	explicit_bzero(&master, sizeof(master));
	return rc;
}

/* ---- rotation ---- */

/* A nonce must not outlive the keys that verify it. */
static unsigned period_of(const struct store_settings *settings)
{
	unsigned longest = settings->nonce_rotation_s > settings->nonce_lifetime_s
				   ? settings->nonce_rotation_s
				   : settings->nonce_lifetime_s;

	return longest ? longest : 1;
}

static int derive(struct keys *keys, uint64_t now_s)
{
	int rc = nonce_keys_at(&keys->master, keys->period_s, now_s, &keys->nonce);

	if (rc == 0)
		keys->period = now_s / keys->period_s;
	return rc;
}

/* The keys in use now only verify from here on. */
static void retire(struct keys *keys, unsigned lifetime_s, uint64_t now_s)
{
	if (keys->period_s == 0)
		return;
	keys->older = keys->nonce;
	keys->older.older = NULL;
	keys->older_until_s = now_s + lifetime_s;
	keys->nonce.older = &keys->older;
}

static bool is_same(const struct nonce_master *a, const struct nonce_master *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

int keys_use_master(struct keys *keys, const struct nonce_master *master,
		    const struct store_settings *settings, uint64_t now_s)
{
	/* What is retired must be of now: it is not followed any more. */
	int rc = keys->period_s ? keys_follow(keys, settings, now_s) : 0;

	if (rc || is_same(&keys->master, master))
		return rc;
	retire(keys, settings->nonce_lifetime_s, now_s);
	keys->master = *master;
	keys->period_s = period_of(settings);
	return derive(keys, now_s);
}

int keys_follow(struct keys *keys, const struct store_settings *settings, uint64_t now_s)
{
	unsigned period_s = period_of(settings);

	if (keys->nonce.older && now_s > keys->older_until_s) {
		keys->nonce.older = NULL;
		explicit_bzero(&keys->older, sizeof(keys->older));
	}
	if (period_s != keys->period_s) {
		retire(keys, settings->nonce_lifetime_s, now_s);
		keys->period_s = period_s;
	} else if (now_s / period_s == keys->period) {
		return 0;
	}
	return derive(keys, now_s);
}

void keys_wipe(struct keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}
