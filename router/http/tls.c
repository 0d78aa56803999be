/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has a type of that name. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>

#include "router/http/tls.h"

#include <stdlib.h>

struct tls {
    SSL_CTX *ctx; /* (owned) */
};

static bool fail(const char *file, struct err *e)
{
    char text[200];

    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return err_set(e, ERR_INPUT, "%s: %s", file, text);
}

static bool fill(SSL_CTX *c, const char *cert, const char *key, struct err *e)
{
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(c, cert) != 1)
        return fail(cert, e);
    if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(c) != 1)
        return fail(key, e);
    return true;
}

struct tls *tls_load(const char *cert, const char *key, struct err *e)
{
    struct tls *t = calloc(1, sizeof *t);

    if (t)
        t->ctx = SSL_CTX_new(TLS_server_method());
    if (!t || !t->ctx) {
        tls_free(t);
        err_set(e, ERR_MEMORY, "tls: out of memory");
        return NULL;
    }
    if (fill(t->ctx, cert, key, e))
        return t;
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (t)
        SSL_CTX_free(t->ctx);
    free(t);
}

struct bufferevent *tls_accept(const struct tls *t, struct event_base *base,
                               int fd)
{
    SSL *ssl = SSL_new(t->ctx);
    struct bufferevent *bev = NULL;

    if (ssl)
        bev = bufferevent_openssl_socket_new(
            base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    else
        SSL_free(ssl);
    return bev;
}

void tls_bye(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);

    if (ssl && SSL_shutdown(ssl) < 0)
        ERR_clear_error();
}
