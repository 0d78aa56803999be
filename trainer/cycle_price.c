/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_price.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "features/features.h"

static double number(const cJSON *of, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(of, key);

    return cJSON_IsNumber(v) ? v->valuedouble : -1;
}

static bool is_same(const cJSON *of, const char *key, const cJSON *other)
{
    return cJSON_Compare(cJSON_GetObjectItemCaseSensitive(of, key),
                         cJSON_GetObjectItemCaseSensitive(other, key), true);
}

/* The level that the ladder is of. */
static bool is_own(const cJSON *level, const cJSON *card)
{
    const cJSON *ladder = cJSON_GetObjectItemCaseSensitive(card, "ladder");

    return ladder && is_same(level, "arms", ladder) &&
           is_same(level, "reference", ladder) &&
           is_same(level, "quality", ladder);
}

static void put(cJSON *level, double price)
{
    static const char *const measured[] = {
        "share",    "n",           "conversations",
        "measured", "measured_lo", "measured_hi",
        "saving",   "lo",          "hi"};

    cJSON_ReplaceItemInObjectCaseSensitive(level, "price",
                                           cJSON_CreateNumber(price));
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(level, measured[i]);
    cJSON_DeleteItemFromObjectCaseSensitive(level, "priced");
    cJSON_AddBoolToObject(level, "priced", true);
}

static void price(cJSON *level, const cJSON *card, struct cycle_price at)
{
    if (is_own(level, card)) {
        cJSON_ReplaceItemInObjectCaseSensitive(level, "valid",
                                               cJSON_CreateTrue());
        put(level, at.price);
    } else if (number(level, "quality") >= at.quality - 1e-9 &&
               number(level, "price") > at.price) {
        put(level, at.price);
    }
}

static char *card_at(struct span card, struct cycle_price at)
{
    cJSON *all = cJSON_ParseWithLength(card.ptr, card.len), *level;
    char *text;

    cJSON_ArrayForEach(level, cJSON_GetObjectItemCaseSensitive(all, "levels"))
        price(level, all, at);
    text = all ? cJSON_PrintUnformatted(all) : NULL;
    cJSON_Delete(all);
    return text;
}

bool cycle_price_file(const struct classifier *c, struct cycle_price at,
                      struct buf *out, char id[CYCLE_ID], struct err *e)
{
    char *card = card_at(classifier_card(c), at);
    struct classifier *made = NULL;

    if (!card)
        return err_set(e, ERR_MEMORY, "no memory for the card");
    if (weights_encode(classifier_weights(c), FEATURES_VERSION, span_of(card),
                       out, e))
        made = classifier_from(buf_view(out), FEATURES_VERSION, e);
    cJSON_free(card);
    if (made)
        snprintf(id, CYCLE_ID, "%s", classifier_id(made));
    classifier_close(made);
    return made != NULL;
}
