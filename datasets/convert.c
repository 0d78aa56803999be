/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/convert.h"

#include "base/progress.h"

#include <string.h>

struct bar {
    struct progress progress;
    struct import *im;
};

int convert_fail(const char *command, const struct err *e)
{
    fprintf(stderr, "weir %s: %s\n", command, e->msg);
    return e->kind == ERR_USAGE ? 2 : 1;
}

static void draw(void *ctx, double done)
{
    struct bar *b = ctx;
    size_t i = 0;

    while (i < b->im->n_paths && b->im->paths[i] != b->im->path)
        i++;
    progress_at(&b->progress, ((double)i + done) / (double)b->im->n_paths);
}

static bool run(const struct convert *c, struct import *im, struct err *e)
{
    const char *why;

    im->out = dataset_create(c->out, e);
    if (!im->out)
        return false;
    if (!import_run(im, c->format, e)) {
        dataset_abandon(im->out);
        return false;
    }
    if (im->count.rows == 0) {
        dataset_abandon(im->out);
        why = im->left_why[0] ? im->left_why : im->first_bad;
        return err_set(e, ERR_INPUT, "%s: wanted rows, found none%s%s",
                       im->paths[0], why[0] ? " of use: " : "", why);
    }
    return dataset_finish(im->out, e);
}

static void report_json(FILE *to, const struct convert *c,
                        const struct import *im)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    buf_str(&b, "{\"out\":");
    buf_json_str(&b, span_of(c->out));
    buf_printf(&b,
               ",\"rows\":%llu,\"unlabelled\":%llu,\"left_out\":%llu,"
               "\"bad\":%llu,\"first_bad\":",
               (unsigned long long)im->count.rows,
               (unsigned long long)im->count.unlabelled,
               (unsigned long long)im->count.left_out,
               (unsigned long long)im->count.bad);
    buf_json_str(&b, span_of(im->first_bad));
    buf_str(&b, "}\n");
    fputs(buf_cstr(&b), to);
    buf_free(&b);
}

static void report(FILE *to, const struct convert *c, const struct import *im)
{
    const struct import_counts *n = &im->count;

    fprintf(to, "%s: %llu rows, %llu of them without a score\n", c->out,
            (unsigned long long)n->rows, (unsigned long long)n->unlabelled);
    if (n->left_out)
        fprintf(to, "left out: %llu (the first: %s)\n",
                (unsigned long long)n->left_out, im->left_why);
    if (n->bad)
        fprintf(to, "malformed: %llu (the first: %s)\n",
                (unsigned long long)n->bad, im->first_bad);
}

int convert_run(const struct convert *c, struct import *im)
{
    struct bar bar = {.im = im};
    struct err e;
    FILE *to = strcmp(c->out, "-") == 0 ? stderr : stdout;
    bool ok;

    progress_start(&bar.progress, c->command);
    im->progress = draw;
    im->ctx = &bar;
    ok = run(c, im, &e);
    progress_end(&bar.progress);
    import_free(im);
    if (!ok)
        return convert_fail(c->command, &e);
    if (c->json)
        report_json(to, c, im);
    else
        report(to, c, im);
    return 0;
}
