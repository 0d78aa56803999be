/* SPDX-License-Identifier: Apache-2.0 */
/* One small training, number by number, against tests/golden/fitted.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "trainer/train.h"

/* Rounded to what another libm's last place does not change. */
static void put_arms(const struct training *r, struct buf *out)
{
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        const struct fit_arm *f = fit_arm(r->fit, a);

        buf_printf(out, "arm %s labels %zu mean %.4f ece %.3f loss %.3f\n",
                   r->t->arms[a].name, f->labels, f->mean, f->ece, f->log_loss);
        buf_printf(out, "  held score %.4f cost %.8f loss %.3f\n",
                   r->arms[a].score, r->arms[a].cost, r->arms[a].log_loss);
        buf_printf(out, "  tokens %.1f usd %.8f\n", r->output_tokens[a],
                   r->usd[a]);
    }
}

static void put_rows(const struct training *r, struct buf *out)
{
    for (uint32_t row = 0; row < r->t->n; row += 40) {
        struct prediction p;

        fit_predict(r->fit, r->t, row, &p);
        buf_printf(out, "row %u unseen %.3f", row, (double)p.unseen);
        for (uint32_t a = 0; a < p.n_arms; a++)
            buf_printf(out, " %.3f/%.0f", (double)p.quality[a],
                       (double)p.tokens[a]);
        buf_char(out, '\n');
    }
}

static void put_all(const struct training *r, struct buf *out)
{
    put_arms(r, out);
    for (uint32_t k = 0; k < r->n_levels; k++)
        buf_printf(out, "level %.2f valid %d n %zu conversations %zu\n",
                   r->qualities[k], r->levels[k].valid, r->levels[k].n,
                   r->levels[k].groups);
    put_rows(r, out);
}

static void compare(struct span now)
{
    const char *how = getenv("GOLDEN");
    bool write = how && strcmp(how, "write") == 0;
    FILE *f = fopen("tests/golden/fitted.txt", write ? "w" : "r");
    static char then[1 << 16];
    size_t n;

    assert_non_null(f);
    if (write) {
        assert_int_equal(fwrite(now.ptr, 1, now.len, f), now.len);
    } else {
        n = fread(then, 1, sizeof then - 1, f);
        if (n != now.len || memcmp(then, now.ptr, n) != 0)
            fail_msg("wanted\n%s\nfound\n%.*s\nGOLDEN=write make unit "
                     "T=fitted writes the file anew",
                     then, SPAN_ARGS(now));
    }
    assert_int_equal(fclose(f), 0);
}

static void fitted_numbers_change_only_with_intent(void **state)
{
    static const char *const files[] = {"datasets/sample.jsonl"};
    const struct table_options load = {.files = files, .n_files = 1};
    const struct train_options how = {
        .quality = .95, .confidence = .9, .seed = 1, .threads = 1};
    struct training r;
    struct table *t;
    struct buf out;
    struct err e = {0};

    (void)state;
    t = table_load(&load, &e);
    if (!t || !train_run(&r, t, &how, &e))
        fail_msg("%s", e.msg);
    buf_init(&out, 1 << 16);
    put_all(&r, &out);
    compare(buf_view(&out));
    buf_free(&out);
    training_free(&r);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fitted_numbers_change_only_with_intent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
