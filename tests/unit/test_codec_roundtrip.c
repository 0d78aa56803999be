/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated conversations, written from each dialect to each other and back:
 * what docs/dialects.md says is kept is kept, and what differs is in the
 * list of losses.  A failure prints the seed and both sides.
 */
#include "tests/unit/codec_check.h"

#include "base/rng.h"
#include "router/codec/quirks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SIGNATURE "c2lnbmF0dXJl+/8="

enum { CASES = 150, TURNS = 5, CALLS = 3 };

static const char *const DIALECTS[] = {"openai", "responses", "anthropic",
                                       "gemini", "bedrock",   "cohere"};
enum { N_DIALECTS = sizeof DIALECTS / sizeof DIALECTS[0] };

/* ---- conversations, as chat requests ---- */

struct made {
    struct rng rng;
    struct buf *out;
    bool tools, images;
    unsigned ids;
};

static bool one_in(struct made *m, unsigned n)
{
    return rng_below(&m->rng, n) == 0;
}

/* Text with what escapes, joins and encodings trip over. */
static void make_text(struct made *m)
{
    static const char *const words[] = {
        "water",   "\\\"wall\\\"", "\\u00e9tage",    "line\\nline",   "\\\\n",
        "</tool>", "\xe6\xb0\xb4", "\\ud83c\\udf0a", "{\\\"a\\\":1}", "data:"};
    unsigned n = 1 + (unsigned)rng_below(&m->rng, 6);

    buf_char(m->out, '"');
    for (unsigned i = 0; i < n; i++)
        buf_printf(m->out, "%s%s", i ? " " : "",
                   words[rng_below(&m->rng, sizeof words / sizeof words[0])]);
    buf_char(m->out, '"');
}

static void make_image(struct made *m)
{
    buf_printf(m->out,
               ",{\"type\":\"image_url\",\"image_url\":{\"url\":"
               "\"data:image/png;base64,aW1hZ2U%c\"}}",
               'a' + (int)rng_below(&m->rng, 3));
}

static void make_user(struct made *m)
{
    buf_str(m->out, ",{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                    "\"text\":");
    make_text(m);
    buf_char(m->out, '}');
    if (m->images && one_in(m, 2))
        make_image(m);
    buf_str(m->out, "]}");
}

/* Ids as their makers write them, and worse. */
static void make_id(struct made *m, unsigned n)
{
    static const char *const forms[] = {
        "call_", "toolu_01A-b", "functions.get:", "a b/\\u00fc#", "weirid_"};

    buf_printf(m->out, "%s%u", forms[n % 5], n);
}

static void make_calls(struct made *m)
{
    static const char *const arguments[] = {
        "{}", "{\\\"place\\\":\\\"Bern\\\"}",
        "{\\\"deep\\\":{\\\"l\\\":[1,2.50,\\\"\\u00e9\\\"]},\\\"no\\\":null}"};
    unsigned n = 1 + (unsigned)rng_below(&m->rng, CALLS);

    buf_str(m->out, ",{\"role\":\"assistant\",\"content\":");
    if (one_in(m, 2))
        make_text(m);
    else
        buf_str(m->out, "null");
    buf_str(m->out, ",\"tool_calls\":[");
    for (unsigned i = 0; i < n; i++) {
        buf_str(m->out, i ? ",{\"id\":\"" : "{\"id\":\"");
        make_id(m, m->ids + i);
        buf_printf(m->out,
                   "\",\"type\":\"function\",\"function\":{\"name\":"
                   "\"tool_%u\",\"arguments\":\"%s\"}}",
                   i % 2, arguments[rng_below(&m->rng, 3)]);
    }
    buf_str(m->out, "]}");
    for (unsigned i = 0; i < n; i++) {
        buf_str(m->out, ",{\"role\":\"tool\",\"tool_call_id\":\"");
        make_id(m, m->ids + i);
        buf_str(m->out, "\",\"content\":");
        make_text(m);
        buf_char(m->out, '}');
    }
    m->ids += n;
}

static void make_tools(struct made *m)
{
    static const char *const choices[] = {"auto", "required"};

    buf_str(m->out, ",\"tools\":[");
    for (unsigned i = 0; i < 2; i++)
        buf_printf(m->out,
                   "%s{\"type\":\"function\",\"function\":{\"name\":\"tool_%u\""
                   ",\"description\":\"what it does\",\"parameters\":{\"type\":"
                   "\"object\",\"properties\":{\"place\":{\"type\":\"string\"}}"
                   ",\"required\":[\"place\"]}}}",
                   i ? "," : "", i);
    buf_printf(m->out, "],\"tool_choice\":\"%s\"",
               choices[rng_below(&m->rng, 2)]);
}

static void make_params(struct made *m)
{
    buf_printf(m->out, "],\"max_tokens\":%u",
               64 + (unsigned)rng_below(&m->rng, 4000));
    if (one_in(m, 3))
        buf_printf(m->out, ",\"temperature\":0.%u",
                   1 + (unsigned)rng_below(&m->rng, 9));
    if (one_in(m, 3))
        buf_str(m->out, ",\"stop\":[\"END\",\"\\n\\nUser:\"]");
    if (one_in(m, 4))
        buf_str(m->out, ",\"seed\":7");
    if (one_in(m, 4))
        buf_str(m->out, ",\"top_p\":0.5");
    if (!m->tools && one_in(m, 3))
        buf_str(m->out, ",\"response_format\":{\"type\":\"json_schema\","
                        "\"json_schema\":{\"name\":\"answer\",\"schema\":{"
                        "\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                        "\"string\"}},\"required\":[\"a\"],"
                        "\"additionalProperties\":false}}}");
    if (m->tools)
        make_tools(m);
    buf_char(m->out, '}');
}

static void make(uint64_t seed, struct buf *out)
{
    struct made m = {.out = out};
    unsigned turns;

    rng_seed(&m.rng, seed);
    turns = 1 + (unsigned)rng_below(&m.rng, TURNS);
    m.tools = one_in(&m, 2);
    m.images = one_in(&m, 3);
    buf_str(out, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\","
                 "\"content\":");
    make_text(&m);
    buf_char(out, '}');
    for (unsigned i = 0; i < turns; i++) {
        make_user(&m);
        if (m.tools && one_in(&m, 2))
            make_calls(&m);
        if (i + 1 < turns || one_in(&m, 4)) {
            buf_str(out, ",{\"role\":\"assistant\",\"content\":");
            make_text(&m);
            buf_char(out, '}');
        }
    }
    make_user(&m);
    make_params(&m);
}

/* ---- what a request says, one line a turn ---- */

struct telling {
    struct buf *out;
    struct span ids[64];
    unsigned n_ids;
    int last; /* role of the line that is open */
};

/* Ids may change, but call and result stay together. */
static unsigned number_of(struct telling *t, struct span id)
{
    unsigned i = 0;

    while (i < t->n_ids && !span_eq(t->ids[i], id))
        i++;
    if (i == t->n_ids && i < 64)
        t->ids[t->n_ids++] = id;
    return i;
}

/* Without line ends: texts that are joined get some between them. */
static void tell_text(struct telling *t, struct text s)
{
    char piece[256];
    size_t n;

    while ((n = text_next(&s, piece, sizeof piece))) {
        for (size_t i = 0; i < n; i++) {
            if (piece[i] != '\n')
                buf_char(t->out, piece[i]);
        }
    }
}

static void tell_image(struct telling *t, const struct part *p)
{
    struct span url = p->url, head;

    if (p->data.len) {
        buf_printf(t->out, "[image %.*s]", SPAN_ARGS(p->data));
        return;
    }
    head = span_cut(&url, ',');
    buf_printf(t->out, "[image %.*s]", SPAN_ARGS(url.len ? url : head));
}

static void tell_part(struct telling *t, enum role role, const struct part *p)
{
    int line = p->kind == PART_TOOL_RESULT ? ROLE_TOOL : (int)role;

    if (p->kind == PART_OTHER || p->kind == PART_THINKING ||
        (p->kind == PART_TEXT && !p->text.raw.len))
        return;
    if (line != t->last)
        buf_printf(t->out, "\n%d: ", line);
    t->last = line;
    if (p->kind == PART_TOOL_CALL) {
        buf_printf(t->out, "[call %u %.*s ", number_of(t, p->id),
                   SPAN_ARGS(p->name));
        tell_text(t, p->text);
        buf_char(t->out, ']');
    } else if (p->kind == PART_TOOL_RESULT) {
        buf_printf(t->out, "[result %u ", number_of(t, p->id));
        tell_text(t, p->text);
        for (size_t i = 0; i < p->n_parts; i++)
            tell_text(t, p->parts[i].text);
        buf_char(t->out, ']');
    } else if (p->kind == PART_IMAGE) {
        tell_image(t, p);
    } else {
        tell_text(t, p->text);
    }
}

static void tell(const struct request *r, struct buf *out)
{
    struct telling t = {.out = out, .last = -1};

    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++)
            tell_part(&t, r->messages[i].role, &r->messages[i].parts[k]);
    }
    for (size_t i = 0; i < r->n_tools; i++) {
        buf_printf(out, "\ntool %.*s: ", SPAN_ARGS(r->tools[i].name));
        tell_text(&t, r->tools[i].description);
    }
}

/* Ids of calls and results as they are written. */
static void tell_ids(const struct request *r, struct buf *out)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++) {
            const struct part *p = &r->messages[i].parts[k];

            if (p->kind == PART_TOOL_CALL || p->kind == PART_TOOL_RESULT)
                buf_printf(out, "%.*s, ", SPAN_ARGS(p->id));
        }
    }
}

/* Thoughts, with their signatures where asked for. */
static void tell_thinking(const struct request *r, bool signs, struct buf *out)
{
    struct telling t = {.out = out};

    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++) {
            const struct part *p = &r->messages[i].parts[k];

            if (p->kind != PART_THINKING)
                continue;
            buf_str(out, k ? "\nbehind " : "\nfirst ");
            tell_text(&t, p->text);
            if (signs)
                buf_printf(out, " by %.*s", SPAN_ARGS(p->signature));
        }
    }
}

static unsigned count_signatures(const struct request *r)
{
    unsigned n = 0;

    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++)
            n += span_is(r->messages[i].parts[k].signature, SIGNATURE);
    }
    return n;
}

/* ---- there and back ---- */

static struct err e;

static bool lost(const struct losses *l, enum lossy kind, const char *what)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].kind == kind && (!what || strstr(l->at[i].what, what)))
            return true;
    }
    return false;
}

static void carry(const struct request *r, const struct codec *to,
                  struct arena *a, struct losses *l, struct request *back)
{
    struct model of = {.caps = ~0U, .caps_known = true};
    struct target t = {.model = to == &codec_gemini ? SPAN("gemini-3-pro")
                                                    : SPAN("claude-opus-4-5"),
                       .of = &of,
                       .quirks = quirks_find(SPAN("openrouter"), SPAN("")),
                       .same_model = true};
    struct buf body;
    struct inbound in = {.model = SPAN("m")};

    buf_init(&body, 1 << 20);
    check_that(to->request_write(r, &t, l, &body, &e), "%s: %s", to->name,
               e.msg);
    in.body = arena_copy(a, buf_view(&body));
    buf_free(&body);
    check_that(to->request_read(&in, a, back, &e), "%s reads: %s in %.*s",
               to->name, e.msg, SPAN_ARGS(in.body));
}

static bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) < 1e-9;
}

static const char *other_params(const struct request *x,
                                const struct request *y, const struct losses *l)
{
    const struct params *a = &x->params, *b = &y->params;

    if (a->max_tokens != b->max_tokens)
        return "max_tokens";
    if (a->format != b->format &&
        !lost(l, LOSSY_PARAMETER, "response_format") &&
        !lost(l, LOSSY_SCHEMA, NULL))
        return "response_format";
    if (a->tool_choice != b->tool_choice && !lost(l, LOSSY_TOOL_CHOICE, NULL))
        return "tool_choice";
    if (!same_number(a->temperature, b->temperature) &&
        !lost(l, LOSSY_PARAMETER, "temperature") &&
        !lost(l, LOSSY_CLAMPED, "temperature"))
        return "temperature";
    if (!same_number(a->top_p, b->top_p) &&
        !lost(l, LOSSY_PARAMETER, "top_p") && !lost(l, LOSSY_CLAMPED, "top"))
        return "top_p";
    if (a->seed != b->seed && !lost(l, LOSSY_PARAMETER, "seed"))
        return "seed";
    if (!a->stop.len != !b->stop.len && !lost(l, LOSSY_STOP, NULL))
        return "stop";
    return NULL;
}

/* A request, what another dialect made of it, and what came back. */
struct trip {
    const struct request *first, *there, *back;
    const struct losses *l;
    bool gemini; /* on the way: signatures stand on the part behind there */
};

/* The model's own thinking comes back, or is named among the losses. */
static const char *other_thinking(const struct trip *t)
{
    static char said[2048];
    struct buf a, b;
    bool same =
        lost(t->l, LOSSY_THINKING, NULL) || lost(t->l, LOSSY_SIGNATURE, NULL);

    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    tell_thinking(t->first, !t->gemini, &a);
    tell_thinking(t->back, !t->gemini, &b);
    same = same || (span_eq(buf_view(&a), buf_view(&b)) &&
                    count_signatures(t->first) == count_signatures(t->there));
    snprintf(said, sizeof said, "%u signed%s\n%u, became%s",
             count_signatures(t->first), buf_cstr(&a),
             count_signatures(t->there), buf_cstr(&b));
    buf_free(&a);
    buf_free(&b);
    return same ? NULL : said;
}

static void same_ids(uint64_t seed, const struct request *x,
                     const struct request *y, const struct codec *by)
{
    struct buf a, b;

    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    tell_ids(x, &a);
    tell_ids(y, &b);
    check_that(span_eq(buf_view(&a), buf_view(&b)), "seed %llu, by %s: %s: %s",
               (unsigned long long)seed, by->name, buf_cstr(&a), buf_cstr(&b));
    buf_free(&a);
    buf_free(&b);
}

static void round_trip(uint64_t seed, const struct request *r,
                       const struct codec *a, const struct codec *b)
{
    struct request first, there, back;
    struct losses before = {0}, l = {0};
    struct buf x, y;
    struct arena m;
    const char *other;

    arena_init(&m, (size_t)64 << 20);
    buf_init(&x, 1 << 20);
    buf_init(&y, 1 << 20);
    carry(r, a, &m, &before, &first);
    carry(&first, b, &m, &l, &there);
    carry(&there, a, &m, &l, &back);
    tell(&first, &x);
    tell(&back, &y);
    check_that(span_eq(buf_view(&x), buf_view(&y)),
               "seed %llu, %s -> %s -> %s:%s\n---- became%s\n---- by\n%.*s",
               (unsigned long long)seed, a->name, b->name, a->name,
               buf_cstr(&x), buf_cstr(&y), SPAN_ARGS(there.body));
    other = other_params(&first, &back, &l);
    check_that(!other, "seed %llu, %s -> %s -> %s: another %s",
               (unsigned long long)seed, a->name, b->name, a->name, other);
    other = other_thinking(&(struct trip){
        &first, &there, &back, &l, a == &codec_gemini || b == &codec_gemini});
    check_that(!other, "seed %llu, %s -> %s -> %s: %s",
               (unsigned long long)seed, a->name, b->name, a->name, other);
    same_ids(seed, &first, &back, b);
    buf_free(&x);
    buf_free(&y);
    arena_free(&m);
}

/* A signed thought before what some of the assistant's turns say. */
static void think(struct request *r, struct arena *a, uint64_t seed)
{
    struct rng rng;

    rng_seed(&rng, seed + 1000);
    for (size_t i = 0; i < r->n_messages; i++) {
        struct message *m = &r->messages[i];
        struct part *parts;

        if (m->role != ROLE_ASSISTANT || rng_below(&rng, 2))
            continue;
        parts = arena_zalloc(a, m->n_parts + 1, sizeof *parts);
        assert_non_null(parts);
        memcpy(parts + 1, m->parts, m->n_parts * sizeof *parts);
        parts[0] =
            (struct part){.kind = PART_THINKING,
                          .text = {SPAN("well \\u00e9 \\\"so\\\"\\n1"), true},
                          .signature = SPAN(SIGNATURE)};
        m->parts = parts;
        m->n_parts++;
    }
}

static void conversations_come_back_from_every_dialect(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        struct request r;
        struct arena m;
        struct buf b;

        arena_init(&m, (size_t)16 << 20);
        buf_init(&b, 1 << 20);
        make(seed, &b);
        check_that(request_from_openai(buf_view(&b), &m, &r, &e), "%s", e.msg);
        r.params.thinking_budget = seed % 3 ? -1 : 2000;
        think(&r, &m, seed);
        for (unsigned i = 0; i < N_DIALECTS; i++) {
            for (unsigned j = 0; j < N_DIALECTS; j++)
                round_trip(seed, &r, codec_find(DIALECTS[i]),
                           codec_find(DIALECTS[j]));
        }
        buf_free(&b);
        arena_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_come_back_from_every_dialect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
