/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/hints.h"

#include <stddef.h>

#include "base/json.h"

enum take { TAKE_TEXT, TAKE_OBJECT, TAKE_S, TAKE_STREAM_S, TAKE_MS, TAKE_MORE };

#define AT(field) offsetof(struct hints, field)

/* The first of a field that was said counts. */
static const struct row {
    const char *name;
    enum hint_family family;
    enum take take;
    size_t at;
} rows[] = {
    {"x-weir-timeout", HINTS_OWN, TAKE_S, AT(deadline_ms)},
    {"x-litellm-stream-timeout", HINTS_LITELLM, TAKE_STREAM_S, AT(deadline_ms)},
    {"x-litellm-timeout", HINTS_LITELLM, TAKE_S, AT(deadline_ms)},
    {"x-portkey-request-timeout", HINTS_PORTKEY, TAKE_MS, AT(deadline_ms)},
    {"cf-aig-request-timeout", HINTS_CLOUDFLARE, TAKE_MS, AT(deadline_ms)},
    {"x-weir-retries", HINTS_OWN, TAKE_MORE, AT(calls)},
    {"x-litellm-num-retries", HINTS_LITELLM, TAKE_MORE, AT(calls)},
    {"cf-aig-max-attempts", HINTS_CLOUDFLARE, TAKE_MORE, AT(calls)},
    {"x-weir-tags", HINTS_OWN, TAKE_TEXT, AT(tags)},
    {"x-litellm-tags", HINTS_LITELLM, TAKE_TEXT, AT(tags)},
    {"x-weir-user", HINTS_OWN, TAKE_TEXT, AT(user)},
    {"x-litellm-end-user-id", HINTS_LITELLM, TAKE_TEXT, AT(user)},
    {"x-litellm-customer-id", HINTS_LITELLM, TAKE_TEXT, AT(user)},
    {"helicone-user-id", HINTS_HELICONE, TAKE_TEXT, AT(user)},
    {"x-authz-user-id", HINTS_SEMANTIC, TAKE_TEXT, AT(user)},
    {"x-weir-trace", HINTS_OWN, TAKE_TEXT, AT(trace)},
    {"x-portkey-trace-id", HINTS_PORTKEY, TAKE_TEXT, AT(trace)},
    {"x-weir-metadata", HINTS_OWN, TAKE_OBJECT, AT(metadata)},
    {"x-portkey-metadata", HINTS_PORTKEY, TAKE_OBJECT, AT(metadata)},
    {"x-litellm-spend-logs-metadata", HINTS_LITELLM, TAKE_OBJECT, AT(metadata)},
    {"cf-aig-metadata", HINTS_CLOUDFLARE, TAKE_OBJECT, AT(metadata)},
};

static const struct {
    const char *prefix;
    enum hint_family family;
} families[] = {
    {"x-weir-", HINTS_OWN},        {"x-litellm-", HINTS_LITELLM},
    {"x-portkey-", HINTS_PORTKEY}, {"helicone-", HINTS_HELICONE},
    {"cf-aig-", HINTS_CLOUDFLARE}, {"x-authz-", HINTS_SEMANTIC},
};

enum { ROWS = sizeof rows / sizeof rows[0], MOST_CALLS = 8 };

static bool starts(struct span name, const char *prefix)
{
    struct span p = span_of(prefix);

    return name.len > p.len &&
           span_is_nocase((struct span){name.ptr, p.len}, prefix);
}

static unsigned families_of(const struct http_request *q)
{
    unsigned found = 0;

    for (size_t i = 0; i < q->n_headers; i++) {
        for (size_t k = 0; k < sizeof families / sizeof families[0]; k++) {
            if (starts(q->headers[i].name, families[k].prefix))
                found |= families[k].family;
        }
    }
    return found;
}

static struct span header(const struct http_request *q, const char *name)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        if (span_is_nocase(q->headers[i].name, name))
            return span_trim(q->headers[i].value);
    }
    return (struct span){NULL, 0};
}

static bool take_time(const struct row *r, struct span v, uint64_t *to,
                      struct err *e)
{
    double unit = r->take == TAKE_MS ? 1 : 1000, n;

    if (!span_double(v, &n) || n <= 0 || n * unit > 864e5)
        return err_set(e, ERR_INPUT, "%s: wanted %s up to a day, found %.*s",
                       r->name, unit > 1 ? "seconds" : "milliseconds",
                       (int)(v.len < 40 ? v.len : 40), v.ptr);
    *to = n * unit < 1 ? 1 : (uint64_t)(n * unit);
    return true;
}

static bool take_calls(const struct row *r, struct span v, uint64_t *to,
                       struct err *e)
{
    uint64_t n;

    if (!span_u64(v, &n))
        return err_set(e, ERR_INPUT, "%s: wanted a number, found %.*s", r->name,
                       (int)(v.len < 40 ? v.len : 40), v.ptr);
    *to = n < MOST_CALLS ? n + 1 : MOST_CALLS;
    return true;
}

static bool take_text(const struct row *r, struct span v, struct span *to,
                      struct err *e)
{
    struct err why;
    struct json j;

    if (r->take == TAKE_OBJECT &&
        !(json_parse(v, &j, &why) && j.type == JSON_OBJECT))
        return err_set(e, ERR_INPUT, "%s: wanted a JSON object", r->name);
    *to = v;
    return true;
}

static bool take(const struct row *r, struct span v, struct hints *h,
                 struct err *e)
{
    void *at = (char *)h + r->at;

    switch (r->take) {
    case TAKE_TEXT:
    case TAKE_OBJECT:
        return ((struct span *)at)->len > 0 || take_text(r, v, at, e);
    case TAKE_MORE:
        return *(uint64_t *)at > 0 || take_calls(r, v, at, e);
    case TAKE_S:
    case TAKE_STREAM_S:
    case TAKE_MS:
        break;
    }
    return *(uint64_t *)at > 0 || take_time(r, v, at, e);
}

bool hints_read(const struct http_request *q, bool stream, struct hints *h,
                struct err *e)
{
    *h = (struct hints){.families = families_of(q)};
    for (size_t i = 0; i < ROWS; i++) {
        struct span v;

        if (!(h->families & rows[i].family) ||
            (rows[i].take == TAKE_STREAM_S && !stream))
            continue;
        v = header(q, rows[i].name);
        if (v.len && !take(&rows[i], v, h, e))
            return false;
    }
    return true;
}

/* ---- for the log ---- */

static void put(struct buf *out, const char *name)
{
    buf_str(out, out->len && out->ptr[out->len - 1] == '{' ? "\"" : ",\"");
    buf_str(out, name);
    buf_str(out, "\":");
}

static void put_text(struct buf *out, const char *name, struct span s)
{
    if (s.len == 0)
        return;
    put(out, name);
    buf_json_str(out, s);
}

static void put_tags(struct buf *out, struct span tags)
{
    bool first = true;

    if (tags.len == 0)
        return;
    put(out, "tags");
    buf_char(out, '[');
    while (tags.len) {
        struct span one = span_trim(span_cut(&tags, ','));

        if (one.len == 0)
            continue;
        if (!first)
            buf_char(out, ',');
        buf_json_str(out, one);
        first = false;
    }
    buf_char(out, ']');
}

void hints_json(const struct hints *h, struct buf *out)
{
    if (!h->trace.len && !h->user.len && !h->tags.len && !h->metadata.len)
        return;
    buf_char(out, '{');
    put_text(out, "trace", h->trace);
    put_text(out, "user", h->user);
    put_tags(out, h->tags);
    if (h->metadata.len) {
        put(out, "metadata");
        buf_span(out, h->metadata);
    }
    buf_char(out, '}');
}
