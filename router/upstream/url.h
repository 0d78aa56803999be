/* SPDX-License-Identifier: Apache-2.0 */
/* Web addresses as libcurl understands them, so that what was looked at is
 * what is connected to. */
#ifndef WEIR_ROUTER_UPSTREAM_URL_H
#define WEIR_ROUTER_UPSTREAM_URL_H

#include "base/err.h"
#include "base/span.h"

struct url_place {
    char host[256]; /* a name, or an address without brackets */
    char port[8];   /* always said */
};

/* http and https only, without a user's name.  *whole: the address in its
 * plain form, malloc'ed, the caller's. */
MUST_USE bool url_read(const char *text, char **whole, struct url_place *at,
                       struct err *e);
/* Where `to`, whole or relative, leads from base: malloc'ed; NULL: nowhere. */
MUST_USE char *url_join(const char *base, const char *to);

#endif
