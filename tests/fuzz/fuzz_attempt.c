/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a failed answer: its error, retry-after, rate limits. */
#include <stdint.h>
#include <stdlib.h>

#include "router/attempt/backoff.h"
#include "router/attempt/fault.h"
#include "router/health/allowance.h"

static struct span header(const void *ctx, const char *name)
{
    (void)name;
    return *(const struct span *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {(const char *)data, size};
    struct allowance a = allowance_read(header, &all, 1795183200000);
    uint64_t ms = 0;

    if (fault_of_answer(200 + (int)(size % 400), all) >= FAULT_KINDS ||
        fault_of_words(0, all, all) >= FAULT_KINDS)
        abort();
    if (backoff_told(all, all, 1795183200000, &ms) && ms > 86400000)
        abort();
    if (a.requests_reset_ms > 86400000 || a.tokens < -1 ||
        allowance_reset(all, 0) > 86400000)
        abort();
    return 0;
}
