/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/args.h"
#include "router/played.h"
#include "router/replayed.h"
#include "router/route/explain.h"

enum { ARENA_MAX = 64 << 20, OUT_MAX = 16 << 20 };

struct options {
    const char *config, *log, *model, *choices;
    double quality;
    uint64_t since, until; /* ms */
    bool json;
};

static void differences_json(const struct replayed *r, struct buf *out)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct difference *d = &r->differences[i];

        buf_str(out, i ? ",{\"what\":" : "{\"what\":");
        buf_json_str(out, d->what);
        buf_str(out, ",\"then\":");
        buf_json_str(out, d->then);
        buf_str(out, ",\"now\":");
        buf_json_str(out, d->now);
        buf_char(out, '}');
    }
}

static void say_json(const struct replayed *r, const struct explained *x,
                     struct buf *out)
{
    buf_printf(out,
               "{\"equal\":%s,\"settings_changed\":%s,\"outcome\":\"%016llx\","
               "\"then\":\"%016llx\",\"differences\":[",
               r->equal ? "true" : "false",
               r->settings_changed ? "true" : "false",
               (unsigned long long)x->judge->record.outcome,
               (unsigned long long)r->then.record.outcome);
    differences_json(r, out);
    buf_str(out, "],\"decision\":");
    explain_json(x, out);
    buf_str(out, "}\n");
}

static void say_text(const struct replayed *r, const struct explained *x,
                     struct buf *out)
{
    explain_text(x, out);
    buf_char(out, '\n');
    if (r->settings_changed)
        buf_str(out, "The route's settings, prices or plans have changed "
                     "since.\n");
    if (r->equal) {
        buf_str(out, "Equal to the logged decision, to the bit.\n");
        return;
    }
    buf_str(out, "It differs from the logged decision:\n");
    for (unsigned i = 0; i < r->n; i++) {
        const struct difference *d = &r->differences[i];

        buf_printf(out, "  %.*s: %.*s then, %.*s now\n", SPAN_ARGS(d->what),
                   SPAN_ARGS(d->then), SPAN_ARGS(d->now));
    }
    if (r->n == 0)
        buf_str(out, "  in digits that the log does not show\n");
}

static void say(const struct options *o, const struct replayed *r,
                const struct explained *x)
{
    struct buf out;

    buf_init(&out, OUT_MAX);
    if (o->json)
        say_json(r, x, &out);
    else
        say_text(r, x, &out);
    fwrite(buf_cstr(&out), 1, out.len, stdout);
    buf_free(&out);
}

/* The log that the configuration names. */
static bool find_log(const struct options *o, struct arena *a,
                     const char **path, struct err *e)
{
    struct settings *set;

    *path = o->log;
    if (*path)
        return true;
    set = settings_load(o->config, e);
    if (!set)
        return false;
    *path = arena_strdup(a, span_of(set->log.path));
    settings_free(set);
    if (*path && **path)
        return true;
    return err_set(e, ERR_INPUT, "%s keeps no log: name one by --log",
                   o->config);
}

static bool read_row(const struct options *o, const char *id,
                     struct replayed *r, struct arena *a, struct err *e)
{
    const char *log;

    if (!find_log(o, a, &log, e) ||
        !outlog_read(log, span_of(id), a, &r->logged, e))
        return false;
    if (r->logged.question.len &&
        !record_read(r->logged.question, &r->then.record, e))
        return false;
    return replayed_possible(r, e);
}

static bool run(const struct options *o, const char *id, bool *equal,
                struct err *e)
{
    struct replayed *r = calloc(1, sizeof *r);
    struct judge *j = judge_new();
    struct snapshot *s = NULL;
    struct arena a;
    bool ok = r && j;

    arena_init(&a, ARENA_MAX);
    if (!ok)
        err_set(e, ERR_MEMORY, "out of memory");
    ok = ok && read_row(o, id, r, &a, e);
    if (ok)
        s = snapshot_load_then(o->config, o->model, r->logged.classifier, e);
    ok = ok && s && replayed_run(r, s, j, &a, e);
    if (ok) {
        struct explained x = {j, s, r->route, &r->then.made.request};
        say(o, r, &x);
        *equal = *equal && r->equal;
    }
    snapshot_unref(s);
    judge_free(j);
    arena_free(&a);
    free(r);
    return ok;
}

/* ---- all requests of a route ---- */

static bool print_line(void *ctx, struct span line, struct err *e)
{
    (void)ctx;
    return fwrite(line.ptr, 1, line.len, stdout) == line.len ||
           err_sys(e, "standard output");
}

static bool run_choices(const struct options *o, char **ids, struct err *e)
{
    struct played p = {.route = o->choices,
                       .quality = o->quality,
                       .since_ms = (int64_t)o->since,
                       .until_ms = (int64_t)o->until,
                       .say = print_line};
    struct snapshot *s = NULL;
    struct arena a;
    bool ok;

    if (*ids)
        return err_set(e, ERR_USAGE,
                       "--choices is for all requests of the "
                       "route: wanted no REQUEST_ID");
    arena_init(&a, ARENA_MAX);
    ok = find_log(o, &a, &p.log, e);
    if (ok)
        s = snapshot_load(o->config, NULL, e);
    ok = ok && s && played_run(&p, s, e);
    snapshot_unref(s);
    arena_free(&a);
    return ok && (fflush(stdout) == 0 || err_sys(e, "standard output"));
}

/* ---- as asked ---- */

static bool run_all(const struct options *o, char **ids, bool *equal,
                    struct err *e)
{
    *equal = true;
    if (o->choices)
        return run_choices(o, ids, e);
    if (!*ids)
        return err_set(e, ERR_USAGE, "wanted a REQUEST_ID");
    for (; *ids; ids++) {
        if (!run(o, *ids, equal, e))
            return err_wrap(e, "%s", *ids);
    }
    return true;
}

int cmd_replay(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml", .quality = NAN};
    const struct arg list[] = {
        {"config", ARG_TEXT, &o.config, "F", "configuration [weir.yaml]"},
        {"log", ARG_TEXT, &o.log, "F", "log [the configuration's]"},
        {"model", ARG_TEXT, &o.model, "F",
         "classifier [the configuration's]; those beside it are tried too"},
        {"json", ARG_FLAG, &o.json, NULL, "print JSON"},
        {"choices", ARG_TEXT, &o.choices, "ROUTE",
         "instead: what the configuration would take for each request of it"},
        {"quality", ARG_REAL, &o.quality, "Q",
         "with --choices: instead of the route's"},
        {"since-ms", ARG_U64, &o.since, "T",
         "with --choices: requests from then on (ms since 1970)"},
        {"until-ms", ARG_U64, &o.until, "T", "likewise: before then"},
    };
    const struct args args = {
        "replay", "[options] REQUEST_ID...",
        "Makes a logged decision again from its row and the classifier that "
        "it names, and says where it differs.  Exit status 1 where it does.",
        list, sizeof list / sizeof list[0]};
    struct err e = {0};
    bool equal = false;
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (run_all(&o, argv + first, &equal, &e))
            return equal ? 0 : 1;
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir replay: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
