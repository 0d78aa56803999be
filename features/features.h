/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request -> feature vector (struct vec) and a few plain facts.  Pure: no
 * I/O, no clock, no allocation; the same bytes give the same vector on every
 * machine.  FEATURES_VERSION changes with every change of meaning: a
 * classifier refuses vectors of another version.
 *
 * Text is capped: of each text at most FEATURES_HEAD bytes of its beginning
 * and FEATURES_TAIL of its end are read, so a 1 MB prompt costs no more than
 * the cap.  Lengths and token counts are of the whole.
 */
#ifndef WEIR_FEATURES_FEATURES_H
#define WEIR_FEATURES_FEATURES_H

#include "base/vec.h"
#include "features/request.h"
#include "features/sketch.h"
#include "features/tokens.h"

enum {
    FEATURES_VERSION = 1,
    FEATURES_HEAD = 6144, /* bytes of decoded text */
    FEATURES_TAIL = 2048,
    FEATURES_NAME_MAX = 96, /* bytes of a term's name, with its NUL */
};

/* Plain facts for constraints, prices, sessions and de-duplication. */
struct facts {
    uint32_t input_tokens;  /* estimate: everything that is sent */
    uint32_t images;        /* image parts */
    uint32_t files, audios; /* document and audio parts */
    uint32_t turns;         /* user messages */
    bool tools, json_schema, json_mode;
    uint64_t system_hash;  /* system prompt's identity, 0: none */
    uint64_t session_hash; /* system prompt + first user message */
    uint64_t stem_hash;    /* last user message, normalised: letters and
                              digits folded, of signs only those of arithmetic
                              beside a number, a letter or a bracket */

    struct sketch stem_sketch; /* of the same, to see what is alike */
};

/*
 * Working memory of the extractor, one per thread (about 400 kB, of which a
 * 2 kB prompt touches some 60).  Holds the keyword tables ready for look-up;
 * nothing of a request survives in it that a later one could see.
 */
struct features_scratch;
MUST_USE struct features_scratch *features_scratch_new(void); /* NULL: no
                                                                 memory */
void features_scratch_free(struct features_scratch *s);       /* NULL: no-op */

/* What lies beyond the counts of `out` is left as it was: for memcmp() of whole
 * vectors, vec_clear() it before. */
void features_extract(const struct request *r, struct features_scratch *s,
                      struct vec *out, struct facts *facts);

/* The dense features' names in order; NULL from `i` = their number on. */
const char *features_dense_name(unsigned i);

/*
 * What a hashed index stands for in this very request: "word:integral",
 * "pair:prove that", "mark:tool=search"; for explain, so slow and by name
 * only.  Writes a NUL-terminated text, perhaps cut, "" when the request has
 * no such term.
 */
void features_name(const struct request *r, struct features_scratch *s,
                   bool is_mark, uint32_t index, char dst[FEATURES_NAME_MAX]);

#endif
