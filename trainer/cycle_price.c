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

static void lower(cJSON *level, struct cycle_price most)
{
    static const char *const measured[] = {
        "share",    "n",           "conversations",
        "measured", "measured_lo", "measured_hi",
        "saving",   "lo",          "hi"};

    if (number(level, "quality") < most.quality - 1e-9 ||
        number(level, "price") <= most.price)
        return;
    cJSON_ReplaceItemInObjectCaseSensitive(level, "price",
                                           cJSON_CreateNumber(most.price));
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(level, measured[i]);
    cJSON_AddBoolToObject(level, "lowered", true);
}

static char *card_at(struct span card, struct cycle_price most)
{
    cJSON *all = cJSON_ParseWithLength(card.ptr, card.len), *level;
    char *text;

    cJSON_ArrayForEach(level, cJSON_GetObjectItemCaseSensitive(all, "levels"))
        lower(level, most);
    text = all ? cJSON_PrintUnformatted(all) : NULL;
    cJSON_Delete(all);
    return text;
}

bool cycle_price_file(const struct classifier *c, struct cycle_price most,
                      struct buf *out, char id[CYCLE_ID], struct err *e)
{
    char *card = card_at(classifier_card(c), most);
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
