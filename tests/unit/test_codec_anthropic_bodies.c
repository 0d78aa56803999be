/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every recorded request of every dialect, written for an Anthropic model:
 * held to the rules that the API refuses bodies by, and to the texts that
 * were said.
 */
#include "router/codec/anthropic.h"
#include "tests/unit/codec_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CALLS_MAX = 64 };

/* The calls that the next message has to answer. */
struct calls {
    struct span ids[CALLS_MAX];
    unsigned n;
};

static struct arena memory;
static struct err e;

static struct json member(const struct json *v, const char *name)
{
    return json_get(v, name);
}

static bool is(const struct json *v, const char *name, const char *value)
{
    struct json m = member(v, name);

    return json_is(&m, value);
}

static bool good_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return id.len > 0;
}

static void answer_call(struct calls *open, struct span id)
{
    for (unsigned i = 0; i < open->n; i++) {
        if (span_eq(open->ids[i], id)) {
            open->ids[i] = open->ids[--open->n];
            return;
        }
    }
    check_that(false, "a result without its call: %.*s", SPAN_ARGS(id));
}

static void check_content_block(const struct json *b, struct calls *open,
                                struct calls *made)
{
    struct json v;

    if (is(b, "type", "text")) {
        v = member(b, "text");
        check_that(v.type == JSON_STRING && span_trim(json_inner(&v)).len > 0,
                   "an empty text");
    } else if (is(b, "type", "tool_use")) {
        v = member(b, "id");
        check_that(good_id(json_inner(&v)), "an id that is refused");
        check_that(made->n < CALLS_MAX, "too many calls");
        made->ids[made->n++] = json_inner(&v);
        v = member(b, "input");
        check_that(v.type == JSON_OBJECT, "an input that is no object");
    } else if (is(b, "type", "tool_result")) {
        v = member(b, "tool_use_id");
        answer_call(open, json_inner(&v));
    } else if (is(b, "type", "image") || is(b, "type", "document")) {
        v = member(b, "source");
        check_that(v.type == JSON_OBJECT, "no source");
    } else {
        check_that(false, "an unknown block: %.*s", SPAN_ARGS(b->raw));
    }
}

static void check_content(const struct json *m, struct calls *open,
                          struct calls *made)
{
    struct json content = member(m, "content"), b;
    struct json_iter it = json_begin(&content);
    bool results = true;

    check_that(content.type == JSON_ARRAY && json_count(&content) > 0,
               "an empty message");
    while (json_next(&it, NULL, &b)) {
        bool result = is(&b, "type", "tool_result");

        check_that(results || !result, "a result behind something else");
        results = result;
        check_content_block(&b, open, made);
    }
}

static void check_turns(const struct json *top)
{
    struct json messages = member(top, "messages"), m;
    struct json_iter it = json_begin(&messages);
    struct calls open = {.n = 0};
    const char *last = "";

    check_that(json_count(&messages) > 0, "no messages");
    while (json_next(&it, NULL, &m)) {
        const char *role = is(&m, "role", "user") ? "user" : "assistant";
        struct calls made = {.n = 0};

        check_that(strcmp(role, last) != 0, "two messages of the %s", role);
        check_content(&m, &open, &made);
        check_that(open.n == 0, "a call without its result");
        open = made;
        last = role;
    }
}

static void check_tools(const struct json *top)
{
    struct json tools = member(top, "tools"), t, v;
    struct json_iter it = json_begin(&tools);

    while (json_next(&it, NULL, &t)) {
        v = member(&t, "name");
        check_that(good_id(json_inner(&v)), "a tool's name that is refused");
        v = member(&t, "input_schema");
        check_that(is(&v, "type", "object"), "a schema that is no object's");
    }
    v = member(top, "tool_choice");
    check_that(v.type == JSON_NONE || tools.type == JSON_ARRAY,
               "a choice among no tools");
}

static void check_body(struct span body)
{
    struct json top, v, t;
    int64_t n;
    double d;

    check_that(json_parse(body, &top, &e), "%s", e.msg);
    v = member(&top, "max_tokens");
    check_that(json_i64(&v, &n) && n > 0, "no max_tokens");
    v = member(&top, "temperature");
    check_that(v.type == JSON_NONE || (json_double(&v, &d) && d >= 0 && d <= 1),
               "a temperature that is refused");
    t = member(&top, "thinking");
    v = member(&t, "budget_tokens");
    if (v.type == JSON_NUMBER) {
        int64_t budget;

        check_that(json_i64(&v, &budget) && budget >= 1024 && budget < n,
                   "a budget that is refused");
    }
    check_turns(&top);
    check_tools(&top);
}

/* Texts of users and models that others have must be there. */
static void check_said(const struct request *r, struct span body)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            const struct part *p = &r->messages[i].parts[j];

            if (p->kind == PART_TEXT)
                check_that(span_trim(p->text.raw).len == 0 ||
                               span_has(body, p->text.raw),
                           "a text is not there: %.*s", SPAN_ARGS(p->text.raw));
        }
    }
}

static bool is_chat(struct span path)
{
    return span_has(path, SPAN("chat")) || span_has(path, SPAN("responses")) ||
           span_has(path, SPAN("enerateContent")) ||
           span_has(path, SPAN("converse"));
}

static bool check_request(const struct recording *x,
                          const struct catalogue *models, const char *name)
{
    static char dialect[32];
    const struct codec *from;
    struct losses l = {0};
    struct request r;
    struct buf out;
    struct target t = {.model = span_of(name)};

    span_copy(dialect, sizeof dialect, x->dialect);
    from = codec_find(dialect);
    t.of = catalogue_find(models, t.model);
    if (!from || !from->request_read || !is_chat(x->path) ||
        !from->request_read(&(struct inbound){x->asked, SPAN("m"), x->streamed},
                            &memory, &r, &e))
        return false;
    buf_init(&out, (size_t)1 << 28);
    check_that(anthropic_request_write(&r, &t, &l, &out, &e), "%.*s: %s",
               SPAN_ARGS(x->name), e.msg);
    fprintf(stderr, "%.*s\r", SPAN_ARGS(x->name));
    check_body(buf_view(&out));
    check_said(&r, buf_view(&out));
    buf_free(&out);
    return true;
}

static void every_recorded_request_makes_a_body_that_is_taken(void **state)
{
    static const char *const names[] = {"claude-opus-4-8", "claude-haiku-4-5",
                                        "claude-3-5-haiku"};
    struct catalogue *models = catalogue_shipped(&e);
    struct recordings all;
    struct recording x;
    unsigned n = 0;

    (void)state;
    assert_non_null(models);
    if (!recordings_open(&all)) {
        catalogue_free(models);
        skip();
    }
    arena_init(&memory, (size_t)1 << 30);
    while (recordings_next(&all, NULL, &x)) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            n += check_request(&x, models, names[i]);
        arena_reset(&memory);
    }
    arena_free(&memory);
    recordings_close(&all);
    catalogue_free(models);
    printf("%u bodies\n", n);
    assert_true(n > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_request_makes_a_body_that_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
