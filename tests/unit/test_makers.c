/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed what, whichever way a client writes it. */
#include "router/route/makers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct made look(const struct makers *m, struct span signature,
                        const char *model)
{
    struct part part = {.kind = PART_THINKING, .signature = signature};
    struct message message = {.parts = &part, .n_parts = 1};
    struct request r = {.messages = &message, .n_messages = 1};

    return makers_look(m, &r, model);
}

static void a_signature_has_the_maker_that_was_noted(void **state)
{
    struct err e;
    struct makers *m = makers_new(&e);

    (void)state;
    assert_non_null(m);
    makers_note(m, SPAN("c2ln+/8="), "opus");
    assert_true(look(m, SPAN("c2ln+/8="), "opus").here);
    assert_false(look(m, SPAN("c2ln+/8="), "opus").elsewhere);
    assert_true(look(m, SPAN("c2ln+/8="), "pro").elsewhere);
    assert_false(look(m, SPAN("c2ln+/9="), "opus").here);
    assert_false(look(m, SPAN("c2ln+/9="), "pro").elsewhere);
    makers_free(m);
}

/* Google's SDK for Python keeps signatures as bytes. */
static void both_alphabets_of_base64_are_one_signature(void **state)
{
    char sent[1000], back[1000];
    struct err e;
    struct makers *m = makers_new(&e);

    (void)state;
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = "aB+/9"[i % 5];
        back[i] = "aB-_9"[i % 5];
    }
    makers_note(m, (struct span){sent, sizeof sent}, "opus");
    assert_true(look(m, (struct span){back, sizeof back}, "opus").here);
    back[700] = 'x';
    assert_false(look(m, (struct span){back, sizeof back}, "opus").here);
    makers_note(m, SPAN("YQ=="), "opus");
    assert_true(look(m, SPAN("YQ"), "opus").here);
    makers_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_has_the_maker_that_was_noted),
        cmocka_unit_test(both_alphabets_of_base64_are_one_signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
