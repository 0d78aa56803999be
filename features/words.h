/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text -> tokens.  A token is a run of letters and digits, a run of
 * underscores, one other visible character, or, in scripts written without
 * spaces (Han, kana, Thai, Khmer, ...), one character with its marks.
 *
 * Tokens are compared in NFKD with case folded: two texts are equal there
 * exactly when they are equal in NFKC with case folded, and the recomposition
 * would change nothing but the hash's input.  ASCII takes a path of its own.
 */
#ifndef WEIR_FEATURES_WORDS_H
#define WEIR_FEATURES_WORDS_H

#include "base/span.h"

enum {
    WORDS_TOKENS_MAX = 4096,
    WORDS_FOLD_MAX = 32768, /* bytes of folded text */
    WORDS_PENDING_MAX = 32, /* marks behind one base character */
};

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_SIGN, TOKEN_CHAR };

struct token {
    uint64_t hash;
    uint32_t at;  /* offset in fold */
    uint16_t len; /* bytes, at the most 65535 */
    uint8_t kind;
    uint8_t apart; /* begins a piece: has no neighbour before it */
};

/* Counts over the text as it was written, before folding. */
struct word_counts {
    uint32_t bytes;                 /* read */
    uint32_t upper, digits, spaces; /* ASCII characters */
    uint32_t wide;                  /* characters beyond ASCII */
    uint32_t ends;                  /* of sentences: .!? and space */
    uint32_t sign[128];             /* each ASCII punctuation mark */
    uint32_t script[8];             /* enum script: characters */
};

enum script {
    SCRIPT_LATIN, /* beyond ASCII */
    SCRIPT_CYRILLIC,
    SCRIPT_GREEK,
    SCRIPT_ARABIC, /* and Hebrew */
    SCRIPT_INDIC,
    SCRIPT_HAN,
    SCRIPT_KANA, /* kana and Hangul */
    SCRIPT_OTHER,
};

struct words {
    uint32_t n_tokens, n_fold;
    uint32_t limit;     /* tokens that may be taken at present */
    uint32_t start;     /* where the open token begins in fold */
    uint32_t digits;    /* digits in the open token */
    uint8_t open, kind; /* whether a token is open, and which */
    uint8_t apart;
    uint8_t n_pending;
    struct {
        uint32_t cp;
        uint8_t class; /* canonical combining class */
    } pending[WORDS_PENDING_MAX];
    struct word_counts counts;
    struct token tokens[WORDS_TOKENS_MAX];
    char fold[WORDS_FOLD_MAX + 256];
};

void words_clear(struct words *w);
/*
 * Appends the tokens of one piece of valid UTF-8 while there are fewer than
 * `limit` (<= WORDS_TOKENS_MAX).  The piece's first token gets no neighbour.
 */
void words_add(struct words *w, struct span text, uint32_t limit);

/* One round of mixing; the upper bits are the better ones. */
static inline uint64_t words_stir(uint64_t h)
{
    h *= 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
}

/* Hash of a sequence of tokens, built from the left. */
static inline uint64_t words_chain(uint64_t left, uint64_t token)
{
    return words_stir((left << 23 | left >> 41) +
                      token * 0xff51afd7ed558ccdULL);
}

struct span words_text(const struct words *w, const struct token *t);
/* The class of a character beyond ASCII. */
enum script words_script(uint32_t cp);

#endif
