/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of JSON lines. */
#include "base/arena.h"
#include "datasets/reader.h"
#include "datasets/row.h"
#include "datasets/source.h"

#include <stdlib.h>

struct jsonl {
    struct source *src; /* (owned) */
    struct arena arena; /* decoded texts of the row */
};

static void jsonl_close(void *r)
{
    struct jsonl *j = r;

    if (!j)
        return;
    source_close(j->src);
    arena_free(&j->arena);
    free(j);
}

void *jsonl_open(struct source *src, struct err *e)
{
    struct jsonl *j = calloc(1, sizeof *j);

    if (!j) {
        err_set(e, ERR_MEMORY, "%s: no memory", source_name(src));
        source_close(src);
        return NULL;
    }
    j->src = src;
    /* Decoded text is never longer than the line it stands in. */
    arena_init(&j->arena, 2 * (size_t)SOURCE_WINDOW_MAX);
    return j;
}

/* The next line that is not blank. */
static int next_line(struct jsonl *j, struct span *line, struct err *e)
{
    int got;

    do
        got = source_line(j->src, line, e);
    while (got == 1 && span_trim(*line).len == 0);
    return got;
}

static enum reader_end jsonl_next(void *r, struct dataset_row *row,
                                  struct err *e)
{
    struct jsonl *j = r;
    struct span line;
    int got = next_line(j, &line, e);
    unsigned long long number = source_line_number(j->src);

    if (got == 0)
        return READER_END;
    if (got < 0)
        return got == -1 ? READER_BAD : READER_FAIL;
    arena_reset(&j->arena);
    if (!row_parse(line, &j->arena, row, e)) {
        err_wrap(e, "%s:%llu", source_name(j->src), number);
        return READER_BAD;
    }
    row->line = number;
    return READER_ROW;
}

static void jsonl_progress(const void *r, uint64_t *read, uint64_t *size)
{
    const struct jsonl *j = r;

    source_progress(j->src, read, size);
}

const struct reader_ops jsonl_ops = {
    .next = jsonl_next,
    .progress = jsonl_progress,
    .close = jsonl_close,
};
