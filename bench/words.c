/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/words.h"

#include "base/rng.h"

#include <stdio.h>
#include <string.h>

static const char *const openings[] = {
    "Summarise the following notes in three sentences: ",
    "Write a function that validates this input and explain each step: ",
    "Translate the paragraph below into plain English: ",
    "Prove or disprove the claim, step by step: ",
    "Extract every name, date and amount from this message: ",
    "Which of these statements is true, and why? ",
    "Classify the sentiment of the review: ",
    "Find the bug in this piece of code and fix it: ",
};

/* About as varied as English: a word is a stem with an ending. */
static const char *const stems[] = {
    "water",   "model",   "price",   "letter",  "table",    "server",
    "answer",  "market",  "custom",  "engine",  "vector",   "metric",
    "budget",  "invoice", "protein", "theorem", "integral", "matrix",
    "history", "journey", "garden",  "harbour", "contract", "element",
    "network", "session", "account", "balance", "culture",  "disease",
    "economy", "fiction", "gravity", "horizon", "insight",  "justice",
    "kernel",  "library", "machine", "neutral", "orbit",    "packet",
    "quantum", "reactor", "science", "traffic", "uniform",  "vaccine",
    "weather", "yield",   "and",     "the",     "of",       "to",
    "in",      "for",     "with",    "is",      "that",     "on",
    "by",      "from",    "at",      "an"};
static const char *const endings[] = {"",    "",   "s",  "ed",
                                      "ing", "er", "al", "ly"};

enum {
    OPENINGS = sizeof openings / sizeof openings[0],
    STEMS = sizeof stems / sizeof stems[0],
    ENDINGS = sizeof endings / sizeof endings[0],
};

static void put(struct buf *out, size_t end, const char *text)
{
    size_t n = strlen(text), room = end - out->len;

    buf_put(out, text, n < room ? n : room);
}

void words_write(struct buf *out, uint64_t seed, size_t bytes)
{
    size_t end = out->len + bytes;
    struct rng rng;
    char number[32];

    rng_seed(&rng, seed);
    put(out, end, openings[rng_below(&rng, OPENINGS)]);
    while (out->len < end && !out->failed) {
        uint64_t r = rng_next(&rng);

        put(out, end, stems[r % STEMS]);
        put(out, end, endings[(r >> 8) % ENDINGS]);
        if ((r >> 16) % 16 == 0) {
            /* Names and numbers that no training set has seen. */
            snprintf(number, sizeof number, " %llx",
                     (unsigned long long)(r >> 44));
            put(out, end, number);
        }
        put(out, end, (r >> 24) % 12 ? " " : (r >> 32) % 4 ? ", " : ". ");
    }
}
