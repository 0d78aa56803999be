/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong with one call of a provider, in a few classes: how it is
 * tried again (routes.NAME.retry), what it says of the provider's health and
 * of the key.  Pure.
 */
#ifndef WEIR_ROUTER_ATTEMPT_FAULT_H
#define WEIR_ROUTER_ATTEMPT_FAULT_H

#include "base/span.h"

enum fault {
    FAULT_NONE,
    FAULT_CONNECT,     /* refused, unreachable, no TLS */
    FAULT_DEAD,        /* nobody took the connection in time */
    FAULT_TIMEOUT,     /* connected, then silent for too long */
    FAULT_CUT,         /* ended before it was whole */
    FAULT_RATE,        /* 429: too many for this key */
    FAULT_OVERLOADED,  /* 529, or a 503 that says so */
    FAULT_SERVER,      /* 5xx, 408, 409 */
    FAULT_AUTH,        /* 401, 403: the key is not taken */
    FAULT_QUOTA,       /* the account behind the key is out of money */
    FAULT_POLICY,      /* what was asked offends the provider's filter */
    FAULT_CONTEXT,     /* the prompt is larger than the model's window */
    FAULT_MODEL,       /* the provider does not have the model */
    FAULT_INVALID,     /* not an answer of its dialect */
    FAULT_UNSUPPORTED, /* its dialect cannot carry the request */
    FAULT_REQUEST,     /* any other 4xx: the request's own */
    FAULT_GONE,        /* the client left */
    FAULT_LOST,        /* cancelled: another call was faster */
    FAULT_KINDS,
};

/* What a fault says of the model at its provider. */
enum blame {
    BLAME_NONE, /* nothing */
    BLAME_WELL, /* it is up: it answered */
    BLAME_ILL,  /* a failure that counts */
    BLAME_DEAD, /* enough to stop calling it at once */
    BLAME_KEY,  /* it is up; the key has to rest */
};

const char *fault_name(enum fault f); /* "rate_limit", for the log */
enum blame fault_blame(enum fault f);

/* An answer's status and body, in any provider's dialect.  Below 400: an
 * error in the body alone (an error event); FAULT_NONE when it says none. */
enum fault fault_of_answer(int status, struct span body);
/* The same from an error's type (or code) and message. */
enum fault fault_of_words(int status, struct span name, struct span message);

#endif
