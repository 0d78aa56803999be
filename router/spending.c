/* SPDX-License-Identifier: Apache-2.0 */
#include "router/spending.h"

#include <math.h>

#include "base/json.h"
#include "models/registry.h"

/* The choice keeps most of the probability; where it is shared evenly, the
 * cheaper one is meant, beyond which more was spent. */
int64_t spending_explored(struct span arms, struct span explored)
{
    struct json list, arm;
    struct json_iter it;
    double best = 0, base = NAN, took = NAN;

    if (!json_parse(arms, &list, NULL) || list.type != JSON_ARRAY)
        return 0;
    it = json_begin(&list);
    while (json_next(&it, NULL, &arm)) {
        struct json p = json_get(&arm, "propensity");
        struct json c = json_get(&arm, "cost_usd");
        struct json name = json_get(&arm, "arm");
        double share, cost;

        if (!json_double(&p, &share) || !json_double(&c, &cost) || share <= 0)
            continue;
        if (share > best || (share == best && cost < base)) {
            best = share;
            base = cost;
        }
        if (span_eq(json_inner(&name), explored))
            took = cost;
    }
    return took > base ? (int64_t)ceil((took - base) * PICO_PER_USD) : 0;
}

static void note(struct purse_book *book, enum purse_kind kind,
                 struct span name, int64_t pico, int64_t now_ms)
{
    struct purse *p = pico > 0 ? purse_of(book, kind, name) : NULL;

    if (p)
        purse_note(p, pico, now_ms);
}

void spending_note(struct purse_book *book, const struct spent_row *row,
                   int64_t now_ms)
{
    static const struct span all = {"", 0};

    if (span_is(row->purpose, "shadow"))
        note(book, PURSE_SHADOW, row->route, row->cost_pico, now_ms);
    else if (span_is(row->purpose, "judge"))
        note(book, PURSE_JUDGE, all, row->cost_pico, now_ms);
    else if (row->key_name.len)
        note(book, PURSE_KEY, row->key_name, row->cost_pico, now_ms);
    if (span_is(row->reason, "explored"))
        note(book, PURSE_EXPLORE, row->route,
             spending_explored(row->arms, row->arm), now_ms);
}

struct spending {
    struct purse_book *book;
    int64_t now_ms;
};

static void on_row(void *ctx, const struct spent_row *row)
{
    const struct spending *s = ctx;

    spending_note(s->book, row, s->now_ms);
}

bool spending_begin(struct purse_book *book, const char *log, int64_t now_ms,
                    struct err *e)
{
    struct spending s = {book, now_ms};

    return outlog_spent(log, now_ms - now_ms % PURSE_DAY_MS, on_row, &s, e);
}
