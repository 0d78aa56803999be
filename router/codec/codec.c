/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/codec.h"

#include <string.h>

/* A row a dialect; the last one is the end. */
static const struct codec *const rows[] = {
    &codec_anthropic, &codec_gemini, &codec_bedrock,     &codec_openai,
    &codec_responses, &codec_cohere, &codec_completions, NULL,
};

const struct codec *codec_find(const char *name)
{
    for (unsigned i = 0; rows[i]; i++) {
        if (!strcmp(rows[i]->name, name))
            return rows[i];
    }
    return NULL;
}
