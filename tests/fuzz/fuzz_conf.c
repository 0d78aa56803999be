/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration: settings or a message with a place; what is
 * taken can be shown. */
#include "router/settings/settings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct err e = {0};
    struct settings *s = settings_parse(text, "fuzz.yaml", &e);
    struct buf shown;

    if (!s) {
        if (e.kind == ERR_NONE || !e.msg[0])
            abort();
        return 0;
    }
    buf_init(&shown, 1 << 24);
    schema_show(&settings_schema, s, 0, &shown);
    buf_free(&shown);
    settings_free(s);
    return 0;
}
