/* SPDX-License-Identifier: Apache-2.0 */
/* What each keyword asks of a value. */
#include "base/json_same.h"
#include "base/json_schema_run.h"

#include <math.h>

/* ---- type and value ---- */

static bool is_whole(const struct json *v)
{
    double d;

    return json_double(v, &d) && d == floor(d);
}

static bool has_type(struct span name, const struct json *v)
{
    static const struct {
        const char *name;
        enum json_type type;
    } types[] = {
        {"object", JSON_OBJECT}, {"array", JSON_ARRAY},
        {"string", JSON_STRING}, {"number", JSON_NUMBER},
        {"boolean", JSON_BOOL},  {"null", JSON_NULL},
    };

    if (span_is_nocase(name, "integer"))
        return v->type == JSON_NUMBER && is_whole(v);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_is_nocase(name, types[i].name))
            return v->type == types[i].type;
    return true;
}

static bool type_holds(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json one, null = json_get(k->in, "nullable");
    struct span name = k->arg->type == JSON_STRING ? json_inner(k->arg)
                                                   : SPAN("one of its types");

    if (k->value->type == JSON_NULL && json_true(&null))
        return true;
    if (k->arg->type == JSON_STRING && has_type(name, k->value))
        return true;
    while (json_next(&it, NULL, &one))
        if (one.type == JSON_STRING && has_type(json_inner(&one), k->value))
            return true;
    return wrong(r, "type ", name, k);
}

static bool enum_holds(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json one, null = json_get(k->in, "nullable");

    if (k->value->type == JSON_NULL && json_true(&null))
        return true;
    while (json_next(&it, NULL, &one))
        if (json_same(&one, k->value, r->work))
            return true;
    return wrong(r, "one of ", part(k->arg), k);
}

static bool const_holds(struct run *r, const struct asked *k)
{
    return json_same(k->arg, k->value, r->work) ||
           wrong(r, "", part(k->arg), k);
}

/* ---- numbers and lengths ---- */

static bool limits(struct run *r, const struct asked *k, double *limit,
                   double *found)
{
    (void)r;
    return k->value->type == JSON_NUMBER && json_double(k->arg, limit) &&
           json_double(k->value, found);
}

static bool minimum_holds(struct run *r, const struct asked *k)
{
    struct json open = json_get(k->in, "exclusiveMinimum");
    double limit, v;

    if (!limits(r, k, &limit, &v) || v > limit ||
        (v == limit && !json_true(&open)))
        return true;
    return wrong(r, "a number from ", part(k->arg), k);
}

static bool maximum_holds(struct run *r, const struct asked *k)
{
    struct json open = json_get(k->in, "exclusiveMaximum");
    double limit, v;

    if (!limits(r, k, &limit, &v) || v < limit ||
        (v == limit && !json_true(&open)))
        return true;
    return wrong(r, "a number up to ", part(k->arg), k);
}

static bool above_holds(struct run *r, const struct asked *k)
{
    double limit, v;

    return !limits(r, k, &limit, &v) || v > limit ||
           wrong(r, "a number above ", part(k->arg), k);
}

static bool below_holds(struct run *r, const struct asked *k)
{
    double limit, v;

    return !limits(r, k, &limit, &v) || v < limit ||
           wrong(r, "a number below ", part(k->arg), k);
}

static bool multiple_holds(struct run *r, const struct asked *k)
{
    double of, v, times;

    if (!limits(r, k, &of, &v) || of <= 0)
        return true;
    times = v / of;
    return fabs(times - round(times)) <= 1e-9 * fmax(1, fabs(times)) ||
           wrong(r, "a multiple of ", part(k->arg), k);
}

/* How much of it there is: code points, items, members; -1: cannot tell. */
static double extent(struct run *r, const struct json *v)
{
    struct span text;
    double n = 0;

    if (v->type != JSON_STRING)
        return (double)json_count(v);
    if (!json_text(v, r->work, &text)) {
        r->unknown = true;
        return -1;
    }
    for (size_t i = 0; i < text.len; i++)
        n += (text.ptr[i] & 0xc0) != 0x80;
    return n;
}

static bool at_least(struct run *r, const struct asked *k, enum json_type type)
{
    double limit, n;

    if (k->value->type != type || !json_double(k->arg, &limit))
        return true;
    n = extent(r, k->value);
    return n < 0 || n >= limit || wrong(r, "a length from ", part(k->arg), k);
}

static bool at_most(struct run *r, const struct asked *k, enum json_type type)
{
    double limit, n;

    if (k->value->type != type || !json_double(k->arg, &limit))
        return true;
    n = extent(r, k->value);
    return n < 0 || n <= limit || wrong(r, "a length up to ", part(k->arg), k);
}

static bool min_length_holds(struct run *r, const struct asked *k)
{
    return at_least(r, k, JSON_STRING);
}

static bool max_length_holds(struct run *r, const struct asked *k)
{
    return at_most(r, k, JSON_STRING);
}

static bool min_items_holds(struct run *r, const struct asked *k)
{
    return at_least(r, k, JSON_ARRAY);
}

static bool max_items_holds(struct run *r, const struct asked *k)
{
    return at_most(r, k, JSON_ARRAY);
}

static bool min_members_holds(struct run *r, const struct asked *k)
{
    return at_least(r, k, JSON_OBJECT);
}

static bool max_members_holds(struct run *r, const struct asked *k)
{
    return at_most(r, k, JSON_OBJECT);
}

/* ---- arrays ---- */

/* The first items by the schemas of a list; the index of the rest in *n. */
static bool tuple_fits(struct run *r, const struct json *list,
                       const struct json *value, size_t *n)
{
    struct json_iter it = json_begin(list), items = json_begin(value);
    struct json schema, item;

    for (*n = 0; json_next(&it, NULL, &schema); ++*n)
        if (json_next(&items, NULL, &item) &&
            !fits_member(r, &schema, (struct span){NULL, 0}, *n, &item))
            return false;
    return true;
}

static bool rest_fits(struct run *r, const struct json *schema,
                      const struct json *value, size_t from)
{
    struct json_iter items = json_begin(value);
    struct json item;

    for (size_t i = 0; json_next(&items, NULL, &item); i++)
        if (i >= from &&
            !fits_member(r, schema, (struct span){NULL, 0}, i, &item))
            return false;
    return true;
}

static bool items_hold(struct run *r, const struct asked *k)
{
    struct json first = json_get(k->in, "prefixItems"),
                more = json_get(k->in, "additionalItems");
    size_t n;

    if (k->value->type != JSON_ARRAY)
        return true;
    if (k->arg->type != JSON_ARRAY)
        return rest_fits(r, k->arg, k->value, json_count(&first));
    return tuple_fits(r, k->arg, k->value, &n) &&
           (more.type == JSON_NONE || rest_fits(r, &more, k->value, n));
}

static bool prefix_holds(struct run *r, const struct asked *k)
{
    size_t n;

    return k->value->type != JSON_ARRAY || tuple_fits(r, k->arg, k->value, &n);
}

static bool contains_holds(struct run *r, const struct asked *k)
{
    struct json_iter items = json_begin(k->value);
    struct json item;

    if (k->value->type != JSON_ARRAY)
        return true;
    while (json_next(&items, NULL, &item))
        if (tries(r, k->arg, &item))
            return true;
    return wrong(r, "an item that fits ", part(k->arg), k);
}

static bool unique_holds(struct run *r, const struct asked *k)
{
    struct json_iter i = json_begin(k->value), j;
    struct json a, b;

    if (k->value->type != JSON_ARRAY || !json_true(k->arg))
        return true;
    while (json_next(&i, NULL, &a)) {
        for (j = i; json_next(&j, NULL, &b);) {
            if (++r->steps > STEPS_MAX)
                return true;
            if (json_same(&a, &b, r->work))
                return wrong(r, "no item twice", SPAN(""), k);
        }
    }
    return true;
}

/* ---- objects ---- */

/* A member by its key's text, which the schema and the value may write with
 * different escapes. */
static bool member_of(struct run *r, const struct json *object,
                      const struct json *key, struct json *out)
{
    struct json_iter it = json_begin(object);
    struct json name, value;
    bool found = false;

    while (json_next(&it, &name, &value)) {
        if (++r->steps > STEPS_MAX)
            break;
        if (json_same(&name, key, r->work)) {
            *out = value;
            found = true;
        }
    }
    return found;
}

static bool required_holds(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json key, value;

    if (k->value->type != JSON_OBJECT || k->arg->type != JSON_ARRAY)
        return true;
    while (json_next(&it, NULL, &key))
        if (!member_of(r, k->value, &key, &value))
            return wrong(r, "the member ", part(&key), k);
    return true;
}

static bool properties_hold(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json key, schema, value;

    if (k->value->type != JSON_OBJECT)
        return true;
    while (json_next(&it, &key, &schema))
        if (member_of(r, k->value, &key, &value) &&
            !fits_member(r, &schema, json_inner(&key), 0, &value))
            return false;
    return true;
}

static bool additional_holds(struct run *r, const struct asked *k)
{
    struct json known = json_get(k->in, "properties"),
                patterns = json_get(k->in, "patternProperties");
    struct json_iter it = json_begin(k->value);
    struct json key, value, schema;

    if (k->value->type != JSON_OBJECT || json_count(&patterns) > 0)
        return true;
    while (json_next(&it, &key, &value)) {
        if (member_of(r, &known, &key, &schema))
            continue;
        if (!fits_member(r, k->arg, json_inner(&key), 0, &value))
            return false;
    }
    return true;
}

static bool names_hold(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->value);
    struct json key, value;

    if (k->value->type != JSON_OBJECT)
        return true;
    while (json_next(&it, &key, &value))
        if (!fits(r, k->arg, &key))
            return false;
    return true;
}

static bool dependencies_hold(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json key, needs, value;
    struct asked also = *k;

    if (k->value->type != JSON_OBJECT)
        return true;
    while (json_next(&it, &key, &needs)) {
        if (!member_of(r, k->value, &key, &value))
            continue;
        also.arg = &needs;
        if (needs.type == JSON_ARRAY ? !required_holds(r, &also)
                                     : !fits(r, &needs, k->value))
            return false;
    }
    return true;
}

const struct keyword value_keywords[] = {
    {"type", type_holds},
    {"enum", enum_holds},
    {"const", const_holds},
    {"required", required_holds},
    {"properties", properties_hold},
    {"additionalProperties", additional_holds},
    {"items", items_hold},
    {"prefixItems", prefix_holds},
    {"minimum", minimum_holds},
    {"maximum", maximum_holds},
    {"exclusiveMinimum", above_holds},
    {"exclusiveMaximum", below_holds},
    {"multipleOf", multiple_holds},
    {"minLength", min_length_holds},
    {"maxLength", max_length_holds},
    {"minItems", min_items_holds},
    {"maxItems", max_items_holds},
    {"minProperties", min_members_holds},
    {"maxProperties", max_members_holds},
    {"uniqueItems", unique_holds},
    {"contains", contains_holds},
    {"propertyNames", names_hold},
    {"dependencies", dependencies_hold},
    {"dependentRequired", dependencies_hold},
    {"dependentSchemas", dependencies_hold},
};

const size_t n_value_keywords =
    sizeof value_keywords / sizeof value_keywords[0];
