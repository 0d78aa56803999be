/* SPDX-License-Identifier: Apache-2.0 */
/* A provider's bytes: however they are cut the same answer comes of them, and
 * what our reader takes, http_parser takes too, with the same status and the
 * same body. */
#include "router/upstream/http_answer.h"

#include <stdlib.h>
#include <string.h>

#include <http_parser.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum end { END_OPEN, END_WHOLE, END_BAD };

struct heard {
    enum end end;
    int status;
    size_t used; /* bytes, when whole */
    struct buf body;
};

static bool step(struct http_answer *a, struct span *in, struct heard *h)
{
    struct span data;

    switch (http_answer_next(a, in, &data)) {
    case HTTP_ANSWER_MORE:
        if (in->len)
            abort();
        return false;
    case HTTP_ANSWER_HEAD:
        h->status = a->status;
        return true;
    case HTTP_ANSWER_DATA:
        if (data.len == 0)
            abort();
        buf_span(&h->body, data);
        return true;
    case HTTP_ANSWER_DONE:
        h->end = END_WHOLE;
        return false;
    default:
        h->end = END_BAD;
        return false;
    }
}

/* The bytes in pieces of `by`, each in memory of its own. */
static void hear(const uint8_t *data, size_t size, size_t by, struct heard *h)
{
    static struct http_answer a;
    size_t at = 0;

    http_answer_init(&a);
    http_answer_begin(&a, false);
    buf_init(&h->body, 1 << 20);
    h->end = END_OPEN;
    h->status = 0;
    while (at < size && h->end == END_OPEN) {
        size_t n = size - at < by ? size - at : by;
        char *piece = malloc(n);
        struct span in = {piece, n};

        if (!piece)
            abort();
        memcpy(piece, data + at, n);
        while (step(&a, &in, h))
            continue;
        at += n - in.len;
        free(piece);
    }
    h->used = at;
    if (h->end == END_OPEN && http_answer_close(&a) == HTTP_ANSWER_DONE)
        h->end = END_WHOLE;
    http_answer_free(&a);
}

struct other {
    struct buf body;
    bool whole;
    unsigned status;
};

static int on_body(http_parser *p, const char *at, size_t n)
{
    buf_put(&((struct other *)p->data)->body, at, n);
    return 0;
}

static int on_complete(http_parser *p)
{
    struct other *o = p->data;

    if (p->status_code / 100 == 1)
        return 0; /* interim: go on */
    o->whole = true;
    o->status = p->status_code;
    http_parser_pause(p, 1);
    return 0;
}

static void compare(const uint8_t *data, const struct heard *h)
{
    struct other o = {.whole = false};
    http_parser_settings settings;
    http_parser p;
    bool quirk;

    buf_init(&o.body, 1 << 20);
    http_parser_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    http_parser_init(&p, HTTP_RESPONSE);
    p.data = &o;
    http_parser_execute(&p, &settings, (const char *)data, h->used);
    if (!o.whole && HTTP_PARSER_ERRNO(&p) == HPE_OK)
        http_parser_execute(&p, &settings, NULL, 0);
    /* It takes a name that only begins with transfer-encoding for that;
     * ours lets no coding pass but chunked. */
    quirk = p.uses_transfer_encoding && !(p.flags & F_CHUNKED);
    /* It judges lengths in trailers, which mean nothing there. */
    quirk = quirk || (p.flags & F_TRAILING && !o.whole);
    /* It refuses a length that is said twice, alike. */
    quirk = quirk || HTTP_PARSER_ERRNO(&p) == HPE_UNEXPECTED_CONTENT_LENGTH;
    if (!quirk && (!o.whole || o.status != (unsigned)h->status ||
                   !span_eq(buf_view(&o.body), buf_view(&h->body))))
        abort();
    buf_free(&o.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole, cut;

    if (size < 2 || size > 1 << 16)
        return 0;
    hear(data + 1, size - 1, size, &whole);
    hear(data + 1, size - 1, data[0] % 9 + 1, &cut);
    if (whole.end != cut.end || whole.status != cut.status ||
        (whole.end == END_WHOLE && whole.used != cut.used) ||
        !span_eq(buf_view(&whole.body), buf_view(&cut.body)))
        abort();
    /* http_parser takes the length of a 304 for that of a body. */
    if (whole.end == END_WHOLE && whole.status != 304)
        compare(data + 1, &whole);
    buf_free(&whole.body);
    buf_free(&cut.body);
    return 0;
}
