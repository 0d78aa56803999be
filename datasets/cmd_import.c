/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/cmd_import.h"

#include "base/args.h"
#include "datasets/convert.h"

#include <string.h>

struct options {
    const char *from, *out, *task, *arm;
    bool skip_bad, json;
};

static const struct import_format *format_of(const char *name, struct err *e)
{
    char known[256] = "";

    for (size_t i = 0; i < import_formats_n; i++) {
        size_t n = strlen(known);

        if (name && !strcmp(name, import_formats[i].name))
            return &import_formats[i];
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 import_formats[i].name);
    }
    err_set(e, ERR_USAGE, "--from: wanted one of %s, found '%s'", known,
            name ? name : "");
    return NULL;
}

static enum args_end parse(int argc, char **argv, struct options *o, int *first,
                           struct err *e)
{
    const struct arg list[] = {
        {"from", ARG_TEXT, &o->from, "FORMAT",
         "routellm-csv, routerbench-csv, openai-jsonl, litellm-spend, "
         "weir-log"},
        {"out", ARG_TEXT, &o->out, "F", "the dataset: F.jsonl, F.jsonl.gz, -"},
        {"task", ARG_TEXT, &o->task, "NAME", "the task of every row"},
        {"arm", ARG_TEXT, &o->arm, "NAME",
         "who answered, where the input does not say it"},
        {"skip-bad", ARG_FLAG, &o->skip_bad, NULL,
         "count malformed rows instead of stopping at the first"},
        {"json", ARG_FLAG, &o->json, NULL, "report as JSON"},
    };
    const struct args a = {
        .command = "import",
        .usage = "--from FORMAT IN... --out F.jsonl[.gz]",
        .about = "Makes a dataset of labelled outcomes from other programs' "
                 "files.\nIN may be gzipped; - is standard input.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };

    return args_parse(&a, argc, argv, first, e);
}

int cmd_import(int argc, char **argv)
{
    struct options o = {0};
    struct import im = {0};
    struct convert c = {.command = "import"};
    struct err e;
    int first = 0;

    switch (parse(argc, argv, &o, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_BAD:
        return convert_fail("import", &e);
    case ARGS_OK:
        break;
    }
    c.format = format_of(o.from, &e);
    if (c.format && !o.out)
        err_set(&e, ERR_USAGE, "--out: wanted the dataset's name, found none");
    else if (c.format && first == argc)
        err_set(&e, ERR_USAGE, "wanted files to import, found none");
    if (!c.format || !o.out || first == argc)
        return convert_fail("import", &e);
    im.opt.task = o.task;
    im.opt.arm = o.arm;
    im.opt.skip_bad = o.skip_bad;
    im.paths = (const char *const *)(argv + first);
    im.n_paths = (size_t)(argc - first);
    c.out = o.out;
    c.json = o.json;
    return convert_run(&c, &im);
}
