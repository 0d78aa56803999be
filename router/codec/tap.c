/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/tap.h"

/* A name of the provider's, cut where it is too long. */
static void keep_name(char *dst, size_t size, struct span name)
{
    if (name.len >= size)
        name.len = size - 1;
    (void)span_copy(dst, size, name);
}

static void keep_text(struct answer *out, const struct chunk *c)
{
    out->text_bytes += c->text.len;
    if (out->text && c->choice == 0 && c->part == PART_TEXT)
        buf_span(out->text, c->text);
}

static void count_choice(struct answer *out, const struct chunk *c)
{
    if (c->choice >= out->choices)
        out->choices = c->choice + 1;
}

void tap_chunk(struct answer *out, const struct chunk *c)
{
    switch (c->kind) {
    case CHUNK_START:
        if (c->has_usage)
            out->usage = c->usage;
        break;
    case CHUNK_OPEN:
        count_choice(out, c);
        out->tool_calls += c->part == PART_TOOL_CALL;
        break;
    case CHUNK_TEXT:
        keep_text(out, c);
        break;
    case CHUNK_USAGE:
        out->usage = c->usage;
        out->has_usage = true;
        break;
    case CHUNK_FINISH:
        count_choice(out, c);
        if (c->choice == 0)
            keep_name(out->finish, sizeof out->finish, c->name);
        break;
    case CHUNK_ERROR:
        out->is_error = true;
        keep_name(out->error, sizeof out->error,
                  c->name.len ? c->name : SPAN("upstream_error"));
        break;
    case CHUNK_END:
        out->done = true;
        break;
    case CHUNK_CLOSE:
        break;
    }
}
