/* SPDX-License-Identifier: Apache-2.0 */
#include "router/settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "router/settings/reference.h"
#include "router/snapshot.h"

#define HEAD                                                                   \
    "classifier: none\n"                                                       \
    "providers: {mock: {dialect: openai, base_url: http://127.0.0.1:1/v1}}\n"  \
    "models:\n"                                                                \
    "  nano: {provider: mock, name: gpt-5.4-nano}\n"                           \
    "  big: {provider: mock, name: gpt-5.4}\n"

/* A file, and what the message about it must hold. */
struct wrong {
    const char *text, *says;
};

static const struct wrong wrongs[] = {
    {"", "wanted"},
    {"[1, 2]", "wanted a map"},
    {"listne: x\n", "listne"},
    {HEAD "listne: x\n", "did you mean 'listen'"},
    {HEAD "listen: 0.0.0.0:80\n", "yes-without-keys"},
    {HEAD "listen_public: please\n", "yes-without-keys"},
    {HEAD "workers: many\n", "workers"},
    {HEAD "workers: 100k\n", "wanted 0 to 256"},
    {HEAD "log: {prompts: some}\n", "log.prompts"},
    {HEAD "log: 3\n", "log"},
    {HEAD "limits: {body: 1}\n", "limits.body"},
    {HEAD "limits: {body: -4}\n", "limits.body"},
    {HEAD "catalogue: /nowhere/at/all.json\n", "/nowhere/at/all.json"},
    {HEAD "routes: {auto: {}}\n", "arms is missing"},
    {HEAD "routes: {auto: {arms: []}}\n", "1 to 32 arms"},
    {HEAD "routes: {auto: {arms: nano}}\n", "a list"},
    {HEAD "routes: {auto: {arms: [nono]}}\n", "found nono"},
    {HEAD "routes: {auto: {arms: [nano, nano]}}\n", "nano stands twice"},
    {HEAD "routes: {auto: {arms: [nano], reference: big}}\n", "found big"},
    {HEAD "routes: {auto: {arms: [nano], policy: cheap}}\n", "policy"},
    {HEAD "routes: {auto: {arms: [nano], quality: 7}}\n", "quality"},
    {HEAD "routes: {auto: {arms: [nano], policy: budget}}\n", "budget"},
    {HEAD "routes: {auto: {arms: [nano], policy: rules}}\n", "rules"},
    {HEAD "routes: {weir/x: {arms: [nano]}}\n", "weir/"},
    {HEAD "routes:\n  a: {arms: [nano], policy: rules, rules: [{arm: big}]}\n",
     "found big"},
    {HEAD "routes:\n  a: {arms: [nano], policy: rules, rules: [{arm: nano, "
          "when: {taks: x}}]}\n",
     "taks"},
    {HEAD "routes: {auto: {arms: [nano], retry: {server: maybe}}}\n",
     "retry.server"},
    {HEAD "routes: {auto: {arms: [nano], retry: {refused: next}}}\n",
     "refused"},
    {HEAD "health: {probes: 0}\n", "health.probes"},
    {"providers: {p: {dialect: openai, base_url: http://a/v1, api_key: x,\n"
     "  keys: {a: {api_key: y}}}}\nmodels: {m: {provider: p}}\n",
     "either api_key or keys"},
    {"providers: {p: {dialect: openai, base_url: http://a/v1,\n"
     "  keys: {a: {weight: 2}}}}\nmodels: {m: {provider: p}}\n",
     "api_key is missing"},
    {"providers: {p: {dialect: openai, base_url: http://a/v1, pass_through:\n"
     "  [files]}}\nmodels: {m: {provider: p}}\n",
     "wanted a path such as"},
    {"providers: {p: {like: azure, base_url: http://a, api_key: k,\n"
     "  pass_through: [/v1/files]}}\nmodels: {m: {provider: p}}\n",
     "other addresses for each model"},
    {"providers: {p: {like: bedrock, api_key: k, pass_through: [/]}}\n"
     "models: {m: {provider: p}}\n",
     "other addresses for each model"},
    {"providers: {p: {dialect: openai, base_url: http://a/v1}}\n"
     "models: {m: {provider: p, deployments: {x: {provider: q}}}}\n",
     "found q"},
    {HEAD "plans: {p: {kind: verify, draft: nano, check: big}}\n",
     "wanted else here"},
    {HEAD "plans: {p: {kind: verify, draft: nano, else: big}}\n",
     "wanted check here"},
    {HEAD "plans: {p: {kind: verify, draft: nano, check: nano, else: big}}\n",
     "another model than the one it judges"},
    {HEAD "plans: {p: {kind: cascade, draft: big, else: big}}\n",
     "another model than the draft's"},
    {HEAD "plans: {p: {kind: cascade, draft: nano, check: big, else: big}}\n",
     "a plan of this kind has none"},
    {HEAD "plans: {p: {kind: panel, model: nano}}\n", "wanted review here"},
    {HEAD "plans: {p: {kind: panel, model: nano, review: nano}}\n",
     "another model than the one it judges"},
    {HEAD "plans: {p: {kind: panel, model: nano, review: nono}}\n",
     "found nono"},
    {HEAD "plans: {p: {kind: cascade, draft: nano, else: big, accept: 2}}\n",
     "accept"},
    {HEAD "plans: {nano: {model: big}}\n", "a name of its own"},
    {"providers: {c: {dialect: telepathy}}\nmodels: {}\n",
     "a dialect that weir serves"},
    {"providers: {c: {dialect: klingon}}\nmodels: {}\n", "klingon"},
    {"providers: {c: {}}\nmodels: {}\n", "wanted a dialect"},
    {"providers: {c: {like: nobody}}\nmodels: {}\n", "nobody"},
    {"providers: {c: {dialect: openai, base_url: ftp://x}}\nmodels: {}\n",
     "http://"},
    {"providers: {c: {dialect: openai, base_url: 'http://x/a b'}}"
     "\n"
     "models: {}\n",
     "without spaces"},
    {"providers: {openai: {api_key: \"a b\"}}\nmodels: {}\n", "api_key"},
    {"providers: {openai: {api_key: \"${WEIR_NOT_SET_AT_ALL}\"}}\n",
     "WEIR_NOT_SET_AT_ALL"},
    {"providers: {openai: {}}\nmodels: {m: {provider: opnai}}\n", "opnai"},
    {"providers: {openai: {}}\nmodels: {m: {name: x}}\n",
     "provider is missing"},
    {"providers: {openai: {}}\n"
     "models: {m: {provider: openai, like: nothing-like-it}}\n",
     "a model of the catalogue"},
    {"providers: {openai: {}}\n"
     "models: {m: {provider: openai, price: {input: cheap}}}\n",
     "USD per million"},
    {"providers: {openai: {}}\n"
     "models: {m: {provider: openai, capabilities: [flying]}}\n",
     "flying"},
    {"providers: {openai: {}}\n"
     "models: {a: {provider: openai, name: qwx}, b: {provider: openai, name: "
     "gpt-4o}}\nroutes: {auto: {arms: [a, b]}}\n",
     "wanted a price"},
};

static void each_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct err e = {0};
        struct settings *s =
            settings_parse(span_of(wrongs[i].text), "t.yaml", &e);

        if (s)
            fail_msg("taken: %s", wrongs[i].text);
        if (!strstr(e.msg, wrongs[i].says))
            fail_msg("%s\nsays \"%s\", wanted \"%s\"", wrongs[i].text, e.msg,
                     wrongs[i].says);
        if (strncmp(e.msg, "t.yaml:", 7) != 0 &&
            !strstr(e.msg, "/nowhere/at/all.json"))
            fail_msg("no place in \"%s\"", e.msg);
    }
}

static struct settings *parse(const char *text)
{
    struct err e = {0};
    struct settings *s = settings_parse(span_of(text), "t.yaml", &e);

    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

static void what_is_not_said_is_as_documented(void **state)
{
    struct settings *s = parse(HEAD "routes: {auto: {arms: [nano, big]}}\n");
    const struct route_settings *r = s->routes.at;

    (void)state;
    assert_string_equal(s->listen, "127.0.0.1:8080");
    assert_int_equal(s->limits.body_bytes, 32 << 20);
    assert_int_equal(s->log.flush_ms, 200);
    assert_int_equal(r->policy, POLICY_CHEAPEST);
    assert_int_equal(r->reference, 1); /* the higher tier */
    assert_float_equal(r->quality, 0.98, 1e-12);
    assert_int_equal(r->attempts, 3);
    assert_int_equal(s->n_direct, 2);
    settings_free(s);
}

static void the_file_goes_before_the_catalogue(void **state)
{
    struct settings *s =
        parse("providers: {openai: {api_key: k-12345678}}\n"
              "models:\n"
              "  a: {provider: openai, name: gpt-5.4-nano}\n"
              "  b: {provider: openai, name: gpt-5.4-nano, tier: frontier, "
              "context: 1k, price: {input: 3, output: 0.5}, "
              "capabilities: [tools, stream]}\n"
              "  c: {provider: openai, name: mine, like: gpt-5.4-nano}\n");
    const struct model_settings *m = s->models.at;

    (void)state;
    assert_true(m[0].model.priced);
    assert_int_equal(m[0].model.tier, TIER_ECONOMY);
    assert_int_equal(m[1].model.tier, TIER_FRONTIER);
    assert_int_equal(m[1].model.context, 1000);
    assert_int_equal(m[1].model.prices.input, 3000000);
    assert_int_equal(m[1].model.prices.output, 500000);
    assert_int_equal(m[1].model.prices.cached_input, -1);
    assert_int_equal(m[1].model.caps, CAN_TOOLS | CAN_STREAM);
    assert_int_equal(m[2].model.prices.input, m[0].model.prices.input);
    assert_string_equal(m[2].model.upstream, "mine");
    assert_string_equal(m[0].url, "https://api.openai.com/v1/chat/completions");
    assert_string_equal(m[0].at->keys[0].authorization, "Bearer k-12345678");
    settings_free(s);
}

static void shown_settings_hold_no_secret(void **state)
{
    struct settings *s =
        parse("providers:\n"
              "  openai: {api_key: sk-very-secret-words, "
              "headers: {x-token: another-secret-word}}\n"
              "models: {m: {provider: openai, name: gpt-4o}}\n");
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    schema_show(&settings_schema, s, 0, &b);
    assert_null(strstr(buf_cstr(&b), "very-secret"));
    assert_null(strstr(buf_cstr(&b), "another-secret"));
    assert_non_null(strstr(buf_cstr(&b), "gpt-4o"));
    buf_free(&b);
    settings_free(s);
}

static void the_sample_of_init_is_right(void **state)
{
    struct err e = {0};
    struct settings *s = settings_parse(span_of(settings_sample), "s", &e);

    (void)state;
    if (!s)
        fail_msg("%s", e.msg);
    settings_free(s);
}

static void note(void *ctx, const char *path)
{
    struct buf *b = ctx;

    buf_printf(b, "%s ", path);
}

static void changes_that_want_a_restart_are_named(void **state)
{
    struct settings *a = parse(HEAD "listen: 127.0.0.1:1\n");
    struct settings *b = parse(HEAD "listen: 127.0.0.1:2\n"
                                    "log: {path: other.db, prompts: none}\n");
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    schema_changed(&settings_schema, a, b, note, &out);
    assert_string_equal(buf_cstr(&out), "listen log.path ");
    buf_free(&out);
    settings_free(a);
    settings_free(b);
}

static void loopback_is_told_from_the_rest(void **state)
{
    static const struct {
        const char *address;
        bool is;
    } rows[] = {
        {"127.0.0.1:8080", true},     {"127.9.9.9:1", true},
        {"[::1]:80", true},           {"localhost:80", true},
        {"localhost.evil:80", false}, {"0.0.0.0:80", false},
        {"[::]:80", false},           {":8080", false},
        {"10.0.0.1:80", false},       {"127.evil.example:80", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (settings_loopback(rows[i].address) != rows[i].is)
            fail_msg("%s", rows[i].address);
    }
}

/* ---- documentation ---- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static void must_hold(const char *path, void (*write)(struct buf *))
{
    char *text = read_file(path);
    struct buf b;

    buf_init(&b, 1 << 20);
    write(&b);
    if (!strstr(text, buf_cstr(&b)))
        fail_msg("%s does not hold the settings as they are: make docs", path);
    buf_free(&b);
    free(text);
}

static void every_setting_is_documented(void **state)
{
    (void)state;
    must_hold("docs/configuration.md", reference_markdown);
    must_hold("docs/man/weir.yaml.5", reference_man);
}

/* ---- snapshot ---- */

static void a_model_is_found_by_each_of_its_names(void **state)
{
    struct err e = {0};
    struct snapshot *s = snapshot_parse(
        SPAN(HEAD "plans: {alias: {model: big}}\n"
                  "routes: {auto: {arms: [nano, big]}, gpt-5.4: {arms: "
                  "[nano]}}\n"),
        "t.yaml", NULL, &e);
    static const struct {
        const char *name, *route;
    } rows[] = {
        {"auto", "auto"},         {"nano", "nano"},
        {"gpt-5.4-nano", "nano"}, {"mock/gpt-5.4-nano", "nano"},
        {"weir/nano", "nano"},    {"gpt-5.4", "gpt-5.4"},
        {"mock/gpt-5.4", "big"},  {"weir/alias", "alias"},
        {"alias", "alias"},       {"gpt-5", NULL},
        {"weir/auto", NULL},      {"", NULL},
    };

    (void)state;
    if (!s)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct route *r = snapshot_route(s, span_of(rows[i].name));
        const char *found = r ? r->set->item.name : NULL;

        if (!found != !rows[i].route ||
            (found && strcmp(found, rows[i].route) != 0))
            fail_msg("%s led to %s", rows[i].name, found ? found : "nothing");
    }
    snapshot_unref(s);
}

/* What is written out goes before patterns, these before what is implied. */
static void names_that_programs_choose_fit_patterns(void **state)
{
    struct err e = {0};
    struct snapshot *s = snapshot_parse(
        SPAN(HEAD
             "routes:\n"
             "  auto: {arms: [nano, big], match: [claude-*, gpt-5.4*]}\n"
             "  rest: {arms: [nano], match: [claude-opus-*, \"g?m-*\"]}\n"),
        "t.yaml", NULL, &e);
    static const struct {
        const char *name, *route;
    } rows[] = {
        {"claude-opus-4-8", "auto"},
        {"claude-", "auto"},
        {"gem-3", "rest"},
        {"geem-3", NULL},
        {"gpt-5.4-nano", "auto"},
        {"nano", "nano"},
        {"mock/gpt-5.4-nano", "nano"},
        {"weir/nano", "nano"},
        {"anthropic/claude-opus", NULL},
        {"Claude-opus", NULL},
    };
    char longest[400];

    (void)state;
    if (!s)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct route *r = snapshot_route(s, span_of(rows[i].name));
        const char *found = r ? r->set->item.name : "nothing";

        assert_string_equal(found, rows[i].route ? rows[i].route : "nothing");
    }
    memset(longest, '-', sizeof longest);
    memcpy(longest, "claude-", 7);
    assert_null(snapshot_route(s, (struct span){longest, sizeof longest}));
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_programs_choose_fit_patterns),
        cmocka_unit_test(each_mistake_is_named_with_its_place),
        cmocka_unit_test(what_is_not_said_is_as_documented),
        cmocka_unit_test(the_file_goes_before_the_catalogue),
        cmocka_unit_test(shown_settings_hold_no_secret),
        cmocka_unit_test(the_sample_of_init_is_right),
        cmocka_unit_test(changes_that_want_a_restart_are_named),
        cmocka_unit_test(loopback_is_told_from_the_rest),
        cmocka_unit_test(every_setting_is_documented),
        cmocka_unit_test(a_model_is_found_by_each_of_its_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
