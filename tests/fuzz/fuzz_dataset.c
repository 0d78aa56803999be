/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a dataset: what is read can be written and reads back alike. */
#include <stdlib.h>

#include "datasets/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(struct span line, struct arena *a, struct dataset_row *row)
{
    struct err e;

    return row_parse(line, a, row, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dataset_row row, back;
    struct arena a, b;
    struct buf out;
    struct err e;

    arena_init(&a, 1 << 22);
    arena_init(&b, 1 << 22);
    buf_init(&out, 1 << 22);
    if (parse((struct span){(const char *)data, size}, &a, &row) &&
        (!row_format(&row, &out, &e) || !parse(buf_view(&out), &b, &back) ||
         !span_eq(row.id, back.id) || row.n_outcomes != back.n_outcomes ||
         !span_eq(row.outcomes[0].arm, back.outcomes[0].arm)))
        abort();
    buf_free(&out);
    arena_free(&a);
    arena_free(&b);
    return 0;
}
