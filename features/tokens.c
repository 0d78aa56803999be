/* SPDX-License-Identifier: Apache-2.0 */
#include "features/tokens.h"

#include "features/lanes.h"

/* Tokens in units of 1/1024. */
enum {
    UNIT = 1024,
    PIECE = 4096, /* bytes decoded at a time */
    PER_MESSAGE = 4 * UNIT,
    PER_TOOL = 8 * UNIT,
    PER_ENVELOPE = 20 * UNIT, /* of keys around a tool, in any dialect */
    PER_IMAGE = 765 * UNIT,   /* OpenAI's flat figure for a 1024 x 1024 image */
    PER_FILE = 1500 * UNIT,
    PER_AUDIO = 400 * UNIT,
    SAMPLE_ALL = 16384, /* bytes read of a conversation's texts together */
    SAMPLE_LEAST = 128,
};

/*
 * What a tokenizer makes of one character, in 1/1024 tokens, by its first
 * byte (the bytes behind it count nothing), and of the beginning of each word
 * and number.  Fitted to o200k_base; errors: docs/tokens.md.
 */
enum {
    LETTER = 96,
    WORD = 675,
    NUMBER = 2000, /* a number's beginning: the space before it stays alone */
    DIGIT = 70,
    SIGN = 560,
    LINE = 960,
    LATIN = 450, /* of western Europe */
    LATIN_MORE = 1000,
    GREEK = 470,
    CYRILLIC = 380,
    ARABIC = 420,
    INDIC = 440,
    E1 = 420, /* Georgian, Ethiopic, Khmer, Vietnamese vowels */
    SYMBOL = 1500,
    KANA = 920,
    HAN = 780,
    HANGUL = 890,
    FORMS = 780, /* full width, ligatures */
    EMOJI = 1567,
};

enum { IS_LETTER = 0x8000, IS_DIGIT = 0x4000, COST = 0x3fff };

#define O 0
#define A (LETTER | IS_LETTER)
#define D (DIGIT | IS_DIGIT)
#define S SIGN
/* By first byte; letters and digits of ASCII bear a flag besides. */
static const uint16_t cost[256] = {
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          LINE,       O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          S,          S,          S,
    S,          S,          S,          S,          S,          S,
    S,          S,          S,          S,          S,          S,
    D,          D,          D,          D,          D,          D,
    D,          D,          D,          D,          S,          S,
    S,          S,          S,          S,          S,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          S,          S,          S,          S,          S,
    S,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          A,          A,          A,
    A,          A,          A,          S,          S,          S,
    S,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,          O,          O,
    O,          O,          LATIN,      LATIN,      LATIN_MORE, LATIN_MORE,
    LATIN_MORE, LATIN_MORE, LATIN_MORE, LATIN_MORE, LATIN_MORE, LATIN_MORE,
    LATIN_MORE, LATIN_MORE, GREEK,      GREEK,      CYRILLIC,   CYRILLIC,
    CYRILLIC,   CYRILLIC,   CYRILLIC,   ARABIC,     ARABIC,     ARABIC,
    ARABIC,     ARABIC,     ARABIC,     ARABIC,     ARABIC,     ARABIC,
    ARABIC,     ARABIC,     INDIC,      E1,         SYMBOL,     KANA,
    HAN,        HAN,        HAN,        HAN,        HAN,        HAN,
    HANGUL,     HANGUL,     HANGUL,     HANGUL,     FORMS,      FORMS,
    EMOJI,      EMOJI,      EMOJI,      EMOJI,      EMOJI,      O,
    O,          O,          O,          O,          O,          O,
    O,          O,          O,          O,
};
#undef O
#undef A
#undef D
#undef S

/* Sums over a text. */
struct sum {
    uint64_t cost;
    uint32_t words, numbers; /* beginnings of such */
};

static inline void add_byte(struct sum *s, char byte, uint32_t before)
{
    uint32_t c = cost[(unsigned char)byte];
    uint32_t begins = (c & ~before) >> 14;

    s->cost += c & COST;
    s->words += begins >> 1;
    s->numbers += begins & 1;
}

/* Sixteen bytes of ASCII at a time: the same by counting. */
enum { LANE_MAX = 127 }; /* additions of 1 that a lane has room for */

static uint32_t total(lanes v) /* of counts below zero */
{
    uint32_t n = 0;

    for (int i = 0; i < 16; i++)
        n += (uint32_t)-v[i];
    return n;
}

/* From p, which has a byte before it, as long as all is ASCII; returns where
 * it came to. */
static const char *add_ascii(struct sum *s, const char *p, const char *end)
{
    lanes letter = {0}, digit = {0}, seen = {0}, line = {0}, word = {0},
          number = {0};

    for (int i = 0; i < LANE_MAX && end - p >= 16; i++, p += 16) {
        lanes v = lanes_load(p), before = lanes_load(p - 1);
        lanes is_letter = lanes_letters(v), is_digit = lanes_digits(v);

        if (lanes_bits(v))
            break;
        letter += is_letter;
        digit += is_digit;
        seen += (v > ' ') & (v < 127);
        line += v == '\n';
        word += is_letter & ~lanes_letters(before);
        number += is_digit & ~lanes_digits(before);
    }
    s->cost += (uint64_t)total(letter) * LETTER +
               (uint64_t)total(digit) * DIGIT + (uint64_t)total(line) * LINE +
               (uint64_t)(total(seen) - total(letter) - total(digit)) * SIGN;
    s->words += total(word);
    s->numbers += total(number);
    return p;
}

static uint64_t estimate(struct span text)
{
    struct sum s = {0};
    const char *p = text.len ? text.ptr : "", *end = p + text.len;
    uint32_t before = 0;

    while (p < end) {
        size_t n = end - p > 16 ? 16 : (size_t)(end - p);

        for (size_t i = 0; i < n; i++, p++) {
            add_byte(&s, *p, before);
            before = cost[(unsigned char)*p] & ~(uint32_t)COST;
        }
        if (end - p < 64 || lanes_bits(lanes_load(p)))
            continue;
        p = add_ascii(&s, p, end);
        before = cost[(unsigned char)p[-1]] & ~(uint32_t)COST;
    }
    return s.cost + (uint64_t)s.words * WORD + (uint64_t)s.numbers * NUMBER;
}

uint64_t tokens_sample(struct text t, size_t sample)
{
    char piece[PIECE];
    size_t whole = t.raw.len, read = 0, room, n;
    uint64_t sum = 0;

    if (!t.escaped) { /* nothing to decode; a cut character does no harm */
        read = whole < sample ? whole : sample;
        sum = estimate((struct span){t.raw.ptr, read});
        t.raw.len = 0;
    }
    while (read < sample && t.raw.len > 0) {
        room = sample - read < PIECE ? sample - read : PIECE;
        n = text_next(&t, piece, room < 16 ? 16 : room);
        if (n == 0)
            break;
        sum += estimate((struct span){piece, n});
        read = whole - t.raw.len;
    }
    return read ? sum * whole / read : 0;
}

uint32_t tokens_estimate(struct text t)
{
    return (uint32_t)((tokens_sample(t, t.raw.len) + UNIT - 1) / UNIT);
}

static uint64_t part_tokens(const struct part *p, size_t sample)
{
    switch (p->kind) {
    case PART_IMAGE:
        return PER_IMAGE;
    case PART_FILE:
        return PER_FILE;
    case PART_AUDIO:
        return PER_AUDIO;
    case PART_OTHER:
        return tokens_sample((struct text){p->raw, true}, sample);
    default:
        return tokens_sample(p->text, sample) +
               tokens_sample((struct text){p->name, false}, sample);
    }
}

/* The same whatever the dialect writes around name, text and schema. */
static uint64_t tool_tokens(const struct tool *t, size_t sample)
{
    if (t->builtin || t->name.len == 0)
        return PER_TOOL + tokens_sample((struct text){t->raw, true}, sample);
    return PER_TOOL + PER_ENVELOPE +
           tokens_sample((struct text){t->name, false}, sample) +
           tokens_sample(t->description, sample) +
           tokens_sample((struct text){t->schema, true}, sample);
}

uint32_t tokens_request(const struct request *r)
{
    size_t n = r->n_messages + r->n_tools + 1, sample = SAMPLE_ALL / n;
    uint64_t sum = 0;

    if (sample < SAMPLE_LEAST)
        sample = SAMPLE_LEAST;
    for (size_t i = 0; i < r->n_messages; i++) {
        sum += PER_MESSAGE;
        for (size_t k = 0; k < r->messages[i].n_parts; k++)
            sum += part_tokens(&r->messages[i].parts[k], sample);
    }
    for (size_t i = 0; i < r->n_tools; i++)
        sum += tool_tokens(&r->tools[i], sample);
    sum += tokens_sample((struct text){r->params.schema, false}, sample);
    sum = (sum + UNIT - 1) / UNIT;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}
