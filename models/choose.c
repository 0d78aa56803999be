/* SPDX-License-Identifier: Apache-2.0 */
#include "models/choose.h"

/* Is arm a to be preferred to the best so far, b, at equal rank?  Ties go to
 * the cheaper, and at equal cost to the earlier. */
static bool cheaper(const struct candidate *a, const struct candidate *b)
{
    return a->cost < b->cost;
}

int choose_by_price(const struct candidate *arms, unsigned n, double price)
{
    int best = -1;
    double best_worth = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!arms[i].allowed)
            continue;
        double worth = (double)arms[i].quality - price * arms[i].cost;
        if (best < 0 || worth > best_worth ||
            (worth == best_worth && cheaper(&arms[i], &arms[best]))) {
            best = (int)i;
            best_worth = worth;
        }
    }
    return best;
}

int choose_by_floor(const struct candidate *arms, unsigned n, double floor)
{
    int cheapest = -1, finest = -1;
    for (unsigned i = 0; i < n; i++) {
        const struct candidate *a = &arms[i];
        if (!a->allowed)
            continue;
        if ((double)a->quality >= floor &&
            (cheapest < 0 || cheaper(a, &arms[cheapest])))
            cheapest = (int)i;
        if (finest < 0 || a->quality > arms[finest].quality ||
            (a->quality == arms[finest].quality && cheaper(a, &arms[finest])))
            finest = (int)i;
    }
    return cheapest >= 0 ? cheapest : finest;
}
