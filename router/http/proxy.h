/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of the PROXY protocol, version 2 (haproxy, "The PROXY protocol",
 * section 2.2), by which a load balancer says whose connection it passes on.
 * Pure.  Version 1 is not taken: a line of text could be a client's.
 */
#ifndef WEIR_ROUTER_HTTP_PROXY_H
#define WEIR_ROUTER_HTTP_PROXY_H

#include "base/err.h"
#include "base/span.h"

enum {
    PROXY_FIXED = 16, /* bytes before those whose number it says */
    PROXY_MAX = 4096, /* with addresses and extensions */
    PROXY_PEER = 56,  /* "[v6]:port" and a NUL */
};

/*
 * p[n] from the first byte on.  Returns the bytes of the whole header once
 * they are known (from PROXY_FIXED on), -2 when fewer bytes are there than
 * that, -1 when it is no such header or a longer one than PROXY_MAX.
 */
MUST_USE long proxy_length(const char *p, size_t n);
/* p[n] is one whole header.  peer becomes the client's address, or "" where
 * the header says none (the balancer's own check).  False: malformed. */
MUST_USE bool proxy_parse(const char *p, size_t n, char peer[PROXY_PEER]);

#endif
