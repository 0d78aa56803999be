/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has a type of that name, too. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "router/upstream/tls_link.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tls_trust {
    struct tls_trust *next;
    SSL_CTX *ctx;     /* (owned) */
    char *file;       /* (owned) NULL: the system's */
    struct stat seen; /* of the file, when it was read */
};

struct tls_trusts {
    pthread_mutex_t lock;
    struct tls_trust *first; /* under lock (owned) */
};

struct tls_link {
    SSL *ssl; /* (owned) */
    bool wants_write;
    char why[160];
};

/* ---- contexts ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static SSL_CTX *context(const char *file, struct err *e)
{
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    ERR_clear_error();
    if (!ctx) {
        err_set(e, ERR_MEMORY, "no memory for TLS");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn - 1) == 0 &&
        (file ? SSL_CTX_load_verify_file(ctx, file)
              : SSL_CTX_set_default_verify_paths(ctx)) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    err_set(e, ERR_INPUT, "no authorities to check servers by in %s",
            file ? file : "the system's place");
    return NULL;
}

static struct tls_trust *find(struct tls_trust *list, const char *file)
{
    struct tls_trust *t = list;

    while (t && (file ? !t->file || strcmp(t->file, file) != 0 : !!t->file))
        t = t->next;
    return t;
}

static struct tls_trust *add(struct tls_trust **list, const char *file)
{
    struct tls_trust *t = calloc(1, sizeof *t);

    if (t && file && !(t->file = strdup(file))) {
        free(t);
        return NULL;
    }
    if (t) {
        t->next = *list;
        *list = t;
    }
    return t;
}

/* Under the lock. */
static struct tls_trust *trust_of(struct tls_trusts *all, const char *file,
                                  struct err *e)
{
    struct tls_trust *t = find(all->first, file);
    struct stat now = {.st_ino = 0};
    SSL_CTX *ctx;

    if (file && stat(file, &now) != 0)
        now.st_ino = 0; /* what was read before still holds */
    if (t && t->ctx && (now.st_ino == 0 || is_same(&now, &t->seen)))
        return t;
    if (!t)
        t = add(&all->first, file);
    if (!t) {
        err_set(e, ERR_MEMORY, "no memory for TLS");
        return NULL;
    }
    ctx = context(file, e);
    if (!ctx && !t->ctx)
        return NULL;
    if (ctx) { /* connections hold on to the old one */
        SSL_CTX_free(t->ctx);
        t->ctx = ctx;
        t->seen = now;
    }
    return t;
}

struct tls_trusts *tls_trusts_new(struct err *e)
{
    struct tls_trusts *all = calloc(1, sizeof *all);

    if (all && pthread_mutex_init(&all->lock, NULL) == 0)
        return all;
    free(all);
    err_set(e, ERR_MEMORY, "no memory for TLS");
    return NULL;
}

bool tls_trusts_read(struct tls_trusts *all, const char *file, struct err *e)
{
    bool ok;

    pthread_mutex_lock(&all->lock);
    ok = trust_of(all, file, e) != NULL;
    pthread_mutex_unlock(&all->lock);
    return ok;
}

bool tls_trust_check(const char *file, struct err *e)
{
    SSL_CTX *ctx = context(file, e);

    SSL_CTX_free(ctx);
    return ctx != NULL;
}

void tls_trusts_free(struct tls_trusts *all)
{
    struct tls_trust *t = all ? all->first : NULL;

    while (t) {
        struct tls_trust *next = t->next;

        SSL_CTX_free(t->ctx);
        free(t->file);
        free(t);
        t = next;
    }
    if (all)
        pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- a connection ---- */

static SSL *connection(struct tls_trusts *all, const char *file, struct err *e)
{
    struct tls_trust *t;
    SSL *ssl = NULL;

    pthread_mutex_lock(&all->lock);
    t = trust_of(all, file, e);
    if (t && !(ssl = SSL_new(t->ctx)))
        err_set(e, ERR_MEMORY, "no memory for TLS");
    pthread_mutex_unlock(&all->lock);
    return ssl;
}

static bool expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                    TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}

struct tls_link *tls_link_new(struct tls_trusts *all, int fd,
                              const struct tls_server *to, struct err *e)
{
    struct tls_link *l = calloc(1, sizeof *l);

    if (!l) {
        err_set(e, ERR_MEMORY, "no memory for TLS");
        return NULL;
    }
    l->ssl = connection(all, to->ca_file, e);
    if (l->ssl && SSL_set_fd(l->ssl, fd) == 1 && expect(l->ssl, to->name)) {
        SSL_set_connect_state(l->ssl);
        return l;
    }
    if (l->ssl)
        err_set(e, ERR_MEMORY, "no memory for TLS");
    tls_link_free(l);
    return NULL;
}

void tls_link_free(struct tls_link *l)
{
    if (!l)
        return;
    if (l->ssl && SSL_is_init_finished(l->ssl) && !l->why[0])
        (void)SSL_shutdown(l->ssl); /* one try */
    ERR_clear_error();
    SSL_free(l->ssl);
    free(l);
}

static enum tls_io failed(struct tls_link *l)
{
    long verdict = SSL_get_verify_result(l->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (verdict != X509_V_OK)
        snprintf(l->why, sizeof l->why, "the server's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(l->why, sizeof l->why, "TLS: %s",
                 reason ? reason : "the connection broke");
    ERR_clear_error();
    return TLS_FAIL;
}

static enum tls_io outcome(struct tls_link *l, int rc)
{
    l->wants_write = false;
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_WRITE:
        l->wants_write = true;
        return TLS_AGAIN;
    case SSL_ERROR_WANT_READ:
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_END;
    default:
        return failed(l);
    }
}

enum tls_io tls_link_shake(struct tls_link *l)
{
    ERR_clear_error();
    return outcome(l, SSL_do_handshake(l->ssl));
}

bool tls_link_is_h2(const struct tls_link *l)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(l->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

enum tls_io tls_link_read(struct tls_link *l, void *dst, size_t size, size_t *n)
{
    ERR_clear_error();
    return outcome(l, SSL_read_ex(l->ssl, dst, size, n));
}

enum tls_io tls_link_write(struct tls_link *l, const void *src, size_t size,
                           size_t *n)
{
    ERR_clear_error();
    return outcome(l, SSL_write_ex(l->ssl, src, size, n));
}

bool tls_link_wants_write(const struct tls_link *l)
{
    return l->wants_write;
}

size_t tls_link_pending(const struct tls_link *l)
{
    return (size_t)SSL_pending(l->ssl);
}

const char *tls_link_why(const struct tls_link *l)
{
    return l->why;
}
