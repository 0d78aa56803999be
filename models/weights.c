/* SPDX-License-Identifier: Apache-2.0 */
#include "models/weights.h"

#include <math.h>
#include <string.h>

#include "models/numeric.h"

/* Four floats that the compiler keeps in one register. */
typedef float quad __attribute__((vector_size(16), may_alias));

enum {
    BLOCK = 16, /* floats in a cache line */
    TF_SIZE = 64,
    STAGE_MAX =
        2 + 4 * CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX + VEC_DENSE_MAX,
};

/* 1 + ln(n) for n = 1 ... 64 */
static const float tf_table[TF_SIZE] = {
    1.f,         1.69314718f, 2.09861231f, 2.38629436f, 2.60943794f,
    2.79175949f, 2.94591022f, 3.07944155f, 3.19722462f, 3.30258512f,
    3.39789534f, 3.48490667f, 3.56494927f, 3.6390574f,  3.70805025f,
    3.77258873f, 3.83321333f, 3.8903718f,  3.94443893f, 3.99573231f,
    4.04452229f, 4.09104252f, 4.13549423f, 4.17805386f, 4.21887589f,
    4.25809669f, 4.29583693f, 4.33220434f, 4.36729574f, 4.40119743f,
    4.43398714f, 4.46573591f, 4.49650764f, 4.52636051f, 4.55534792f,
    4.58351898f, 4.61091805f, 4.63758612f, 4.66356182f, 4.68887949f,
    4.71357203f, 4.73766947f, 4.76119995f, 4.7841897f,  4.80666256f,
    4.82864141f, 4.85014772f, 4.87120104f, 4.89182043f, 4.91202307f,
    4.93182564f, 4.95124388f, 4.97029209f, 4.98898411f, 5.00733328f,
    5.02535152f, 5.04305124f, 5.06044292f, 5.07753754f, 5.09434462f,
    5.1108737f,  5.12713432f, 5.14313459f, 5.15888309f};

static uint32_t lines(uint32_t n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

uint32_t weights_width(const struct weights *w)
{
    return lines(1 + 2 * w->n_arms + w->n_tasks + w->difficulty);
}

uint32_t weights_lanes(const struct weights *w)
{
    return lines(w->n_arms);
}

uint32_t weights_stage(const struct weights *w, enum stage_input kind,
                       uint32_t i)
{
    const uint32_t before[] = {
        [STAGE_ONE] = 0,
        [STAGE_LOGIT] = 1,
        [STAGE_PROB] = 1 + w->n_arms,
        [STAGE_MEAN] = 1 + 2 * w->n_arms,
        [STAGE_MEAN_LOGIT] = 1 + 3 * w->n_arms,
        [STAGE_TASK] = 1 + 4 * w->n_arms,
        [STAGE_DENSE] = 1 + 4 * w->n_arms + w->n_tasks,
        [STAGE_UNSEEN] = 1 + 4 * w->n_arms + w->n_tasks + w->n_dense,
    };
    return before[kind] + i;
}

uint32_t weights_stage_size(const struct weights *w)
{
    return weights_stage(w, STAGE_UNSEEN, 1);
}

float weights_tf(float count)
{
    if (!(count >= 2))
        return 1;
    if (count <= TF_SIZE && (float)(int)count == count)
        return tf_table[(int)count - 1];
    return (float)(1 + num_log((double)count));
}

struct weights_input weights_input_of(const struct vec *v)
{
    return (struct weights_input){v->words,   v->marks,   v->dense,
                                  v->n_words, v->n_marks, v->n_dense};
}

/* The rows that a group of terms meets, and with what factor. */
struct found {
    uint32_t n;
    float norm;   /* length of the words' group; 1 for an empty one */
    float unseen; /* share of the words' weight without a row */
    uint32_t row[VEC_WORDS_MAX];
    float value[VEC_WORDS_MAX] __attribute__((aligned(16)));
};

static const float *row_at(const struct weights *w, uint32_t row)
{
    return w->rows + (size_t)row * weights_width(w);
}

/* Has their lines fetched, of which memory brings several at a time. */
static void fetch_rows(const struct weights *w, const struct found *f)
{
    uint32_t width = weights_width(w);
    for (uint32_t i = 0; i < f->n; i++) {
        for (uint32_t at = 0; at < width; at += BLOCK)
            __builtin_prefetch(row_at(w, f->row[i]) + at);
    }
}

/* Looks the words up, notes the row and the tf of each that has one.  Which
 * of them have one no branch could foresee, so there is none. */
static void find_words(const struct weights *w, const struct weights_input *in,
                       struct found *f, float *missed)
{
    static const float counts[2] = {1, 0}; /* without a row, with one */
    uint32_t mask = (UINT32_C(1) << w->bits) - 1;
    uint32_t n = 0, n_words = in->n_words;
    float sum = 0;
    if (n_words > VEC_WORDS_MAX)
        n_words = VEC_WORDS_MAX;
    for (uint32_t i = 0; i < n_words; i++) {
        uint32_t row = w->word_index[in->words[i].index & mask];
        float tf = weights_tf(in->words[i].value);
        f->row[n] = row;
        f->value[n] = tf;
        n += row != 0;
        sum += tf * counts[row != 0];
    }
    f->n = n;
    *missed = sum;
    fetch_rows(w, f);
}

/* tf becomes tf * idf; the group's length and the unseen share follow. */
static void weigh_words(const struct weights *w, struct found *f, float missed)
{
    double square = 0, seen = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        float x = f->value[i] * row_at(w, f->row[i])[0];
        f->value[i] = x;
        square += (double)x * (double)x;
        seen += (double)x;
    }
    double lost = (double)missed * (double)w->unseen_idf;
    f->norm = square > 0 ? (float)sqrt(square) : 1;
    f->unseen = seen + lost > 0 ? (float)(lost / (seen + lost)) : 0;
}

static void find_marks(const struct weights *w, const struct weights_input *in,
                       struct found *f)
{
    uint32_t mask = (UINT32_C(1) << w->mark_bits) - 1, n = 0;
    for (uint32_t i = 0; i < in->n_marks && i < VEC_WORDS_MAX; i++) {
        uint32_t row = w->mark_index[in->marks[i].index & mask];
        float x = in->marks[i].value;
        if (row == 0)
            continue;
        x = x > WEIGHTS_MARK_MAX ? WEIGHTS_MARK_MAX : x;
        f->row[n] = row;
        f->value[n++] = x < -WEIGHTS_MARK_MAX ? -WEIGHTS_MARK_MAX : x;
    }
    f->n = n;
}

static void add_line(quad acc[4], const float *row, float value)
{
    const quad *r = (const quad *)(const void *)row;
    quad x = {value, value, value, value};
    acc[0] += x * r[0];
    acc[1] += x * r[1];
    acc[2] += x * r[2];
    acc[3] += x * r[3];
}

/* out[width] = sum over the found rows; one cache line of heads at a time,
 * so that the sums stay in registers. */
static void sum_found(const struct weights *w, const struct found *f,
                      float *out)
{
    uint32_t width = weights_width(w);
    for (uint32_t at = 0; at < width; at += BLOCK) {
        quad acc[4] = {{0}};
        const float *rows = w->rows + at;
        for (uint32_t i = 0; i < f->n; i++)
            add_line(acc, rows + (size_t)f->row[i] * width, f->value[i]);
        memcpy(out + at, acc, sizeof acc);
    }
}

/* out[width] += values[n] times the matrix's rows, in order. */
static void add_matrix(const float *matrix, uint32_t width, const float *value,
                       uint32_t n, float *out)
{
    for (uint32_t at = 0; at < width; at += BLOCK) {
        quad acc[4];
        memcpy(acc, out + at, sizeof acc);
        for (uint32_t i = 0; i < n; i++)
            add_line(acc, matrix + (size_t)i * width + at, value[i]);
        memcpy(out + at, acc, sizeof acc);
    }
}

static float clip(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

static void scale_dense(const struct weights *w, const struct weights_input *in,
                        float *z)
{
    for (uint32_t i = 0; i < w->n_dense; i++) {
        float x = i < in->n_dense ? in->dense[i] : w->dense_mean[i];
        z[i] = clip((x - w->dense_mean[i]) * w->dense_scale[i], -w->dense_clip,
                    w->dense_clip);
    }
}

static float mean_square(const float *z, uint32_t n)
{
    float sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += z[i] * z[i];
    return n ? sum / (float)n : 0;
}

float weights_far(const struct weights *w, const struct weights_input *in)
{
    float z[VEC_DENSE_MAX];
    scale_dense(w, in, z);
    return mean_square(z, w->n_dense);
}

/* First stage: the linear heads, slots as in a row.  Returns the share of
 * the words' weight that has no row. */
static float first_stage(const struct weights *w,
                         const struct weights_input *in, const float *z,
                         float *linear)
{
    struct found f;
    float part[WEIGHTS_WIDTH_MAX], missed;
    uint32_t width = weights_width(w);
    find_words(w, in, &f, &missed);
    weigh_words(w, &f, missed);
    float unseen = f.unseen, inverse = 1 / f.norm;
    sum_found(w, &f, part);
    for (uint32_t h = 0; h < width; h++)
        linear[h] = w->bias[h] + part[h] * inverse;
    find_marks(w, in, &f);
    sum_found(w, &f, part);
    for (uint32_t h = 0; h < width; h++)
        linear[h] += part[h];
    add_matrix(w->dense_rows, width, z, w->n_dense, linear);
    return unseen;
}

/* Returns the greatest score. */
static float predict_task(const struct weights *w, const float *score, int task,
                          float *p)
{
    float top = 0;
    double sum = 0, e[CLASSIFIER_TASKS_MAX];
    for (uint32_t i = 0; i < w->n_tasks; i++) {
        p[i] = (int64_t)i == task ? 1 : 0;
        top = i == 0 || score[i] > top ? score[i] : top;
    }
    if (task >= 0 && (uint32_t)task < w->n_tasks)
        return top;
    for (uint32_t i = 0; i < w->n_tasks; i++)
        e[i] = (double)((score[i] - top) * w->task_scale);
    num_exp_all(e, w->n_tasks);
    for (uint32_t i = 0; i < w->n_tasks; i++)
        sum += e[i];
    for (uint32_t i = 0; i < w->n_tasks; i++)
        p[i] = (float)(e[i] / sum);
    return top;
}

static float calibrate(const struct weights *w, uint32_t arm, float x)
{
    uint32_t lanes = weights_lanes(w), k = 0;
    const float *xs = w->knot_x + arm, *ys = w->knot_y + arm;
    while (k < w->n_knots && xs[(size_t)k * lanes] <= x)
        k++;
    if (k == 0 || k == w->n_knots)
        return w->n_knots ? ys[(size_t)(k ? k - 1 : 0) * lanes] : x;
    float x0 = xs[(size_t)(k - 1) * lanes], x1 = xs[(size_t)k * lanes];
    float y0 = ys[(size_t)(k - 1) * lanes], y1 = ys[(size_t)k * lanes];
    return y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
}

/* Fills the second stage's inputs; all are within a few thousand. */
static void stage_inputs(const struct weights *w, const struct weights_trace *t,
                         const struct prediction *p, float *x)
{
    const float *logit = t->linear + 1, *mean = t->mean;
    double chance[CLASSIFIER_ARMS_MAX];
    for (uint32_t a = 0; a < w->n_arms; a++)
        chance[a] = (double)logit[a];
    num_logistic_all(chance, w->n_arms);
    x[0] = 1;
    for (uint32_t a = 0; a < w->n_arms; a++) {
        double m = (double)clip(mean[a], 1e-4f, 1 - 1e-4f);
        x[weights_stage(w, STAGE_LOGIT, a)] = logit[a];
        x[weights_stage(w, STAGE_PROB, a)] = (float)chance[a];
        x[weights_stage(w, STAGE_MEAN, a)] = mean[a];
        x[weights_stage(w, STAGE_MEAN_LOGIT, a)] = (float)num_log(m / (1 - m));
    }
    memcpy(x + weights_stage(w, STAGE_TASK, 0), p->task,
           w->n_tasks * sizeof *x);
    memcpy(x + weights_stage(w, STAGE_DENSE, 0), t->dense,
           w->n_dense * sizeof *x);
    x[weights_stage(w, STAGE_UNSEEN, 0)] = p->unseen;
}

static void second_stage(const struct weights *w, const float *inputs,
                         float *staged)
{
    uint32_t lanes = weights_lanes(w);
    memset(staged, 0, lanes * sizeof *staged);
    double p[CLASSIFIER_ARMS_MAX];
    add_matrix(w->stage, lanes, inputs, weights_stage_size(w), staged);
    for (uint32_t a = 0; a < w->n_arms; a++)
        p[a] = (double)staged[a];
    if (w->link == LINK_LOGISTIC)
        num_logistic_all(p, w->n_arms);
    for (uint32_t a = 0; a < w->n_arms; a++)
        staged[a] = clip((float)p[a], 0, 1);
}

static void expect_tokens(const struct weights *w, const float *linear,
                          float *tokens)
{
    double x[CLASSIFIER_ARMS_MAX];
    for (uint32_t a = 0; a < w->n_arms; a++)
        x[a] = (double)clip(linear[a], -20, 20);
    num_exp_all(x, w->n_arms);
    for (uint32_t a = 0; a < w->n_arms; a++) {
        tokens[a] = clip((float)x[a] * w->token_factor[a], w->token_low[a],
                         w->token_high[a]);
    }
}

/* Away from the training data only how hard the request looks is left. */
static void fall_back(const struct weights *w, float difficulty,
                      struct prediction *out)
{
    out->outside = 0;
    if (!w->difficulty)
        return;
    float share =
        (out->unseen - w->unseen_low) / (w->unseen_high - w->unseen_low);
    out->outside = share = clip(share, 0, 1);
    for (uint32_t a = 0; share > 0 && a < w->n_arms; a++) {
        float x = w->outside_slope[a] * difficulty + w->outside_offset[a];
        float alone = (float)num_logistic((double)x);
        out->quality[a] = (1 - share) * out->quality[a] + share * alone;
    }
}

void weights_finish(const struct weights *w, int task, struct weights_trace *x,
                    struct prediction *out)
{
    float inputs[STAGE_MAX];
    out->n_arms = w->n_arms;
    out->n_tasks = w->n_tasks;
    out->top = predict_task(w, x->linear + 1 + 2 * w->n_arms, task, out->task);
    memset(x->mean, 0, sizeof x->mean);
    if (w->n_tasks)
        add_matrix(w->task_mean, weights_lanes(w), out->task, w->n_tasks,
                   x->mean);
    for (uint32_t a = 0; w->n_tasks == 0 && a < w->n_arms; a++)
        x->mean[a] = 0.5f;
    stage_inputs(w, x, out, inputs);
    second_stage(w, inputs, x->staged);
    for (uint32_t a = 0; a < w->n_arms; a++)
        out->quality[a] = clip(calibrate(w, a, x->staged[a]), 0, 1);
    fall_back(w, x->linear[1 + 2 * w->n_arms + w->n_tasks], out);
    expect_tokens(w, x->linear + 1 + w->n_arms, out->tokens);
}

void weights_predict(const struct weights *w, const struct weights_input *in,
                     int task, struct prediction *out,
                     struct weights_trace *trace)
{
    struct weights_trace own, *x = trace ? trace : &own;
    scale_dense(w, in, x->dense);
    out->far = mean_square(x->dense, w->n_dense);
    out->unseen = first_stage(w, in, x->dense, x->linear);
    weights_finish(w, task, x, out);
}
