/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/cmd_mock.h"

#include "base/args.h"
#include "bench/mock.h"

#include <stdio.h>

static bool in_range(const struct mock_options *o, struct err *e)
{
    if (o->error_rate < 0 || o->error_rate > 1)
        return err_set(e, ERR_USAGE, "--error-rate: wanted 0 to 1, found %g",
                       o->error_rate);
    if (o->port > 65535)
        return err_set(e, ERR_USAGE, "--port: wanted 0 to 65535, found %llu",
                       (unsigned long long)o->port);
    if (o->tps < 0)
        return err_set(e, ERR_USAGE, "--tps: wanted 0 or more, found %g",
                       o->tps);
    return true;
}

/* long: a row an option */
int cmd_mock(int argc, char **argv)
{
    struct mock_options o = {
        .listen = "127.0.0.1", .dialect = "openai", .port = 9000, .seed = 1};
    const struct arg list[] = {
        {"port", ARG_U64, &o.port, "P", "port on loopback, 0: any [9000]"},
        {"port-file", ARG_TEXT, &o.port_file, "F",
         "write the port there once it listens"},
        {"dialect", ARG_TEXT, &o.dialect, "D",
         "openai, responses, anthropic, gemini, bedrock, cohere or all "
         "[openai]"},
        {"key", ARG_TEXT, &o.key, "K", "take this API key only [any]"},
        {"lenient", ARG_FLAG, &o.lenient, NULL,
         "take requests that the real API would refuse"},
        {"script", ARG_TEXT, &o.script, "F",
         "faults by the rules of this file"},
        {"rps", ARG_U64, &o.rps, "N",
         "answer 429 beyond that many requests a second, 0: never [0]"},
        {"tls", ARG_TEXT, &o.tls, "KIND",
         "TLS with a bad certificate: self-signed or expired"},
        {"price", ARG_TEXT, &o.price, "I/O[/C]",
         "USD per million tokens of all models, for the ledger [catalogue's]"},
        {"journal", ARG_TEXT, &o.journal, "F",
         "add a line of JSON for each call to this file"},
        {"latency-ms", ARG_U64, &o.latency_ms, "N",
         "wait before the first byte [0]"},
        {"tps", ARG_REAL, &o.tps, "N", "tokens a second, 0: at once [0]"},
        {"error-rate", ARG_REAL, &o.error_rate, "P",
         "share of requests answered by an error [0]"},
        {"answers", ARG_TEXT, &o.answers, "F",
         "play the models of this labelled dataset"},
        {"seed", ARG_U64, &o.seed, "N", "of made-up answers and errors [1]"},
    };
    const struct args args = {
        "mock", "[options]",
        "A provider that answers like a real one, without a model: for tests "
        "and benchmarks.\nWhat is asked for in the last user message as "
        "[mock key=value ...] is done: see weir-mock(1).",
        list, sizeof list / sizeof list[0]};
    struct err e;
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (in_range(&o, &e) && mock_run(&o, &e))
            return 0;
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir mock: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
