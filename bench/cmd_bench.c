/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/cmd_bench.h"

#include "bench/modes.h"

#include <stdio.h>
#include <string.h>

struct mode {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
};

static const struct mode modes[] = {
    {"routing", bench_routing,
     "cost and quality of labelled requests through a running gateway"},
    {"split", bench_split, "deal a dataset into parts that share no question"},
    {"load", bench_load, "open-loop and closed-loop load"},
    {"decision", bench_decision, "time of one routing decision"},
};

enum { MODES = sizeof modes / sizeof modes[0] };

static int usage(FILE *to)
{
    fputs("usage: weir bench MODE [options]\n\n", to);
    for (size_t i = 0; i < MODES; i++)
        fprintf(to, "  %-10s %s\n", modes[i].name, modes[i].about);
    fputs("\nweir bench MODE --help says more.\n", to);
    return to == stdout ? 0 : 2;
}

int cmd_bench(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout);
    for (size_t i = 0; i < MODES; i++) {
        if (!strcmp(argv[1], modes[i].name))
            return modes[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "weir bench: unknown mode '%s'\n", argv[1]);
    return usage(stderr);
}
