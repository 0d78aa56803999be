/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By POST /v1/weir/reload rather than by a signal: the answer says whether
 * the new configuration is in force or what is wrong with it.
 */
#include "router/cmd_reload.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/buf.h"
#include "base/json.h"
#include "router/settings/settings.h"
#include "router/upstream/upstream.h"

enum { REPLY_MAX = 65536, REPLY_MS = 30000 };

struct call {
    struct event_base *base;
    struct buf body;
    struct upstream_result result;
};

static void on_head(void *ctx, int status)
{
    (void)ctx;
    (void)status;
}

static void on_body(void *ctx, struct span bytes)
{
    struct call *c = ctx;

    buf_span(&c->body, bytes);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct call *c = ctx;

    c->result = *r;
    event_base_loopbreak(c->base);
}

/* The message in an error of OpenAI's shape. */
static bool refused(const struct call *c, struct err *e)
{
    struct json body, error, message;

    if (!json_parse(buf_view(&c->body), &body, NULL))
        return err_set(e, ERR_STATE, "refused with status %d",
                       c->result.status);
    error = json_get(&body, "error");
    message = json_get(&error, "message");
    return err_set(e, ERR_STATE, "refused: %.*s",
                   SPAN_ARGS(json_inner(&message)));
}

static bool judge_reply(const struct call *c, const char *url, struct err *e)
{
    if (c->result.end != UPSTREAM_OK)
        return err_set(e, ERR_IO, "%s: %s", url, c->result.reason);
    if (c->result.status != 200)
        return refused(c, e);
    return true;
}

static bool post(const char *url, struct err *e)
{
    struct call c = {.base = event_base_new()};
    struct upstream *u = c.base ? upstream_new(c.base, 1, e) : NULL;
    struct upstream_request r = {.method = "POST",
                                 .url = url,
                                 .body = SPAN("{}"),
                                 .connect_ms = REPLY_MS,
                                 .total_ms = REPLY_MS,
                                 .max_body = REPLY_MAX};
    struct upstream_events events = {&c, on_head, on_body, on_done};
    bool ok = u != NULL;

    buf_init(&c.body, REPLY_MAX);
    if (!c.base)
        err_set(e, ERR_MEMORY, "out of memory");
    ok = ok && upstream_start(u, &r, &events, e);
    if (ok) {
        event_base_dispatch(c.base);
        ok = judge_reply(&c, url, e);
    }
    upstream_free(u);
    if (c.base)
        event_base_free(c.base);
    buf_free(&c.body);
    return ok;
}

static bool reload(const char *config, const char *url, struct err *e)
{
    struct settings *s = url ? NULL : settings_load(config, e);
    char address[400];

    if (!url && !s)
        return false;
    snprintf(address, sizeof address, "%s%s/v1/weir/reload",
             url ? "" : "http://", url ? url : s->listen);
    settings_free(s);
    return post(address, e);
}

int cmd_reload(int argc, char **argv)
{
    const char *config = "weir.yaml", *url = NULL;
    const struct arg list[] = {
        {"config", ARG_TEXT, &config, "F",
         "configuration whose listen address is asked [weir.yaml]"},
        {"url", ARG_TEXT, &url, "URL",
         "the server, e.g. http://127.0.0.1:8080, instead"},
    };
    const struct args args = {
        "reload", "[options]",
        "Makes a running server load its configuration and classifier again. "
        "A bad file changes nothing and is an error here.",
        list, sizeof list / sizeof list[0]};
    struct err e = {0};
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (reload(config, url, &e)) {
            puts("reloaded");
            return 0;
        }
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir reload: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
