/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSTs JSON to any gateway over libcurl, a number of requests at a time, and
 * hands the answers back with what weir says in its headers.
 */
#ifndef WEIR_BENCH_CLIENT_H
#define WEIR_BENCH_CLIENT_H

#include "base/buf.h"

struct client_call {
    uint64_t tag;     /* the caller's: which request this is */
    char path[64];    /* behind the base URL, "/chat/completions" */
    char header[128]; /* one more header line, or "" */
    struct buf body;  /* filled by next(), kept by the client */
};

/* What came back; spans and names are valid during done() only. */
struct client_answer {
    int status;          /* HTTP status, 0: none came */
    const char *failure; /* why none came, a word; NULL */
    double seconds;
    struct span body;
    char request_id[64], arm[96], model[96]; /* x-weir-*, or "" */
    double cost_usd, decision_us;            /* x-weir-*, NAN: not said */
};

struct client {
    const char *base_url; /* without a slash at its end */
    const char *api_key;  /* or NULL */
    unsigned concurrency;
    double timeout; /* seconds a request */
    /* Fills the next call; false: there is none now (there may be one after
     * an answer has come). */
    bool (*next)(void *ctx, struct client_call *call);
    void (*done)(void *ctx, const struct client_call *call,
                 const struct client_answer *answer);
    void *ctx;
};

/* Runs until there is no call and none is under way. */
MUST_USE bool client_run(const struct client *c, struct err *e);

#endif
