/* SPDX-License-Identifier: Apache-2.0 */
/* From a weir log (or another dataset) into a dataset. */
#include "datasets/import.h"

#include <string.h>

static void count_bad(struct import *im, const struct dataset *d)
{
    const char *first;
    uint64_t n = dataset_bad(d, &first);

    if (n && im->count.bad == 0)
        span_copy(im->first_bad, sizeof im->first_bad, span_of(first));
    im->count.bad += n;
}

static void tick(struct import *im, const struct dataset *d)
{
    uint64_t read, size;

    dataset_progress(d, &read, &size);
    if (im->progress && size)
        im->progress(im->ctx, (double)read / (double)size);
}

bool import_dataset(struct import *im, struct err *e)
{
    struct dataset_options opt = im->opt.log;
    struct dataset *d;
    bool ok = true;
    int got = 0;

    opt.skip_bad = im->opt.skip_bad;
    d = dataset_open(im->path, opt, e);
    if (!d)
        return false;
    while (ok && (got = dataset_next(d, &im->row, e)) == 1) {
        if (im->opt.task)
            im->row.task = span_of(im->opt.task);
        ok = import_row(im, e);
        tick(im, d);
    }
    count_bad(im, d);
    dataset_close(d);
    return ok && got == 0;
}
