/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's chat answers by hand: fast, with every choice and its
 * log-probabilities, and no work of the codec that the router reads with. */
#ifndef WEIR_BENCH_MOCK_OPENAI_H
#define WEIR_BENCH_MOCK_OPENAI_H

#include "bench/mock.h"

void mock_openai_whole(const struct request *r, const struct mock_reply *m,
                       struct buf *out);
bool mock_openai_frame(const struct request *r, const struct mock_reply *m,
                       struct mock_cursor *c, struct buf *out);

#endif
