/* SPDX-License-Identifier: Apache-2.0 */
/* CSV records, and lists of strings in their fields, from a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "datasets/csv.h"
#include "datasets/pylist.h"
#include "datasets/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct csv *c, struct csv_record *r)
{
    struct span parts[8];
    struct arena a;
    struct err e;
    size_t n;

    arena_init(&a, 1 << 20);
    while (csv_next(c, r, &e) == 1) {
        for (size_t i = 0; i < r->n; i++) {
            arena_reset(&a);
            pylist_parse(r->fields[i], &a, parts, 8, &n);
        }
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct csv_record r;
    static char path[64];
    struct source *src;
    struct csv *c;
    struct err e;
    FILE *f;

    if (!path[0])
        snprintf(path, sizeof path, "/tmp/weir-fuzz-csv-%ld", (long)getpid());
    f = fopen(path, "w");
    if (!f)
        abort();
    fwrite(data, 1, size, f);
    fclose(f);
    src = source_open(path, &e);
    unlink(path);
    c = src ? csv_open(src, &e) : NULL;
    if (c)
        read_all(c, &r);
    csv_close(c);
    return 0;
}
