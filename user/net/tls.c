/* SPDX-License-Identifier: BSD-2-Clause */
/* All of TLS: versions 1.2 and 1.3, ciphers with forward secrecy and, unless others are asked for,
 * authenticated encryption. */
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net_internal.h"

#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL"
#define CBC_CIPHERS CIPHERS ":ECDHE+AES:DHE+AES:!AESCCM"
#define SECURITY_LEVEL 2

struct tls {
	struct {
		char domain[NET_NAME_SIZE];
		SSL_CTX *context;
	} domains[NET_CERTIFICATES_MAX];
	unsigned domain_count;
	SSL_CTX *client;
};

/* ---- loading ---- */

static const char *reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "unknown error";
}

/* Nobody is there to type one. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

static SSL_CTX *context_new(const SSL_METHOD *method, const struct net_tls *config)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	SSL_CTX_set_dh_auto(context, 1);
	/* Connections last: what it takes to resume them is not worth keeping. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					     SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(context, no_password);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, config->cbc_suites ? CBC_CIPHERS : CIPHERS) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static int check_key_file(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st))
		return error_set(err, -errno, "tls_certificate: key %s: %s", path, strerror(errno));
	if (st.st_mode & 037)
		return error_set(err, -EACCES,
				 "tls_certificate: key %s: others than its owner and group could "
				 "read it, or change it: chmod 0600 %s",
				 path, path);
	return 0;
}

static int check_file(const char *key, const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st))
		return error_set(err, -errno, "%s: %s: %s", key, path, strerror(errno));
	return 0;
}

static int use_certificate(SSL_CTX *context, const char *chain_file, const char *key_file,
			   struct error *err)
{
	int rc = check_file("tls_certificate", chain_file, err);

	if (!rc)
		rc = check_key_file(key_file, err);
	if (rc)
		return rc;
	if (SSL_CTX_use_certificate_chain_file(context, chain_file) != 1)
		return error_set(err, -EINVAL, "tls_certificate: %s: no certificate in PEM: %s",
				 chain_file, reason());
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
		return error_set(err, -EINVAL,
				 "tls_certificate: key %s: no key in PEM without a password, or "
				 "not that of %s: %s",
				 key_file, chain_file, reason());
	return 0;
}

/* Whoever has no certificate, or one that nobody vouches for, is told apart later. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static int ask_clients(SSL_CTX *context, const char *file, struct error *err)
{
	STACK_OF(X509_NAME) * names;
	int rc = file[0] ? check_file("tls_client_ca", file, err) : 0;

	if (rc || !file[0])
		return rc;
	names = SSL_load_client_CA_file(file);
	if (!names || SSL_CTX_load_verify_file(context, file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return error_set(err, -EINVAL, "tls_client_ca: %s: no certificates in PEM: %s",
				 file, reason());
	}
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
	return 0;
}

static int choose_domain(SSL *ssl, int *alert, void *arg)
{
	const struct net *net = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (unsigned i = 0; name && i < net->tls->domain_count; i++) {
		if (strcasecmp(net->tls->domains[i].domain, name) == 0) {
			SSL_set_SSL_CTX(ssl, net->tls->domains[i].context);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static int load_domain(struct net *net, const struct net_tls *config, unsigned i, struct tls *tls,
		       struct error *err)
{
	SSL_CTX *context = context_new(TLS_server_method(), config);
	int rc;

	if (!context)
		return error_set(err, -ENOMEM, "can not set up TLS: %s", reason());
	tls->domains[i].context = context;
	tls->domain_count = i + 1;
	memcpy(tls->domains[i].domain, config->certificates[i].domain, NET_NAME_SIZE);
	SSL_CTX_set_tlsext_servername_callback(context, choose_domain);
	SSL_CTX_set_tlsext_servername_arg(context, net);
	rc = use_certificate(context, config->certificates[i].chain_file,
			     config->certificates[i].key_file, err);
	return rc ? rc : ask_clients(context, config->client_ca_file, err);
}

static int load_client(const struct net_tls *config, struct tls *tls, struct error *err)
{
	SSL_CTX *context = tls->client = context_new(TLS_client_method(), config);
	int rc = config->ca_file[0] ? check_file("tls_ca", config->ca_file, err) : 0;

	if (!context)
		return error_set(err, -ENOMEM, "can not set up TLS: %s", reason());
	if (rc)
		return rc;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (config->ca_file[0] && SSL_CTX_load_verify_file(context, config->ca_file) != 1)
		return error_set(err, -EINVAL, "tls_ca: %s: no certificates in PEM: %s",
				 config->ca_file, reason());
	if (!config->ca_file[0])
		SSL_CTX_set_default_verify_paths(context);
	if (!config->certificate_count)
		return 0;
	return use_certificate(context, config->certificates[0].chain_file,
			       config->certificates[0].key_file, err);
}

int net_tls_load(struct net *net, const struct net_tls *config, struct error *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	int rc = 0;

	if (!tls)
		return error_set(err, -ENOMEM, "out of memory");
	ERR_clear_error();
	for (unsigned i = 0; !rc && i < config->certificate_count; i++)
		rc = load_domain(net, config, i, tls, err);
	if (!rc)
		rc = load_client(config, tls, err);
	if (!rc) {
		struct tls *old = net->tls;

		net->tls = tls;
		tls = old;
	}
	tls_free(tls);
	ERR_clear_error();
	return rc;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; i < tls->domain_count; i++)
		SSL_CTX_free(tls->domains[i].context);
	SSL_CTX_free(tls->client);
	free(tls);
}

bool tls_can_serve(const struct net *net)
{
	return net->tls && net->tls->domain_count;
}

/* ---- streams ---- */

/* On failure libevent frees ssl, and the descriptor is closed with it. */
static struct bufferevent *stream_new(struct net *net, int fd, SSL *ssl,
				      enum bufferevent_ssl_state state)
{
	struct bufferevent *stream;

	if (!ssl) {
		close(fd);
		return NULL;
	}
	stream = bufferevent_openssl_socket_new(net->base, fd, ssl, state, BEV_OPT_CLOSE_ON_FREE);
	/* Where a message ends its length says. */
	if (stream)
		bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	return stream;
}

struct bufferevent *tls_accept(struct net *net, int fd)
{
	SSL *ssl = tls_can_serve(net) ? SSL_new(net->tls->domains[0].context) : NULL;

	return stream_new(net, fd, ssl, BUFFEREVENT_SSL_ACCEPTING);
}

/* An address is verified as such, and is no server name (RFC 6066 §3). */
static bool expect(SSL *ssl, const struct net_path *path)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct ip ip = path->remote.ip;

	if (path->name && ip_parse(slice_from(path->name), &ip))
		return SSL_set_tlsext_host_name(ssl, path->name) == 1 &&
		       SSL_set1_host(ssl, path->name) == 1;
	return X509_VERIFY_PARAM_set1_ip(param, ip.bytes, ip_bits(&ip) / 8) == 1;
}

struct bufferevent *tls_connect(struct net *net, int fd, const struct net_path *path)
{
	SSL *ssl = net->tls ? SSL_new(net->tls->client) : NULL;

	if (ssl && !expect(ssl, path)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	return stream_new(net, fd, ssl, BUFFEREVENT_SSL_CONNECTING);
}

bool tls_is_verified(struct bufferevent *stream)
{
	SSL *ssl = bufferevent_openssl_get_ssl(stream);

	return SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK;
}

bool tls_is_for(struct bufferevent *stream, const char *name)
{
	X509 *certificate = SSL_get0_peer_certificate(bufferevent_openssl_get_ssl(stream));
	struct ip ip;

	if (!certificate)
		return false;
	if (ip_parse(slice_from(name), &ip) == 0)
		return X509_check_ip(certificate, ip.bytes, ip_bits(&ip) / 8, 0) == 1;
	return X509_check_host(certificate, name, strlen(name), 0, NULL) == 1;
}

const char *tls_error(struct bufferevent *stream)
{
	unsigned long code = bufferevent_get_openssl_error(stream);
	long verified = SSL_get_verify_result(bufferevent_openssl_get_ssl(stream));
	const char *text;

	if (!code)
		return NULL;
	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	text = ERR_reason_error_string(code);
	return text ? text : "TLS failed";
}

void tls_close(struct bufferevent *stream)
{
	SSL_shutdown(bufferevent_openssl_get_ssl(stream));
	ERR_clear_error();
}
