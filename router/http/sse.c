/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/sse.h"

#include <string.h>

enum { NAME_MAX_BYTES = 1024 };

void sse_init(struct sse *s, size_t max,
              bool (*on_event)(void *ctx, const struct sse_event *ev),
              void *ctx)
{
    *s = (struct sse){.on_event = on_event, .ctx = ctx};
    buf_init(&s->line, max);
    buf_init(&s->data, max);
    buf_init(&s->name, NAME_MAX_BYTES);
    buf_init(&s->id, NAME_MAX_BYTES);
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
    buf_free(&s->name);
    buf_free(&s->id);
}

void sse_reset(struct sse *s)
{
    buf_reset(&s->line);
    buf_reset(&s->data);
    buf_reset(&s->name);
    buf_reset(&s->id);
    s->only = (struct span){0};
    s->n_data = s->bom = 0;
    s->cr = s->stopped = false;
}

bool sse_partial(const struct sse *s)
{
    return s->line.len > 0 || s->n_data > 0;
}

/* The first data: line stays where it is; a second one makes a copy. */
static void take_data(struct sse *s, struct span value)
{
    if (s->n_data++ == 0) {
        s->only = value;
        return;
    }
    if (s->n_data == 2) {
        if (s->only.ptr != s->data.ptr)
            buf_span(&s->data, s->only);
        s->only = (struct span){0};
    }
    buf_char(&s->data, '\n');
    buf_span(&s->data, value);
}

static void take_name(struct sse *s, struct span value)
{
    buf_reset(&s->name);
    buf_span(&s->name, value);
}

static void take_id(struct sse *s, struct span value)
{
    if (value.len && memchr(value.ptr, '\0', value.len))
        return;
    buf_reset(&s->id);
    buf_span(&s->id, value);
}

static void dispatch(struct sse *s)
{
    struct sse_event ev = {
        .name = buf_view(&s->name),
        .data = s->n_data > 1 ? buf_view(&s->data) : s->only,
        .id = buf_view(&s->id),
    };
    bool any = s->n_data > 0;

    if (any && !s->data.failed)
        s->stopped = !s->on_event(s->ctx, &ev);
    s->n_data = 0;
    s->only = (struct span){0};
    buf_reset(&s->name);
    if (!s->data.failed)
        buf_reset(&s->data);
}

static void take_line(struct sse *s, struct span line)
{
    static const struct {
        const char *name;
        void (*take)(struct sse *s, struct span value);
    } fields[] = {{"data", take_data}, {"event", take_name}, {"id", take_id}};
    struct span value = line, field;

    if (line.len == 0) {
        dispatch(s);
        return;
    }
    field = span_cut(&value, ':');
    if (!value.ptr)
        value = (struct span){"", 0};
    if (value.len && value.ptr[0] == ' ')
        value = (struct span){value.ptr + 1, value.len - 1};
    if (field.len == 0 && line.ptr[0] == ':') {
        if (s->on_comment)
            s->on_comment(s->ctx, value);
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_is(field, fields[i].name))
            fields[i].take(s, value);
}

/* Where the line ends within the piece; its length without one. */
static size_t line_end(struct span s)
{
    const char *nl = memchr(s.ptr, '\n', s.len);
    size_t n = nl ? (size_t)(nl - s.ptr) : s.len;
    const char *cr = memchr(s.ptr, '\r', n);

    return cr ? (size_t)(cr - s.ptr) : n;
}

/* A byte order mark at the stream's start, also when it comes in pieces.
 * Bytes that only began like one go into the line. */
static void skip_bom(struct sse *s, struct span *piece)
{
    static const char mark[] = "\xef\xbb\xbf";

    while (s->bom < 3 && piece->len) {
        if (piece->ptr[0] != mark[s->bom]) {
            buf_put(&s->line, mark, s->bom);
            s->bom = 3;
            return;
        }
        s->bom++;
        piece->ptr++;
        piece->len--;
    }
}

/* What the parser still points at in the piece is put away. */
static void keep(struct sse *s)
{
    struct span only = s->only;

    if (s->n_data != 1 || only.ptr == s->data.ptr)
        return;
    buf_reset(&s->data);
    buf_span(&s->data, only);
    s->only = buf_view(&s->data);
}

static bool too_long(struct sse *s, struct err *e)
{
    if (!s->line.failed && !s->data.failed)
        return false;
    s->stopped = true;
    err_set(e, ERR_LIMIT, "an event is longer than %zu bytes", s->line.max);
    return true;
}

/* One line of the piece, joined with what an earlier piece began. */
static void whole_line(struct sse *s, struct span line)
{
    bool joined = s->line.len > 0;

    if (line.len > s->line.max)
        s->line.failed = true;
    if (joined) {
        buf_span(&s->line, line);
        line = buf_view(&s->line);
    }
    if (s->line.failed)
        return;
    take_line(s, line);
    if (joined) {
        keep(s); /* the line's buffer is used again */
        buf_reset(&s->line);
    }
}

bool sse_feed(struct sse *s, struct span piece, struct err *e)
{
    skip_bom(s, &piece);
    while (piece.len && !s->stopped) {
        size_t n;

        if (s->cr && piece.ptr[0] == '\n') {
            s->cr = false;
            piece.ptr++;
            piece.len--;
            continue;
        }
        s->cr = false;
        n = line_end(piece);
        if (n == piece.len) {
            buf_span(&s->line, piece);
            piece.len = 0;
        } else {
            s->cr = piece.ptr[n] == '\r';
            whole_line(s, (struct span){piece.ptr, n});
            piece.ptr += n + 1;
            piece.len -= n + 1;
        }
        if (too_long(s, e))
            return false;
    }
    keep(s);
    return !too_long(s, e);
}

void sse_write(struct buf *b, struct span name, struct span data)
{
    struct span rest = {data.len ? data.ptr : "", data.len};
    bool more;

    if (name.len) {
        buf_str(b, "event: ");
        buf_span(b, name);
        buf_char(b, '\n');
    }
    do {
        size_t n = rest.len ? line_end(rest) : 0;
        bool crlf =
            n + 1 < rest.len && rest.ptr[n] == '\r' && rest.ptr[n + 1] == '\n';
        size_t skip = n + (n < rest.len) + crlf;

        more = n < rest.len;
        buf_put(b, "data: ", 6);
        buf_put(b, rest.ptr, n);
        buf_char(b, '\n');
        rest.ptr += skip;
        rest.len -= skip;
    } while (more);
    buf_char(b, '\n');
}

void sse_comment(struct buf *b, struct span text)
{
    buf_put(b, ": ", 2);
    buf_span(b, text);
    buf_put(b, "\n\n", 2);
}
