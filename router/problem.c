/* SPDX-License-Identifier: Apache-2.0 */
#include "router/problem.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 1024, BODY_MAX = 16384 };

static const struct {
    int status;
    const char *kind, *code;
} rows[PROBLEM_KINDS] = {
    [PROBLEM_BAD_REQUEST] = {400, "invalid_request_error", NULL},
    [PROBLEM_NO_ARM] = {400, "invalid_request_error", "no_arm"},
    [PROBLEM_UNSUPPORTED] = {400, "invalid_request_error",
                             "unsupported_parameter"},
    [PROBLEM_CONTEXT] = {400, "invalid_request_error",
                         "context_length_exceeded"},
    [PROBLEM_NO_KEY] = {401, "authentication_error", "invalid_api_key"},
    [PROBLEM_KEY_ROUTE] = {403, "permission_error", "route_not_allowed"},
    [PROBLEM_KEY_RATE] = {429, "rate_limit_error", "rate_limit_exceeded"},
    [PROBLEM_QUOTA] = {429, "insufficient_quota", "insufficient_quota"},
    [PROBLEM_FORBIDDEN] = {403, "permission_error", "forbidden"},
    [PROBLEM_NOT_FOUND] = {404, "not_found_error", "not_found"},
    [PROBLEM_NO_MODEL] = {404, "invalid_request_error", "model_not_found"},
    [PROBLEM_METHOD] = {405, "invalid_request_error", "method_not_allowed"},
    [PROBLEM_ENCODING] = {415, "invalid_request_error", "content_encoding"},
    [PROBLEM_MEMORY] = {503, "server_error", "out_of_memory"},
    [PROBLEM_BUSY] = {503, "server_error", "busy"},
    [PROBLEM_UNHEALTHY] = {503, "server_error", "no_healthy_provider"},
    [PROBLEM_RELOAD] = {409, "invalid_request_error", "bad_configuration"},
    [PROBLEM_UNREACHABLE] = {502, "server_error", "upstream_unreachable"},
    [PROBLEM_CUT] = {502, "server_error", "upstream_cut"},
    [PROBLEM_INVALID] = {502, "server_error", "upstream_invalid"},
    [PROBLEM_REFUSED] = {502, "server_error", "upstream_error"},
    [PROBLEM_TIMEOUT] = {504, "server_error", "upstream_timeout"},
};

const char *problem_code(enum problem_kind kind)
{
    return rows[kind].code ? rows[kind].code : "bad_request";
}

void problem_set(struct problem *p, enum problem_kind kind, struct arena *a,
                 const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    *p = (struct problem){.status = rows[kind].status,
                          .kind = rows[kind].kind,
                          .code = rows[kind].code};
    p->message = arena_strdup(a, span_of(text));
    if (!p->message)
        p->message = "out of memory";
}

static const struct {
    int status;
    const char *kind;
} statuses[] = {
    {401, "authentication_error"}, {402, "insufficient_quota"},
    {403, "permission_error"},     {404, "not_found_error"},
    {429, "rate_limit_error"},
};

void problem_of_status(struct problem *p, int status, struct arena *a,
                       const char *message)
{
    *p = (struct problem){.status = status,
                          .kind = status < 500 ? "invalid_request_error"
                                               : "server_error"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].status == status)
            p->kind = statuses[i].kind;
    }
    p->message = arena_strdup(a, span_of(message));
    if (!p->message)
        p->message = "out of memory";
}

void problem_reply(struct http_exchange *x, const struct dialect_ops *d,
                   const struct problem *p)
{
    struct buf body;

    buf_init(&body, BODY_MAX);
    d->write_error(p, &body);
    http_reply(x, p->status, "application/json", buf_view(&body));
    buf_free(&body);
}
