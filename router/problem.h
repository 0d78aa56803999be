/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of weir's own, in the shape of the client's dialect. */
#ifndef WEIR_ROUTER_PROBLEM_H
#define WEIR_ROUTER_PROBLEM_H

#include "router/codec/dialect.h"
#include "router/http/http.h"

enum problem_kind {
    PROBLEM_BAD_REQUEST, /* 400 */
    PROBLEM_NO_ARM,      /* 400: no arm can serve it */
    PROBLEM_UNSUPPORTED, /* 400: what no arm's dialect can carry */
    PROBLEM_CONTEXT,     /* 400: larger than every arm's window */
    PROBLEM_NO_KEY,      /* 401: no key, or none that is known */
    PROBLEM_KEY_ROUTE,   /* 403: the key may not ask for this */
    PROBLEM_KEY_RATE,    /* 429: the key has used its minute */
    PROBLEM_QUOTA,       /* 429: the day's money is used up */
    PROBLEM_FORBIDDEN,   /* 403 */
    PROBLEM_NOT_FOUND,   /* 404 */
    PROBLEM_NO_MODEL,    /* 404 */
    PROBLEM_METHOD,      /* 405 */
    PROBLEM_ENCODING,    /* 415: a compressed body */
    PROBLEM_MEMORY,      /* 503 */
    PROBLEM_BUSY,        /* 503 */
    PROBLEM_UNHEALTHY,   /* 503: what could serve it fails at present */
    PROBLEM_RELOAD,      /* 409: the new configuration is bad */
    PROBLEM_UNREACHABLE, /* 502: no connection */
    PROBLEM_CUT,         /* 502: ended before it was whole */
    PROBLEM_INVALID,     /* 502: not an answer of its dialect */
    PROBLEM_REFUSED,     /* the provider's status, without a body of use */
    PROBLEM_TIMEOUT,     /* 504 */
    PROBLEM_KINDS,
};

/* Status, type and code of the kind; the message is formatted into the
 * arena (out of memory: a fixed one). */
void problem_set(struct problem *p, enum problem_kind kind, struct arena *a,
                 const char *fmt, ...) PRINTF(4, 5);
const char *problem_code(enum problem_kind kind); /* for the log */

/* A provider's error for a client of another dialect.  message is copied. */
void problem_of_status(struct problem *p, int status, struct arena *a,
                       const char *message);

void problem_reply(struct http_exchange *x, const struct dialect_ops *d,
                   const struct problem *p);

#endif
