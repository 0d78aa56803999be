/* SPDX-License-Identifier: Apache-2.0 */
/* Gemini's row, and what its models and spellings are like. */
#include "router/codec/gemini.h"
#include "router/codec/feed.h"

#include <string.h>

/*
 * From Google's pages on thinking, thought signatures, structured output and
 * function calling (ai.google.dev/gemini-api/docs); the first match counts.
 */
static const struct gemini_traits rows[] = {
    {"gemini-1", false, false, false, false, true, false, false, 0, 0},
    {"gemini-2.0", false, false, false, false, true, false, false, 0, 0},
    {"gemini-2.5-pro", true, false, false, true, false, false, false, 128,
     32768},
    {"gemini-2.5-flash-lite", true, false, false, true, true, false, false, 512,
     24576},
    {"gemini-2.5", true, false, false, true, true, false, false, 1, 24576},
    {"gemini-3-pro", true, true, true, true, false, false, false, 0, 0},
    {"gemini-3.1-pro", true, true, true, true, false, false, true, 0, 0},
    {"gemini-", true, true, true, true, false, true, true, 0, 0},
    {"", false, false, false, false, true, false, false, 0, 0},
};

const struct gemini_traits *gemini_traits(struct span model)
{
    size_t i = 0;

    for (const char *p = model.ptr; model.len; p = model.ptr) {
        const char *slash = memchr(p, '/', model.len);

        if (!slash)
            break;
        model.len -= (size_t)(slash + 1 - p);
        model.ptr = slash + 1;
    }
    while (!span_starts(model, rows[i].prefix))
        i++;
    return &rows[i];
}

bool gemini_made_id(struct span id)
{
    return span_starts(id, GEMINI_MADE_ID);
}

/* inlineData -> inline_data; names are short. */
static void snake(const char *name, char dst[64])
{
    size_t n = 0;

    for (; *name && n < 60; name++) {
        if (*name >= 'A' && *name <= 'Z') {
            dst[n++] = '_';
            dst[n++] = (char)(*name | 32);
        } else {
            dst[n++] = *name;
        }
    }
    dst[n] = '\0';
}

bool gemini_is(const struct json *key, const char *name)
{
    char other[64];

    if (json_is(key, name))
        return true;
    if (key->raw.len < 3 || !memchr(key->raw.ptr, '_', key->raw.len))
        return false;
    snake(name, other);
    return json_is(key, other);
}

void gemini_pick(const struct json *obj, const char *const *names, size_t n,
                 struct json *out)
{
    struct json_iter it = json_begin(obj);
    struct json key, v;

    for (size_t i = 0; i < n; i++)
        out[i] = (struct json){JSON_NONE, false, {NULL, 0}};
    while (obj->type == JSON_OBJECT && json_next(&it, &key, &v)) {
        size_t i = 0;

        while (i < n && !gemini_is(&key, names[i]))
            i++;
        if (i < n)
            out[i] = v;
    }
}

struct json gemini_get(const struct json *obj, const char *name)
{
    struct json v = json_get(obj, name);
    char other[64];

    if (v.type != JSON_NONE)
        return v;
    snake(name, other);
    return json_get(obj, other);
}

const struct codec codec_gemini = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .request_read = gemini_request_read,
    .request_write = gemini_request_write,
    .wants_data = gemini_wants_data,
    .answer_read = gemini_answer_read,
    .reader_size = sizeof(struct feed),
    .stream_read = gemini_stream_read,
    .stream_end = gemini_stream_end,
    .writer_size = sizeof(struct gemini_writer),
    .stream_write = gemini_stream_write,
    .stream_free = gemini_stream_free,
    .answer_write = gemini_answer_write,
    .stream_type = "text/event-stream",
};
