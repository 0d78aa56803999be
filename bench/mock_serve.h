/* SPDX-License-Identifier: Apache-2.0 */
/* A request in one of the dialects taken in: its key, its body, its faults;
 * and the shapes of models and token counts. */
#ifndef WEIR_BENCH_MOCK_SERVE_H
#define WEIR_BENCH_MOCK_SERVE_H

#include "bench/mock_turn.h"

/* Answers it, now or later. */
void mock_serve(struct mock_server *s, struct evhttp_request *req,
                const struct mock_place *at);

/* A list of models: the i-th, then its end. */
void mock_list_model(const struct mock_dialect *d, struct span name, size_t i,
                     struct buf *out);
void mock_list_end(const struct mock_dialect *d, size_t n, struct buf *out);
void mock_model(const struct mock_dialect *d, struct span name,
                struct buf *out);
void mock_count(const struct mock_dialect *d, int64_t tokens, struct buf *out);

#endif
