/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/frames.h"

#include <string.h>

size_t frame_length(struct span bytes)
{
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;

    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));

        if (!lf)
            return 0;
        if (lf == p || (lf == p + 1 && *p == '\r'))
            return (size_t)(lf + 1 - bytes.ptr);
        p = lf + 1;
    }
    return 0;
}
