/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/aws_sigv4.h"

#include "base/digest.h"

#include <string.h>
#include <time.h>

enum { SCRATCH_MAX = 1 << 20 };

/* ---- percent-encoding ---- */

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
}

/* keep: characters that stay as they are besides the unreserved. */
static void escape(struct buf *out, struct span s, const char *keep)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (unreserved(c) || (c && strchr(keep, c)))
            buf_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

void aws_escape(struct buf *out, struct span s)
{
    escape(out, s, "");
}

/* ---- the canonical request ---- */

static int span_order(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int pair_order(const struct aws_header *a, const struct aws_header *b)
{
    int order = span_order(a->name, b->name);

    return order ? order : span_order(a->value, b->value);
}

static int name_order(const struct aws_header *a, const struct aws_header *b)
{
    return span_order(a->name, b->name);
}

/* Stable; n is small. */
static void sort(struct aws_header *at, size_t n,
                 int (*order)(const struct aws_header *,
                              const struct aws_header *))
{
    for (size_t i = 1; i < n; i++) {
        struct aws_header one = at[i];
        size_t j = i;

        for (; j && order(&at[j - 1], &one) > 0; j--)
            at[j] = at[j - 1];
        at[j] = one;
    }
}

static bool put_query(struct buf *out, struct span query, struct err *e)
{
    struct aws_header pairs[AWS_PAIRS_MAX];
    size_t n = 0;

    while (query.len) {
        struct span value = span_cut(&query, '&'), name;

        if (n == AWS_PAIRS_MAX)
            return err_set(e, ERR_LIMIT,
                           "signature: wanted at most %d pairs in the query",
                           AWS_PAIRS_MAX);
        name = span_cut(&value, '=');
        if (name.len || value.len)
            pairs[n++] = (struct aws_header){name, value};
    }
    sort(pairs, n, pair_order);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(out, '&');
        escape(out, pairs[i].name, "%");
        buf_char(out, '=');
        escape(out, pairs[i].value, "%");
    }
    return true;
}

/* Lower case, trimmed, and runs of spaces as one. */
static void put_value(struct buf *out, struct span v)
{
    v = span_trim(v);
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] != ' ' || v.ptr[i - 1] != ' ')
            buf_char(out, v.ptr[i]);
    }
}

static struct span lower(struct buf *names, struct span name)
{
    size_t start = names->len;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        buf_char(names, c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
    }
    return names->failed ? (struct span){NULL, 0}
                         : (struct span){names->ptr + start, name.len};
}

struct parts {
    struct buf names;   /* lower-case names of headers, one after another */
    struct buf request; /* canonical request, then the string to sign */
    struct buf signed_names;
    struct aws_header headers[AWS_HEADERS_MAX];
    size_t n;
};

static bool gather(struct parts *p, const struct aws_call *c,
                   const struct aws_keys *k, const char *date, struct err *e)
{
    size_t room = 32 + k->token.len;

    if (c->n_headers > AWS_HEADERS_MAX - 3)
        return err_set(e, ERR_LIMIT,
                       "signature: wanted at most %d headers, found %zu",
                       AWS_HEADERS_MAX - 3, c->n_headers);
    for (size_t i = 0; i < c->n_headers; i++)
        room += c->headers[i].name.len;
    if (!buf_room(&p->names, room)) /* so that no name moves any more */
        return err_set(e, ERR_MEMORY, "signature: no memory");
    p->headers[p->n++] = (struct aws_header){SPAN("host"), c->host};
    p->headers[p->n++] = (struct aws_header){SPAN("x-amz-date"), span_of(date)};
    if (k->token.len)
        p->headers[p->n++] =
            (struct aws_header){SPAN("x-amz-security-token"), k->token};
    for (size_t i = 0; i < c->n_headers; i++)
        p->headers[p->n++] = (struct aws_header){
            lower(&p->names, c->headers[i].name), c->headers[i].value};
    sort(p->headers, p->n, name_order);
    return true;
}

/* Repeated names become one, their values with commas between. */
static void put_headers(struct parts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        bool again = i && span_eq(p->headers[i].name, p->headers[i - 1].name);

        if (again) {
            buf_char(&p->request, ',');
        } else {
            buf_str(&p->request, i ? "\n" : "");
            buf_span(&p->request, p->headers[i].name);
            buf_char(&p->request, ':');
            buf_str(&p->signed_names, i ? ";" : "");
            buf_span(&p->signed_names, p->headers[i].name);
        }
        put_value(&p->request, p->headers[i].value);
    }
    buf_str(&p->request, "\n\n");
    buf_span(&p->request, buf_view(&p->signed_names));
}

static bool hash(struct buf *out, struct span bytes, struct err *e)
{
    unsigned char raw[DIGEST_SIZE];
    char hex[DIGEST_HEX];

    if (!digest_sha256(bytes, raw))
        return err_set(e, ERR_MEMORY, "signature: SHA-256 failed");
    digest_hex(raw, hex);
    buf_str(out, hex);
    return true;
}

static bool put_request(struct parts *p, const struct aws_call *c,
                        struct err *e)
{
    buf_span(&p->request, c->method);
    buf_char(&p->request, '\n');
    escape(&p->request, c->path.len ? c->path : SPAN("/"), "/");
    buf_char(&p->request, '\n');
    if (!put_query(&p->request, c->query, e))
        return false;
    buf_char(&p->request, '\n');
    put_headers(p);
    buf_char(&p->request, '\n');
    return hash(&p->request, c->body, e);
}

/* ---- the signature ---- */

/* The key of the day, region and service, from the secret. */
static bool derive(const struct aws_call *c, const struct aws_keys *k,
                   struct span day, unsigned char sum[DIGEST_SIZE])
{
    const struct span steps[] = {day, c->region, c->service,
                                 SPAN("aws4_request")};
    struct buf first;
    struct span key;
    bool ok = true;

    buf_init(&first, 4 + k->secret.len);
    buf_str(&first, "AWS4");
    buf_span(&first, k->secret);
    key = buf_view(&first);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        unsigned char next[DIGEST_SIZE];

        ok = ok && !first.failed && digest_hmac(key, steps[i], next);
        if (!ok)
            break;
        memcpy(sum, next, DIGEST_SIZE);
        key = (struct span){(const char *)sum, DIGEST_SIZE};
    }
    if (first.len)
        digest_wipe(first.ptr, first.len);
    buf_free(&first);
    return ok;
}

static void put_scope(struct buf *out, const struct aws_call *c,
                      struct span day)
{
    buf_span(out, day);
    buf_char(out, '/');
    buf_span(out, c->region);
    buf_char(out, '/');
    buf_span(out, c->service);
    buf_str(out, "/aws4_request");
}

static bool sign(struct parts *p, const struct aws_call *c,
                 const struct aws_keys *k, struct aws_signed *out,
                 struct err *e)
{
    struct span day = {out->date, 8};
    unsigned char key[DIGEST_SIZE], sum[DIGEST_SIZE];
    struct buf text; /* to sign */
    char hex[DIGEST_HEX];
    bool ok;

    buf_init(&text, SCRATCH_MAX);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n", out->date);
    put_scope(&text, c, day);
    buf_char(&text, '\n');
    ok = hash(&text, buf_view(&p->request), e);
    if (ok && (text.failed || !derive(c, k, day, key) ||
               !digest_hmac((struct span){(char *)key, sizeof key},
                            buf_view(&text), sum)))
        ok = err_set(e, ERR_MEMORY, "signature: HMAC failed");
    buf_free(&text);
    digest_wipe(key, sizeof key);
    if (!ok)
        return false;
    digest_hex(sum, hex);
    buf_str(out->authorization, "AWS4-HMAC-SHA256 Credential=");
    buf_span(out->authorization, k->id);
    buf_char(out->authorization, '/');
    put_scope(out->authorization, c, day);
    buf_str(out->authorization, ", SignedHeaders=");
    buf_span(out->authorization, buf_view(&p->signed_names));
    buf_printf(out->authorization, ", Signature=%s", hex);
    return !out->authorization->failed ||
           err_set(e, ERR_MEMORY, "signature: no memory");
}

bool aws_sign(const struct aws_call *c, const struct aws_keys *k,
              struct aws_signed *out, struct err *e)
{
    time_t t = (time_t)(c->utc_ms / 1000);
    struct parts p;
    struct tm tm;
    bool ok;

    memset(&p, 0, sizeof p);
    buf_init(&p.names, SCRATCH_MAX);
    buf_init(&p.request, SCRATCH_MAX);
    buf_init(&p.signed_names, SCRATCH_MAX);
    gmtime_r(&t, &tm);
    if (!strftime(out->date, sizeof out->date, "%Y%m%dT%H%M%SZ", &tm))
        ok = err_set(e, ERR_INPUT, "signature: the time has no date");
    else
        ok = gather(&p, c, k, out->date, e) && put_request(&p, c, e);
    if (ok && (p.names.failed || p.request.failed || p.signed_names.failed))
        ok = err_set(e, ERR_MEMORY, "signature: no memory");
    ok = ok && sign(&p, c, k, out, e);
    buf_free(&p.names);
    buf_free(&p.request);
    buf_free(&p.signed_names);
    return ok;
}
