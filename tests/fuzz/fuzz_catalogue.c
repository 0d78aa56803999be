/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as another program's price list: what is made of them must be
 * a catalogue that reads back. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "models/catalogue_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalogue_import im = {.origin = "fuzz"};
    struct err e;
    struct buf out;
    static char path[64];
    if (!path[0])
        snprintf(path, sizeof path, "/dev/shm/weir-fuzz-%ld", (long)getpid());
    buf_init(&out, 16 << 20);
    if (catalogue_import((struct span){(const char *)data, size}, &im, &out,
                         &e)) {
        if (!file_write(path, buf_view(&out), &e))
            abort();
        struct catalogue *c = catalogue_load(path, &e);
        if (!c || catalogue_count(c) != im.taken)
            abort();
        for (size_t i = 0; i < catalogue_count(c) && i < 8; i++)
            catalogue_find(c, span_of(catalogue_at(c, i)->name));
        catalogue_free(c);
        unlink(path);
    }
    buf_free(&out);
    return 0;
}
