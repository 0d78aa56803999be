/* SPDX-License-Identifier: Apache-2.0 */
/* A schema, a line's end, a value. */
#include "base/json_schema.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size}, first;
    struct json schema, value;
    struct arena work;
    struct err e = {ERR_NONE, ""};

    first = span_cut(&rest, '\n');
    if (!rest.ptr || !json_parse(first, &schema, &e) ||
        !json_parse(rest, &value, &e))
        return 0;
    arena_init(&work, 1 << 20);
    e.msg[0] = '\0';
    if (json_fits(&schema, &value, &work, &e) == FITS_NOT && !e.msg[0])
        abort(); /* no word about why */
    arena_free(&work);
    return 0;
}
