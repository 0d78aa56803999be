/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PACKED_MAX = 32768 };

static struct vec small(void)
{
    static struct vec v;

    vec_clear(&v);
    v.version = 7;
    v.n_words = 2;
    v.words[0] = (struct term){3, 1};
    v.words[1] = (struct term){0xffffffff, 2};
    v.n_marks = 1;
    v.marks[0] = (struct term){0, -1.5F};
    v.n_dense = 3;
    v.dense[2] = 0.1F;
    return v;
}

static void a_vector_reads_back_as_it_was_packed(void **state)
{
    static struct vec v, back;
    unsigned char bytes[PACKED_MAX];
    struct err e;
    size_t n;

    (void)state;
    v = small();
    n = vec_pack(&v, bytes, sizeof bytes);
    assert_int_equal(n, 16 + 1 + (5 + 4) + (1 + 4) + 3 * 4);
    assert_true(vec_unpack((struct span){(char *)bytes, n}, &back, &e));
    assert_memory_equal(&v, &back, sizeof v);
}

static void a_full_vector_reads_back_too(void **state)
{
    static struct vec v, back;
    static unsigned char bytes[PACKED_MAX];
    struct err e;
    size_t n;

    (void)state;
    vec_clear(&v);
    v.n_words = VEC_WORDS_MAX;
    v.n_marks = VEC_MARKS_MAX;
    v.n_dense = VEC_DENSE_MAX;
    for (uint32_t i = 0; i < VEC_WORDS_MAX; i++)
        v.words[i] = (struct term){i * 5, (float)(i + 1)};
    for (uint32_t i = 0; i < VEC_MARKS_MAX; i++)
        v.marks[i] = (struct term){i * 7, 1};
    n = vec_pack(&v, bytes, sizeof bytes);
    assert_true(vec_unpack((struct span){(char *)bytes, n}, &back, &e));
    assert_memory_equal(&v, &back, sizeof v);
}

static void the_bytes_are_little_endian(void **state)
{
    static struct vec v;
    unsigned char bytes[PACKED_MAX];

    (void)state;
    v = small();
    (void)vec_pack(&v, bytes, sizeof bytes);
    assert_memory_equal(bytes, "\7\0\0\0\2\0\0\0\1\0\0\0\3\0\0\0", 16);
    assert_memory_equal(bytes + 16, "\7\xf8\xff\xff\xff\x1f\0\0\0\x40", 10);
}

static void too_small_a_place_is_left_alone(void **state)
{
    static struct vec v;
    unsigned char bytes[8] = "unmoved";

    (void)state;
    v = small();
    assert_int_equal(vec_pack(&v, bytes, sizeof bytes), 43);
    assert_memory_equal(bytes, "unmoved", 8);
}

static void every_prefix_and_any_tail_is_refused(void **state)
{
    static struct vec v, back;
    unsigned char bytes[PACKED_MAX];
    struct err e;
    size_t n;

    (void)state;
    v = small();
    n = vec_pack(&v, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++)
        assert_false(vec_unpack((struct span){(char *)bytes, i}, &back, &e));
    assert_false(vec_unpack((struct span){(char *)bytes, n + 1}, &back, &e));
}

static void disorder_repeats_and_non_numbers_are_refused(void **state)
{
    static const struct {
        size_t at, n;
        const char *bytes;
    } harm[] = {
        {17, 1, "\xfa"},                 /* the second word beyond 32 bits */
        {17, 5, "\0\x80\0\0\0"},         /* a repeated index */
        {17, 5, "\xf8\xff\xff\xff\xff"}, /* a varint without an end */
        {20, 2, "\x80\0"},               /* one with an empty end */
        {22, 4, "\0\0\xc0\x7f"},         /* a NaN for a count */
        {22, 4, "\0\0\x80\x3f"},         /* a count of 1 written out */
        {27, 4, "\0\0\x80\x7f"},         /* infinity for a mark */
        {31, 4, "\0\0\x80\xff"},         /* and for a number */
        {4, 4, "\xff\xff\xff\xff"},      /* more words than there can be */
        {8, 4, "\xff\xff\xff\xff"},
        {12, 4, "\xff\xff\xff\xff"},
    };
    static struct vec v, back;
    unsigned char bytes[PACKED_MAX];
    struct err e;
    size_t n;

    (void)state;
    v = small();
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        n = vec_pack(&v, bytes, sizeof bytes);
        memcpy(bytes + harm[i].at, harm[i].bytes, harm[i].n);
        if (vec_unpack((struct span){(char *)bytes, n}, &back, &e))
            fail_msg("row %zu was accepted", i);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_reads_back_as_it_was_packed),
        cmocka_unit_test(a_full_vector_reads_back_too),
        cmocka_unit_test(the_bytes_are_little_endian),
        cmocka_unit_test(too_small_a_place_is_left_alone),
        cmocka_unit_test(every_prefix_and_any_tail_is_refused),
        cmocka_unit_test(disorder_repeats_and_non_numbers_are_refused),
    };

    return cmocka_run_group_tests_name("vec", tests, NULL, NULL);
}
