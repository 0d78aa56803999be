/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/state.h"

static bool is_reference(const struct part *p)
{
    struct json v = {JSON_OBJECT, false, p->raw}, type;

    if (p->kind != PART_OTHER || !p->raw.len || p->raw.ptr[0] != '{')
        return false;
    type = json_get(&v, "type");
    return json_is(&type, "item_reference");
}

bool state_portable(const struct request *r, struct err *e)
{
    static const char *const held[] = {"previous_response_id", "conversation"};

    for (size_t i = 0; i < r->n_extras; i++) {
        for (size_t k = 0; k < sizeof held / sizeof held[0]; k++) {
            if (span_is(r->extras[i].name, held[k]) &&
                !span_is(r->extras[i].value, "null"))
                return err_set(e, ERR_INPUT,
                               "%s: the provider that this request goes to "
                               "does not hold the conversation; send its "
                               "items as input",
                               held[k]);
        }
    }
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++) {
            if (is_reference(&r->messages[i].parts[k]))
                return err_set(e, ERR_INPUT,
                               "input: wanted the item itself, found an "
                               "item_reference that this provider does not "
                               "hold");
        }
    }
    return true;
}

bool extra_is_shared(struct span name)
{
    static const char *const shared[] = {
        "store",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "verbosity",
    };

    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        if (span_is(name, shared[i]))
            return true;
    }
    return false;
}
