/* SPDX-License-Identifier: Apache-2.0 */
/* Languages by script and small words, and texts that are in none. */
#include "features/language.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *language, *text;
} cases[] = {
    {"en", "What is the best way to learn how this works for you?"},
    {"en", "Please summarise the attached report and list what should change."},
    {"de", "Bitte fasse den folgenden Text zusammen, aber nicht zu lang und "
           "mit den wichtigsten Zahlen."},
    {"de", "WAS IST DIE URSACHE FÜR DEN FEHLER UND WIE WIRD ER BEHOBEN?"},
    {"fr", "Quelle est la capitale de la France, et combien de personnes y "
           "vivent dans les environs ?"},
    {"es", "¿Cuál es la mejor manera de aprender una lengua por la noche con "
           "los amigos?"},
    {"it", "Qual è il modo migliore per imparare una lingua con gli amici e "
           "come si usa?"},
    {"pt", "Qual é a melhor forma de aprender uma língua com os amigos, e como "
           "você não esquece?"},
    {"nl", "Wat is de beste manier om een taal te leren met vrienden en hoe "
           "werkt dat voor mij?"},
    {"pl",
     "Jaki jest najlepszy sposób na naukę języka i jak się nie zniechęcić "
     "z przyjaciółmi?"},
    {"sv",
     "Vad är det bästa sättet att lära sig ett språk och hur kan jag göra "
     "det med vänner?"},
    {"tr", "Bir dil öğrenmek için en iyi yol nedir ve nasıl daha çok pratik "
           "yapabilirim?"},
    {"zh", "请用三句话总结下面的文章。"},
    {"ja", "次の文章を三つの文で要約してください。"},
    {"ko", "다음 글을 세 문장으로 요약해 주세요."},
    {"th", "ช่วยสรุปข้อความต่อไปนี้"},
    {"el", "Ποια είναι η πρωτεύουσα της Ελλάδας;"},
    {"cyrillic", "Какова столица России?"},
    {"arabic", "ما هي عاصمة مصر؟"},
    {"hebrew", "מה בירת ישראל?"},
    {"indic", "भारत की राजधानी क्या है?"},
    {"", ""},
    {"", "42 + 17 = ?"},
    {"", "hello"},
    {"", "theory andante offset tollgate isthmus thatched forum withhold"},
    {"", "int main(void) { return x == y ? foo(bar) : baz; }"},
    {"", "Translate: Haus, Hund, Katze"},
    {"", "\xff\xfe\x80 broken \xc3"},
};

static void a_text_is_in_the_language_of_its_small_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *is = language_of_text(span_of(cases[i].text));

        if (strcmp(is, cases[i].language) != 0)
            fail_msg("%s: wanted %s, got %s", cases[i].text, cases[i].language,
                     is);
    }
}

static void every_answer_is_among_the_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned k = 0;

        while (language_names[k] &&
               strcmp(language_names[k], cases[i].language) != 0)
            k++;
        assert_true(!*cases[i].language || language_names[k]);
    }
}

static void any_cut_of_a_text_is_read_within_its_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].text);

        for (size_t k = 0; k <= n; k++) {
            char *copy = test_malloc(k + 1);

            memcpy(copy, cases[i].text, k);
            assert_non_null(language_of_text((struct span){copy, k}));
            test_free(copy);
        }
    }
}

static void the_last_thing_the_user_said_counts(void **state)
{
    static const char body[] =
        "{\"model\":\"x\",\"messages\":["
        "{\"role\":\"system\",\"content\":\"You are the assistant for this "
        "and that, what you can.\"},"
        "{\"role\":\"user\",\"content\":\"Und was ist mit der anderen Frage, "
        "die ich nicht f\\u00fcr wichtig hielt?\"},"
        "{\"role\":\"assistant\",\"content\":\"What is the matter with that "
        "and this for you?\"}]}";
    struct arena a;
    struct request r;
    struct err e;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_true(request_from_openai(SPAN(body), &a, &r, &e));
    assert_string_equal(language_of(&r), "de");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_in_the_language_of_its_small_words),
        cmocka_unit_test(every_answer_is_among_the_names),
        cmocka_unit_test(any_cut_of_a_text_is_read_within_its_bounds),
        cmocka_unit_test(the_last_thing_the_user_said_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
