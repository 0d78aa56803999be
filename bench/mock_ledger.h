/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went over the mock's counter, model by model: what a router's log can
 * be held against.  Money is exact, in pico-USD, by the shipped catalogue or
 * one price for all.
 */
#ifndef WEIR_BENCH_MOCK_LEDGER_H
#define WEIR_BENCH_MOCK_LEDGER_H

#include "base/buf.h"
#include "models/registry.h"

struct mock_ledger;

enum mock_outcome {
    MOCK_ANSWERED, /* all of it was sent */
    MOCK_FAILED,   /* an error was sent */
    MOCK_BROKEN,   /* begun, then cut or reset on purpose */
    MOCK_ABORTED,  /* the client left */
};

/* price: "input/output" or "input/output/cached" in USD per million tokens,
 * or NULL: the catalogue's. */
MUST_USE struct mock_ledger *mock_ledger_new(const char *price, struct err *e);
void mock_ledger_free(struct mock_ledger *l); /* NULL: no-op */
void mock_ledger_request(struct mock_ledger *l);
/* Tokens and money are counted for answers; for broken and aborted ones
 * apart, as if they had been whole. */
struct mock_entry {
    struct span model;
    enum mock_outcome outcome;
    struct usage usage;
    struct span words; /* the end of what the user said */
};
void mock_ledger_add(struct mock_ledger *l, const struct mock_entry *c);
/* From now on each call is a line of JSON at the end of this file. */
MUST_USE bool mock_ledger_journal(struct mock_ledger *l, const char *path,
                                  struct err *e);
void mock_ledger_frame(struct mock_ledger *l);
void mock_ledger_write(const struct mock_ledger *l, struct buf *out);

#endif
