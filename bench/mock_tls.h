/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with a certificate that nobody should trust, made at start. */
#ifndef WEIR_BENCH_MOCK_TLS_H
#define WEIR_BENCH_MOCK_TLS_H

#include "base/err.h"

struct evhttp;

/* kind: "self-signed" or "expired".  The key lives as long as the process. */
MUST_USE bool mock_tls(struct evhttp *http, const char *kind, struct err *e);

#endif
