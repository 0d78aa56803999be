/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate and key for inbound TLS (1.2 and later), over OpenSSL. */
#ifndef WEIR_ROUTER_HTTP_TLS_H
#define WEIR_ROUTER_HTTP_TLS_H

#include "base/err.h"

struct bufferevent;
struct event_base;
struct tls;

/* PEM files; the certificate's with those between it and the root.  NULL
 * with e, also when key and certificate do not belong together. */
MUST_USE struct tls *tls_load(const char *cert, const char *key, struct err *e);
/* NULL: no-op.  Connections that were begun with it go on. */
void tls_free(struct tls *t);

/* A bufferevent that takes fd over and shakes hands; NULL: no memory. */
struct bufferevent *tls_accept(const struct tls *t, struct event_base *base,
                               int fd);
/* Says to the client that all was sent; else a close may be a cut. */
void tls_bye(struct bufferevent *bev);

#endif
