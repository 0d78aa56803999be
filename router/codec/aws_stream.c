/* SPDX-License-Identifier: Apache-2.0 */
/* The encoding: Amazon Transcribe's and S3 Select's developer guides, "Event
 * stream encoding"; smithy.io, "Amazon Event Stream Specification". */
#include "router/codec/aws_stream.h"

#include <string.h>

enum {
    PRELUDE = 12, /* two lengths and their CRC */
    CRC = 4,
    HEADERS_MAX = 128 << 10,
    NAME_MAX_BYTES = 255,
    TYPE_STRING = 7
};

/* ---- headers ---- */

/* Bytes of a value by its type; -1: a length of 2 bytes stands before it. */
static const int value_sizes[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};

struct header {
    struct span name, value;
    int type;
};

static uint32_t get_be(const char *p, int n)
{
    uint32_t v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* Takes n bytes off the front; false when there are fewer. */
static bool take(struct span *from, size_t n, struct span *out)
{
    if (from->len < n)
        return false;
    *out = (struct span){from->ptr, n};
    from->ptr += n;
    from->len -= n;
    return true;
}

static bool take_number(struct span *from, int bytes, size_t *n)
{
    struct span s;

    if (!take(from, (size_t)bytes, &s))
        return false;
    *n = get_be(s.ptr, bytes);
    return true;
}

static bool next_header(struct span *rest, struct header *h)
{
    size_t n, type;

    if (!take_number(rest, 1, &n) || !take(rest, n, &h->name) ||
        !take_number(rest, 1, &type) ||
        type >= sizeof value_sizes / sizeof value_sizes[0])
        return false;
    h->type = (int)type;
    n = (size_t)(value_sizes[type] < 0 ? 0 : value_sizes[type]);
    if (value_sizes[type] < 0 && !take_number(rest, 2, &n))
        return false;
    return take(rest, n, &h->value);
}

static const struct {
    const char *name;
    size_t at;
} wanted[] = {
    {":message-type", offsetof(struct aws_event, kind)},
    {":event-type", offsetof(struct aws_event, name)},
    {":exception-type", offsetof(struct aws_event, name)},
    {":error-code", offsetof(struct aws_event, name)},
    {":error-message", offsetof(struct aws_event, data)},
};

static bool read_headers(struct span rest, struct aws_event *ev)
{
    struct header h;

    while (rest.len) {
        if (!next_header(&rest, &h))
            return false;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (h.type == TYPE_STRING && span_is(h.name, wanted[i].name))
                memcpy((char *)ev + wanted[i].at, &h.value, sizeof h.value);
        }
    }
    return true;
}

/* ---- messages ---- */

/* CRC-32 as zlib and Ethernet have it (reflected 0x04c11db7), by half bytes:
 * the messages of a stream are small. */
static uint32_t sum(const char *bytes, size_t n)
{
    static const uint32_t steps[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return ~crc;
}

static bool prelude_ok(const struct aws_stream *s, const char *p, struct err *e)
{
    size_t total = get_be(p, 4), headers = get_be(p + 4, 4);

    if (sum(p, 8) != get_be(p + 8, 4))
        return err_set(e, ERR_INPUT,
                       "event stream: a message's length has a wrong checksum");
    if (total > s->max)
        return err_set(e, ERR_LIMIT,
                       "event stream: wanted messages of at most %zu bytes, "
                       "found %zu",
                       s->max, total);
    if (headers > HEADERS_MAX || total < PRELUDE + headers + CRC)
        return err_set(e, ERR_INPUT,
                       "event stream: %zu bytes of headers in a message of "
                       "%zu",
                       headers, total);
    return true;
}

/* One whole message whose prelude was checked. */
static bool deliver(struct aws_stream *s, struct span m, struct err *e)
{
    size_t headers = get_be(m.ptr + 4, 4);
    struct aws_event ev = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct span payload = {m.ptr + PRELUDE + headers,
                           m.len - PRELUDE - headers - CRC};

    if (sum(m.ptr, m.len - CRC) != get_be(m.ptr + m.len - CRC, 4))
        return err_set(e, ERR_INPUT,
                       "event stream: a message has a wrong checksum");
    if (!read_headers((struct span){m.ptr + PRELUDE, headers}, &ev))
        return err_set(e, ERR_INPUT,
                       "event stream: a message's headers are cut or of an "
                       "unknown type");
    if (payload.len || !span_is(ev.kind, "error"))
        ev.data = payload;
    if (!s->on_event(s->ctx, &ev))
        s->stopped = true;
    return true;
}

void aws_stream_init(struct aws_stream *s, size_t max,
                     bool (*on_event)(void *ctx, const struct aws_event *ev),
                     void *ctx)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->held, max < PRELUDE ? PRELUDE : max);
    s->max = max;
    s->on_event = on_event;
    s->ctx = ctx;
}

void aws_stream_free(struct aws_stream *s)
{
    buf_free(&s->held);
}

void aws_stream_reset(struct aws_stream *s)
{
    buf_reset(&s->held);
    s->stopped = false;
}

bool aws_stream_partial(const struct aws_stream *s)
{
    return s->held.len > 0;
}

/* A message that is whole in the piece, where it lies; false in *whole when
 * it is not. */
static bool in_place(struct aws_stream *s, struct span *piece, bool *whole,
                     struct err *e)
{
    struct span m;

    *whole = false;
    if (s->held.len || piece->len < PRELUDE)
        return true;
    if (!prelude_ok(s, piece->ptr, e))
        return false;
    if (!take(piece, get_be(piece->ptr, 4), &m))
        return true;
    *whole = true;
    return deliver(s, m, e);
}

/* As much of the message as the piece has. */
static bool hold(struct aws_stream *s, struct span *piece, struct err *e)
{
    size_t want = s->held.len < PRELUDE ? PRELUDE : get_be(s->held.ptr, 4);
    size_t n = want - s->held.len;
    bool ok;

    n = n < piece->len ? n : piece->len;
    buf_put(&s->held, piece->ptr, n);
    piece->ptr += n;
    piece->len -= n;
    if (s->held.failed)
        return err_set(e, ERR_MEMORY, "event stream: no memory");
    if (s->held.len < want)
        return true;
    if (want == PRELUDE)
        return prelude_ok(s, s->held.ptr, e);
    ok = deliver(s, buf_view(&s->held), e);
    buf_reset(&s->held);
    return ok;
}

bool aws_stream_feed(struct aws_stream *s, struct span piece, struct err *e)
{
    bool whole;

    while (piece.len && !s->stopped) {
        if (!in_place(s, &piece, &whole, e) ||
            (!whole && !hold(s, &piece, e))) {
            s->stopped = true;
            return false;
        }
    }
    return true;
}

/* ---- writing ---- */

static void put_be(char *p, uint32_t v)
{
    for (int i = 3; i >= 0; i--, v >>= 8)
        p[i] = (char)(v & 0xff);
}

static void put_number(struct buf *b, uint32_t v)
{
    char p[4];

    put_be(p, v);
    buf_put(b, p, sizeof p);
}

static void put_header(struct buf *b, const char *name, struct span value)
{
    if (value.len > NAME_MAX_BYTES)
        value.len = NAME_MAX_BYTES;
    buf_char(b, (char)strlen(name));
    buf_str(b, name);
    buf_char(b, TYPE_STRING);
    buf_char(b, 0);
    buf_char(b, (char)value.len);
    buf_span(b, value);
}

void aws_stream_write(struct buf *b, const char *kind, struct span name,
                      struct span data)
{
    bool exception = !strcmp(kind, "exception");
    size_t start = b->len, headers;

    buf_put(b, "\0\0\0\0\0\0\0\0\0\0\0\0", PRELUDE);
    put_header(b, exception ? ":exception-type" : ":event-type", name);
    put_header(b, ":content-type", SPAN("application/json"));
    put_header(b, ":message-type", span_of(kind));
    headers = b->len - start - PRELUDE;
    buf_span(b, data);
    if (b->failed)
        return;
    put_be(b->ptr + start, (uint32_t)(b->len - start + CRC));
    put_be(b->ptr + start + 4, (uint32_t)headers);
    put_be(b->ptr + start + 8, sum(b->ptr + start, 8));
    put_number(b, sum(b->ptr + start, b->len - start));
}
