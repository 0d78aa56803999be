/* SPDX-License-Identifier: Apache-2.0 */
/* Which place of a model is called with which key, and what arms are down. */
#include "router/health/pick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char config[] =
    "classifier: none\n"
    "providers:\n"
    "  a: {dialect: openai, base_url: http://127.0.0.1:1/v1,\n"
    "      keys: {one: {api_key: k1}, two: {api_key: k2},\n"
    "             last: {api_key: k3, weight: 0}}}\n"
    "  b: {dialect: openai, base_url: http://127.0.0.1:2/v1, api_key: k}\n"
    "models:\n"
    "  m: {provider: a, price: {input: 1, output: 1},\n"
    "      deployments: {elsewhere: {provider: b, name: n}}}\n"
    "  single: {provider: b, price: {input: 1, output: 1}}\n"
    "routes:\n"
    "  auto: {arms: [m, single], policy: fixed, reference: m}\n";

struct rig {
    struct settings *set;
    struct health_book *book;
    struct rng rng;
    struct pick_question q;
};

static void set_up(struct rig *r)
{
    struct err e = {0};
    struct model_settings *m;

    r->set = settings_parse(SPAN(config), "t.yaml", &e);
    r->book = health_book_new();
    if (!r->set)
        print_message("%s\n", e.msg);
    assert_non_null(r->set);
    assert_non_null(r->book);
    assert_true(health_bind(r->book, r->set, &e));
    rng_seed(&r->rng, 5);
    m = r->set->models.at;
    r->q = (struct pick_question){.model = &m[0],
                                  .rules = &r->set->health.rules,
                                  .now_ms = 1000,
                                  .tokens = 100,
                                  .rng = &r->rng};
}

static void tear_down(struct rig *r)
{
    settings_free(r->set);
    health_book_free(r->book);
}

/* How often of n picks the key of that name was taken. */
static unsigned count(struct rig *r, const char *key, unsigned n)
{
    unsigned found = 0;
    struct pick p;

    for (unsigned i = 0; i < n; i++) {
        assert_true(pick_place(&r->q, &p));
        found += !strcmp(p.key->item.name, key);
    }
    return found;
}

static void a_resting_key_is_passed_over(void **state)
{
    struct rig r;
    struct model_settings *m;
    struct pick p;

    (void)state;
    set_up(&r);
    m = &((struct model_settings *)r.set->models.at)->places[0];
    assert_in_range(count(&r, "one", 400), 60, 140);
    assert_int_equal(count(&r, "last", 400), 0);
    health_rest(m->lanes[0], 2000);
    assert_int_equal(count(&r, "one", 200), 0);
    r.q.now_ms = 2000;
    assert_true(count(&r, "one", 200) > 0);
    r.q.now_ms = 1500;
    health_rest(m->at->keys[1].health, 2000);
    assert_true(count(&r, "last", 200) > 0); /* now it has its turn */
    health_rest(m->at->keys[2].health, 2000);
    assert_int_equal(count(&r, "default", 50), 50); /* the other place */
    r.q.model = &((struct model_settings *)r.set->models.at)[1];
    health_rest(r.q.model->places[0].lanes[0], 2000);
    assert_false(pick_place(&r.q, &p));
    r.q.resting_too = true;
    assert_true(pick_place(&r.q, &p));
    tear_down(&r);
}

static void an_open_place_is_not_called(void **state)
{
    struct breaker_end dead = {.news = BREAKER_DEAD};
    struct rig r;
    struct model_settings *m;
    struct pick p;
    uint32_t down, resting;
    const struct route_settings *route;

    (void)state;
    set_up(&r);
    m = r.set->models.at;
    route = r.set->routes.at;
    assert_true(
        breaker_tell(&m[0].places[0].health->breaker, r.q.rules, 1000, &dead));
    assert_int_equal(count(&r, "default", 50), 50);
    pick_masks(route, 1000, &down, &resting);
    assert_int_equal(down, 0);
    assert_int_equal(pick_wait(&m[0], 1000), 0);
    assert_true(
        breaker_tell(&m[0].places[1].health->breaker, r.q.rules, 1000, &dead));
    assert_false(pick_place(&r.q, &p));
    pick_masks(route, 1000, &down, &resting);
    assert_int_equal(down, 1);
    assert_int_equal(pick_wait(&m[0], 1500), 1500);
    r.q.now_ms = 3000; /* half open: one probe each */
    assert_true(pick_place(&r.q, &p));
    assert_int_equal(p.was, BREAKER_HALF);
    assert_true(pick_place(&r.q, &p));
    assert_false(pick_place(&r.q, &p));
    tear_down(&r);
}

static void too_few_tokens_left_rest_a_lane_for_large_requests(void **state)
{
    const struct allowance few = {-1, 50, -1, 5000};
    struct rig r;
    uint32_t down, resting;

    (void)state;
    set_up(&r);
    r.q.model = &((struct model_settings *)r.set->models.at)[1];
    health_allowance(r.q.model->places[0].lanes[0], &few, 1000, 60000);
    assert_false(pick_place(&r.q, &(struct pick){0}));
    r.q.tokens = 50;
    assert_true(pick_place(&r.q, &(struct pick){0}));
    r.q.tokens = 100;
    r.q.now_ms = 6000;
    assert_true(pick_place(&r.q, &(struct pick){0}));
    health_rest(r.q.model->places[0].lanes[0], 9000);
    pick_masks(r.set->routes.at, 7000, &down, &resting);
    assert_int_equal(down, 0);
    assert_int_equal(resting, 2);
    tear_down(&r);
}

static void health_outlives_a_reload(void **state)
{
    struct rig r;
    struct settings *next;
    struct err e;

    (void)state;
    set_up(&r);
    next = settings_parse(SPAN(config), "t.yaml", &e);
    assert_non_null(next);
    assert_true(health_bind(r.book, next, &e));
    assert_ptr_equal(
        ((struct model_settings *)next->models.at)->places[1].health,
        ((struct model_settings *)r.set->models.at)->places[1].health);
    settings_free(next);
    tear_down(&r);
}

static void hedges_are_earned(void **state)
{
    struct rig r;
    struct health *h;
    unsigned got = 0;

    (void)state;
    set_up(&r);
    h = ((struct route_settings *)r.set->routes.at)->health;
    assert_false(health_spend(h));
    for (int i = 0; i < 1000; i++) {
        health_earn(h, .05);
        got += health_spend(h);
    }
    assert_int_equal(got, 50);
    for (int i = 0; i < 10000; i++)
        health_earn(h, .05);
    for (got = 0; health_spend(h); got++)
        ;
    assert_in_range(got, 10, 11); /* not saved up for a storm */
    tear_down(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resting_key_is_passed_over),
        cmocka_unit_test(an_open_place_is_not_called),
        cmocka_unit_test(too_few_tokens_left_rest_a_lane_for_large_requests),
        cmocka_unit_test(health_outlives_a_reload),
        cmocka_unit_test(hedges_are_earned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
