/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/http_answer.h"

#include <string.h>

void http_answer_init(struct http_answer *a)
{
    memset(a, 0, sizeof *a);
    buf_init(&a->head, HTTP_ANSWER_HEAD_MAX + 1);
}

void http_answer_free(struct http_answer *a)
{
    buf_free(&a->head);
}

static void clear_head(struct http_answer *a)
{
    a->state = ANSWER_IN_HEAD;
    a->scanned = a->n_headers = 0;
    buf_reset(&a->head);
}

void http_answer_begin(struct http_answer *a, bool bodiless)
{
    clear_head(a);
    a->status = 0;
    a->keep = false;
    a->bodiless = bodiless;
    a->interim = 0;
    a->wrong = NULL;
}

static bool bad(struct http_answer *a, const char *wrong)
{
    a->wrong = wrong;
    return false;
}

/* "HTTP/1.1 200 OK", the reason may be missing with its space. */
static bool parse_line(struct http_answer *a, struct span line)
{
    struct span code = {line.ptr + 9, 3};
    uint64_t status;

    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') || line.ptr[8] != ' ')
        return bad(a, "the answer is no HTTP/1.1");
    if (!span_u64(code, &status) || status < 100 || status > 599 ||
        (line.len > 12 && line.ptr[12] != ' ') || !http_is_text(line))
        return bad(a, "the answer's status line is malformed");
    a->status = (int)status;
    a->keep = line.ptr[7] == '1';
    return true;
}

/* What the framing needs to remember over all headers. */
struct framing {
    bool length, chunked, close;
    bool old; /* HTTP/1.0 */
};

static bool see_length(struct http_answer *a, struct framing *f, struct span v)
{
    uint64_t n;

    if (!span_u64(v, &n))
        return bad(a, "the answer's content-length is no number");
    if (f->length && n != a->left)
        return bad(a, "the answer has two content-lengths");
    f->length = true;
    a->left = n;
    return true;
}

static bool see_coding(struct http_answer *a, struct framing *f, struct span v)
{
    if (f->chunked || f->old || !span_is_nocase(v, "chunked"))
        return bad(a, "the only transfer-encoding taken is chunked");
    f->chunked = true;
    return true;
}

static bool see_connection(struct http_answer *a, struct framing *f,
                           struct span v)
{
    while (v.ptr) {
        struct span word = span_trim(span_cut(&v, ','));

        if (span_is_nocase(word, "close"))
            f->close = true;
        else if (f->old && span_is_nocase(word, "keep-alive"))
            a->keep = true;
    }
    if (f->close)
        a->keep = false;
    return true;
}

static bool see_header(struct http_answer *a, struct framing *f,
                       const struct http_header *h)
{
    if (span_is(h->name, "content-length"))
        return see_length(a, f, h->value);
    if (span_is(h->name, "transfer-encoding"))
        return see_coding(a, f, h->value);
    if (span_is(h->name, "connection"))
        return see_connection(a, f, h->value);
    return true;
}

/* How the body ends (RFC 9112 6.3); an interim head is followed by another. */
static bool frame(struct http_answer *a, const struct framing *f)
{
    if (f->length && f->chunked)
        return bad(a, "the answer has a content-length and chunks");
    if (a->status == 101)
        return bad(a, "the answer changes the protocol");
    if ((a->status < 200 || a->status == 204 || a->status == 304) &&
        (f->chunked || (a->left && a->status != 304)))
        return bad(a, "the answer has a body where its status allows none");
    if (a->status < 200) {
        if (++a->interim > HTTP_ANSWER_INTERIM_MAX)
            return bad(a, "too many interim answers");
        clear_head(a);
        return true;
    }
    a->state = ANSWER_BY_CLOSE;
    if (f->chunked) {
        a->state = ANSWER_BY_CHUNKS;
        a->chunks = (struct http_chunks){0};
    } else if (f->length) {
        a->state = a->left ? ANSWER_BY_LENGTH : ANSWER_AT_END;
    }
    if (a->bodiless || a->status == 204 || a->status == 304)
        a->state = ANSWER_AT_END;
    if (a->state == ANSWER_BY_CLOSE)
        a->keep = false;
    return true;
}

/* a->head is one whole head with its empty line. */
static bool parse_head(struct http_answer *a)
{
    char *p = a->head.ptr, *end = p + a->head.len - 2;
    char *nl = memchr(p, '\n', a->head.len);
    struct framing f = {0};

    if (!parse_line(a, (struct span){p, (size_t)(nl - 1 - p)}))
        return false;
    f.old = !a->keep;
    a->n_headers = 0;
    a->left = 0;
    for (p = nl + 1; p < end; p = nl + 1) {
        struct http_header *h = &a->headers[a->n_headers];
        const char *wrong;

        if (a->n_headers == HTTP_HEADERS_MAX)
            return bad(a, "the answer has too many headers");
        nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl) /* http_head_end saw each line's end */
            return bad(a, "the answer's head is malformed");
        wrong = http_header_parse(p, (size_t)(nl - 1 - p), h);
        if (wrong)
            return bad(a, wrong);
        a->n_headers++;
        if (!see_header(a, &f, h))
            return false;
    }
    return frame(a, &f);
}

/* What cannot become a head is not waited for. */
static bool may_be_http(struct span s)
{
    static const char want[] = "HTTP/1.";
    size_t n = s.len < sizeof want - 1 ? s.len : sizeof want - 1;

    return n == 0 || memcmp(s.ptr, want, n) == 0;
}

/* Moves n bytes, or as many as a head may still have and one. */
static void keep_head(struct http_answer *a, struct span *in, size_t n)
{
    size_t room = HTTP_ANSWER_HEAD_MAX + 1 - a->head.len;

    n = n < room ? n : room;
    buf_put(&a->head, in->ptr, n);
    in->ptr += n;
    in->len -= n;
}

/* Looks for the head's end where the bytes are and keeps those of the head.
 * Bytes of it, 0: more must come, -1: bad. */
static long gather_head(struct http_answer *a, struct span *in)
{
    size_t before = a->head.len;
    struct span all = *in;
    long end;

    if (before > 0) {
        keep_head(a, in, in->len);
        all = buf_view(&a->head);
    }
    if (!may_be_http(all)) {
        a->wrong = "the answer is no HTTP/1.1";
        return -1;
    }
    end = http_head_end(all.ptr, all.len, &a->scanned);
    if (end < 0)
        a->wrong = "a line of the answer's head does not end in CR LF";
    if (before == 0) {
        keep_head(a, in, end > 0 ? (size_t)end : in->len);
    } else if (end > 0) { /* what is behind it goes back */
        in->ptr -= a->head.len - (size_t)end;
        in->len += a->head.len - (size_t)end;
        a->head.len = (size_t)end;
    }
    return end;
}

static enum http_answer_step next_head(struct http_answer *a, struct span *in,
                                       struct span *data)
{
    long end;

    if (in->len == 0)
        return HTTP_ANSWER_MORE;
    end = gather_head(a, in);
    if (end < 0)
        return HTTP_ANSWER_BAD;
    if (a->head.failed || a->head.len > HTTP_ANSWER_HEAD_MAX)
        return HTTP_ANSWER_LARGE;
    if (end == 0)
        return HTTP_ANSWER_MORE;
    if (!parse_head(a))
        return HTTP_ANSWER_BAD;
    return a->state == ANSWER_IN_HEAD ? next_head(a, in, data)
                                      : HTTP_ANSWER_HEAD;
}

static void take(struct span *in, struct span *data, size_t n)
{
    *data = (struct span){in->ptr, n};
    in->ptr += n;
    in->len -= n;
}

static enum http_answer_step next_of_length(struct http_answer *a,
                                            struct span *in, struct span *data)
{
    size_t n = in->len < a->left ? in->len : (size_t)a->left;

    if (n == 0)
        return HTTP_ANSWER_MORE;
    take(in, data, n);
    a->left -= n;
    if (a->left == 0)
        a->state = ANSWER_AT_END;
    return HTTP_ANSWER_DATA;
}

static enum http_answer_step next_of_chunks(struct http_answer *a,
                                            struct span *in, struct span *data)
{
    while (in->len && !http_chunks_done(&a->chunks)) {
        long used = http_chunks_feed(&a->chunks, in->ptr, in->len, data);

        if (used < 0) {
            a->wrong = "the answer's chunks are malformed";
            return HTTP_ANSWER_BAD;
        }
        in->ptr += used;
        in->len -= (size_t)used;
        if (data->len)
            return HTTP_ANSWER_DATA;
    }
    return http_chunks_done(&a->chunks) ? HTTP_ANSWER_DONE : HTTP_ANSWER_MORE;
}

static enum http_answer_step
next_until_close(struct http_answer *a, struct span *in, struct span *data)
{
    (void)a;
    if (in->len == 0)
        return HTTP_ANSWER_MORE;
    take(in, data, in->len);
    return HTTP_ANSWER_DATA;
}

static enum http_answer_step next_none(struct http_answer *a, struct span *in,
                                       struct span *data)
{
    (void)a;
    (void)in;
    (void)data;
    return HTTP_ANSWER_DONE;
}

enum http_answer_step http_answer_next(struct http_answer *a, struct span *in,
                                       struct span *data)
{
    static enum http_answer_step (*const next[])(
        struct http_answer *, struct span *, struct span *) = {
        [ANSWER_IN_HEAD] = next_head,
        [ANSWER_BY_LENGTH] = next_of_length,
        [ANSWER_BY_CHUNKS] = next_of_chunks,
        [ANSWER_BY_CLOSE] = next_until_close,
        [ANSWER_AT_END] = next_none,
    };

    *data = (struct span){0};
    return next[a->state](a, in, data);
}

enum http_answer_step http_answer_close(struct http_answer *a)
{
    static const char *const wrong[] = {
        [ANSWER_IN_HEAD] = "the answer ended within its headers",
        [ANSWER_BY_LENGTH] = "the answer ended before its length",
        [ANSWER_BY_CHUNKS] = "the answer ended before its last chunk",
    };
    struct buf *b = &a->head;
    char *nl = b->len ? memchr(b->ptr, '\n', b->len) : NULL;

    if (a->state == ANSWER_AT_END || a->state == ANSWER_BY_CLOSE)
        return HTTP_ANSWER_DONE;
    a->wrong = wrong[a->state];
    if (a->state != ANSWER_IN_HEAD)
        return HTTP_ANSWER_BAD;
    a->status = 0;
    if (b->len == 0)
        a->wrong = "the connection closed without an answer";
    else if (nl &&
             !parse_line(a, (struct span){b->ptr, (size_t)(nl - 1 - b->ptr)}))
        a->status = 0;
    return HTTP_ANSWER_BAD;
}

struct span http_answer_header(const struct http_answer *a, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < a->n_headers; i++) {
        const struct http_header *h = &a->headers[i];

        if (h->name.len == len && memcmp(h->name.ptr, name, len) == 0)
            return h->value;
    }
    return (struct span){0};
}
