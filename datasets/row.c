/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/row.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/vec.h"

#include <math.h>
#include <string.h>

/* What is being parsed, for the fields' functions. */
struct parse {
    struct arena *arena;
    struct dataset_row *row;
    struct err *e;
    struct span arm; /* in an outcome: its name as written */
};

struct outcome outcome_unknown(void)
{
    return (struct outcome){
        .score = NAN,
        .beside = NAN,
        .confidence = NAN,
        .input_tokens = NAN,
        .output_tokens = NAN,
        .cost_usd = NAN,
        .latency_ms = NAN,
        .propensity = NAN,
    };
}

bool outcome_is_gold(const struct outcome *o)
{
    return !o->source.len || span_is(o->source, "feedback") ||
           span_is(o->source, "benchmark");
}

void row_clear(struct dataset_row *row)
{
    row->line = 0;
    row->id = row->task = row->session = (struct span){NULL, 0};
    row->time_ms = -1;
    row->messages = row->tools = row->params = (struct span){NULL, 0};
    row->features = row->choices = (struct span){NULL, 0};
    row->est_input = NAN;
    row->from_log = false;
    row->n_outcomes = 0;
}

/* ---- errors: "outcomes.nano.score: wanted ..., found ..." ---- */

enum { SEEN_MAX = 60 };

static bool wrong(const struct parse *p, const char *field, const char *wanted,
                  const struct json *v)
{
    size_t n = utf8_cut(v->raw, SEEN_MAX);
    struct span seen = {v->raw.ptr, n};
    const char *cut = n < v->raw.len ? "..." : "";

    if (p->arm.ptr)
        return err_set(p->e, ERR_INPUT,
                       "outcomes.%.*s.%s: wanted %s, found %s %.*s%s",
                       (int)utf8_cut(p->arm, SEEN_MAX), p->arm.ptr, field,
                       wanted, json_type_name(v->type), SPAN_ARGS(seen), cut);
    return err_set(p->e, ERR_INPUT, "%s: wanted %s, found %s %.*s%s", field,
                   wanted, json_type_name(v->type), SPAN_ARGS(seen), cut);
}

static bool no_memory(const struct parse *p, const char *field)
{
    return err_set(p->e, ERR_LIMIT,
                   "%s: wanted a shorter row, found one that "
                   "does not fit in memory",
                   field);
}

/* ---- the kinds of fields; `to` is the member that is filled ---- */

typedef bool field_fn(struct parse *p, const char *name, const struct json *v,
                      void *to);

static bool text_field(struct parse *p, const char *name, const struct json *v,
                       void *to)
{
    if (v->type == JSON_NULL)
        return true;
    if (v->type != JSON_STRING)
        return wrong(p, name, "a string", v);
    return json_text(v, p->arena, to) || no_memory(p, name);
}

static bool id_field(struct parse *p, const char *name, const struct json *v,
                     void *to)
{
    if (v->type != JSON_STRING || v->raw.len <= 2)
        return wrong(p, name, "a string that is not empty", v);
    return text_field(p, name, v, to);
}

static bool time_field(struct parse *p, const char *name, const struct json *v,
                       void *to)
{
    if (v->type == JSON_NULL)
        return true;
    if (v->type != JSON_STRING || !clock_parse(json_inner(v), to))
        return wrong(p, name, "a time such as \"2026-05-01T12:00:00Z\"", v);
    return true;
}

bool row_messages_ok(const struct json *messages, struct json *bad)
{
    struct json_iter it = json_begin(messages);
    struct json m;
    size_t n = 0;

    *bad = *messages;
    if (messages->type != JSON_ARRAY)
        return false;
    for (; json_next(&it, NULL, &m); n++) {
        if (json_get(&m, "role").type != JSON_STRING) {
            *bad = m;
            return false;
        }
    }
    return n > 0;
}

static bool messages_field(struct parse *p, const char *name,
                           const struct json *v, void *to)
{
    struct json bad;

    if (v->type == JSON_NULL)
        return true;
    if (!row_messages_ok(v, &bad))
        return wrong(p, name, "an array of objects with a \"role\"", &bad);
    *(struct span *)to = v->raw;
    return true;
}

static bool array_field(struct parse *p, const char *name, const struct json *v,
                        void *to)
{
    if (v->type == JSON_ARRAY)
        *(struct span *)to = v->raw;
    return v->type == JSON_ARRAY || v->type == JSON_NULL ||
           wrong(p, name, "an array", v);
}

static bool object_field(struct parse *p, const char *name,
                         const struct json *v, void *to)
{
    if (v->type == JSON_OBJECT)
        *(struct span *)to = v->raw;
    return v->type == JSON_OBJECT || v->type == JSON_NULL ||
           wrong(p, name, "an object", v);
}

static bool features_field(struct parse *p, const char *name,
                           const struct json *v, void *to)
{
    struct span *out = to, text;
    struct vec vec;
    size_t n;
    char *bytes;

    if (v->type == JSON_NULL)
        return true;
    if (v->type != JSON_STRING || v->raw.len <= 2)
        return wrong(p, name, "a packed vector in base64", v);
    bytes = arena_alloc(p->arena, BASE64_BYTES(v->raw.len) + 1);
    if (!bytes || !json_text(v, p->arena, &text))
        return no_memory(p, name);
    if (!base64_decode(text, bytes, &n))
        return wrong(p, name, "a packed vector in base64", v);
    *out = (struct span){bytes, n};
    return vec_unpack(*out, &vec, p->e) || err_wrap(p->e, "%s", name);
}

static bool unit_field(struct parse *p, const char *name, const struct json *v,
                       void *to)
{
    double x;

    if (v->type == JSON_NULL)
        return true;
    if (!json_double(v, &x) || !(x >= 0 && x <= 1))
        return wrong(p, name, "a number in [0,1]", v);
    *(double *)to = x;
    return true;
}

static bool amount_field(struct parse *p, const char *name,
                         const struct json *v, void *to)
{
    double x;

    if (v->type == JSON_NULL)
        return true;
    if (!json_double(v, &x) || x < 0)
        return wrong(p, name, "a finite number of 0 or more", v);
    *(double *)to = x;
    return true;
}

static field_fn outcomes_field;

struct field {
    const char *name;
    field_fn *parse;
    size_t at; /* of the member that it fills */
};

static const struct field row_fields[] = {
    {"id", id_field, offsetof(struct dataset_row, id)},
    {"task", text_field, offsetof(struct dataset_row, task)},
    {"session", text_field, offsetof(struct dataset_row, session)},
    {"time", time_field, offsetof(struct dataset_row, time_ms)},
    {"messages", messages_field, offsetof(struct dataset_row, messages)},
    {"tools", array_field, offsetof(struct dataset_row, tools)},
    {"params", object_field, offsetof(struct dataset_row, params)},
    {"features", features_field, offsetof(struct dataset_row, features)},
    {"outcomes", outcomes_field, 0},
};

static const struct field outcome_fields[] = {
    {"score", unit_field, offsetof(struct outcome, score)},
    {"confidence", unit_field, offsetof(struct outcome, confidence)},
    {"input_tokens", amount_field, offsetof(struct outcome, input_tokens)},
    {"output_tokens", amount_field, offsetof(struct outcome, output_tokens)},
    {"cost_usd", amount_field, offsetof(struct outcome, cost_usd)},
    {"latency_ms", amount_field, offsetof(struct outcome, latency_ms)},
    {"propensity", unit_field, offsetof(struct outcome, propensity)},
    {"answer", text_field, offsetof(struct outcome, answer)},
    {"source", text_field, offsetof(struct outcome, source)},
};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* Every known member of the object into `to`; unknown ones are left alone,
 * so that newer files can be read.  A known one may stand only once. */
static bool parse_fields(struct parse *p, const struct json *obj,
                         const struct field *fields, size_t n, void *to)
{
    struct json_iter it = json_begin(obj);
    struct json key, v;
    unsigned seen = 0;

    while (json_next(&it, &key, &v)) {
        struct span name = json_inner(&key);
        size_t i = 0;

        while (i < n && !span_is(name, fields[i].name))
            i++;
        if (i == n)
            continue;
        if (seen & 1u << i)
            return wrong(p, fields[i].name, "it once, found it again with", &v);
        seen |= 1u << i;
        if (!fields[i].parse(p, fields[i].name, &v, (char *)to + fields[i].at))
            return false;
    }
    return true;
}

static bool known(const struct outcome *o)
{
    return !isnan(o->score) || !isnan(o->input_tokens) ||
           !isnan(o->output_tokens) || !isnan(o->cost_usd) ||
           !isnan(o->latency_ms);
}

static bool arm_is_new(const struct dataset_row *row, struct span arm)
{
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        if (span_eq(row->outcomes[i].arm, arm))
            return false;
    }
    return true;
}

static bool one_outcome(struct parse *p, const struct json *key,
                        const struct json *v)
{
    struct dataset_row *row = p->row;
    struct outcome *o = &row->outcomes[row->n_outcomes];

    if (row->n_outcomes == DATASET_OUTCOMES_MAX)
        return err_set(p->e, ERR_LIMIT,
                       "outcomes: wanted at most %d, found more",
                       DATASET_OUTCOMES_MAX);
    if (key->raw.len <= 2)
        return wrong(p, "outcomes", "arms with a name", key);
    if (v->type != JSON_OBJECT)
        return wrong(p, "outcomes", "an object for each arm", v);
    *o = outcome_unknown();
    if (!json_text(key, p->arena, &o->arm))
        return no_memory(p, "outcomes");
    if (!arm_is_new(row, o->arm))
        return wrong(p, "outcomes", "each arm once, found again", key);
    p->arm = json_inner(key);
    if (!parse_fields(p, v, outcome_fields, COUNT(outcome_fields), o))
        return false;
    p->arm = (struct span){NULL, 0};
    if (!known(o))
        return wrong(p, "outcomes",
                     "a score, or at least tokens, cost or latency, of", key);
    row->n_outcomes++;
    return true;
}

static bool outcomes_field(struct parse *p, const char *name,
                           const struct json *v, void *to)
{
    struct json_iter it = json_begin(v);
    struct json key, o;

    (void)to;
    if (v->type != JSON_OBJECT)
        return wrong(p, name, "an object with one outcome an arm", v);
    while (json_next(&it, &key, &o)) {
        if (!one_outcome(p, &key, &o))
            return false;
    }
    return true;
}

/* What the row as a whole must have, read or written. */
static bool complete(const struct dataset_row *row, struct err *e)
{
    if (row->id.len == 0)
        return err_set(e, ERR_INPUT, "id: wanted a string, found nothing");
    if (row->messages.len == 0 && row->features.len == 0)
        return err_set(e, ERR_INPUT,
                       "messages: wanted them (or features), found nothing");
    if (row->n_outcomes == 0)
        return err_set(e, ERR_INPUT,
                       "outcomes: wanted at least one, found none");
    return true;
}

bool row_parse(struct span line, struct arena *a, struct dataset_row *row,
               struct err *e)
{
    struct parse p = {.arena = a, .row = row, .e = e};
    struct json v;

    row_clear(row);
    if (!json_parse(line, &v, e))
        return false;
    if (v.type != JSON_OBJECT)
        return wrong(&p, "line", "a JSON object", &v);
    return parse_fields(&p, &v, row_fields, COUNT(row_fields), row) &&
           complete(row, e);
}
