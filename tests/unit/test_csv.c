/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "datasets/source.h"

static char path[64];

static struct csv *open_text(const char *text, size_t n, struct err *e)
{
    FILE *f;
    struct source *src;

    snprintf(path, sizeof path, "/tmp/weir-csv-%ld", (long)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
    src = source_open(path, e);
    unlink(path);
    assert_non_null(src);
    return csv_open(src, e);
}

/* Records as "[a|b][c]", an error as its message. */
static const char *shown(const char *text, struct buf *b)
{
    struct csv_record *r = malloc(sizeof *r);
    struct err e;
    struct csv *c = open_text(text, strlen(text), &e);
    int got;

    assert_non_null(r);
    assert_non_null(c);
    buf_reset(b);
    while ((got = csv_next(c, r, &e)) == 1) {
        buf_char(b, '[');
        for (size_t i = 0; i < r->n; i++) {
            if (i)
                buf_char(b, '|');
            buf_span(b, r->fields[i]);
        }
        buf_char(b, ']');
    }
    if (got < 0)
        buf_str(b, strchr(e.msg, ':') + 1);
    csv_close(c);
    free(r);
    return buf_cstr(b);
}

static void reads_what_the_rfc_allows(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"a", "[a]"},
        {"a,b\nc,d\n", "[a|b][c|d]"},
        {"a,b\r\nc,d\r\n", "[a|b][c|d]"},
        {"\xef\xbb\xbf"
         "a,b\n",
         "[a|b]"},
        {"\"a\",\"b\"", "[a|b]"},
        {"\"a,b\",\"c\nd\"\n", "[a,b|c\nd]"},
        {"\"a\r\nb\"\r\n", "[a\r\nb]"},
        {"\"say \"\"hi\"\"\",2\n", "[say \"hi\"|2]"},
        {"\"\"\"\"\n", "[\"]"},
        {",\n", "[|]"},
        {"\"\"\n", "[]"},
        {"a,\n", "[a|]"},
        {"\n\na\n\n", "[a]"},
        {"\"x\",\"\"", "[x|]"},
        {"\xc3\xa9,\xe6\x97\xa5\n", "[\xc3\xa9|\xe6\x97\xa5]"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(shown(cases[i].text, &b), cases[i].shown);
    buf_free(&b);
}

static void says_the_line_of_a_mistake(void **state)
{
    static const struct {
        const char *text, *place, *what;
    } cases[] = {
        {"a\nb\"c\n", "2: ", "quote inside a bare"},
        {"a\n\"b\"c\n", "2: ", "behind a closing quote"},
        {"a\n\"b\"\r\"x,\"\n1\"\n", "2: ", "behind a closing quote"},
        {"a\n\"b\n\n\nc", "2: ", "found the end of the file"},
        {"\"x\ny\"\n\xff\n", "3: ", "UTF-8"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = shown(cases[i].text, &b);

        assert_non_null(strstr(text, cases[i].place));
        assert_non_null(strstr(text, cases[i].what));
    }
    buf_free(&b);
}

static void a_field_may_be_longer_than_any_chunk(void **state)
{
    enum { N = 3 << 20 };
    char *text = malloc(N + 16);
    struct csv_record *r = malloc(sizeof *r);
    struct err e;
    struct csv *c;

    (void)state;
    assert_non_null(text);
    assert_non_null(r);
    text[0] = '"';
    memset(text + 1, '\n', N);
    memcpy(text + 1 + N, "\",x\nlast", 8);
    c = open_text(text, N + 9, &e);
    assert_non_null(c);
    assert_int_equal(csv_next(c, r, &e), 1);
    assert_int_equal(r->fields[0].len, N);
    assert_true(span_is(r->fields[1], "x"));
    assert_int_equal(csv_next(c, r, &e), 1);
    assert_int_equal(r->line, N + 2);
    assert_int_equal(csv_next(c, r, &e), 0);
    csv_close(c);
    free(r);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_rfc_allows),
        cmocka_unit_test(says_the_line_of_a_mistake),
        cmocka_unit_test(a_field_may_be_longer_than_any_chunk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
