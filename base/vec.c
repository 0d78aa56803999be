/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <math.h>
#include <string.h>

enum { HEAD = 16, REAL = 4, TERM_MOST = 5 + REAL };

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

/* What a term's varint says. */
static uint64_t step_of(const struct term *t, uint32_t before)
{
    return (uint64_t)(t->index - before) << 1 | (t->value == 1.0F);
}

static size_t terms_size(const struct term *t, uint32_t n)
{
    size_t size = 0;
    uint32_t before = 0;

    for (uint32_t i = 0; i < n; before = t[i++].index) {
        uint64_t step = step_of(&t[i], before);

        /* seven bits to a byte, without a branch: 33 bits at the most */
        size += 1 + (step >> 7 != 0) + (step >> 14 != 0) + (step >> 21 != 0) +
                (step >> 28 != 0);
        size += step & 1 ? 0 : REAL;
    }
    return size;
}

static unsigned char *put_terms(unsigned char *p, const struct term *t,
                                uint32_t n)
{
    uint32_t before = 0;

    for (uint32_t i = 0; i < n; before = t[i++].index) {
        uint64_t step = step_of(&t[i], before), rest = step;

        for (; rest > 0x7f; rest >>= 7)
            *p++ = (unsigned char)(rest | 0x80);
        *p++ = (unsigned char)rest;
        if (!(step & 1)) {
            put_f32(p, t[i].value);
            p += REAL;
        }
    }
    return p;
}

size_t vec_pack_most(const struct vec *v)
{
    return HEAD + (size_t)TERM_MOST * (v->n_words + v->n_marks) +
           (size_t)REAL * v->n_dense;
}

size_t vec_pack(const struct vec *v, void *dst, size_t size)
{
    unsigned char *p = dst;

    if (size < vec_pack_most(v)) {
        size_t need = HEAD + terms_size(v->words, v->n_words) +
                      terms_size(v->marks, v->n_marks) +
                      (size_t)v->n_dense * REAL;

        if (need > size)
            return need;
    }
    put_u32(p, v->version);
    put_u32(p + 4, v->n_words);
    put_u32(p + 8, v->n_marks);
    put_u32(p + 12, v->n_dense);
    p = put_terms(p + HEAD, v->words, v->n_words);
    p = put_terms(p, v->marks, v->n_marks);
    for (uint32_t i = 0; i < v->n_dense; i++)
        put_f32(p + (size_t)REAL * i, v->dense[i]);
    return (size_t)(p - (unsigned char *)dst) + (size_t)REAL * v->n_dense;
}

/* Where reading has come to. */
struct reader {
    const unsigned char *p, *end;
};

/* Shortest form, at most 33 bits. */
static bool get_step(struct reader *r, uint64_t *step)
{
    unsigned char byte = 0x80;

    *step = 0;
    for (unsigned at = 0; byte & 0x80; at += 7) {
        if (r->p == r->end || at > 28)
            return false;
        byte = *r->p++;
        *step |= (uint64_t)(byte & 0x7f) << at;
        if (byte == 0 && at > 0)
            return false;
    }
    return *step <= (uint64_t)UINT32_MAX * 2 + 1;
}

static bool get_real(struct reader *r, float *f)
{
    if (r->end - r->p < REAL)
        return false;
    *f = get_f32(r->p);
    r->p += REAL;
    return isfinite(*f);
}

static bool get_terms(struct reader *r, struct term *t, uint32_t n)
{
    uint32_t before = 0;

    for (uint32_t i = 0; i < n; before = t[i++].index) {
        uint64_t step, index;

        if (!get_step(r, &step))
            return false;
        index = before + (step >> 1);
        if (index > UINT32_MAX || (i && index == before))
            return false;
        t[i].index = (uint32_t)index;
        t[i].value = 1.0F;
        if (!(step & 1) && (!get_real(r, &t[i].value) || t[i].value == 1.0F))
            return false;
    }
    return true;
}

static bool get_reals(struct reader *r, float *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!get_real(r, &f[i]))
            return false;
    }
    return true;
}

/* Reads and checks the four counts. */
static bool get_head(struct span bytes, struct vec *v, struct err *e)
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
    return true;
}

bool vec_unpack(struct span bytes, struct vec *v, struct err *e)
{
    struct reader r;

    vec_clear(v);
    if (!get_head(bytes, v, e))
        return false;
    r.p = (const unsigned char *)bytes.ptr + HEAD;
    r.end = (const unsigned char *)bytes.ptr + bytes.len;
    if (get_terms(&r, v->words, v->n_words) &&
        get_terms(&r, v->marks, v->n_marks) &&
        get_reals(&r, v->dense, v->n_dense) && r.p == r.end)
        return true;
    return err_set(e, ERR_INPUT,
                   "feature vector: wanted %u words and %u marks in ascending "
                   "order and %u numbers, all finite, found others in %zu "
                   "bytes",
                   v->n_words, v->n_marks, v->n_dense, bytes.len);
}
