/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks -> a Converse answer, whole or as an event stream. */
#include "router/codec/aws_stream.h"
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <string.h>

struct state {
    unsigned index; /* of the open block, as written */
    enum part_kind part;
    bool redacted;
    bool skip;   /* the open block has no place here */
    bool result; /* the open block is a built-in tool's result */
    bool has_usage;
    struct usage usage; /* goes behind the stop */
};
_Static_assert(sizeof(struct state) <= BEDROCK_WRITER_SIZE, "room for it");

enum { EVENT_MAX = 32 << 20 };

/* ---- pieces ---- */

/* Citations of another dialect have no place here. */
static bool is_citation(const struct json *v)
{
    return json_get(v, "location").type == JSON_OBJECT ||
           json_get(v, "sourceContent").type == JSON_ARRAY;
}

static struct json value_of(struct span raw)
{
    struct json v = {JSON_NONE, false, {NULL, 0}};
    struct err why;

    if (raw.len && !json_parse(raw, &v, &why))
        v.type = JSON_NONE;
    return v;
}

static void put_usage(struct buf *out, const struct usage *u)
{
    int64_t written = u->cache_write + u->cache_write_1h;
    int64_t fresh = u->input - u->cached - written;

    put_open(out, "usage");
    put_int(out, "inputTokens", fresh < 0 ? 0 : fresh);
    put_int(out, "outputTokens", u->output);
    put_int(out, "totalTokens", u->input + u->output);
    if (u->cached || written) {
        put_int(out, "cacheReadInputTokens", u->cached);
        put_int(out, "cacheWriteInputTokens", written);
    }
    if (u->cache_write_1h) {
        put_list(out, "cacheDetails");
        buf_printf(out, "{\"ttl\":\"1h\",\"inputTokens\":%lld}",
                   (long long)u->cache_write_1h);
        if (u->cache_write)
            buf_printf(out, ",{\"ttl\":\"5m\",\"inputTokens\":%lld}",
                       (long long)u->cache_write);
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

/* The provider's own word where it is one of Bedrock's. */
static struct span reason_of(enum finish finish, struct span name)
{
    if (name.len && bedrock_finish(name) == finish)
        return name;
    return span_of(bedrock_stop_reason(finish));
}

static void put_use(struct buf *out, struct span id, struct span name)
{
    put_open(out, "toolUse");
    put_key(out, "toolUseId");
    id_write(out, id);
    put_key(out, "name");
    id_write(out, name);
}

/* ---- a stream ---- */

static void send(struct buf *out, const char *name, struct buf *data)
{
    buf_char(data, '}');
    if (data->failed)
        out->failed = true;
    else
        aws_stream_write(out, "event", span_of(name), buf_view(data));
}

/* A block's start or delta is begun with its index first. */
static void begin(const struct state *s, struct buf *data, const char *what)
{
    buf_char(data, '{');
    put_int(data, "contentBlockIndex", s->index);
    if (what)
        put_open(data, what);
}

static void write_open(struct state *s, const struct chunk *c, struct losses *l,
                       struct buf *out, struct buf *data)
{
    struct json raw = value_of(c->raw);
    struct span format = bedrock_format(PART_IMAGE, c->media);

    s->part = c->part;
    s->redacted = c->redacted;
    s->result = json_get(&raw, "toolResult").type == JSON_OBJECT;
    s->skip = c->part == PART_AUDIO || c->part == PART_FILE ||
              (c->part == PART_IMAGE && !format.len) ||
              (c->part == PART_OTHER && !s->result &&
               json_get(&raw, "toolUse").type != JSON_OBJECT);
    if (s->skip) {
        lossy_add(l, LOSSY_OTHER, "block %u", c->block);
        return;
    }
    begin(s, data, c->part == PART_OTHER ? NULL : "start");
    if (c->part == PART_TOOL_CALL) {
        put_use(data, c->id, c->name);
        buf_str(data, "}}");
    } else if (c->part == PART_IMAGE) {
        put_open(data, "image");
        put_str(data, "format", format);
        buf_str(data, "}}");
    } else if (c->part == PART_OTHER) {
        put_raw(data, "start", c->raw);
    } else {
        return; /* texts begin without */
    }
    send(out, "contentBlockStart", data);
}

static void put_delta(const struct state *s, const struct chunk *c,
                      struct buf *data)
{
    switch (s->part) {
    case PART_THINKING:
        put_open(data, "reasoningContent");
        put_str(data, "text", c->text);
        buf_char(data, '}');
        break;
    case PART_IMAGE:
        put_open(data, "image");
        put_open(data, "source");
        put_str(data, "bytes", c->text);
        buf_str(data, "}}");
        break;
    case PART_TOOL_CALL:
    case PART_OTHER:
        if (s->result) {
            put_raw(data, "toolResult", c->text);
            break;
        }
        put_open(data, "toolUse");
        put_str(data, "input", c->text);
        buf_char(data, '}');
        break;
    default:
        put_str(data, "text", c->text);
    }
}

static void write_text(struct state *s, const struct chunk *c, struct losses *l,
                       struct buf *out, struct buf *data)
{
    struct json raw = value_of(c->raw);

    if (s->skip)
        return;
    if (c->text.len) {
        begin(s, data, "delta");
        put_delta(s, c, data);
        buf_char(data, '}');
        send(out, "contentBlockDelta", data);
        buf_reset(data);
    }
    if (is_citation(&raw)) {
        begin(s, data, "delta");
        put_raw(data, "citation", c->raw);
        buf_char(data, '}');
        send(out, "contentBlockDelta", data);
    } else if (c->raw.len) {
        lossy_add(l, LOSSY_CITATION, "block %u", c->block);
    }
}

static void write_close(struct state *s, const struct chunk *c,
                        struct losses *l, struct buf *out, struct buf *data)
{
    if (s->skip)
        return;
    if (c->signature.len && s->part == PART_THINKING) {
        begin(s, data, "delta");
        put_open(data, "reasoningContent");
        put_str(data, s->redacted ? "redactedContent" : "signature",
                c->signature);
        buf_str(data, "}}");
        send(out, "contentBlockDelta", data);
        buf_reset(data);
    } else if (c->signature.len) {
        lossy_add(l, LOSSY_SIGNATURE, "block %u", c->block);
    }
    begin(s, data, NULL);
    send(out, "contentBlockStop", data);
    s->index++;
}

static void write_finish(const struct chunk *c, struct buf *out,
                         struct buf *data)
{
    buf_char(data, '{');
    put_str(data, "stopReason", reason_of(c->finish, c->name));
    send(out, "messageStop", data);
}

static void write_end(const struct state *s, struct buf *out, struct buf *data)
{
    if (!s->has_usage)
        return;
    buf_str(data, "{\"metrics\":{\"latencyMs\":0}");
    put_usage(data, &s->usage);
    send(out, "metadata", data);
}

static void write_error(const struct chunk *c, struct buf *out,
                        struct buf *data)
{
    buf_char(data, '{');
    put_str(data, "message", c->text);
    buf_char(data, '}');
    if (!data->failed)
        aws_stream_write(out, "exception",
                         span_of(bedrock_exception(c->status)), buf_view(data));
}

static void write_chunk(struct state *s, const struct chunk *c,
                        struct losses *l, struct buf *out, struct buf *data)
{
    if (c->has_usage) {
        s->usage = c->usage;
        s->has_usage = true;
    }
    switch (c->kind) {
    case CHUNK_START:
        buf_str(data, "{\"role\":\"assistant\"");
        send(out, "messageStart", data);
        break;
    case CHUNK_OPEN:
        write_open(s, c, l, out, data);
        break;
    case CHUNK_TEXT:
        write_text(s, c, l, out, data);
        break;
    case CHUNK_CLOSE:
        write_close(s, c, l, out, data);
        break;
    case CHUNK_USAGE:
        break;
    case CHUNK_FINISH:
        write_finish(c, out, data);
        break;
    case CHUNK_END:
        write_end(s, out, data);
        break;
    case CHUNK_ERROR:
        write_error(c, out, data);
        break;
    }
}

void bedrock_stream_write(void *state, const struct request *asked,
                          const struct chunk *c, struct losses *l,
                          struct buf *out)
{
    struct buf data;

    (void)asked;
    if (c->choice) {
        lossy_add(l, LOSSY_N, "choice %u", c->choice);
        return;
    }
    buf_init(&data, EVENT_MAX);
    write_chunk(state, c, l, out, &data);
    buf_free(&data);
}

/* ---- a whole answer ---- */

static void whole_text(const struct gathered_block *b, struct losses *l,
                       struct buf *out)
{
    struct json raw = value_of(b->raw), first;
    struct json_iter it = json_begin(&raw);
    bool cited = raw.type == JSON_ARRAY && json_next(&it, NULL, &first) &&
                 is_citation(&first);

    if (b->raw.len && !cited)
        lossy_add(l, LOSSY_CITATION, "text");
    if (!cited) {
        put_str(out, "text", b->text);
        return;
    }
    put_open(out, "citationsContent");
    if (b->text.len) {
        put_list(out, "content");
        buf_char(out, '{');
        put_str(out, "text", b->text);
        buf_str(out, "}]");
    }
    put_raw(out, "citations", b->raw);
    buf_char(out, '}');
}

static void whole_thinking(const struct gathered_block *b, struct losses *l,
                           struct buf *out)
{
    (void)l;
    put_open(out, "reasoningContent");
    if (b->redacted) {
        put_str(out, "redactedContent", b->signature);
    } else {
        put_open(out, "reasoningText");
        put_str(out, "text", b->text);
        if (b->signature.len)
            put_str(out, "signature", b->signature);
        buf_char(out, '}');
    }
    buf_char(out, '}');
}

static void whole_call(const struct gathered_block *b, struct losses *l,
                       struct buf *out)
{
    struct part p = {.kind = PART_TOOL_CALL,
                     .text = {b->text, false},
                     .text_is_json = true,
                     .name = b->name};

    put_use(out, b->id, b->name);
    carry_arguments(out, "input", &p, l);
    buf_char(out, '}');
}

static void whole_image(const struct gathered_block *b, struct losses *l,
                        struct buf *out)
{
    (void)l;
    put_open(out, "image");
    put_str(out, "format", bedrock_format(PART_IMAGE, b->media));
    put_open(out, "source");
    put_str(out, "bytes", b->text);
    buf_str(out, "}}");
}

/* A built-in tool's block gets back what was taken out of its raw JSON. */
static void whole_other(const struct gathered_block *b, struct losses *l,
                        struct buf *out)
{
    struct json raw = value_of(b->raw), in = value_of(b->text), key, v, one;
    struct json_iter it = json_begin(&raw), members;

    (void)l;
    if (!json_next(&it, &key, &v))
        return;
    put_comma(out);
    buf_span(out, key.raw);
    if (in.type == JSON_NONE || v.type != JSON_OBJECT) {
        buf_char(out, ':');
        buf_span(out, v.raw);
        return;
    }
    buf_str(out, ":{");
    for (members = json_begin(&v); json_next(&members, &key, &one);) {
        put_comma(out);
        buf_span(out, key.raw);
        buf_char(out, ':');
        buf_span(out, one.raw);
    }
    put_raw(out, in.type == JSON_OBJECT ? "input" : "content", in.raw);
    buf_char(out, '}');
}

static void (*const whole[])(const struct gathered_block *b, struct losses *l,
                             struct buf *out) = {
    [PART_TEXT] = whole_text,         [PART_REFUSAL] = whole_text,
    [PART_THINKING] = whole_thinking, [PART_TOOL_CALL] = whole_call,
    [PART_IMAGE] = whole_image,       [PART_OTHER] = whole_other,
};

/* False: the block has no place here. */
static bool has_place(const struct gathered_block *b)
{
    if (b->part == PART_IMAGE)
        return bedrock_format(PART_IMAGE, b->media).len;
    if (b->part == PART_OTHER)
        return value_of(b->raw).type == JSON_OBJECT;
    return b->part < sizeof whole / sizeof whole[0] && whole[b->part];
}

static void write_blocks(const struct gathered_choice *ch, struct losses *l,
                         struct buf *out)
{
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (!has_place(b)) {
            lossy_add(l, LOSSY_OTHER, "block");
            continue;
        }
        put_comma(out);
        buf_char(out, '{');
        whole[b->part](b, l, out);
        buf_char(out, '}');
    }
}

void bedrock_answer_write(const struct gathered *g, const struct request *asked,
                          struct losses *l, struct buf *out)
{
    const struct gathered_choice *ch = &g->choices[0];

    (void)asked;
    buf_char(out, '{');
    if (g->error_status) {
        put_str(out, "message", g->error_message);
        buf_char(out, '}');
        return;
    }
    if (g->n_choices > 1)
        lossy_add(l, LOSSY_N, "%u", g->n_choices);
    put_raw(out, "metrics", SPAN("{\"latencyMs\":0}"));
    put_open(out, "output");
    put_open(out, "message");
    put_cstr(out, "role", "assistant");
    put_list(out, "content");
    write_blocks(ch, l, out);
    buf_str(out, "]}}");
    put_str(out, "stopReason", reason_of(ch->finish, ch->finish_name));
    put_usage(out, &g->usage);
    buf_char(out, '}');
}
