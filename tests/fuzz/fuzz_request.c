/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request: never a crash, and what is extracted from those
 * that are requests is a valid vector, the same at every extraction. */
#include "features/features.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vector(const struct vec *v)
{
    static char bytes[32768];
    static struct vec back;
    struct err e;
    size_t n = vec_pack(v, bytes, sizeof bytes);

    if (n > sizeof bytes || !vec_unpack((struct span){bytes, n}, &back, &e) ||
        memcmp(v, &back, sizeof back) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct features_scratch *scratch; /* one for the whole run */
    static struct vec one, two;
    struct span body = {(const char *)data, size};
    struct facts a, b;
    struct request r;
    struct arena memory;
    struct err e;
    char name[FEATURES_NAME_MAX];

    if (!scratch && !(scratch = features_scratch_new()))
        abort();
    arena_init(&memory, (size_t)1 << 22);
    if (request_from_openai(body, &memory, &r, &e)) {
        vec_clear(&one);
        features_extract(&r, scratch, &one, &a);
        check_vector(&one);
        if (one.n_words)
            features_name(&r, scratch, false, one.words[0].index, name);
        vec_clear(&two);
        features_extract(&r, scratch, &two, &b);
        if (memcmp(&one, &two, sizeof one) != 0 || a.stem_hash != b.stem_hash ||
            a.input_tokens != b.input_tokens)
            abort();
    } else if (e.kind == ERR_NONE || !e.msg[0]) {
        abort();
    }
    arena_free(&memory);
    return 0;
}
