/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_parse against cJSON: what json_parse takes, cJSON takes too (but for
 * \u0000, which it refuses, and depth), and walking and decoding stay within
 * the text.  The other way round does not hold: cJSON is the more lenient.
 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct json *v, struct arena *a, int depth)
{
    struct json_iter it = json_begin(v);
    struct json key, one;
    struct span text;
    size_t n = 0;

    if (v->type == JSON_STRING && json_text(v, a, &text) &&
        (text.len > v->raw.len || (!v->escaped && text.len + 2 != v->raw.len)))
        abort();
    while (depth < 600 && json_next(&it, &key, &one)) {
        if (one.type == JSON_NONE || one.raw.len == 0 ||
            (key.type == JSON_STRING) != (v->type == JSON_OBJECT))
            abort();
        walk(&one, a, depth + 1);
        n++;
    }
    if (depth < 600 && n != json_count(v))
        abort();
}

static void compare(struct span text)
{
    cJSON *tree = cJSON_ParseWithLength(text.ptr, text.len);

    if (!tree && text.len < 4000 && !span_has(text, SPAN("\\u0000")))
        abort();
    cJSON_Delete(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct arena memory;
    struct json v;
    struct err e;

    if (!json_parse(text, &v, &e))
        return 0;
    arena_init(&memory, (size_t)1 << 22);
    walk(&v, &memory, 0);
    compare(v.raw);
    arena_free(&memory);
    return 0;
}
