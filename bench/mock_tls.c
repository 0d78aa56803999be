/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has a type of a name of ours: its header comes first, with that
 * name out of the way. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#undef ERR_STATE

#include "bench/mock_tls.h"

#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <string.h>

enum { DAY = 24 * 3600 };

static struct bufferevent *wrap(struct event_base *base, void *ctx)
{
    return bufferevent_openssl_socket_new(base, -1, SSL_new(ctx),
                                          BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

static X509 *certificate(EVP_PKEY *key, bool expired)
{
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    const unsigned char *host = (const unsigned char *)"localhost";

    if (!x)
        return NULL;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -2L * DAY);
    X509_gmtime_adj(X509_getm_notAfter(x), expired ? -1L * DAY : 30L * DAY);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0);
    X509_set_issuer_name(x, name);
    if (X509_sign(x, key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

bool mock_tls(struct evhttp *http, const char *kind, struct err *e)
{
    bool expired = !strcmp(kind, "expired");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? certificate(key, expired) : NULL;
    bool ok = ctx && x && SSL_CTX_use_certificate(ctx, x) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, key) == 1;

    X509_free(x);
    EVP_PKEY_free(key);
    if (!expired && strcmp(kind, "self-signed") != 0)
        ok = err_set(e, ERR_USAGE,
                     "--tls: wanted self-signed or expired, found '%s'", kind);
    else if (!ok)
        err_set(e, ERR_STATE, "no certificate could be made");
    if (ok)
        evhttp_set_bevcb(http, wrap, ctx);
    else
        SSL_CTX_free(ctx);
    return ok;
}
