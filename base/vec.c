/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <math.h>
#include <string.h>

enum { HEAD = 16, TERM = 8, REAL = 4 };

void vec_clear(struct vec *v)
{
    memset(v, 0, sizeof *v);
}

static void put_u32(unsigned char *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(x >> (8 * i));
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static void put_f32(unsigned char *p, float f)
{
    uint32_t x;

    memcpy(&x, &f, sizeof x);
    put_u32(p, x);
}

static float get_f32(const unsigned char *p)
{
    uint32_t x = get_u32(p);
    float f;

    memcpy(&f, &x, sizeof f);
    return f;
}

static unsigned char *put_terms(unsigned char *p, const struct term *t,
                                uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, p += TERM) {
        put_u32(p, t[i].index);
        put_f32(p + 4, t[i].value);
    }
    return p;
}

size_t vec_pack(const struct vec *v, void *dst, size_t size)
{
    size_t need = HEAD + ((size_t)v->n_words + v->n_marks) * TERM +
                  (size_t)v->n_dense * REAL;
    unsigned char *p = dst;

    if (need > size)
        return need;
    put_u32(p, v->version);
    put_u32(p + 4, v->n_words);
    put_u32(p + 8, v->n_marks);
    put_u32(p + 12, v->n_dense);
    p = put_terms(p + HEAD, v->words, v->n_words);
    p = put_terms(p, v->marks, v->n_marks);
    for (uint32_t i = 0; i < v->n_dense; i++)
        put_f32(p + (size_t)REAL * i, v->dense[i]);
    return need;
}

static bool get_terms(const unsigned char *p, struct term *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, p += TERM) {
        t[i].index = get_u32(p);
        t[i].value = get_f32(p + 4);
        if (!isfinite(t[i].value) || (i && t[i].index <= t[i - 1].index))
            return false;
    }
    return true;
}

/* Reads and checks the four counts; *need is what the whole must have. */
static bool get_head(struct span bytes, struct vec *v, size_t *need,
                     struct err *e)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;

    if (bytes.len < HEAD)
        return err_set(e, ERR_INPUT,
                       "feature vector: wanted at least %d bytes, found %zu",
                       HEAD, bytes.len);
    v->version = get_u32(p);
    v->n_words = get_u32(p + 4);
    v->n_marks = get_u32(p + 8);
    v->n_dense = get_u32(p + 12);
    if (v->n_words > VEC_WORDS_MAX || v->n_marks > VEC_MARKS_MAX ||
        v->n_dense > VEC_DENSE_MAX)
        return err_set(e, ERR_INPUT,
                       "feature vector: wanted at most %d words, %d marks, %d "
                       "numbers, found %u, %u, %u",
                       VEC_WORDS_MAX, VEC_MARKS_MAX, VEC_DENSE_MAX, v->n_words,
                       v->n_marks, v->n_dense);
    *need = HEAD + ((size_t)v->n_words + v->n_marks) * TERM +
            (size_t)v->n_dense * REAL;
    if (bytes.len != *need)
        return err_set(e, ERR_INPUT,
                       "feature vector: wanted %zu bytes, found %zu", *need,
                       bytes.len);
    return true;
}

bool vec_unpack(struct span bytes, struct vec *v, struct err *e)
{
    const unsigned char *p;
    size_t need;
    bool good;

    vec_clear(v);
    if (!get_head(bytes, v, &need, e))
        return false;
    p = (const unsigned char *)bytes.ptr + HEAD;
    good = get_terms(p, v->words, v->n_words) &&
           get_terms(p + (size_t)TERM * v->n_words, v->marks, v->n_marks);
    p += (size_t)TERM * (v->n_words + v->n_marks);
    for (uint32_t i = 0; i < v->n_dense; i++) {
        v->dense[i] = get_f32(p + (size_t)REAL * i);
        good = good && isfinite(v->dense[i]);
    }
    return good || err_set(e, ERR_INPUT,
                           "feature vector: wanted finite values in ascending "
                           "order, found others");
}
