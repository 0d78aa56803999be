/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions on record: JSON and back. */
#include "router/route/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

static bool often(struct rng *rng)
{
    return rng_below(rng, 3) > 0;
}

/* Any record that a server could write. */
static void draw(struct rng *rng, struct record *r)
{
    if (often(rng))
        r->quality = rng_unit(rng);
    if (often(rng))
        r->max_cost = rng_unit(rng) * 1e-3;
    r->listed = often(rng);
    r->asked = (uint32_t)rng_next(rng);
    r->price = often(rng) ? rng_unit(rng) * 1e6 : 0;
    r->room = often(rng) ? INFINITY : rng_unit(rng);
    r->down = (uint32_t)rng_next(rng);
    r->seed = rng_next(rng);
    r->stays = often(rng);
    r->stay_arm = often(rng) ? (int64_t)rng_below(rng, 32) : -1;
    r->read = rng_unit(rng) * 1e5;
    r->max_tokens = often(rng) ? (int64_t)rng_below(rng, 9999) : -1;
    r->parallel = (int64_t)rng_below(rng, 3) - 1;
    r->body = rng_next(rng) >> 20;
    r->input = (uint32_t)rng_below(rng, 1000000);
    r->rule = (int64_t)rng_below(rng, 5) - 1;
    r->settings = rng_next(rng);
    r->outcome = rng_next(rng);
}

static void blank(struct record *r)
{
    struct err e;

    assert_true(record_read(SPAN("{}"), r, &e));
}

static void a_record_comes_back_to_the_bit(void **state)
{
    struct rng rng;
    struct record was, is;
    struct buf text;
    struct err e = {0};

    (void)state;
    rng_seed(&rng, 1);
    buf_init(&text, 4096);
    for (int i = 0; i < 2000; i++) {
        blank(&was);
        draw(&rng, &was);
        buf_reset(&text);
        record_write(&was, &text);
        if (!record_read(buf_view(&text), &is, &e))
            fail_msg("%s: %s", e.msg, buf_cstr(&text));
        assert_memory_equal(&was, &is, sizeof was);
    }
    buf_free(&text);
}

static void what_was_not_said_is_not_written(void **state)
{
    struct record r;
    struct buf text;

    (void)state;
    blank(&r);
    assert_true(isnan(r.quality) && r.stay_arm == -1 && r.n == 1);
    buf_init(&text, 4096);
    record_write(&r, &text);
    assert_string_equal(buf_cstr(&text), "{}");
    buf_free(&text);
}

static void headers_come_back_as_hashes(void **state)
{
    struct record was, is;
    struct buf text;
    struct err e = {0};

    (void)state;
    blank(&was);
    was.headers[0] = (struct header_mark){SPAN("x-team"), 77};
    was.headers[1] = (struct header_mark){SPAN("x-none"), 0};
    was.n_headers = 2;
    buf_init(&text, 4096);
    record_write(&was, &text);
    assert_string_equal(buf_cstr(&text),
                        "{\"headers\":{\"x-team\":"
                        "\"000000000000004d\",\"x-none\":null}}");
    was.input = 1;
    buf_reset(&text);
    record_write(&was, &text);
    if (!record_read(buf_view(&text), &is, &e))
        fail_msg("%s: %s", e.msg, buf_cstr(&text));
    assert_int_equal(is.n_headers, 2);
    assert_int_equal(is.headers[0].value, 77);
    assert_int_equal(is.headers[1].value, 0);
    assert_true(record_knows_header(&is, "x-none"));
    assert_false(record_knows_header(&is, "x-other"));
    buf_free(&text);
}

static void what_is_no_record_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{\"input\":-1}",
        "{\"input\":4294967296}",
        "{\"body\":-1}",
        "{\"seed\":12}",
        "{\"seed\":\"12\"}",
        "{\"seed\":\"000000000000000G\"}",
        "{\"stream\":1}",
        "{\"quality\":\"1\"}",
        "{\"n\":1.5}",
        "{\"headers\":[]}",
        "{\"headers\":{\"x-team\":\"legal\"}}",
    };
    struct record r;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err e = {0};

        if (record_read(span_of(texts[i]), &r, &e))
            fail_msg("taken: %s", texts[i]);
        assert_true(*e.msg != '\0');
    }
}

static void every_figure_of_a_decision_is_in_its_hash(void **state)
{
    struct decision d = {.n = 2, .floor = NAN};
    uint64_t was = record_outcome(&d);

    (void)state;
    d.floor = -NAN;
    assert_int_equal(record_outcome(&d), was);
    d.arms[1].quality = 1e-38f;
    assert_int_not_equal(record_outcome(&d), was);
    d.arms[1].quality = 0;
    d.arms[0].drop.kind = DROP_COST;
    assert_int_not_equal(record_outcome(&d), was);
    d.arms[0].drop.kind = DROP_NONE;
    assert_int_equal(record_outcome(&d), was);
    d.chosen = 1;
    assert_int_not_equal(record_outcome(&d), was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_to_the_bit),
        cmocka_unit_test(what_was_not_said_is_not_written),
        cmocka_unit_test(headers_come_back_as_hashes),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(every_figure_of_a_decision_is_in_its_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
