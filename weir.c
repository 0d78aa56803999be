/* SPDX-License-Identifier: Apache-2.0 */
/* The entrance: a table of subcommands, nothing else. */
#include "base/version.h"
#include "bench/cmd_bench.h"
#include "bench/cmd_mock.h"
#include "datasets/cmd_export.h"
#include "datasets/cmd_import.h"
#include "router/cmd_check.h"
#include "router/cmd_explain.h"
#include "router/cmd_init.h"
#include "router/cmd_keygen.h"
#include "router/cmd_label.h"
#include "router/cmd_log.h"
#include "router/cmd_models.h"
#include "router/cmd_reload.h"
#include "router/cmd_replay.h"
#include "router/cmd_serve.h"
#include "trainer/cmd_cycle.h"
#include "trainer/cmd_eval.h"
#include "trainer/cmd_report.h"
#include "trainer/cmd_rollback.h"
#include "trainer/cmd_train.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* exit status 0, 1 or 2 (usage) */
    const char *about;
};

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("weir " WEIR_VERSION);
    return 0;
}

static const struct command commands[] = {
    {"init", cmd_init, "write a commented configuration"},
    {"check", cmd_check, "say what is wrong with a configuration"},
    {"serve", cmd_serve, "serve the routes of a configuration"},
    {"reload", cmd_reload, "make a running server load it again"},
    {"explain", cmd_explain, "say how a request would be routed, and why"},
    {"replay", cmd_replay, "make a logged decision again, to the bit"},
    {"keygen", cmd_keygen, "make a key for a client"},
    {"log", cmd_log, "check, repair, prune or export the outcome log"},
    {"label", cmd_label, "label answers of the log by an LLM judge"},
    {"import", cmd_import, "make a dataset from other programs' files"},
    {"export", cmd_export, "write a server's log as a dataset"},
    {"bench", cmd_bench, "measure routing, load and decisions"},
    {"mock", cmd_mock, "play a provider, for tests and benchmarks"},
    {"train", cmd_train, "learn a classifier from labelled outcomes"},
    {"cycle", cmd_cycle, "learn from the log, prove it, deploy it, watch it"},
    {"rollback", cmd_rollback, "put the classifier before this one back"},
    {"report", cmd_report, "what routing saved, from a server's log"},
    {"eval", cmd_eval, "what routing is worth on labelled outcomes"},
    {"models", cmd_models, "list the LLMs with prices and limits"},
    {"version", version, "print the version"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int usage(FILE *to)
{
    fputs("usage: weir COMMAND [options]\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].about);
    fputs("\nweir COMMAND --help says more.\n", to);
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "weir: unknown command '%s'\n", argv[1]);
    return usage(stderr);
}
