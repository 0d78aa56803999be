/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_schema_run.h"

#include <stdio.h>
#include <string.h>

bool wrong(struct run *r, const char *wanted, struct span what,
           const struct asked *k)
{
    if (r->e)
        err_set(r->e, ERR_INPUT, "%s: wanted %s%.*s, found %s", r->path, wanted,
                SPAN_ARGS(what), json_type_name(k->value->type));
    return false;
}

struct span part(const struct json *v)
{
    return (struct span){v->raw.ptr, v->raw.len < 80 ? v->raw.len : 80};
}

/* Goes down to a member; returns where to go back to. */
static size_t enter(struct run *r, struct span key, size_t index)
{
    size_t was = r->path_len, room = sizeof r->path - was;
    int n = key.ptr ? snprintf(r->path + was, room, ".%.*s", SPAN_ARGS(key))
                    : snprintf(r->path + was, room, "[%zu]", index);

    if (n > 0 && (size_t)n < room)
        r->path_len += (size_t)n;
    r->path[r->path_len] = '\0';
    return was;
}

static void leave(struct run *r, size_t was)
{
    r->path_len = was;
    r->path[was] = '\0';
}

bool fits_member(struct run *r, const struct json *schema, struct span key,
                 size_t index, const struct json *v)
{
    size_t was = enter(r, key, index);
    bool ok = fits(r, schema, v);

    leave(r, was);
    return ok;
}

bool tries(struct run *r, const struct json *schema, const struct json *v)
{
    struct err *e = r->e;
    bool ok;

    r->e = NULL;
    ok = fits(r, schema, v);
    r->e = e;
    return ok;
}

/* ---- schemas of schemas ---- */

static unsigned count_fits(struct run *r, const struct asked *k, unsigned stop)
{
    struct json_iter it = json_begin(k->arg);
    struct json schema;
    unsigned n = 0;

    while (n < stop && json_next(&it, NULL, &schema))
        n += tries(r, &schema, k->value);
    return n;
}

static bool any_holds(struct run *r, const struct asked *k)
{
    return count_fits(r, k, 1) == 1 ||
           wrong(r, "one of the forms ", part(k->arg), k);
}

static bool one_holds(struct run *r, const struct asked *k)
{
    return count_fits(r, k, 2) == 1 ||
           wrong(r, "exactly one of the forms ", part(k->arg), k);
}

static bool all_hold(struct run *r, const struct asked *k)
{
    struct json_iter it = json_begin(k->arg);
    struct json schema;

    while (json_next(&it, NULL, &schema))
        if (!fits(r, &schema, k->value))
            return false;
    return true;
}

static bool not_holds(struct run *r, const struct asked *k)
{
    return !tries(r, k->arg, k->value) || wrong(r, "not ", part(k->arg), k);
}

static bool if_holds(struct run *r, const struct asked *k)
{
    struct json next =
        json_get(k->in, tries(r, k->arg, k->value) ? "then" : "else");

    return next.type == JSON_NONE || fits(r, &next, k->value);
}

/* One step of a JSON pointer: ~0, ~1 and %XX resolved. */
static struct span step_text(struct run *r, struct span step)
{
    char *out = arena_alloc(r->work, step.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < step.len; i++) {
        char c = step.ptr[i];
        unsigned hi, lo;
        static const char hex[] = "0123456789abcdef";
        const char *h, *l;

        if (c == '%' && i + 2 < step.len &&
            (h = strchr(hex, step.ptr[i + 1] | 32)) && *h &&
            (l = strchr(hex, step.ptr[i + 2] | 32)) && *l) {
            hi = (unsigned)(h - hex);
            lo = (unsigned)(l - hex);
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        out[n++] = c;
    }
    step = (struct span){out, n};
    for (size_t i = n = 0; i < step.len; i++) {
        bool escaped = out[i] == '~' && i + 1 < step.len &&
                       (out[i + 1] == '0' || out[i + 1] == '1');

        out[n++] = !escaped ? out[i] : out[i + 1] == '0' ? '~' : '/';
        i += escaped;
    }
    return (struct span){out, n};
}

static bool step_into(struct run *r, struct json *at, struct span step)
{
    struct json_iter it = json_begin(at);
    struct json key, value;
    struct span name;
    uint64_t index = 0;

    if (at->type == JSON_ARRAY && !span_u64(step, &index))
        return false;
    for (uint64_t i = 0; json_next(&it, &key, &value); i++) {
        if (at->type == JSON_ARRAY
                ? i == index
                : json_text(&key, r->work, &name) && span_eq(name, step)) {
            *at = value;
            return true;
        }
    }
    return false;
}

static bool ref_holds(struct run *r, const struct asked *k)
{
    struct json at = r->root;
    struct span rest, step;

    if (!json_text(k->arg, r->work, &rest) || !span_starts(rest, "#")) {
        r->unknown = true;
        return true;
    }
    step = span_cut(&rest, '/');
    r->unknown |= step.len != 1; /* an anchor */
    while (rest.ptr) {
        step = step_text(r, span_cut(&rest, '/'));
        if (!step_into(r, &at, step)) {
            r->unknown = true;
            return true;
        }
    }
    return fits(r, &at, k->value);
}

static const struct keyword form_keywords[] = {
    {"anyOf", any_holds}, {"oneOf", one_holds}, {"allOf", all_hold},
    {"not", not_holds},   {"if", if_holds},
};

static bool one_keyword(struct run *r, const struct json *key,
                        const struct asked *k)
{
    for (size_t i = 0; i < n_value_keywords; i++)
        if (json_is(key, value_keywords[i].name))
            return value_keywords[i].holds(r, k);
    for (size_t i = 0; i < sizeof form_keywords / sizeof form_keywords[0]; i++)
        if (json_is(key, form_keywords[i].name))
            return form_keywords[i].holds(r, k);
    return true;
}

static bool all_keywords(struct run *r, const struct json *schema,
                         const struct json *value)
{
    struct json_iter it = json_begin(schema);
    struct json key, arg;

    while (json_next(&it, &key, &arg)) {
        struct asked k = {schema, &arg, value};

        if (!one_keyword(r, &key, &k))
            return false;
    }
    return true;
}

bool fits(struct run *r, const struct json *schema, const struct json *value)
{
    struct json ref = json_get(schema, "$ref");
    struct asked k = {schema, &ref, value};
    bool ok;

    if (++r->steps > STEPS_MAX || r->depth > DEPTH_MAX) {
        r->unknown = true;
        return true;
    }
    if (schema->type == JSON_BOOL)
        return json_true(schema) || wrong(r, "nothing here", SPAN(""), &k);
    r->depth++;
    ok = (ref.type != JSON_STRING || ref_holds(r, &k)) &&
         all_keywords(r, schema, value);
    r->depth--;
    return ok;
}

enum fit json_fits(const struct json *schema, const struct json *value,
                   struct arena *work, struct err *e)
{
    struct run r = {.root = *schema, .work = work, .path = "$", .path_len = 1};
    bool ok;

    r.e = e;
    ok = fits(&r, schema, value);
    if (r.unknown || r.steps > STEPS_MAX)
        return FITS_UNKNOWN;
    return ok ? FITS : FITS_NOT;
}
