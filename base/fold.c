/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fold.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { FOLD_MAX = 64 * 1024 };

struct span fold_text(struct span text, struct arena *a)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t n;
    struct span out;

    if (text.len == 0 || text.len > FOLD_MAX)
        return (struct span){NULL, 0};
    n = utf8proc_map((const utf8proc_uint8_t *)text.ptr,
                     (utf8proc_ssize_t)text.len, &folded,
                     UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE |
                         UTF8PROC_CASEFOLD);
    if (n <= 0) {
        free(folded);
        return (struct span){NULL, 0};
    }
    out = arena_copy(a, (struct span){(const char *)folded, (size_t)n});
    free(folded);
    return out;
}
