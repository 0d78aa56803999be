/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes cut anywhere give the same events as the whole, and what the
 * writer makes of an event's data reads back as that data. */
#include "router/http/sse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct buf *b = ctx;

    buf_printf(b, "%zu,%zu,%zu:", ev->name.len, ev->data.len, ev->id.len);
    buf_span(b, ev->name);
    buf_span(b, ev->data);
    buf_span(b, ev->id);
    return true;
}

static void feed(struct sse *s, const uint8_t *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct err e;

    if (!copy)
        abort();
    if (n)
        memcpy(copy, p, n);
    if (!sse_feed(s, (struct span){copy, n}, &e))
        abort(); /* the cap is larger than any input */
    free(copy);
}

static bool reads_back(void *ctx, const struct sse_event *ev)
{
    const struct span *want = ctx;

    if (!span_eq(*want, ev->data))
        abort();
    return true;
}

static void round_trip(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct sse s;
    struct buf b;

    if (memchr(data, '\r', size))
        return; /* line ends become LF */
    buf_init(&b, 8 * size + 64);
    sse_write(&b, SPAN(""), text);
    sse_init(&s, 1 << 20, reads_back, &text);
    feed(&s, (const uint8_t *)b.ptr, b.len);
    sse_free(&s);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, cut;
    struct sse a, b;
    size_t step;

    if (size < 2 || size > 1 << 16)
        return 0;
    step = (size_t)data[0] % 16 + 1;
    data++;
    size--;
    buf_init(&whole, 1 << 26);
    buf_init(&cut, 1 << 26);
    sse_init(&a, 1 << 20, on_event, &whole);
    sse_init(&b, 1 << 20, on_event, &cut);
    feed(&a, data, size);
    for (size_t at = 0; at < size; at += step)
        feed(&b, data + at, size - at < step ? size - at : step);
    if (!span_eq(buf_view(&whole), buf_view(&cut)) ||
        sse_partial(&a) != sse_partial(&b))
        abort();
    sse_free(&a);
    sse_free(&b);
    buf_free(&whole);
    buf_free(&cut);
    round_trip(data, size);
    return 0;
}
