/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines: one row an option, from which parsing and --help follow.
 * Parsing is getopt_long's.
 */
#ifndef WEIR_BASE_ARGS_H
#define WEIR_BASE_ARGS_H

#include "base/err.h"

#include <stdint.h>

enum arg_kind {
    ARG_FLAG, /* bool *, set to true */
    ARG_TEXT, /* const char **, the last one given */
    ARG_LIST, /* struct arg_list *, may be given again; commas stay */
    ARG_U64,  /* uint64_t * */
    ARG_REAL, /* double *, finite */
};

enum { ARG_LIST_MAX = 64, ARGS_MAX = 48 };

struct arg_list {
    const char *at[ARG_LIST_MAX]; /* (borrowed: argv) */
    unsigned n;
};

struct arg {
    const char *name; /* "out" for --out */
    enum arg_kind kind;
    void *target;
    const char *value; /* "FILE", "N"; NULL for flags */
    const char *help;  /* one sentence */
};

struct args {
    const char *command;    /* "train" */
    const char *usage;      /* behind "weir train": "--data F... [options]" */
    const char *about;      /* one or more sentences */
    const struct arg *list; /* [n] */
    unsigned n;
};

enum args_end {
    ARGS_OK,
    ARGS_HELP, /* --help was given and printed: exit 0 */
    ARGS_BAD,  /* e is filled: exit 2 */
};

/* argv[0] is the command's name.  *first is the index of the first word
 * that is no option. */
MUST_USE enum args_end args_parse(const struct args *a, int argc, char **argv,
                                  int *first, struct err *e);

/* A whole command that takes options only: parses, runs, and says what was
 * wrong as "weir COMMAND: ..." on standard error.  Its exit status: 0, 1, or 2
 * where it was used wrongly. */
int args_run(const struct args *a, int argc, char **argv,
             bool (*run)(void *options, struct err *e), void *options);

#endif
