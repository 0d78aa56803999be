/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of requests: "req_" and 24 base32 characters (Crockford's, lower case),
 * 10 of milliseconds and 14 of chance, so that they sort by time. */
#ifndef WEIR_ROUTER_REQUEST_ID_H
#define WEIR_ROUTER_REQUEST_ID_H

#include "base/span.h"

enum { REQUEST_ID_LEN = 28 };

struct id_source {
    uint64_t state[2];
};

void id_source_seed(struct id_source *s); /* from the system's randomness */
void request_id_make(struct id_source *s, int64_t utc_ms,
                     char dst[REQUEST_ID_LEN + 1]);

#endif
