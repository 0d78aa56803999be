/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/codec_loop.h"

#include "router/codec/openai_chat.h"
#include "router/codec/state.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct codec *const chat = &codec_openai;
static struct err e;

/* ---- recordings ---- */

static void every_recorded_request_comes_out_as_it_went_in(void **state)
{
    (void)state;
    if (!loop_requests(chat, 301))
        skip();
}

static void every_recorded_answer_is_the_same_at_each_chunking(void **state)
{
    (void)state;
    if (!loop_answers(chat, 301, 6))
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
        g->choices[i].finish =
            chat_finish(span_of(chat_finish_name(g->choices[i].finish)));
        g->choices[i].finish_name = (struct span){NULL, 0};
        g->choices[i].sequence = (struct span){NULL, 0};
        for (struct gathered_block *b = g->choices[i].first; b; b = b->next) {
            b->raw = (struct span){NULL, 0};
            if (b->part == PART_THINKING)
                b->id = (struct span){NULL, 0};
            if (b->part == PART_TOOL_CALL && !b->text.len)
                b->text = SPAN("{}");
        }
    }
}

static void compare(const struct recording *rec, struct gathered *a,
                    struct gathered *b)
{
    forget(a);
    forget(b);
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
    while (recordings_next(&all, "openai", &rec)) {
        struct arena a;
        struct gathered first, second;
        struct buf out;
        struct losses l = {0};

        if (loop_skips(&rec))
            continue;
        arena_init(&a, LOOP_MEMORY);
        buf_init(&out, LOOP_MEMORY);
        gather_init(&first, &a);
        loop_read(chat, &rec, CUTS_WHOLE, &first);
        chat->answer_write(&first, &asked, &l, &out);
        back = rec;
        back.answer = buf_view(&out);
        back.streamed = false;
        gather_init(&second, &a);
        loop_read(chat, &back, CUTS_WHOLE, &second);
        compare(&rec, &first, &second);

        buf_reset(&out);
        loop_stream_write(chat, &rec,
                          (struct loop_writer){chat, &asked, &l, &out, NULL});
        back.answer = buf_view(&out);
        back.streamed = true;
        gather_init(&second, &a);
        loop_read(chat, &back, CUTS_WHOLE, &second);
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
