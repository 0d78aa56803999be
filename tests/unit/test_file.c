/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/weir-file-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/f", dir);
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir); /* fails where a temporary file was left */
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b;
    static char big[200000];
    memset(big, 'x', sizeof big);
    buf_init(&b, sizeof big);
    assert_true(file_write(path, SPAN("old"), &e));
    assert_true(file_write(path, (struct span){big, sizeof big}, &e));
    assert_true(file_read(path, &b, &e));
    assert_int_equal(b.len, sizeof big);
    assert_memory_equal(b.ptr, big, sizeof big);
    buf_free(&b);
}

static void more_than_the_limit_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4);
    assert_true(file_write(path, SPAN("12345"), &e));
    assert_false(file_read(path, &b, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_non_null(strstr(e.msg, path));
    buf_free(&b);
    buf_init(&b, 5);
    assert_true(file_read(path, &b, &e));
    assert_string_equal(buf_cstr(&b), "12345");
    buf_free(&b);
}

static void an_error_names_the_file_and_leaves_the_old_one(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4);
    assert_false(file_read("/nowhere/f", &b, &e));
    assert_non_null(strstr(e.msg, "/nowhere/f"));
    assert_false(file_write("/nowhere/f", SPAN("x"), &e));
    assert_non_null(strstr(e.msg, "/nowhere/f"));
    assert_false(file_write(dir, SPAN("x"), &e));
    assert_true(file_write("/dev/null", SPAN("x"), &e));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(more_than_the_limit_is_refused),
        cmocka_unit_test(an_error_names_the_file_and_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
