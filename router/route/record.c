/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json.h"
#include "router/digits.h"
#include "router/route/rules.h"

enum { SHOWN_MAX = 1 << 20 };

enum kind { KIND_REAL, KIND_INT, KIND_COUNT, KIND_HASH, KIND_BITS, KIND_FLAG };

struct member {
    const char *key;
    enum kind kind;
    size_t offset;
};

#define AT(kind, name)                                                         \
    {                                                                          \
#name, kind, offsetof(struct record, name)                             \
    }

static const struct member members[] = {
    AT(KIND_REAL, quality),   AT(KIND_REAL, max_cost), AT(KIND_FLAG, listed),
    AT(KIND_FLAG, pin),       AT(KIND_BITS, asked),    AT(KIND_REAL, price),
    AT(KIND_REAL, room),      AT(KIND_FLAG, bounded),  AT(KIND_BITS, drifted),
    AT(KIND_BITS, down),      AT(KIND_BITS, resting),  AT(KIND_BITS, abroad),
    AT(KIND_HASH, seed),      AT(KIND_FLAG, stays),    AT(KIND_INT, stay_arm),
    AT(KIND_REAL, read),      AT(KIND_REAL, written),  AT(KIND_FLAG, hold),
    AT(KIND_INT, max_tokens), AT(KIND_INT, n),         AT(KIND_INT, parallel),
    AT(KIND_INT, format),     AT(KIND_FLAG, stream),   AT(KIND_FLAG, logprobs),
    AT(KIND_FLAG, tools),     AT(KIND_FLAG, embeds),   AT(KIND_COUNT, body),
    AT(KIND_BITS, input),     AT(KIND_BITS, images),   AT(KIND_BITS, files),
    AT(KIND_BITS, audios),    AT(KIND_INT, rule),      AT(KIND_FLAG, risky),
    AT(KIND_FLAG, capped),    AT(KIND_HASH, settings), AT(KIND_INT, chosen),
    AT(KIND_BITS, reason),    AT(KIND_HASH, outcome),
};

enum { MEMBERS = sizeof members / sizeof members[0] };

/* Nothing was said. */
static const struct record blank = {.quality = NAN,
                                    .max_cost = NAN,
                                    .stay_arm = -1,
                                    .max_tokens = -1,
                                    .n = 1,
                                    .parallel = -1,
                                    .rule = -1};

/* ---- writing and reading ---- */

static size_t size_of(enum kind kind)
{
    static const size_t sizes[] = {
        [KIND_REAL] = sizeof(double),    [KIND_INT] = sizeof(int64_t),
        [KIND_COUNT] = sizeof(uint64_t), [KIND_HASH] = sizeof(uint64_t),
        [KIND_BITS] = sizeof(uint32_t),  [KIND_FLAG] = sizeof(bool),
    };

    return sizes[kind];
}

static const void *at(const struct record *r, const struct member *m)
{
    return (const char *)r + m->offset;
}

static void write_int(int64_t n, struct buf *out)
{
    if (n < 0)
        buf_char(out, '-');
    buf_decimal(out, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

static void write_hash(uint64_t h, struct buf *out)
{
    char text[HEX_MAX + 2] = {[0] = '"', [HEX_MAX + 1] = '"'};

    hex_put(text + 1, h);
    buf_put(out, text, sizeof text);
}

/* Exact to the bit. */
static void write_real(double v, struct buf *out)
{
    if (!isfinite(v))
        buf_str(out, v > 0 ? "1e999" : "null");
    else if (v == trunc(v) && fabs(v) < 1e15 && !signbit(v))
        buf_decimal(out, (uint64_t)v);
    else
        buf_printf(out, "%.17g", v);
}

/* A hash is a string: no reader's doubles shall cut it. */
static void write_value(enum kind kind, const void *from, struct buf *out)
{
    switch (kind) {
    case KIND_REAL:
        write_real(*(const double *)from, out);
        return;
    case KIND_INT:
        write_int(*(const int64_t *)from, out);
        return;
    case KIND_COUNT:
        buf_decimal(out, *(const uint64_t *)from);
        return;
    case KIND_HASH:
        write_hash(*(const uint64_t *)from, out);
        return;
    case KIND_BITS:
        buf_decimal(out, *(const uint32_t *)from);
        return;
    case KIND_FLAG:
        buf_str(out, *(const bool *)from ? "true" : "false");
        return;
    }
}

static void write_headers(const struct record *r, struct buf *out)
{
    for (unsigned i = 0; i < r->n_headers; i++) {
        buf_str(out, i ? "," : "\"headers\":{");
        buf_json_str(out, r->headers[i].name);
        buf_char(out, ':');
        if (r->headers[i].value)
            write_hash(r->headers[i].value, out);
        else
            buf_str(out, "null");
    }
    if (r->n_headers)
        buf_char(out, '}');
}

void record_write(const struct record *r, struct buf *out)
{
    const char *comma = "\"";

    buf_char(out, '{');
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *m = &members[i];

        if (!memcmp(at(r, m), at(&blank, m), size_of(m->kind)))
            continue;
        buf_str(out, comma);
        buf_str(out, m->key);
        buf_str(out, "\":");
        write_value(m->kind, at(r, m), out);
        comma = ",\"";
    }
    if (r->n_headers && *comma == ',')
        buf_char(out, ',');
    write_headers(r, out);
    buf_char(out, '}');
}

static bool read_hash(const struct json *v, uint64_t *out)
{
    struct span s = json_inner(v);

    *out = 0;
    if (v->type != JSON_STRING || s.len != 16)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        const char *digits = "0123456789abcdef";
        const char *p = memchr(digits, s.ptr[i], 16);

        if (!p)
            return false;
        *out = *out << 4 | (uint64_t)(p - digits);
    }
    return true;
}

static bool read_real(const struct json *v, double *out)
{
    if (v->type == JSON_NULL) {
        *out = NAN;
        return true;
    }
    if (v->type == JSON_NUMBER && span_is(v->raw, "1e999")) {
        *out = INFINITY;
        return true;
    }
    return json_double(v, out);
}

static bool read_value(const struct member *m, const struct json *v,
                       struct record *r)
{
    void *to = (char *)r + m->offset;
    int64_t whole = 0;

    if (m->kind == KIND_REAL)
        return read_real(v, to);
    if (m->kind == KIND_HASH)
        return read_hash(v, to);
    if (m->kind == KIND_FLAG) {
        *(bool *)to = json_true(v);
        return v->type == JSON_BOOL;
    }
    if (!json_i64(v, &whole))
        return false;
    if (m->kind == KIND_BITS) {
        *(uint32_t *)to = (uint32_t)whole;
        return whole >= 0 && whole <= UINT32_MAX;
    }
    memcpy(to, &whole, sizeof whole);
    return m->kind == KIND_INT || whole >= 0;
}

static bool read_headers(const struct json *all, struct record *r)
{
    struct json_iter it = json_begin(all);
    struct json key, value;

    if (all->type == JSON_NONE)
        return true;
    if (all->type != JSON_OBJECT)
        return false;
    while (r->n_headers < RECORD_HEADERS && json_next(&it, &key, &value)) {
        struct header_mark *m = &r->headers[r->n_headers++];

        m->name = json_inner(&key);
        if (value.type != JSON_NULL && !read_hash(&value, &m->value))
            return false;
    }
    return true;
}

bool record_knows_header(const struct record *r, const char *lower_name)
{
    for (unsigned i = 0; i < r->n_headers; i++) {
        if (span_is(r->headers[i].name, lower_name))
            return true;
    }
    return false;
}

bool record_read(struct span json, struct record *r, struct err *e)
{
    struct json doc, v;

    *r = blank;
    if (!json_parse(json, &doc, e))
        return err_wrap(e, "question");
    if (doc.type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "question: wanted an object");
    for (size_t i = 0; i < MEMBERS; i++) {
        v = json_get(&doc, members[i].key);
        if (v.type != JSON_NONE && !read_value(&members[i], &v, r))
            return err_set(e, ERR_INPUT, "question: %s: wanted another value",
                           members[i].key);
    }
    v = json_get(&doc, "headers");
    return read_headers(&v, r) ||
           err_set(e, ERR_INPUT, "question: headers: wanted hashes");
}

/* ---- from a question, and back ---- */

static void take_wish(struct record *r, const struct question *q)
{
    const struct route_settings *set = q->route->set;
    struct span list = q->wish.arms;

    r->quality = q->wish.quality;
    r->max_cost = q->wish.max_cost;
    r->listed = list.len > 0;
    r->pin = r->listed && !memchr(list.ptr, ',', list.len);
    while (list.ptr) {
        struct span name = span_trim(span_cut(&list, ','));

        for (unsigned i = 0; i < set->n_arms; i++) {
            if (span_is(name, set->arms[i].name))
                r->asked |= (uint32_t)1 << i;
        }
    }
}

static void take_header(struct record *r, const struct question *q,
                        const char *name)
{
    if (r->n_headers == RECORD_HEADERS || record_knows_header(r, name))
        return;
    r->headers[r->n_headers++] =
        (struct header_mark){span_of(name), header_mark_of(q, name)};
}

/* Only what is looked at; a replayed request's, as far as they are known. */
static void take_headers(struct record *r, const struct question *q)
{
    const struct route_settings *set = q->route->set;
    const struct rule_settings *rules = set->rules.at;

    if (!q->header && !q->n_marks)
        return;
    for (unsigned i = 0; i < set->rules.n; i++) {
        const struct pair_list *named = &rules[i].when.headers;

        for (unsigned k = 0; k < named->n; k++)
            take_header(r, q, named->at[k].name);
    }
    if (set->high_risk.header)
        take_header(r, q, set->high_risk.header);
}

static void take_request(struct record *r, const struct question *q)
{
    const struct params *p = &q->request->params;
    const struct facts *f = q->facts;

    r->max_tokens = p->max_tokens;
    r->n = p->n;
    r->parallel = p->parallel_tool_calls;
    r->format = p->format;
    r->stream = p->stream;
    r->logprobs = p->logprobs;
    r->tools = q->request->n_tools > 0;
    r->embeds = q->request->embeds;
    r->body = q->request->body.len;
    r->input = f->input_tokens;
    r->images = f->images;
    r->files = f->files;
    r->audios = f->audios;
}

void record_take(struct record *r, const struct question *q,
                 const struct decision *d)
{
    *r = blank;
    take_wish(r, q);
    take_request(r, q);
    take_headers(r, q);
    r->price = q->price;
    r->room = q->room;
    r->bounded = q->bounded;
    r->drifted = q->drifted;
    r->down = q->down;
    r->resting = q->resting;
    r->abroad = q->abroad;
    r->seed = q->seed;
    r->stays = q->stay != NULL;
    if (q->stay) {
        r->stay_arm = q->stay->arm;
        r->read = q->stay->read;
        r->written = q->stay->written;
        r->hold = q->stay->hold;
    }
    r->rule = d->rule;
    r->risky = d->risky;
    r->capped = d->capped;
    r->settings = q->route->mark;
    r->chosen = d->chosen;
    r->reason = d->reason;
    r->outcome = record_outcome(d);
}

/* The list as the client might have written it: one name without a comma is
 * a pin. */
static void ask_arms(const struct record *r, struct recorded *to,
                     struct question *q)
{
    const struct route_settings *set = q->route->set;
    size_t n = 0, most = sizeof to->arms;

    to->arms[0] = '\0';
    for (unsigned i = 0; i < set->n_arms && n + 2 < most; i++) {
        if (r->asked >> i & 1)
            n += (size_t)snprintf(to->arms + n, most - n, "%.64s%s",
                                  set->arms[i].name, r->pin ? "" : ",");
    }
    if (r->listed && n == 0) /* a name that is no arm's */
        n = (size_t)snprintf(to->arms, most, r->pin ? "?" : "?,");
    q->wish.arms = (struct span){to->arms, n < most ? n : most - 1};
}

static bool afforded_then(void *ctx, double usd)
{
    const struct recorded *then = ctx;

    (void)usd;
    return !then->capped;
}

static void ask_request(const struct record *r, struct recorded *to)
{
    to->tool = (struct tool){.name = {NULL, 0}};
    to->request =
        (struct request){.body = {"", r->body},
                         .tools = &to->tool,
                         .n_tools = r->tools,
                         .embeds = r->embeds,
                         .params = {.max_tokens = r->max_tokens,
                                    .n = r->n,
                                    .parallel_tool_calls = (int)r->parallel,
                                    .format = (enum output_format)r->format,
                                    .stream = r->stream,
                                    .logprobs = r->logprobs}};
    to->facts = (struct facts){.input_tokens = r->input,
                               .images = r->images,
                               .files = r->files,
                               .audios = r->audios};
}

void record_ask(const struct record *r, struct recorded *to, struct question *q)
{
    ask_request(r, to);
    to->stay = (struct stay){(int)r->stay_arm, r->read, r->written, r->hold};
    q->request = &to->request;
    q->facts = &to->facts;
    q->stay = r->stays ? &to->stay : NULL;
    q->wish.quality = r->quality;
    q->wish.max_cost = r->max_cost;
    ask_arms(r, to, q);
    q->price = r->price;
    q->room = r->room;
    q->bounded = r->bounded;
    q->drifted = (enum drift_cause)r->drifted;
    q->down = r->down;
    q->resting = r->resting;
    q->abroad = r->abroad;
    q->seed = r->seed;
    q->again = true;
    q->rule = (int)r->rule;
    q->risky = r->risky;
    to->capped = r->capped;
    q->marks = r->headers;
    q->n_marks = r->n_headers;
    q->afford = afforded_then;
    q->afford_ctx = to;
}

/* ---- what came of it ---- */

/* Room for what is written of an arm besides its name. */
enum { ARM_MOST = 160 + 5 * DIGITS_MAX };

#define PUT(to, text) (memcpy(to, text, sizeof text - 1), sizeof text - 1)

static void write_drop(enum drop_kind kind, struct buf *b)
{
    if (!kind) {
        buf_put(b, "null}", 5);
        return;
    }
    buf_char(b, '"');
    buf_str(b, drop_name(kind));
    buf_put(b, "\"}", 2);
}

/* Piece by piece into one room: a row has dozens of these pieces. */
static void write_verdict(const struct verdict *v, struct buf *b)
{
    char *at = buf_room(b, ARM_MOST), *p = at;

    if (!at)
        return;
    p += PUT(p, ",\"quality\":");
    p += digits_put(p, (double)v->quality, 6);
    p += PUT(p, ",\"tokens\":");
    p += digits_put(p, (double)v->tokens, 1);
    p += PUT(p, ",\"cost_usd\":");
    p += digits_put(p, v->cost, 12);
    if (v->cache_usd != 0) {
        p += PUT(p, ",\"cache_usd\":");
        p += digits_put(p, v->cache_usd, 12);
    }
    p += PUT(p, ",\"propensity\":");
    p += digits_put(p, (double)v->propensity, 6);
    p += PUT(p, ",\"dropped\":");
    b->len += (size_t)(p - at);
    write_drop(v->drop.kind, b);
}

void record_arms(const struct route_settings *set, const struct decision *d,
                 struct buf *b)
{
    buf_char(b, '[');
    for (unsigned i = 0; i < d->n; i++) {
        if (i >= set->n_arms && (int)i != d->chosen)
            continue; /* a plan's member, which was not to be chosen */
        buf_str(b, i ? ",{\"arm\":" : "{\"arm\":");
        buf_json_str(b, span_of(set->arms[i].name));
        write_verdict(&d->arms[i], b);
    }
    buf_char(b, ']');
}

/* ---- hashes ---- */

static uint64_t add(uint64_t h, const void *bytes, size_t n)
{
    return span_hash((struct span){bytes, n}, h);
}

/* NaN has many bit patterns, and one meaning. */
static double plain(double v)
{
    return isnan(v) ? -1e300 : v;
}

enum { OF_ALL = 14, OF_ARM = 6 };

uint64_t record_outcome(const struct decision *d)
{
    double v[OF_ALL + OF_ARM * ARMS_MAX] = {
        d->n,
        d->chosen,
        d->reason,
        d->rule,
        d->drifted,
        d->risky,
        d->capped,
        plain(d->explored_usd),
        plain(d->quality_target),
        plain(d->floor),
        plain(d->price),
        plain(d->wanted),
        plain(d->certain_tokens),
        d->level ? d->level->quality : -1,
    };
    size_t n = OF_ALL;

    for (unsigned i = 0; i < d->n; i++) {
        const struct verdict *arm = &d->arms[i];

        v[n++] = plain((double)arm->quality);
        v[n++] = plain((double)arm->tokens);
        v[n++] = plain(arm->cost);
        v[n++] = plain(arm->cache_usd);
        v[n++] = (double)arm->propensity;
        v[n++] = arm->drop.kind;
    }
    return add(1, v, n * sizeof *v);
}

static uint64_t add_text(uint64_t h, const char *text)
{
    return span_hash(span_of(text), h);
}

static uint64_t add_real(uint64_t h, double v)
{
    return add(h, &v, sizeof v);
}

static uint64_t add_model(uint64_t h, const struct model *m)
{
    const int64_t limits[] = {m->tier, m->context, m->max_output, m->caps,
                              m->priced};

    h = add_text(h, m->provider);
    h = add_text(h, m->upstream);
    h = add_text(h, m->origin);
    h = add(h, limits, sizeof limits);
    h = add_real(h, model_expected_usd(m, 1e3, 0));
    h = add_real(h, model_expected_usd(m, 1e6, 1e3));
    h = add_real(h, model_cache_usd(m, 1e3, 1e3, 0));
    return add_real(h, model_cache_usd(m, 1e3, 0, 1e3));
}

uint64_t record_settings(const struct settings *s,
                         const struct route_settings *set)
{
    struct buf shown;
    uint64_t h;

    buf_init(&shown, SHOWN_MAX);
    settings_show_route(s, set, &shown);
    h = span_hash(buf_view(&shown), 1);
    buf_free(&shown);
    for (unsigned i = 0; i < set->n_all; i++) {
        h = add_text(h, set->arms[i].name);
        h = add_model(h, &set->arms[i].model->model);
    }
    return h;
}
