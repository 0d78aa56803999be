/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of dense features and of marks read: counts and places in
 * one request, gathered in one walk over it.  All of it is borrowed from the
 * request and from the extractor's scratch memory.
 */
#ifndef WEIR_FEATURES_VIEW_H
#define WEIR_FEATURES_VIEW_H

#include "features/features.h"
#include "features/keywords.h"
#include "features/window.h"
#include "features/words.h"

/* Layout of the last user message, from its window. */
struct shape {
    uint32_t lines, fences, bullets;
    uint32_t options;     /* lines such as "A. ..." or "(B) ..." */
    uint32_t options_num; /* of them with a digit */
    uint32_t option_sum, option_max, option_min; /* bytes */
    uint32_t stem; /* bytes before the first option */
    char stem_end; /* last visible character before the options */
    bool pipe;     /* a '|' before the options */
};

/* Lengths and kinds of the tokens. */
struct token_stats {
    uint32_t words, numbers, letters; /* letters: bytes of all words */
    uint32_t longest, n_long, n_short, distinct;
    uint64_t number_max;
};

struct view {
    const struct request *r;
    const struct message *user; /* last user message, or NULL */
    const struct message *last;
    const struct part *result; /* last tool result, or NULL */
    struct span last_tool;     /* name of the last tool called */
    uint32_t n_system, n_user, n_assistant, n_tool;
    uint32_t n_calls, n_results, n_refusals, n_images, n_files, n_audios;
    uint32_t results_failed;
    uint64_t bytes_all, bytes_system, bytes_result, bytes_tools;
    uint64_t bytes_calls;
    uint32_t input_tokens;
    uint64_t system_hash, session_hash;

    const struct window *window; /* of the last user message */
    const struct words *words;
    struct shape shape;
    struct token_stats tokens;
    uint32_t groups[KEYWORDS_GROUPS_MAX];
    uint32_t result_groups[KEYWORDS_GROUPS_MAX];
};

/* Fills everything that needs no text to be read. */
void view_gather(struct view *v, const struct request *r);
/* The window's layout. */
void view_shape(struct shape *s, const struct window *w);
/* Lengths of the tokens; `distinct` is the caller's to fill. */
void view_tokens(struct token_stats *t, const struct words *w);

#endif
