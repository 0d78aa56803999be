/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include "base/span.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void print_help(const struct args *a)
{
    printf("usage: weir %s %s\n\n%s\n\n", a->command, a->usage, a->about);
    for (unsigned i = 0; i < a->n; i++) {
        char left[64];

        snprintf(left, sizeof left, "--%s %s", a->list[i].name,
                 a->list[i].value ? a->list[i].value : "");
        printf("  %-26s %s\n", left, a->list[i].help);
    }
    printf("  %-26s %s\n", "--help", "print this and exit");
}

static bool bad_value(const struct arg *arg, const char *text,
                      const char *wanted, struct err *e)
{
    return err_set(e, ERR_USAGE, "--%s: wanted %s, found '%s'", arg->name,
                   wanted, text);
}

static bool store(const struct arg *arg, const char *text, struct err *e)
{
    struct arg_list *list = arg->target;

    switch (arg->kind) {
    case ARG_FLAG:
        *(bool *)arg->target = true;
        return true;
    case ARG_TEXT:
        *(const char **)arg->target = text;
        return true;
    case ARG_LIST:
        if (list->n == ARG_LIST_MAX)
            return bad_value(arg, text, "at most 64 of them", e);
        list->at[list->n++] = text;
        return true;
    case ARG_U64:
        return span_u64(span_of(text), arg->target) ||
               bad_value(arg, text, "a whole number", e);
    case ARG_REAL:
        return span_double(span_of(text), arg->target) ||
               bad_value(arg, text, "a number", e);
    }
    return false;
}

static void fill(const struct args *a, struct option *longs)
{
    for (unsigned i = 0; i < a->n; i++)
        longs[i] = (struct option){
            .name = a->list[i].name,
            .has_arg =
                a->list[i].kind == ARG_FLAG ? no_argument : required_argument,
            .val = 1000 + (int)i,
        };
    longs[a->n] = (struct option){.name = "help", .val = 'h'};
}

static enum args_end refuse(const struct args *a, const char *word, int c,
                            struct err *e)
{
    if (c == ':')
        err_set(e, ERR_USAGE, "%s: wanted a value behind it, found none", word);
    else
        err_set(e, ERR_USAGE, "unknown option '%s' (see weir %s --help)", word,
                a->command);
    return ARGS_BAD;
}

enum args_end args_parse(const struct args *a, int argc, char **argv,
                         int *first, struct err *e)
{
    struct option longs[ARGS_MAX + 2] = {{0}};
    int c;

    if (a->n > ARGS_MAX) {
        err_set(e, ERR_STATE, "%s: more options than args.h allows",
                a->command);
        return ARGS_BAD;
    }
    fill(a, longs);
    optind = 0; /* glibc: start anew, whatever was parsed before */
    while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        if (c == 'h') {
            print_help(a);
            return ARGS_HELP;
        }
        if (c < 1000)
            return refuse(a, argv[optind - 1], c, e);
        if (!store(&a->list[c - 1000], optarg, e))
            return ARGS_BAD;
    }
    *first = optind;
    return ARGS_OK;
}

int args_run(const struct args *a, int argc, char **argv,
             bool (*run)(void *options, struct err *e), void *options)
{
    struct err e = {0};
    int first;

    switch (args_parse(a, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (first != argc)
            err_set(&e, ERR_USAGE, "wanted options only, found %s",
                    argv[first]);
        else if (run(options, &e))
            return 0;
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir %s: %s\n", a->command, e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
