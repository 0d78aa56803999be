/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client's headers ask for and say beside the body: how long, how often,
 * for whom.  Each is known by a name of weir's and by those that LiteLLM,
 * Portkey, Helicone, Cloudflare AI Gateway and vLLM Semantic Router have for
 * it (a row each in hints.c, listed in docs/configuration.md), so that clients
 * of these need no change.
 */
#ifndef WEIR_ROUTER_CHAT_HINTS_H
#define WEIR_ROUTER_CHAT_HINTS_H

#include "base/buf.h"
#include "router/http/http.h"

enum hint_family {
    HINTS_OWN = 1 << 0,
    HINTS_LITELLM = 1 << 1,
    HINTS_PORTKEY = 1 << 2,
    HINTS_HELICONE = 1 << 3,
    HINTS_CLOUDFLARE = 1 << 4,
    HINTS_SEMANTIC = 1 << 5,
};

/* Spans are the exchange's. */
struct hints {
    unsigned families;    /* bits: whose names there were */
    uint64_t deadline_ms; /* 0: not said */
    uint64_t calls;       /* of providers at the most; 0: not said */
    struct span tags, user, trace;
    struct span metadata; /* a JSON object */
};

/* stream: the request wants one.  False: e names the header. */
MUST_USE bool hints_read(const struct http_request *q, bool stream,
                         struct hints *h, struct err *e);
/* {"trace": "...", "user": "...", "tags": ["..."], "metadata": {...}}, for
 * the log; nothing where nothing was said. */
void hints_json(const struct hints *h, struct buf *out);

#endif
