/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_explain.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/args.h"
#include "router/codec/dialect.h"
#include "router/route/explain.h"

enum { BODY_MAX = 64 << 20, OUT_MAX = 16 << 20 };

struct options {
    const char *config, *model, *id;
    const char *arm, *task;
    double quality, max_cost;
    bool json;
};

static bool read_all(int fd, struct buf *b, struct err *e)
{
    char chunk[65536];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buf_put(b, chunk, (size_t)n);
    if (n < 0)
        return err_sys(e, "standard input");
    if (b->failed)
        return err_set(e, ERR_LIMIT, "the request is larger than %d MiB",
                       BODY_MAX >> 20);
    return true;
}

static bool explain(const struct options *o, const struct snapshot *s,
                    struct judge *j, const struct request *r, struct err *e)
{
    struct span name = o->model ? span_of(o->model) : r->model;
    const struct route *route = snapshot_route(s, name);
    struct brief brief = {
        .wish = {o->quality, o->max_cost, span_of(o->arm), span_of(o->task)},
        .seed = span_hash(span_of(o->id), 0)};
    struct explained x = {j, s, route, r};
    struct buf out;

    if (!route)
        return err_set(e, ERR_INPUT, "no route or model is called %.*s",
                       SPAN_ARGS(name));
    if (route->set->policy == POLICY_BUDGET)
        brief.price = 0.05 / route->set->budget;
    judge_decide(j, s, route, r, &brief);
    x.route = j->route;
    buf_init(&out, OUT_MAX);
    if (o->json)
        explain_json(&x, &out);
    else
        explain_text(&x, &out);
    fwrite(buf_cstr(&out), 1, out.len, stdout);
    fputs(o->json ? "\n" : "", stdout);
    buf_free(&out);
    return true;
}

static bool run(void *options, struct err *e)
{
    const struct options *o = options;
    struct snapshot *s = snapshot_load(o->config, NULL, e);
    struct judge *j = judge_new();
    struct request r = {0};
    struct arena arena;
    struct buf body;
    bool ok = s != NULL;

    arena_init(&arena, BODY_MAX);
    buf_init(&body, BODY_MAX);
    if (ok && !j)
        ok = err_set(e, ERR_MEMORY, "out of memory");
    ok = ok && read_all(STDIN_FILENO, &body, e);
    if (ok && !dialect_openai.decode(buf_view(&body), &arena, &r, e))
        ok = err_wrap(e, "standard input");
    if (ok) {
        r.task = span_of(o->task);
        ok = explain(o, s, j, &r, e);
    }
    buf_free(&body);
    arena_free(&arena);
    judge_free(j);
    snapshot_unref(s);
    return ok;
}

int cmd_explain(int argc, char **argv)
{
    struct options o = {
        .config = "weir.yaml", .id = "", .quality = NAN, .max_cost = NAN};
    const struct arg list[] = {
        {"config", ARG_TEXT, &o.config, "F", "configuration [weir.yaml]"},
        {"model", ARG_TEXT, &o.model, "NAME",
         "route or model, instead of the request's"},
        {"quality", ARG_REAL, &o.quality, "Q", "as x-weir-quality"},
        {"max-cost", ARG_REAL, &o.max_cost, "USD", "as x-weir-max-cost"},
        {"arm", ARG_TEXT, &o.arm, "A[,B]", "as x-weir-arm"},
        {"task", ARG_TEXT, &o.task, "T", "as x-weir-task"},
        {"id", ARG_TEXT, &o.id, "ID",
         "request id, of which exploration's chance is made"},
        {"json", ARG_FLAG, &o.json, NULL, "print JSON"},
    };
    const struct args args = {
        "explain", "[options] < request.json",
        "Says how an OpenAI chat request would be routed: what is expected "
        "of each arm, why it is dropped or chosen, which features weigh most. "
        "Nothing is sent.",
        list, sizeof list / sizeof list[0]};

    return args_run(&args, argc, argv, run, &o);
}
