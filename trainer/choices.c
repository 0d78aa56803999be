/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/choices.h"

#include <math.h>

#include "base/json.h"

static double number(const struct json *arm, const char *key)
{
    struct json v = json_get(arm, key);
    double d;

    return json_double(&v, &d) ? d : NAN;
}

bool choices_parse(struct span text, struct choices *out, struct err *e)
{
    struct json list, one;
    struct json_iter it;

    out->n = 0;
    if (!json_parse(text, &list, e))
        return false;
    if (list.type != JSON_ARRAY)
        return err_set(e, ERR_INPUT, "arms: wanted an array, found %s",
                       json_type_name(list.type));
    it = json_begin(&list);
    while (json_next(&it, NULL, &one)) {
        struct json name = json_get(&one, "arm");
        struct json dropped = json_get(&one, "dropped");
        if (name.type != JSON_STRING)
            return err_set(e, ERR_INPUT, "arms: wanted names, found %s",
                           json_type_name(name.type));
        if (out->n == CHOICES_MAX)
            return err_set(e, ERR_LIMIT, "arms: wanted at most %d",
                           CHOICES_MAX);
        out->at[out->n++] = (struct choice){
            .arm = json_inner(&name),
            .quality = number(&one, "quality"),
            .cost = number(&one, "cost_usd"),
            .propensity = number(&one, "propensity"),
            .able = dropped.type != JSON_STRING,
        };
    }
    return true;
}
