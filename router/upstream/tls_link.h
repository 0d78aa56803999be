/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS over a connected, non-blocking socket (OpenSSL), for our own client.
 * The server is checked by its name and by the system's authorities, or by
 * those of a file.  All connections that are checked alike share one context,
 * and give their buffers back while they rest.  No events: the caller waits
 * for the socket.
 */
#ifndef WEIR_ROUTER_UPSTREAM_TLS_LINK_H
#define WEIR_ROUTER_UPSTREAM_TLS_LINK_H

#include "base/err.h"

#include <stddef.h>

struct tls_trusts; /* contexts, one for each file of authorities */
struct tls_link;

enum tls_io {
    TLS_DONE,
    TLS_AGAIN, /* wait for the socket */
    TLS_END,   /* the other side has ended it */
    TLS_FAIL,
};

/* Shared by all threads.  NULL: no memory. */
MUST_USE struct tls_trusts *tls_trusts_new(struct err *e);
void tls_trusts_free(struct tls_trusts *all); /* NULL: no-op */
/* Reads the authorities (PEM; NULL: the system's, a tenth of a second) now,
 * unless they have been read and not changed since. */
MUST_USE bool tls_trusts_read(struct tls_trusts *all, const char *file,
                              struct err *e);
/* Are there authorities in this file?  Reads it, keeps nothing. */
MUST_USE bool tls_trust_check(const char *file, struct err *e);

struct tls_server {
    const char *name;    /* or an address, without brackets */
    const char *ca_file; /* as for tls_trusts_read(), which this does */
};

/* fd: (borrowed).  ALPN offers h2 and http/1.1.  NULL with e. */
MUST_USE struct tls_link *tls_link_new(struct tls_trusts *all, int fd,
                                       const struct tls_server *to,
                                       struct err *e);
void tls_link_free(struct tls_link *l); /* NULL: no-op; says goodbye */

MUST_USE enum tls_io tls_link_shake(struct tls_link *l);
bool tls_link_is_h2(const struct tls_link *l);
/* TLS_DONE: *n bytes, at least one. */
MUST_USE enum tls_io tls_link_read(struct tls_link *l, void *dst, size_t size,
                                   size_t *n);
MUST_USE enum tls_io tls_link_write(struct tls_link *l, const void *src,
                                    size_t size, size_t *n);
/* The last TLS_AGAIN waits for room to write, not for bytes. */
bool tls_link_wants_write(const struct tls_link *l);
/* Bytes read already that no event of the socket will tell of. */
size_t tls_link_pending(const struct tls_link *l);
/* Behind TLS_FAIL, for people; lives as long as l. */
const char *tls_link_why(const struct tls_link *l);

#endif
