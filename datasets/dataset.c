/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/dataset.h"

#include "datasets/reader.h"
#include "datasets/source.h"

#include <stdlib.h>
#include <string.h>

struct dataset {
    const struct reader_ops *ops;
    void *reader; /* (owned) */
    struct dataset_options opt;
    uint64_t bad;
    char first_bad[sizeof((struct err *)0)->msg];
    bool failed;
};

static bool open_reader(struct dataset *d, const char *path, struct err *e)
{
    struct source *src = source_open(path, e);

    if (!src)
        return false;
    d->ops = &jsonl_ops;
    d->reader = jsonl_open(src, e);
    return d->reader != NULL;
}

struct dataset *dataset_open(const char *path, struct dataset_options opt,
                             struct err *e)
{
    struct dataset *d = calloc(1, sizeof *d);

    if (!d) {
        err_set(e, ERR_MEMORY, "%s: no memory", path);
        return NULL;
    }
    d->opt = opt;
    if (!open_reader(d, path, e)) {
        free(d);
        return NULL;
    }
    return d;
}

static void count_bad(struct dataset *d, const struct err *e)
{
    if (d->bad++ == 0)
        memcpy(d->first_bad, e->msg, sizeof d->first_bad);
}

int dataset_next(struct dataset *d, struct dataset_row *row, struct err *e)
{
    struct err bad;

    if (d->failed) {
        err_set(e, ERR_STATE, "the dataset could not be read to its end");
        return -1;
    }
    for (;;) {
        switch (d->ops->next(d->reader, row, &bad)) {
        case READER_ROW:
            return 1;
        case READER_END:
            return 0;
        case READER_BAD:
            if (d->opt.skip_bad) {
                count_bad(d, &bad);
                continue;
            }
            break;
        case READER_FAIL:
            break;
        }
        d->failed = true;
        if (e)
            *e = bad;
        return -1;
    }
}

uint64_t dataset_bad(const struct dataset *d, const char **first)
{
    if (first)
        *first = d->first_bad;
    return d->bad;
}

void dataset_progress(const struct dataset *d, uint64_t *read, uint64_t *size)
{
    d->ops->progress(d->reader, read, size);
}

void dataset_close(struct dataset *d)
{
    if (!d)
        return;
    d->ops->close(d->reader);
    free(d);
}
