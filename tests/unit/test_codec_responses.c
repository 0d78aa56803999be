/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/codec_loop.h"

#include "router/codec/responses.h"
#include "router/codec/state.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct codec *const api = &codec_responses;
static struct err e;

/* ---- recordings ---- */

static void every_recorded_request_comes_out_as_it_went_in(void **state)
{
    (void)state;
    if (!loop_requests(api, 151))
        skip();
}

static void every_recorded_answer_is_the_same_at_each_chunking(void **state)
{
    (void)state;
    if (!loop_answers(api, 151, 4))
        skip();
}

/* What is carried but not told apart by this dialect. */
static void forget(struct gathered *g)
{
    g->usage.cache_write += g->usage.cache_write_1h;
    g->usage.cache_write_1h = 0;
    loop_forget_charges(&g->usage);
    g->error_type = (struct span){NULL, 0};
    for (unsigned i = 0; i < g->n_choices; i++) {
        struct gathered_block **at = &g->choices[i].first;

        g->choices[i].finish_name = (struct span){NULL, 0};
        while (*at) {
            (*at)->raw = (struct span){NULL, 0};
            if ((*at)->part == PART_OTHER)
                *at = (*at)->next;
            else
                at = &(*at)->next;
        }
    }
}

/* One provider gives two items one id; the second is written with another, that
 * no other item has. */
static void forget_repeated_id(const struct gathered_choice *was,
                               const struct gathered_block *b,
                               struct gathered_block *now)
{
    const struct gathered_block *before = was->first;

    while (before != b && !span_eq(before->id, b->id))
        before = before->next;
    if (before == b || !b->id.len)
        return;
    assert_false(span_eq(now->id, b->id));
    now->id = b->id;
}

static void forget_repeated_ids(struct gathered *was, struct gathered *now)
{
    for (unsigned i = 0; i < was->n_choices && i < now->n_choices; i++) {
        struct gathered_block *b = was->choices[i].first;
        struct gathered_block *n = now->choices[i].first;

        for (; b && n; b = b->next, n = n->next)
            forget_repeated_id(&was->choices[i], b, n);
    }
}

static void compare(const struct recording *rec, struct gathered *a,
                    struct gathered *b)
{
    forget(a);
    forget(b);
    forget_repeated_ids(a, b);
    check_that(gathered_same(b, a), "%.*s", SPAN_ARGS(rec->name));
}

static void written_answers_are_read_back(void **state)
{
    struct recordings all;
    struct recording rec, back;
    struct request asked = {.params = params_unsaid()};

    (void)state;
    asked.params.stream_usage = asked.params.logprobs = true;
    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "responses", &rec)) {
        struct arena a;
        struct gathered first, second;
        struct buf out;
        struct losses l = {0};

        if (loop_skips(&rec))
            continue;
        arena_init(&a, LOOP_MEMORY);
        buf_init(&out, LOOP_MEMORY);
        gather_init(&first, &a);
        loop_read(api, &rec, CUTS_WHOLE, &first);
        api->answer_write(&first, &asked, &l, &out);
        back = rec;
        back.answer = buf_view(&out);
        back.streamed = false;
        gather_init(&second, &a);
        loop_read(api, &back, CUTS_WHOLE, &second);
        compare(&rec, &first, &second);

        buf_reset(&out);
        loop_stream_write(api, &rec,
                          (struct loop_writer){api, &asked, &l, &out, NULL});
        back.answer = buf_view(&out);
        back.streamed = true;
        gather_init(&second, &a);
        loop_read(api, &back, CUTS_WHOLE, &second);
        second.error_status = first.error_status;
        compare(&rec, &first, &second);
        buf_free(&out);
        arena_free(&a);
    }
    recordings_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_request_comes_out_as_it_went_in),
        cmocka_unit_test(every_recorded_answer_is_the_same_at_each_chunking),
        cmocka_unit_test(written_answers_are_read_back),
    };

    (void)e;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
