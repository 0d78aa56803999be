/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cmd_cycle.h"

#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/json.h"
#include "trainer/cycle.h"

struct options {
    const char *config, *data, *model, *route, *arms, *reference;
    double quality;
    uint64_t seed, threads, min_new_labels;
    struct arg_list prices;
    bool floor, now, dry, json;
};

/* long: one row an option */
static enum args_end parse(int argc, char **argv, struct options *o,
                           struct err *e)
{
    const struct arg list[] = {
        {"config", ARG_TEXT, &o->config, "F",
         "configuration with log, classifier, route and `retrain` "
         "[weir.yaml]"},
        {"data", ARG_TEXT, &o->data, "weir.db",
         "the log, instead of a configuration"},
        {"model", ARG_TEXT, &o->model, "F.weir",
         "the classifier, with --data; it need not be there yet"},
        {"route", ARG_TEXT, &o->route, "NAME",
         "the route whose promise counts (default: the first that goes by "
         "quality; with --data: all requests)"},
        {"arms", ARG_TEXT, &o->arms, "A,B,...",
         "the route's arms, with --data"},
        {"reference", ARG_TEXT, &o->reference, "ARM",
         "the arm against which quality is promised, with --data"},
        {"quality", ARG_REAL, &o->quality, "Q",
         "share of the reference's quality, with --data (default 0.98)"},
        {"floor", ARG_FLAG, &o->floor, NULL,
         "the route goes by predictions where no promise holds, with --data"},
        {"min-new-labels", ARG_U64, &o->min_new_labels, "N",
         "train when so many labels are new (default 200, or `retrain`)"},
        {"prices", ARG_LIST, &o->prices, "F.csv",
         "model,input,output in USD per million tokens"},
        {"now", ARG_FLAG, &o->now, NULL,
         "train a challenger although nothing calls for it yet"},
        {"seed", ARG_U64, &o->seed, "N", "of every random choice (default 1)"},
        {"threads", ARG_U64, &o->threads, "N",
         "worker processes (default: one a core)"},
        {"dry-run", ARG_FLAG, &o->dry, NULL,
         "say what would happen and change nothing"},
        {"json", ARG_FLAG, &o->json, NULL, "print the journal's lines"},
    };
    const struct args a = {
        .command = "cycle",
        .usage = "[--config weir.yaml] [--dry-run]\n"
                 "       weir cycle --data weir.db --model F.weir --arms "
                 "A,B,... --reference ARM",
        .about = "Takes the learning cycle as far as the log allows: trains a "
                 "challenger, compares\nit with the running classifier on "
                 "requests it has not seen, lets it serve a share,\nputs it in "
                 "place, watches it and goes back.  F.weir.journal says why.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };
    int first = 0;
    enum args_end end = args_parse(&a, argc, argv, &first, e);

    if (end != ARGS_OK || first >= argc)
        return end;
    err_set(e, ERR_USAGE, "wanted options only, found '%s'", argv[first]);
    return ARGS_BAD;
}

/* ---- without a configuration ---- */

static bool cut_arms(struct cycle_config *c, const char *text, struct err *e)
{
    struct span rest = span_of(text);

    while (rest.len) {
        struct span name = span_trim(span_cut(&rest, ','));

        if (!name.len || c->n_arms == CLASSIFIER_ARMS_MAX)
            return err_set(e, ERR_USAGE, "--arms: wanted 1 to %d names",
                           CLASSIFIER_ARMS_MAX);
        c->arms[c->n_arms].name = arena_strdup(&c->arena, name);
        if (!c->arms[c->n_arms++].name)
            return err_set(e, ERR_MEMORY, "no memory for names");
    }
    return true;
}

static bool from_options(struct cycle_config *c, const struct options *o,
                         struct err *e)
{
    if (!o->model || !o->arms || !o->reference)
        return err_set(
            e, ERR_USAGE,
            "--data: wanted --model, --arms and --reference with it");
    if (!cycle_config_new(c, e) || !cut_arms(c, o->arms, e))
        return false;
    c->log = o->data;
    c->model = o->model;
    c->route = o->route;
    c->reference = o->reference;
    c->unproven = o->floor ? CYCLE_FLOOR : CYCLE_REFERENCE;
    if (o->quality > 0)
        c->quality = o->quality;
    return true;
}

static bool configure(struct cycle_config *c, const struct options *o,
                      struct err *e)
{
    if (o->quality < 0 || o->quality > 1)
        return err_set(e, ERR_USAGE,
                       "--quality: wanted a share above 0 up to 1, found %g",
                       o->quality);
    if (o->seed > UINT32_MAX || o->threads > 256)
        return err_set(e, ERR_USAGE,
                       "--seed: wanted at most %u; --threads: at most 256",
                       UINT32_MAX);
    if (o->data ? !from_options(c, o, e)
                : !cycle_config_load(c, o->config, o->route, e))
        return false;
    for (unsigned i = 0; i < o->prices.n; i++)
        if (!pricebook_read(c->prices, o->prices.at[i], e))
            return false;
    c->seed = (uint32_t)o->seed;
    c->threads = (unsigned)o->threads;
    if (o->min_new_labels)
        c->min_new_labels = o->min_new_labels;
    return true;
}

/* ---- what is printed ---- */

static void say(void *ctx, struct span line, bool journalled)
{
    const struct options *o = ctx;
    struct json v, event, why;
    char text[1024];
    size_t n;

    if (o->json) {
        printf("%.*s\n", SPAN_ARGS(line));
    } else if (json_parse(line, &v, NULL)) {
        event = json_get(&v, "event");
        why = json_get(&v, "why");
        n = json_unescape(json_inner(&why), text, sizeof text);
        printf("%s%.*s: %.*s\n", o->dry && !journalled ? "(would) " : "",
               SPAN_ARGS(json_inner(&event)), (int)n, text);
    }
    fflush(stdout);
}

static bool run(struct options *o, struct err *e)
{
    struct cycle_config set = {0};
    struct cycle_run r = {
        .set = &set, .dry = o->dry, .force = o->now, .say = say, .ctx = o};
    bool ok = configure(&set, o, e) && cycle_run(&r, e);

    cycle_config_free(&set);
    return ok;
}

int cmd_cycle(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml", .seed = 1};
    struct err e = {0};

    switch (parse(argc, argv, &o, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (run(&o, &e))
            return 0;
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir cycle: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
