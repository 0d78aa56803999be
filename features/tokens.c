/* SPDX-License-Identifier: Apache-2.0 */
#include "features/tokens.h"

#include "base/utf8.h"
#include "features/words.h"

#include <string.h>

/* Tokens in units of 1/1024. */
enum {
    UNIT = 1024,
    PIECE = 4096, /* bytes decoded at a time */
    PER_MESSAGE = 4 * UNIT,
    PER_TOOL = 8 * UNIT,
    PER_IMAGE = 765 * UNIT, /* OpenAI's flat figure for a 1024 x 1024 image */
    PER_FILE = 1500 * UNIT,
    PER_AUDIO = 400 * UNIT,
    SAMPLE_ALL = 16384, /* bytes read of a conversation's texts together */
    SAMPLE_LEAST = 128,
};

/* What a tokenizer makes of one character of each class, in 1/1024 tokens. */
static const uint32_t per_script[8] = {600, 380, 500, 450, 500, 800, 700, 700};
enum { PER_WORD = 700, PER_LETTER = 100, PER_DIGIT = 420, PER_SIGN = 650 };
enum { PER_LINE = 300 };

enum class { C_SPACE, C_LINE, C_LETTER, C_DIGIT, C_SIGN };

static enum class class_of(unsigned char c) {
    if ((c | 32) >= 'a' && (c | 32) <= 'z') return C_LETTER;
    if (c >= '0' && c <= '9') return C_DIGIT;
    if (c == '\n') return C_LINE;
    return c <= ' ' || c == 0x7f ? C_SPACE : C_SIGN;
}

static uint64_t estimate(struct span s)
{
    static const uint32_t cost[] = {0, PER_LINE, PER_LETTER, PER_DIGIT,
                                    PER_SIGN};
    uint64_t sum = 0;
    enum class before = C_SPACE;

    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        enum class now;
        uint32_t cp = 0;

        if (c >= 0x80) {
            size_t n = utf8_get(s.ptr + i, s.len - i, &cp);

            if (n)
                sum += per_script[words_script(cp)];
            i += n ? n : 1;
            before = C_LETTER;
            continue;
        }
        now = class_of(c);
        sum += cost[now];
        if (now == C_LETTER && before != C_LETTER)
            sum += PER_WORD;
        before = now;
        i++;
    }
    return sum;
}

uint64_t tokens_sample(struct text t, size_t sample)
{
    char piece[PIECE];
    size_t whole = t.raw.len, read = 0, room, n;
    uint64_t sum = 0;

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
        sum += PER_TOOL +
               tokens_sample((struct text){r->tools[i].raw, true}, sample);
    sum += tokens_sample((struct text){r->params.schema, false}, sample);
    sum = (sum + UNIT - 1) / UNIT;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}
