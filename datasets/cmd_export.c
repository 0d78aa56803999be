/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/cmd_export.h"

#include "base/args.h"
#include "datasets/convert.h"
#include "datasets/when.h"

#include <string.h>

struct options {
    const char *out, *since, *until, *route;
    bool skip_bad, json;
};

static enum args_end parse(int argc, char **argv, struct options *o, int *first,
                           struct err *e)
{
    const struct arg list[] = {
        {"out", ARG_TEXT, &o->out, "F", "the dataset: F.jsonl, F.jsonl.gz, -"},
        {"since", ARG_TEXT, &o->since, "TIME", "requests from then on"},
        {"until", ARG_TEXT, &o->until, "TIME", "requests before then"},
        {"route", ARG_TEXT, &o->route, "NAME", "requests of this route"},
        {"skip-bad", ARG_FLAG, &o->skip_bad, NULL,
         "count malformed rows instead of stopping at the first"},
        {"json", ARG_FLAG, &o->json, NULL, "report as JSON"},
    };
    const struct args a = {
        .command = "export",
        .usage = "LOG --out F.jsonl[.gz] [--since TIME] [--until TIME]",
        .about = "Writes the requests of a log of weir serve as a dataset.\n"
                 "TIME is 2026-05-01, 2026-05-01T12:00:00Z or 7d (ago), UTC.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };

    return args_parse(&a, argc, argv, first, e);
}

static bool check(const struct options *o, int words, struct import *im,
                  struct err *e)
{
    if (words != 1)
        return err_set(e, ERR_USAGE, "wanted one log, found %d", words);
    if (!o->out)
        return err_set(e, ERR_USAGE,
                       "--out: wanted the dataset's name, found none");
    im->opt.skip_bad = o->skip_bad;
    im->opt.log.route = o->route;
    return when_parse("since", o->since, &im->opt.log.since_ms, e) &&
           when_parse("until", o->until, &im->opt.log.until_ms, e);
}

int cmd_export(int argc, char **argv)
{
    static const struct import_format log = {"weir-log", import_dataset, ""};
    struct options o = {0};
    struct import im = {0};
    struct err e;
    int first = 0;

    switch (parse(argc, argv, &o, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_BAD:
        return convert_fail("export", &e);
    case ARGS_OK:
        break;
    }
    if (!check(&o, argc - first, &im, &e))
        return convert_fail("export", &e);
    im.paths = (const char *const *)(argv + first);
    im.n_paths = 1;
    return convert_run(&(struct convert){"export", o.out, &log, o.json}, &im);
}
