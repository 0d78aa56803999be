/* SPDX-License-Identifier: Apache-2.0 */
#include "models/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static const char *classifier(void)
{
    static char path[96];

    snprintf(path, sizeof path, "%s/f.weir", dir);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/journal.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s.journal", classifier());
    unlink(path);
    return rmdir(dir);
}

static void raw(const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s.journal", classifier());
    f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *last(const char *member)
{
    static char text[200];
    struct err e;
    struct buf out;

    buf_init(&out, 1000);
    assert_true(journal_last(classifier(), member, &out, &e));
    snprintf(text, sizeof text, "%s", buf_cstr(&out));
    buf_free(&out);
    return text;
}

static void the_newest_line_with_a_member_is_found(void **state)
{
    struct err e;

    (void)state;
    assert_string_equal(last(NULL), "");
    assert_true(journal_append(classifier(), SPAN("{\"a\":1}"), &e));
    assert_true(journal_append(classifier(), SPAN("{\"b\":2}"), &e));
    assert_string_equal(last(NULL), "{\"b\":2}");
    assert_string_equal(last("a"), "{\"a\":1}");
    assert_string_equal(last("c"), "");
}

static void a_line_cut_off_is_passed_over_and_swallows_nothing(void **state)
{
    struct err e;

    (void)state;
    raw("not json\n{\"a\":3}\n{\"a\":4");
    assert_string_equal(last("a"), "{\"a\":3}");
    assert_true(journal_append(classifier(), SPAN("{\"a\":5}"), &e));
    assert_string_equal(last("a"), "{\"a\":5}");
}

static void a_long_journal_is_read_from_its_end(void **state)
{
    struct err e;

    (void)state;
    for (int i = 0; i < 9000; i++)
        raw("{\"filler\":\"................................\"}\n");
    assert_true(journal_append(classifier(), SPAN("{\"a\":6}"), &e));
    assert_string_equal(last("a"), "{\"a\":6}");
}

static void a_place_that_cannot_be_written_is_an_error(void **state)
{
    struct err e;

    (void)state;
    assert_false(journal_append("/nowhere/f.weir", SPAN("{}"), &e));
    assert_non_null(strstr(e.msg, "/nowhere/f.weir.journal"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_line_with_a_member_is_found),
        cmocka_unit_test(a_line_cut_off_is_passed_over_and_swallows_nothing),
        cmocka_unit_test(a_long_journal_is_read_from_its_end),
        cmocka_unit_test(a_place_that_cannot_be_written_is_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
