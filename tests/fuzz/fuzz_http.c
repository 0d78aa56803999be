/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: what our parser takes, http_parser takes too and frames alike
 * (the other way round it is more liberal); chunked bodies are the same
 * however they are cut. */
#include "router/http/http_parse.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int at_headers(http_parser *p)
{
    *(bool *)p->data = true;
    return 2; /* no body: only the head is compared */
}

/* http_parser takes a header whose name only begins with Transfer-Encoding
 * for another one of it, and forgets that the body is chunked. */
static bool misleads(const struct http_head *h)
{
    static const char name[] = "transfer-encoding";
    const size_t n = sizeof name - 1;

    for (size_t i = 0; i < h->n_headers; i++) {
        struct span s = h->headers[i].name;

        if (s.len > n && strncasecmp(s.ptr, name, n) == 0)
            return true;
    }
    return false;
}

static void compare(const char *text, size_t n, const struct http_head *h)
{
    http_parser_settings settings;
    http_parser p;
    bool seen = false;

    if (misleads(h))
        return;
    http_parser_settings_init(&settings);
    settings.on_headers_complete = at_headers;
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &seen;
    http_parser_execute(&p, &settings, text, n);
    if (HTTP_PARSER_ERRNO(&p) == HPE_INVALID_METHOD ||
        HTTP_PARSER_ERRNO(&p) == HPE_INVALID_URL ||
        HTTP_PARSER_ERRNO(&p) == HPE_INVALID_CONSTANT)
        return; /* it knows a fixed list of methods, and checks hosts */
    if (!seen)
        abort();
    if (h->chunked != !!(p.flags & F_CHUNKED))
        abort();
    if (!h->chunked && p.flags & F_CONTENTLENGTH &&
        p.content_length != h->length)
        abort();
    if (!(p.flags & F_CONTENTLENGTH) && h->length != 0)
        abort();
}

/* The body of a chunked message cut every `step` bytes; -1 when refused. */
static long decode(const uint8_t *data, size_t size, size_t step,
                   struct buf *out)
{
    struct http_chunks c = {0};
    size_t at = 0;

    while (at < size && !http_chunks_done(&c)) {
        size_t n = size - at < step ? size - at : step;
        struct span run;
        long used = http_chunks_feed(&c, (const char *)data + at, n, &run);

        if (used < 0)
            return -1;
        if ((size_t)used > n || (used == 0 && !http_chunks_done(&c)))
            abort();
        buf_span(out, run);
        at += (size_t)used;
    }
    return (long)at + http_chunks_done(&c) * 1000000000L;
}

static void chunks(const uint8_t *data, size_t size)
{
    struct buf a, b;
    long whole, cut;

    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    whole = decode(data, size, size, &a);
    cut = decode(data, size, (size_t)data[0] % 7 + 1, &b);
    if (whole != cut || (whole >= 0 && !span_eq(buf_view(&a), buf_view(&b))))
        abort();
    buf_free(&a);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_header headers[HTTP_HEADERS_MAX];
    static struct http_head h = {.headers = headers};
    size_t from = 0, cut = 0;
    long end, again = 0;
    char *text;

    if (size == 0 || size > 1 << 16)
        return 0;
    chunks(data, size);
    text = malloc(size);
    if (!text)
        abort();
    memcpy(text, data, size);
    end = http_head_end(text, size, &from);
    for (size_t n = 1; n <= size && again == 0; n++)
        again = http_head_end(text, n, &cut);
    if (end != again)
        abort();
    if (end > 0) {
        char *head = malloc((size_t)end); /* reading past it is found */

        if (!head)
            abort();
        memcpy(head, text, (size_t)end);
        if (http_head_parse(head, (size_t)end, &h))
            compare(text, (size_t)end, &h);
        else if (h.status < 400 || !h.wrong)
            abort();
        free(head);
    }
    free(text);
    return 0;
}
