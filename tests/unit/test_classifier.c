/* SPDX-License-Identifier: Apache-2.0 */
#include "models/classifier.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "models/numeric.h"
#include "tests/unit/weights_sample.h"

enum { VERSION = 1 };

static const struct span card = SPAN_INIT("{\"format\":1,\"notes\":[]}");

static struct buf encoded(struct weights_sample *s)
{
    struct buf b;
    struct err e = {0};
    buf_init(&b, 64 << 20);
    if (!weights_encode(&s->w, VERSION, card, &b, &e))
        fail_msg("%s", e.msg);
    return b;
}

static void a_written_classifier_reads_back_whole(void **state)
{
    (void)state;
    struct weights_sample s;
    struct err e = {0};
    sample_small(&s);
    struct buf b = encoded(&s);
    struct classifier *c = classifier_from(buf_view(&b), VERSION, &e);
    assert_non_null(c);
    assert_int_equal(classifier_n_arms(c), 3);
    assert_int_equal(classifier_n_tasks(c), 4);
    assert_string_equal(classifier_arm(c, 2), "arm2");
    assert_string_equal(classifier_task(c, 0), "task3");
    assert_int_equal(classifier_find_arm(c, SPAN("arm1")), 1);
    assert_int_equal(classifier_find_arm(c, SPAN("arm")), -1);
    assert_int_equal(classifier_find_task(c, SPAN("task6")), 3);
    assert_true(span_eq(classifier_card(c), card));
    assert_int_equal(strlen(classifier_id(c)), 16);
    classifier_close(c);
    buf_free(&b);
    sample_free(&s);
}

static void file_and_arrays_predict_the_same_bits(void **state)
{
    (void)state;
    struct weights_sample s;
    struct err e = {0};
    sample_small(&s);
    struct buf b = encoded(&s);
    struct classifier *c = classifier_from(buf_view(&b), VERSION, &e);
    assert_non_null(c);
    for (uint32_t k = 0; k < 50; k++) {
        static struct vec v;
        struct prediction p, q;
        memset(&p, 0, sizeof p);
        memset(&q, 0, sizeof q);
        sample_vec(&v, k * 30, k);
        struct weights_input in = weights_input_of(&v);
        weights_predict(&s.w, &in, -1, &p, NULL);
        classifier_predict(c, &v, -1, &q);
        assert_memory_equal(&p, &q, sizeof p);
    }
    classifier_close(c);
    buf_free(&b);
    sample_free(&s);
}

/* The formulas of weights.h written down again, plainly and in double. */
static void slow_linear(const struct weights *w, const struct vec *v,
                        double *out)
{
    uint32_t width = weights_width(w);
    double norm = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < v->n_words; i++) {
            uint32_t row = w->word_index[v->words[i].index % (1u << w->bits)];
            const float *r = w->rows + (size_t)row * width;
            double x = (1 + log((double)v->words[i].value)) * (double)r[0];
            norm += pass == 0 ? x * x : 0;
            for (uint32_t h = 1; pass == 1 && h < width; h++)
                out[h] += x / sqrt(norm) * (double)r[h];
        }
    }
    for (uint32_t i = 0; i < v->n_marks; i++) {
        uint32_t row = w->mark_index[v->marks[i].index % (1u << w->mark_bits)];
        for (uint32_t h = 1; h < width; h++)
            out[h] += (double)v->marks[i].value *
                      (double)w->rows[(size_t)row * width + h];
    }
    for (uint32_t i = 0; i < w->n_dense; i++) {
        double z = ((double)v->dense[i] - (double)w->dense_mean[i]) *
                   (double)w->dense_scale[i];
        z = fmax(fmin(z, (double)w->dense_clip), -(double)w->dense_clip);
        for (uint32_t h = 1; h < width; h++)
            out[h] += z * (double)w->dense_rows[(size_t)i * width + h];
    }
    for (uint32_t h = 1; h < width; h++)
        out[h] += (double)w->bias[h];
}

static void predictions_follow_the_documented_formulas(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    sample_small(&s);
    const struct weights *w = &s.w;
    for (uint32_t k = 1; k < 40; k++) {
        struct prediction p;
        struct weights_trace t;
        double linear[WEIGHTS_WIDTH_MAX] = {0}, sum = 0, task[4], mean[3] = {0};
        sample_vec(&v, k * 20, k);
        struct weights_input in = weights_input_of(&v);
        weights_predict(w, &in, -1, &p, &t);
        slow_linear(w, &v, linear);
        for (int i = 0; i < 4; i++)
            sum += task[i] = exp(linear[1 + 6 + i] * (double)w->task_scale);
        for (int i = 0; i < 4; i++) {
            assert_true(fabs(task[i] / sum - (double)p.task[i]) < 1e-4);
            for (int a = 0; a < 3; a++)
                mean[a] += task[i] / sum *
                           (double)w->task_mean[(size_t)i * 16 + (size_t)a];
        }
        for (int a = 0; a < 3; a++) {
            assert_true(fabs(linear[1 + a] - (double)t.linear[1 + a]) < 1e-4);
            assert_true(fabs(mean[a] - (double)t.mean[a]) < 1e-4);
            double tokens = exp(linear[4 + a]) * (double)w->token_factor[a];
            tokens = fmin(fmax(tokens, (double)w->token_low[a]),
                          (double)w->token_high[a]);
            assert_true(fabs(tokens - (double)p.tokens[a]) < 1e-3 * tokens);
            assert_true(p.quality[a] >= 0 && p.quality[a] <= 1);
            /* these knots move every value up by 0.01 */
            float want = t.staged[a] + 0.01f;
            want = want > 5.f / 6 + .01f ? 5.f / 6 + .01f : want;
            assert_true(fabsf(p.quality[a] - want) < 1e-5f);
        }
    }
    sample_free(&s);
}

static void a_golden_prediction_keeps_its_bits(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    struct prediction p;
    char text[256];
    sample_small(&s);
    sample_vec(&v, 300, 5);
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, -1, &p, NULL);
    snprintf(text, sizeof text, "%a %a %a %a %a", (double)p.quality[0],
             (double)p.quality[2], (double)p.tokens[1], (double)p.task[3],
             (double)p.unseen);
    assert_string_equal(text, "0x1.ae271cp-1 0x1.afc962p-1 0x1.0fa3dp-1 "
                              "0x1.5904a6p-12 0x1.3d7f1ap-2");
    sample_free(&s);
}

static void a_known_task_takes_the_place_of_the_predicted_one(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    struct prediction p;
    struct weights_trace t;
    sample_small(&s);
    sample_vec(&v, 100, 1);
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, 2, &p, &t);
    assert_true(p.task[2] == 1 && p.task[0] == 0);
    assert_true(t.mean[1] == s.w.task_mean[2 * 16 + 1]);
    sample_free(&s);
}

static void unseen_is_the_share_of_weight_without_a_row(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    struct prediction p;
    sample_small(&s);
    vec_clear(&v);
    v.n_words = 2;
    v.words[0] = (struct term){3, 1}; /* every fourth bucket is empty */
    v.words[1] = (struct term){7, 1};
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, -1, &p, NULL);
    assert_true(p.unseen == 1);
    v.words[0].index = 0;
    weights_predict(&s.w, &in, -1, &p, NULL);
    assert_true(p.unseen > 0 && p.unseen < 1);
    v.n_words = in.n_words = 0;
    weights_predict(&s.w, &in, -1, &p, NULL);
    assert_true(p.unseen == 0);
    sample_free(&s);
}

static void far_from_the_training_data_only_difficulty_counts(void **state)
{
    (void)state;
    struct weights_sample s = {.state = 7};
    static struct vec v;
    struct prediction p;
    struct weights_trace t;
    s.w = (struct weights){.n_arms = 2,
                           .n_tasks = 3,
                           .difficulty = 1,
                           .bits = 8,
                           .mark_bits = 4,
                           .n_rows = 20};
    sample_fill(&s);
    vec_clear(&v);
    for (uint32_t i = 0; i < 4; i++) /* 3, 7, 11 and 15 have no row */
        v.words[i] = (struct term){4 * i + 3, 1};
    v.n_words = 4;
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, -1, &p, &t);
    assert_true(p.unseen == 1 && p.outside == 1);
    for (int a = 0; a < 2; a++) {
        float x =
            s.w.outside_slope[a] * t.linear[1 + 4 + 3] + s.w.outside_offset[a];
        assert_true(p.quality[a] == (float)num_logistic((double)x));
    }
    v.words[0].index = 0;
    v.words[1].index = 4;
    v.words[2].index = 8;
    weights_predict(&s.w, &in, -1, &p, &t);
    assert_true(p.unseen > 0.25f && p.unseen < 0.75f);
    assert_true(fabsf(p.outside - (p.unseen - 0.25f) * 2) < 1e-6f);
    v.n_words = in.n_words = 1;
    weights_predict(&s.w, &in, -1, &p, &t);
    assert_true(p.outside == 0 && p.quality[0] == t.staged[0]);
    sample_free(&s);
}

static void absurd_vectors_give_sane_predictions(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    struct prediction p;
    sample_small(&s);
    sample_vec(&v, VEC_WORDS_MAX, 3);
    for (uint32_t i = 0; i < v.n_words; i++)
        v.words[i].value = i % 2 ? 3e38f : -1;
    for (uint32_t i = 0; i < v.n_marks; i++)
        v.marks[i].value = i % 2 ? 3e38f : -3e38f;
    for (uint32_t i = 0; i < v.n_dense; i++)
        v.dense[i] = i % 2 ? 3e38f : -3e38f;
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, -1, &p, NULL);
    for (int a = 0; a < 3; a++) {
        assert_true(p.quality[a] >= 0 && p.quality[a] <= 1);
        assert_true(p.tokens[a] >= 0 && p.tokens[a] <= 9000);
    }
    sample_free(&s);
}

static void every_flipped_byte_is_refused(void **state)
{
    (void)state;
    struct weights_sample s;
    sample_small(&s);
    struct buf b = encoded(&s);
    for (size_t i = 0; i < b.len; i++) {
        struct err e = {0};
        b.ptr[i] = (char)(b.ptr[i] ^ (1 << (i % 8)));
        assert_null(classifier_from(buf_view(&b), VERSION, &e));
        assert_true(e.msg[0] != '\0');
        b.ptr[i] = (char)(b.ptr[i] ^ (1 << (i % 8)));
    }
    buf_free(&b);
    sample_free(&s);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct weights_sample s;
    sample_small(&s);
    struct buf b = encoded(&s);
    for (size_t n = 0; n < b.len; n++) {
        struct err e = {0};
        assert_null(classifier_from((struct span){b.ptr, n}, VERSION, &e));
    }
    buf_free(&b);
    sample_free(&s);
}

/* With the checksum put right, so that the checks behind it are reached. */
static void a_damaged_file_with_a_right_checksum_is_harmless(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    unsigned refused = 0, taken = 0;
    sample_small(&s);
    sample_vec(&v, 400, 2);
    struct buf b = encoded(&s);
    size_t body = b.len - DIGEST_SIZE;
    for (size_t i = 0; i < body; i++) {
        struct err e = {0};
        struct prediction p;
        char was = b.ptr[i];
        b.ptr[i] = (char)(was ^ (i % 3 == 0 ? 0xff : 1 << (i % 8)));
        assert_true(digest_sha256((struct span){b.ptr, body},
                                  (unsigned char *)b.ptr + body));
        struct classifier *c = classifier_from(buf_view(&b), VERSION, &e);
        b.ptr[i] = was;
        c ? taken++ : refused++;
        if (!c)
            continue;
        classifier_predict(c, &v, -1, &p);
        for (uint32_t a = 0; a < p.n_arms; a++)
            assert_true(p.quality[a] >= 0 && p.quality[a] <= 1);
        classifier_close(c);
    }
    assert_true(refused > 1000 && taken > 100);
    buf_free(&b);
    sample_free(&s);
}

static void a_file_of_another_version_says_so(void **state)
{
    (void)state;
    struct weights_sample s;
    struct err e = {0};
    sample_small(&s);
    struct buf b = encoded(&s);
    assert_null(classifier_from(buf_view(&b), VERSION + 1, &e));
    assert_string_equal(e.msg,
                        "features version: wanted 2, found 1: train it again");
    b.ptr[8] = 9;
    assert_null(classifier_from(buf_view(&b), VERSION, &e));
    assert_string_equal(e.msg, "format version: wanted 1, found 9");
    buf_free(&b);
    sample_free(&s);
}

static void the_writer_refuses_what_a_reader_would(void **state)
{
    (void)state;
    struct weights_sample s;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    sample_small(&s);
    s.name[1] = "arm0";
    assert_false(weights_encode(&s.w, VERSION, card, &b, &e));
    assert_string_equal(e.msg, "arm 0 and 1 are both 'arm0'");
    s.name[1] = "\xff";
    assert_false(weights_encode(&s.w, VERSION, card, &b, &e));
    s.name[1] = "arm1";
    float *bias = s.owned[6];
    assert_ptr_equal(bias, s.w.bias);
    bias[2] = NAN;
    assert_false(weights_encode(&s.w, VERSION, card, &b, &e));
    assert_string_equal(
        e.msg, "bias[2]: wanted a number from -1e+06 to 1e+06, found nan");
    bias[2] = 0;
    assert_false(weights_encode(&s.w, VERSION, SPAN("[]"), &b, &e));
    assert_int_equal(b.len, 0);
    buf_free(&b);
    sample_free(&s);
}

static void a_file_is_mapped_and_a_missing_one_named(void **state)
{
    (void)state;
    struct weights_sample s;
    struct err e = {0};
    char path[] = "/tmp/weir-classifier-XXXXXX";
    sample_small(&s);
    struct buf b = encoded(&s);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.ptr, b.len), b.len);
    struct classifier *c = classifier_open(path, VERSION, &e);
    assert_non_null(c);
    classifier_close(c);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_null(classifier_open(path, VERSION, &e));
    assert_null(classifier_open("/", VERSION, &e));
    close(fd);
    unlink(path);
    assert_null(classifier_open(path, VERSION, &e));
    assert_non_null(strstr(e.msg, path));
    buf_free(&b);
    sample_free(&s);
}

static void contributions_are_sorted_and_add_up_to_the_logit(void **state)
{
    (void)state;
    struct weights_sample s;
    static struct vec v;
    static struct contribution all[VEC_WORDS_MAX];
    struct err e = {0};
    struct prediction p;
    struct weights_trace t;
    sample_small(&s);
    sample_vec(&v, 200, 9);
    struct buf b = encoded(&s);
    struct classifier *c = classifier_from(buf_view(&b), VERSION, &e);
    assert_non_null(c);
    struct weights_input in = weights_input_of(&v);
    weights_predict(&s.w, &in, -1, &p, &t);
    size_t n = classifier_contributions(c, &v, 1, all, VEC_WORDS_MAX);
    double sum = (double)s.w.bias[2];
    for (size_t i = 0; i < n; i++) {
        sum += (double)all[i].logit;
        assert_true(i == 0 || fabsf(all[i].logit) <= fabsf(all[i - 1].logit));
    }
    assert_true(fabs(sum - (double)t.linear[2]) < 1e-4);
    struct contribution top[5];
    assert_int_equal(classifier_contributions(c, &v, 1, top, 5), 5);
    assert_memory_equal(top, all, sizeof top);
    assert_int_equal(classifier_contributions(c, &v, 1, top, 0), 0);
    classifier_close(c);
    buf_free(&b);
    sample_free(&s);
}

static void our_exp_and_log_agree_with_the_library(void **state)
{
    (void)state;
    for (double x = -699; x < 700; x += 0.37)
        assert_true(fabs(num_exp(x) / exp(x) - 1) < 1e-13);
    for (double x = 1e-6; x < 1e9; x *= 1.013)
        assert_true(fabs(num_log(x) - log(x)) <= 1e-14 * fmax(1, fabs(log(x))));
    assert_true(num_exp(0) == 1 && num_log(1) == 0);
    assert_true(num_logistic(1e9) == 1 && num_logistic(-1e9) >= 0);
    for (int n = 1; n < 200; n++)
        assert_true(weights_tf((float)n) == (float)(1 + num_log(n)));
}

static void many_at_once_are_the_same_bits_as_one_by_one(void **state)
{
    double x[7], e[7], p[7];
    (void)state;
    for (unsigned n = 0; n <= 7; n++) {
        for (unsigned i = 0; i < 7; i++)
            x[i] = e[i] = p[i] = 13.7 * i * i - 40.3 * n;
        num_exp_all(e, n);
        num_logistic_all(p, n);
        for (unsigned i = 0; i < 7; i++) {
            double one = i < n ? num_exp(x[i]) : x[i];
            double odds = i < n ? num_logistic(x[i]) : x[i];
            assert_memory_equal(&e[i], &one, sizeof one);
            assert_memory_equal(&p[i], &odds, sizeof odds);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_classifier_reads_back_whole),
        cmocka_unit_test(file_and_arrays_predict_the_same_bits),
        cmocka_unit_test(predictions_follow_the_documented_formulas),
        cmocka_unit_test(a_golden_prediction_keeps_its_bits),
        cmocka_unit_test(a_known_task_takes_the_place_of_the_predicted_one),
        cmocka_unit_test(unseen_is_the_share_of_weight_without_a_row),
        cmocka_unit_test(far_from_the_training_data_only_difficulty_counts),
        cmocka_unit_test(absurd_vectors_give_sane_predictions),
        cmocka_unit_test(every_flipped_byte_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_damaged_file_with_a_right_checksum_is_harmless),
        cmocka_unit_test(a_file_of_another_version_says_so),
        cmocka_unit_test(the_writer_refuses_what_a_reader_would),
        cmocka_unit_test(a_file_is_mapped_and_a_missing_one_named),
        cmocka_unit_test(contributions_are_sorted_and_add_up_to_the_logit),
        cmocka_unit_test(our_exp_and_log_agree_with_the_library),
        cmocka_unit_test(many_at_once_are_the_same_bits_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
