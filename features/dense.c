/* SPDX-License-Identifier: Apache-2.0 */
#include "features/dense.h"

#include "features/num.h"

/* Most rows are a count on a logarithmic scale, or a share. */
#define COUNT(name, what)                                                      \
    static float name(const struct view *v)                                    \
    {                                                                          \
        return num_log2p1(what);                                               \
    }
#define SHARE(name, part, whole)                                               \
    static float name(const struct view *v)                                    \
    {                                                                          \
        return num_ratio(part, whole);                                         \
    }
#define FLAG(name, what)                                                       \
    static float name(const struct view *v)                                    \
    {                                                                          \
        return (what) ? 1.0F : 0.0F;                                           \
    }

#define COUNTS (v->words->counts)
#define SIGN(c) (COUNTS.sign[c])

static uint32_t signs(const struct view *v)
{
    uint32_t n = 0;

    for (int i = 0; i < 128; i++)
        n += COUNTS.sign[i];
    return n;
}

static uint32_t operators(const struct view *v)
{
    return SIGN('=') + SIGN('+') + SIGN('^') + SIGN('<') + SIGN('>') +
           SIGN('*') + SIGN('/');
}

static uint32_t scripts(const struct view *v, enum script from, enum script to)
{
    uint32_t n = 0;

    for (int i = from; i <= (int)to; i++)
        n += COUNTS.script[i];
    return n;
}

/* The last user message's text. */
COUNT(bytes, v->window->whole)
COUNT(words, v->tokens.words)
COUNT(stem, v->shape.stem)
COUNT(lines, v->shape.lines)
COUNT(sentences, COUNTS.ends)
SHARE(digits_share, COUNTS.digits, COUNTS.bytes)
COUNT(digits, COUNTS.digits)
SHARE(upper_share, COUNTS.upper, COUNTS.bytes)
SHARE(signs_share, signs(v), COUNTS.bytes)
COUNT(punctuation, signs(v))
SHARE(word_length, v->tokens.letters, v->tokens.words)
SHARE(distinct_share, v->tokens.distinct, v->words->n_tokens)
COUNT(longest_word, v->tokens.longest)
SHARE(long_words, v->tokens.n_long, v->tokens.words)
SHARE(short_words, v->tokens.n_short, v->tokens.words)
COUNT(operator_signs, operators(v))
SHARE(operator_share, operators(v), COUNTS.bytes)
COUNT(backslashes, SIGN('\\'))
COUNT(dollars, SIGN('$'))
COUNT(questions, SIGN('?'))
COUNT(commas, SIGN(','))
COUNT(quotes, SIGN('"') + SIGN('\''))
COUNT(brackets, SIGN('('))
COUNT(braces, SIGN('{') + SIGN('['))
COUNT(semicolons, SIGN(';'))
COUNT(backticks, SIGN('`'))
COUNT(underscores, SIGN('_'))
COUNT(numbers, v->tokens.numbers)
COUNT(number_max, v->tokens.number_max)
COUNT(fences, v->shape.fences)
COUNT(bullets, v->shape.bullets)
FLAG(pipe, v->shape.pipe)
FLAG(ends_question, v->shape.stem_end == '?')
FLAG(ends_colon, v->shape.stem_end == ':')
FLAG(ends_stop, v->shape.stem_end == '.')
COUNT(options, v->shape.options)
COUNT(option_mean,
      v->shape.options ? v->shape.option_sum / v->shape.options : 0)
COUNT(option_max, v->shape.option_max)
COUNT(option_min, v->shape.option_min)
COUNT(option_range, v->shape.option_max - v->shape.option_min)
SHARE(option_numbers, v->shape.options_num, v->shape.options)
/* Its script. */
COUNT(wide, COUNTS.wide)
SHARE(cyrillic_greek, scripts(v, SCRIPT_CYRILLIC, SCRIPT_GREEK), COUNTS.bytes)
SHARE(arabic_indic, scripts(v, SCRIPT_ARABIC, SCRIPT_INDIC), COUNTS.bytes)
SHARE(east_asian, scripts(v, SCRIPT_HAN, SCRIPT_KANA), COUNTS.bytes)
/* The conversation. */
COUNT(input_tokens, v->input_tokens)
COUNT(bytes_system, v->bytes_system)
COUNT(turns, v->n_user)
COUNT(messages, v->r->n_messages)
COUNT(tools, v->r->n_tools)
COUNT(bytes_tools, v->bytes_tools)
COUNT(calls, v->n_calls)
COUNT(bytes_result, v->bytes_result)
COUNT(images, v->n_images)
COUNT(max_tokens,
      v->r->params.max_tokens > 0 ? (uint64_t)v->r->params.max_tokens : 0)

static const struct {
    const char *name;
    float (*f)(const struct view *v);
} rows[] = {
    {"bytes", bytes},
    {"words", words},
    {"stem", stem},
    {"lines", lines},
    {"sentences", sentences},
    {"digits_share", digits_share},
    {"digits", digits},
    {"upper_share", upper_share},
    {"signs_share", signs_share},
    {"punctuation", punctuation},
    {"word_length", word_length},
    {"distinct_share", distinct_share},
    {"longest_word", longest_word},
    {"long_words", long_words},
    {"short_words", short_words},
    {"operators", operator_signs},
    {"operator_share", operator_share},
    {"backslashes", backslashes},
    {"dollars", dollars},
    {"questions", questions},
    {"commas", commas},
    {"quotes", quotes},
    {"brackets", brackets},
    {"braces", braces},
    {"semicolons", semicolons},
    {"backticks", backticks},
    {"underscores", underscores},
    {"numbers", numbers},
    {"number_max", number_max},
    {"fences", fences},
    {"bullets", bullets},
    {"pipe", pipe},
    {"ends_question", ends_question},
    {"ends_colon", ends_colon},
    {"ends_stop", ends_stop},
    {"options", options},
    {"option_mean", option_mean},
    {"option_max", option_max},
    {"option_min", option_min},
    {"option_range", option_range},
    {"option_numbers", option_numbers},
    {"wide", wide},
    {"cyrillic_greek", cyrillic_greek},
    {"arabic_indic", arabic_indic},
    {"east_asian", east_asian},
    {"input_tokens", input_tokens},
    {"bytes_system", bytes_system},
    {"turns", turns},
    {"messages", messages},
    {"tools", tools},
    {"bytes_tools", bytes_tools},
    {"calls", calls},
    {"bytes_result", bytes_result},
    {"images", images},
    {"max_tokens", max_tokens},
};

#define ROWS (sizeof rows / sizeof rows[0])
uint32_t dense_fill(const struct view *v, float *dst)
{
    uint32_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        dst[n++] = rows[i].f(v);
    for (unsigned g = 0; n < VEC_DENSE_MAX && keywords_group(g); g++)
        dst[n++] = num_log2p1(v->groups[g]);
    return n;
}

const char *dense_name(unsigned i)
{
    return i < ROWS ? rows[i].name : keywords_group(i - (unsigned)ROWS);
}
