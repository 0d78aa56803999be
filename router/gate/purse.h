/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money that may be spent in a day (UTC): of a key, of a route's exploration
 * and shadow answers, of judges.  Before a call the most that it may cost is
 * taken, after it what it did cost stays and the rest goes back, so that no
 * number of calls at once spends more than there is:
 *
 *   purse_take(most) --no--> the call is not made
 *        | yes
 *      the call --> purse_settle(spent)
 *
 * Shared by all workers, kept across reloads by kind and name, begun from the
 * log's rows of the day at a start.  Thread-safe.  Amounts are pico-USD.
 */
#ifndef WEIR_ROUTER_GATE_PURSE_H
#define WEIR_ROUTER_GATE_PURSE_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

enum purse_kind { PURSE_KEY, PURSE_EXPLORE, PURSE_SHADOW, PURSE_JUDGE };
enum { PURSE_KINDS = PURSE_JUDGE + 1, PURSE_DAY_MS = 86400000 };

struct purse_book;
struct purse;

/* What a call holds of a purse; one owner at a time.  purse NULL: nothing. */
struct hold {
    struct purse *purse; /* (borrowed: book) */
    int64_t day;         /* days since 1970 */
    int64_t pico;
};

MUST_USE struct purse_book *purse_book_new(void); /* NULL: no memory */
void purse_book_free(struct purse_book *b);       /* NULL: no-op */
/* Made at the first call, lives as long as the book; NULL: no memory. */
struct purse *purse_of(struct purse_book *book, enum purse_kind kind,
                       struct span name);

/* USD a day as an amount, rounded down; NAN (not said): INT64_MAX. */
int64_t purse_limit(double usd);

/*
 * h shall hold `pico` in all, which is more or less than it does.  False: so
 * much is not left of `limit`, and h is as it was.  A hold of an earlier day
 * is given up for one of today.
 */
MUST_USE bool purse_take(struct purse *p, int64_t pico, int64_t limit,
                         int64_t now_ms, struct hold *h);
/* The call is over: so much of the hold was spent; h holds nothing. */
void purse_settle(struct hold *h, int64_t spent);
/* Spent at now_ms before there was a hold: from the log. */
void purse_note(struct purse *p, int64_t spent, int64_t now_ms);

struct purse_state {
    int64_t spent, held; /* of the day */
};
struct purse_state purse_look(struct purse *p, int64_t now_ms);
/* Until the day of now_ms ends. */
uint64_t purse_day_left_ms(int64_t now_ms);

/* Each purse of the book, for metrics. */
void purse_each(struct purse_book *book,
                void (*one)(void *ctx, enum purse_kind kind, struct span name,
                            struct purse_state s),
                void *ctx, int64_t now_ms);
const char *purse_kind_name(enum purse_kind k); /* "key", "explore", ... */

#endif
