/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/head.h"

#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "router/upstream/aws_sigv4.h"

/* A client's header that goes to providers of its own dialect. */
static size_t forward(const struct head *c, const char *name,
                      struct upstream_header *h)
{
    struct span v = http_header(c->x, name);

    if (v.len)
        *h = (struct upstream_header){name, v};
    return v.len > 0;
}

static size_t version_headers(const struct head *c, struct upstream_header *h)
{
    const struct provider_settings *p = c->at;
    bool same = c->client == p->ops;
    const char *name = p->form->version_header;
    size_t n = 0;

    if (name && same)
        n += forward(c, name, &h[n]);
    if (name && n == 0)
        h[n++] = (struct upstream_header){
            name, span_of(p->api_version ? p->api_version : p->form->version)};
    if (same && p->ops == &dialect_anthropic)
        n += forward(c, "anthropic-beta", &h[n]);
    if (p->ops == &dialect_openai && c->client == &dialect_openai)
        n += forward(c, "openai-beta", &h[n]);
    return n;
}

static size_t plain_headers(const struct head *c, struct upstream_header *h)
{
    const struct provider_settings *p = c->at;
    bool stream = c->stream;
    size_t n = 0;

    h[n++] = (struct upstream_header){
        "content-type", c->type.len ? c->type : SPAN("application/json")};
    h[n++] =
        (struct upstream_header){"accept", stream ? SPAN("text/event-stream")
                                                  : SPAN("application/json")};
    if (p->codec->framing == FRAMING_AWS && stream)
        h[n - 1].value = SPAN("application/vnd.amazon.eventstream");
    if (c->accept.len)
        h[n - 1].value = c->accept;
    h[n++] = (struct upstream_header){"user-agent", SPAN("weir/" WEIR_VERSION)};
    if (c->bearer.len)
        h[n++] = (struct upstream_header){"authorization", c->bearer};
    else if (c->key->authorization && !c->key->secret_key)
        h[n++] = (struct upstream_header){p->form->auth_header,
                                          span_of(c->key->authorization)};
    return n;
}

/* AWS keys sign each call. */
static bool sign(const struct head *c, const struct upstream_request *r,
                 struct upstream_header *h, size_t *n, struct err *e)
{
    const struct provider_settings *p = c->at;
    struct aws_keys keys = {span_of(c->key->api_key),
                            span_of(c->key->secret_key),
                            span_of(c->key->session_token)};
    struct span url = span_of(strstr(r->url, "://") + 3);
    struct aws_call call = {.method = SPAN("POST"),
                            .body = r->body,
                            .region = p->region ? span_of(p->region)
                                                : SPAN("us-east-1"),
                            .service = SPAN("bedrock"),
                            .utc_ms = clock_utc_ms()};
    struct aws_signed out;
    struct buf text;
    bool ok;

    call.host = span_cut(&url, '/');
    call.path = (struct span){call.host.ptr + call.host.len, url.len + 1};
    buf_init(&text, 4096);
    out.authorization = &text;
    ok = aws_sign(&call, &keys, &out, e);
    h[(*n)++] = (struct upstream_header){
        "x-amz-date", arena_copy(c->arena, span_of(out.date))};
    h[(*n)++] = (struct upstream_header){"authorization",
                                         arena_copy(c->arena, buf_view(&text))};
    if (keys.token.len)
        h[(*n)++] =
            (struct upstream_header){"x-amz-security-token", keys.token};
    buf_free(&text);
    return ok;
}

bool head_make(const struct head *c, struct upstream_request *r,
               struct upstream_header *h, struct err *e)
{
    const struct provider_settings *p = c->at;
    size_t n = plain_headers(c, h);

    n += version_headers(c, h + n);
    if (c->key->secret_key && c->key->api_key && !sign(c, r, h, &n, e))
        return false;
    for (unsigned i = 0; i < p->headers.n && n < SENT_HEADERS_MAX; i++)
        h[n++] = (struct upstream_header){p->headers.at[i].name,
                                          span_of(p->headers.at[i].value)};
    r->headers = h;
    r->n_headers = n;
    r->ca_file = p->ca_file;
    return true;
}

enum token_state head_sign_in(const struct sign_in *s, struct span *bearer,
                              struct err *e)
{
    struct span token = {NULL, 0};
    enum token_state has;
    struct buf b;

    *bearer = token;
    if (s->at->account.len == 0)
        return TOKEN_READY;
    has = tokens_get(s->tokens, s->at->account, s->waiter, &token, e);
    if (has != TOKEN_READY)
        return has;
    buf_init(&b, token.len + 16);
    buf_str(&b, "Bearer ");
    buf_span(&b, token);
    *bearer = arena_copy(s->arena, buf_view(&b));
    buf_free(&b);
    if (bearer->ptr)
        return has;
    err_set(e, ERR_MEMORY, "out of memory");
    return TOKEN_FAILED;
}
