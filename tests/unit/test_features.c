/* SPDX-License-Identifier: Apache-2.0 */
#include "features/features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena memory;
static struct features_scratch *scratch;
static struct request r;
static struct vec one, two;
static struct facts facts;
static char *body; /* the last request borrows from it */

static void read_body(struct span json)
{
    struct err e;

    arena_reset(&memory);
    if (!request_from_openai(json, &memory, &r, &e))
        fail_msg("%.200s: %s", json.ptr, e.msg);
}

/* The vector of a request; facts become its facts. */
static void extract(const char *json, struct vec *v)
{
    read_body(span_of(json));
    vec_clear(v);
    features_extract(&r, scratch, v, &facts);
}

/* The vector of one user message, given as JSON text without quotes. */
static void extract_text(const char *inner, struct vec *v)
{
    size_t size = strlen(inner) + 100;

    free(body);
    body = malloc(size);
    assert_non_null(body);
    snprintf(body, size,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
             "\"content\":\"%s\"}]}",
             inner);
    extract(body, v);
}

static void same_vectors(const char *a, const char *b)
{
    uint64_t stem;

    extract_text(a, &one);
    stem = facts.stem_hash;
    extract_text(b, &two);
    if (memcmp(&one, &two, sizeof one) != 0)
        fail_msg("%s and %s differ", a, b);
    assert_int_equal(stem, facts.stem_hash);
}

/* Words alone: facts of the text as written may differ. */
static void same_words(const char *a, const char *b)
{
    extract_text(a, &one);
    extract_text(b, &two);
    if (one.n_words != two.n_words ||
        memcmp(one.words, two.words, sizeof one.words) != 0)
        fail_msg("%s and %s differ", a, b);
}

/* The count of the word or pair called `name` in the last request, 0: none. */
static float count_of(const struct vec *v, const char *name)
{
    char got[FEATURES_NAME_MAX];

    for (uint32_t i = 0; i < v->n_words; i++) {
        features_name(&r, scratch, false, v->words[i].index, got);
        if (strcmp(got, name) == 0)
            return v->words[i].value;
    }
    return 0;
}

static bool has_mark(const struct vec *v, const char *name)
{
    char got[FEATURES_NAME_MAX];

    for (uint32_t i = 0; i < v->n_marks; i++) {
        features_name(&r, scratch, true, v->marks[i].index, got);
        if (strcmp(got, name) == 0)
            return true;
    }
    return false;
}

static float dense(const struct vec *v, const char *name)
{
    for (unsigned i = 0; features_dense_name(i); i++) {
        if (strcmp(features_dense_name(i), name) == 0)
            return v->dense[i];
    }
    fail_msg("no dense feature %s", name);
    return 0;
}

static void escapes_make_no_difference(void **state)
{
    (void)state;
    same_vectors("caf\xc3\xa9 \xf0\x9f\x98\x80 x/y",
                 "caf\\u00e9 \\ud83d\\ude00 x\\/y");
    same_vectors("abc def", "\\u0061bc d\\u0065f");
}

static void case_and_composition_make_no_difference_to_words(void **state)
{
    (void)state;
    same_words("Hello WORLD", "hello world");
    same_words("caf\xc3\xa9", "cafe\xcc\x81");    /* precomposed */
    same_words("\xef\xbc\xa1\xef\xbc\xa2", "ab"); /* full width */
    same_words("\xef\xac\x81ne", "fine");         /* a ligature */
    same_words("STRASSE", "stra\xc3\x9f"
                          "e");                             /* sharp s */
    same_words("\xd0\x9f\xd0\xa0", "\xd0\xbf\xd1\x80");     /* Cyrillic */
    same_words("\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1"); /* Hangul */
    same_words("a\xcc\xa3\xcc\x87", "a\xcc\x87\xcc\xa3");   /* order of marks */
    same_words("soft\xc2\xadhyphen", "softhyphen");
    same_words("\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x82\xac"); /* half width */
}

static void words_pairs_and_openings_are_counted(void **state)
{
    (void)state;
    extract_text("the cat and the cat's hat_box", &one);
    assert_true(count_of(&one, "word:the") == 2);
    assert_true(count_of(&one, "pair:the cat") == 2);
    assert_true(count_of(&one, "word:'") == 1);
    assert_true(count_of(&one, "pair:cat '") == 1);
    assert_true(count_of(&one, "word:_") == 1);
    assert_true(count_of(&one, "word:hat") == 1);
    assert_true(count_of(&one, "opening:the") == 1);
    assert_true(count_of(&one, "opening:the cat") == 1);
    assert_true(count_of(&one, "opening:the cat and") == 1);
    assert_true(count_of(&one, "word:dog") == 0);
}

static void unspaced_scripts_are_read_by_character(void **state)
{
    (void)state;
    extract_text("\xe7\xbf\xbb\xe8\xaf\x91\xe6\x88\x90", &one);
    assert_true(count_of(&one, "word:\xe7\xbf\xbb") == 1);
    assert_true(count_of(&one, "pair:\xe7\xbf\xbb \xe8\xaf\x91") == 1);
    assert_true(count_of(&one, "pair:\xe8\xaf\x91 \xe6\x88\x90") == 1);
    assert_true(dense(&one, "translation") > 0);
    /* A Thai vowel sign stays with its consonant. */
    extract_text("\xe0\xb8\x81\xe0\xb8\xb4\xe0\xb8\x99", &one);
    assert_true(count_of(&one, "word:\xe0\xb8\x81\xe0\xb8\xb4") == 1);
}

static void terms_are_ascending_without_repeats(void **state)
{
    char text[3000] = "";

    (void)state;
    for (int i = 0; i < 300; i++)
        snprintf(text + strlen(text), 10, "w%d, ", i % 90);
    extract_text(text, &one);
    for (uint32_t i = 1; i < one.n_words; i++)
        assert_true(one.words[i].index > one.words[i - 1].index);
    for (uint32_t i = 1; i < one.n_marks; i++)
        assert_true(one.marks[i].index > one.marks[i - 1].index);
}

/* A text of n bytes: numbered words, no two alike. */
static char *long_text(size_t n)
{
    char *text = malloc(n + 32);
    size_t at = 0;

    assert_non_null(text);
    for (unsigned i = 0; at < n; i++)
        at += (size_t)snprintf(text + at, 32, "word%u ", i);
    text[n] = '\0';
    return text;
}

static void only_head_and_tail_of_a_long_text_are_read(void **state)
{
    char *text = long_text(200000);
    struct vec *a = &one, *b = &two;

    (void)state;
    extract_text(text, a);
    memset(text + 100000, 'z', 1000); /* in what is left out */
    extract_text(text, b);
    assert_memory_equal(a, b, sizeof *a);
    memcpy(text, "WURD0", 5); /* in the head */
    extract_text(text, b);
    assert_true(memcmp(a->words, b->words, sizeof a->words) != 0);
    memcpy(text, "word0", 5);
    memcpy(text + 200000 - 300, "changed", 7); /* in the tail */
    extract_text(text, b);
    assert_true(memcmp(a->words, b->words, sizeof a->words) != 0);
    free(text);
}

static void a_text_just_within_the_cap_is_read_whole(void **state)
{
    char *text = long_text(FEATURES_HEAD + FEATURES_TAIL);

    (void)state;
    extract_text(text, &one);
    text[FEATURES_HEAD + 10] = '#';
    extract_text(text, &two);
    assert_true(memcmp(&one, &two, sizeof one) != 0);
    free(text);
}

static void many_different_words_keep_to_the_limit(void **state)
{
    char text[8193];

    (void)state;
    for (int i = 0; i < 8192; i += 2) {
        text[i] = (char)('a' + i / 2 % 26);
        text[i + 1] = "+-*/%!?.,;"[i / 52 % 10];
    }
    text[8192] = '\0';
    extract_text(text, &one);
    assert_in_range(one.n_words, 1, VEC_WORDS_MAX);
}

static void the_whole_length_counts_not_only_what_is_read(void **state)
{
    char *text = long_text(1000000);

    (void)state;
    extract_text(text, &one);
    assert_true(dense(&one, "bytes") > 19.9F && dense(&one, "bytes") < 20);
    assert_in_range(facts.input_tokens, 200000, 800000);
    free(text);
}

static void what_the_tables_see(void **state)
{
    (void)state;
    extract_text("Which is it?\\nA. 12 apples\\nB. pears\\n```\\nx = 1\\n```",
                 &one);
    assert_true(dense(&one, "options") > 1.58F);
    assert_true(dense(&one, "option_numbers") == 0.5F);
    assert_true(dense(&one, "ends_question") == 1);
    assert_true(dense(&one, "fences") > 1.58F);
    assert_true(dense(&one, "questions") == 1);
    assert_true(dense(&one, "which") == 1);
    extract_text("please think step by step", &one);
    assert_true(dense(&one, "reasoning") > 1.58F); /* think, the phrase */
    assert_true(has_mark(&one, "script=ascii"));
    assert_true(has_mark(&one, "role=user"));
    assert_true(has_mark(&one, "format=text"));
}

static void agents_are_told_by_marks(void **state)
{
    static const char agent[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":"
        "\"You are an agent.\"},{\"role\":\"user\",\"content\":\"fix it\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
        "\"c\",\"type\":\"function\",\"function\":{\"name\":\"run\","
        "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\","
        "\"content\":\"sh: foo: No such file or directory\\nexit code 1\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"run\"}}]}";

    (void)state;
    extract(agent, &one);
    assert_true(count_of(&one, "pair:fix it") == 1);
    assert_true(has_mark(&one, "role=tool"));
    assert_true(has_mark(&one, "tool=run"));
    assert_true(has_mark(&one, "called=run"));
    assert_true(has_mark(&one, "error=missing"));
    assert_true(has_mark(&one, "error=failed"));
    assert_false(has_mark(&one, "error=timeout"));
    assert_true(dense(&one, "tools") == 1 && dense(&one, "calls") == 1);
    assert_true(facts.tools && facts.turns == 1 && facts.system_hash != 0);
}

static void hints_are_marks_only_where_given(void **state)
{
    (void)state;
    extract_text("hi", &one);
    assert_false(has_mark(&one, "task=chat"));
    r.task = SPAN("chat");
    r.key_name = SPAN("team-a");
    features_extract(&r, scratch, &one, NULL);
    assert_true(has_mark(&one, "task=chat"));
    assert_true(has_mark(&one, "key=team-a"));
}

static void identities_tell_conversations_apart(void **state)
{
    static const char form[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":"
        "\"%s\"},{\"role\":\"user\",\"content\":\"%s\"}%s]}";
    static const char more[] = ",{\"role\":\"assistant\",\"content\":\"x\"},"
                               "{\"role\":\"user\",\"content\":\"next\"}";
    char text[1024];
    struct facts a, b;

    (void)state;
    snprintf(text, sizeof text, form, "s1", "first", "");
    extract(text, &one);
    a = facts;
    snprintf(text, sizeof text, form, "s1", "first", more);
    extract(text, &one);
    b = facts;
    assert_int_equal(a.system_hash, b.system_hash);
    assert_int_equal(a.session_hash, b.session_hash);
    assert_int_not_equal(a.stem_hash, b.stem_hash);
    snprintf(text, sizeof text, form, "s1", "other", "");
    extract(text, &one);
    assert_int_not_equal(a.session_hash, facts.session_hash);
    snprintf(text, sizeof text, form, "s2", "first", "");
    extract(text, &one);
    assert_int_not_equal(a.system_hash, facts.system_hash);
    assert_int_not_equal(a.session_hash, facts.session_hash);
}

static void the_stem_is_of_letters_digits_and_arithmetic(void **state)
{
    uint64_t stem;

    (void)state;
    extract_text("What is 2+2?", &one);
    stem = facts.stem_hash;
    extract_text("  what IS:  2 + 2 ...", &one);
    assert_int_equal(stem, facts.stem_hash);
    extract_text("What is 2+3?", &one);
    assert_int_not_equal(stem, facts.stem_hash);
    extract_text("What is 2-2?", &one);
    assert_int_not_equal(stem, facts.stem_hash);
    extract_text("A well-known **fact**, and/or not", &one);
    stem = facts.stem_hash;
    extract_text("# A well known fact and or not", &one);
    assert_int_equal(stem, facts.stem_hash);
}

static void media_and_formats_are_facts(void **state)
{
    (void)state;
    extract("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
            "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}},"
            "{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}],"
            "\"response_format\":{\"type\":\"json_object\"}}",
            &one);
    assert_int_equal(facts.images, 1);
    assert_int_equal(facts.files, 1);
    assert_true(facts.json_mode && !facts.json_schema);
    assert_true(has_mark(&one, "media=image"));
    assert_true(has_mark(&one, "format=json"));
    assert_in_range(facts.input_tokens, 500, 10000);
}

static void nothing_of_an_earlier_request_is_left(void **state)
{
    (void)state;
    extract_text("a first text", &one);
    extract_text("\xe4\xb8\xad quite another, much longer text __ 1 2 3?",
                 &two);
    extract_text("a first text", &two);
    assert_memory_equal(&one, &two, sizeof one);
}

static void every_dense_feature_has_a_name_of_its_own(void **state)
{
    unsigned n = 0;

    (void)state;
    extract_text("x", &one);
    while (features_dense_name(n)) {
        for (unsigned i = 0; i < n; i++) {
            if (strcmp(features_dense_name(i), features_dense_name(n)) == 0)
                fail_msg("%s stands twice", features_dense_name(n));
        }
        n++;
    }
    assert_int_equal(n, one.n_dense);
}

static void token_estimates_are_near_what_tokenizers_say(void **state)
{
    /* Counts of o200k_base; the bounds are wide: docs/tokens.md has the
     * measured errors. */
    static const struct {
        const char *text;
        uint32_t least, most;
    } rows[] = {
        {"", 0, 0},
        {"The quick brown fox jumps over the lazy dog.", 7, 14},
        {"\xe4\xbb\x8a\xe5\xa4\xa9\xe5\xa4\xa9\xe6\xb0\x94\xe5\xbe\x88\xe5"
         "\xa5\xbd",
         3, 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = {span_of(rows[i].text), false};

        assert_in_range(tokens_estimate(t), rows[i].least, rows[i].most);
    }
}

/* ---- the golden file ---- */

/* The vector's counts and arrays one behind the other, as they lie in memory:
 * the files of this test do not change with the packed form. */
static struct span laid_out(const struct vec *v, char *dst)
{
    size_t words = v->n_words * sizeof *v->words;
    size_t marks = v->n_marks * sizeof *v->marks;
    size_t dense = v->n_dense * sizeof *v->dense;

    memcpy(dst, v, offsetof(struct vec, words));
    memcpy(dst + 16, v->words, words);
    memcpy(dst + 16 + words, v->marks, marks);
    memcpy(dst + 16 + words + marks, v->dense, dense);
    return (struct span){dst, 16 + words + marks + dense};
}

static void digest(char *dst, size_t size, const char *id)
{
    static char packed[32768];
    struct span bytes;

    features_extract(&r, scratch, &one, &facts);
    bytes = laid_out(&one, packed);
    snprintf(dst, size,
             "%s words=%u marks=%u dense=%u tokens=%u %016llx %016llx\n", id,
             one.n_words, one.n_marks, one.n_dense, facts.input_tokens,
             (unsigned long long)span_hash(bytes, 0),
             (unsigned long long)facts.stem_hash);
}

/* GOLDEN=write in the environment writes the file anew. */
static void vectors_change_only_with_intent(void **state)
{
    const char *how = getenv("GOLDEN");
    bool write = how && strcmp(how, "write") == 0;
    FILE *in = fopen("tests/golden/requests.jsonl", "r");
    FILE *want = fopen("tests/golden/features.txt", write ? "w" : "r");
    char *line = NULL, now[256], then[256];
    size_t size = 0;
    ssize_t n;

    (void)state;
    assert_non_null(in);
    assert_non_null(want);
    while ((n = getline(&line, &size, in)) > 0) {
        struct json row, id, sent;
        char name[64];
        struct err e;

        assert_true(json_parse((struct span){line, (size_t)n}, &row, &e));
        id = json_get(&row, "id");
        sent = json_get(&row, "body");
        assert_true(span_copy(name, sizeof name, json_inner(&id)));
        read_body(sent.raw);
        digest(now, sizeof now, name);
        if (write)
            fputs(now, want);
        else if (!fgets(then, sizeof then, want) || strcmp(now, then) != 0)
            fail_msg("wanted %swith %sGOLDEN=write make unit T=features writes "
                     "the file anew",
                     then, now);
    }
    free(line);
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(want), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_make_no_difference),
        cmocka_unit_test(case_and_composition_make_no_difference_to_words),
        cmocka_unit_test(words_pairs_and_openings_are_counted),
        cmocka_unit_test(unspaced_scripts_are_read_by_character),
        cmocka_unit_test(terms_are_ascending_without_repeats),
        cmocka_unit_test(only_head_and_tail_of_a_long_text_are_read),
        cmocka_unit_test(a_text_just_within_the_cap_is_read_whole),
        cmocka_unit_test(many_different_words_keep_to_the_limit),
        cmocka_unit_test(the_whole_length_counts_not_only_what_is_read),
        cmocka_unit_test(what_the_tables_see),
        cmocka_unit_test(agents_are_told_by_marks),
        cmocka_unit_test(hints_are_marks_only_where_given),
        cmocka_unit_test(identities_tell_conversations_apart),
        cmocka_unit_test(the_stem_is_of_letters_digits_and_arithmetic),
        cmocka_unit_test(media_and_formats_are_facts),
        cmocka_unit_test(nothing_of_an_earlier_request_is_left),
        cmocka_unit_test(every_dense_feature_has_a_name_of_its_own),
        cmocka_unit_test(token_estimates_are_near_what_tokenizers_say),
        cmocka_unit_test(vectors_change_only_with_intent),
    };
    int failed;

    arena_init(&memory, (size_t)1 << 24);
    scratch = features_scratch_new();
    if (!scratch)
        return 1;
    failed = cmocka_run_group_tests_name("features", tests, NULL, NULL);
    features_scratch_free(scratch);
    free(body);
    arena_free(&memory);
    return failed;
}
