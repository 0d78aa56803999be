/* SPDX-License-Identifier: Apache-2.0 */
/* What a response says it used. */
#include "router/codec/openai.h"
#include "router/codec/responses.h"

/* A count; what is none, or below 0, is 0. */
static int64_t get_int(const struct json *obj, const char *name)
{
    struct json v = json_get(obj, name);
    int64_t n;

    return json_i64(&v, &n) && n > 0 && n < INT32_MAX ? n : 0;
}

static int64_t at_most(int64_t n, int64_t max)
{
    return n < max ? n : max;
}

/* Searches that are charged: pages opened and looked through are not. */
static int64_t count_searches(const struct json *response)
{
    struct json output = json_get(response, "output"), item;
    struct json_iter it = json_begin(&output);
    int64_t n = 0;

    while (output.type == JSON_ARRAY && json_next(&it, NULL, &item)) {
        struct json type = json_get(&item, "type");
        struct json action = json_get(&item, "action");
        struct json kind = json_get(&action, "type");

        n += json_is(&type, "web_search_call") &&
             (kind.type == JSON_NONE || json_is(&kind, "search"));
    }
    return n;
}

bool responses_usage(const struct json *response, struct usage *out)
{
    struct json v = json_get(response, "usage");
    struct json in = json_get(&v, "input_tokens_details");
    struct json made = json_get(&v, "output_tokens_details");
    struct json tier = json_get(response, "service_tier");
    struct usage u = {0};

    if (v.type != JSON_OBJECT)
        return false;
    u.input = get_int(&v, "input_tokens");
    u.output = get_int(&v, "output_tokens");
    u.cached = at_most(get_int(&in, "cached_tokens"), u.input);
    u.cache_write =
        at_most(get_int(&in, "cache_write_tokens"), u.input - u.cached);
    u.reasoning = get_int(&made, "reasoning_tokens");
    u.reasoning = at_most(u.reasoning, u.output);
    u.searches = count_searches(response);
    openai_bill(&v, &u);
    u.service = service_of(json_inner(&tier));
    *out = u;
    return true;
}
