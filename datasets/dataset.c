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

static const struct span log_magic = {"SQLite format 3\0", 16};

static bool open_reader(struct dataset *d, const char *path, struct err *e)
{
    struct source *src = source_open(path, e);

    if (!src)
        return false;
    if (span_eq(source_head(src), log_magic)) {
        source_close(src);
        if (!strcmp(path, "-"))
            return err_set(e, ERR_USAGE,
                           "wanted a log as a file, found it on "
                           "standard input");
        d->ops = &weir_log_ops;
        d->reader = weir_log_open(path, &d->opt, e);
        return d->reader != NULL;
    }
    if (d->opt.route) {
        source_close(src);
        return err_set(e, ERR_USAGE, "%s: only a weir log knows its routes",
                       path);
    }
    d->ops = &jsonl_ops;
    d->reader = jsonl_open(src, e);
    return d->reader != NULL;
}

bool dataset_is_log(const char *path)
{
    char head[16];
    FILE *f = strcmp(path, "-") != 0 ? fopen(path, "rb") : NULL;
    bool is = f && fread(head, 1, sizeof head, f) == sizeof head &&
              span_eq((struct span){head, sizeof head}, log_magic);

    if (f)
        fclose(f);
    return is;
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

static bool in_time(const struct dataset *d, const struct dataset_row *row)
{
    const struct dataset_options *o = &d->opt;

    if (!o->since_ms && !o->until_ms)
        return true;
    return row->time_ms >= 0 && row->time_ms >= o->since_ms &&
           (!o->until_ms || row->time_ms < o->until_ms);
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
            if (in_time(d, row))
                return 1;
            continue;
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

uint64_t dataset_contradictory(const struct dataset *d)
{
    return d->ops->contradictory ? d->ops->contradictory(d->reader) : 0;
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
