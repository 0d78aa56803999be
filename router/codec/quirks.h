/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI-compatible providers, a row each: which of the dialect's names they
 * use and what they refuse.  A new provider is a new row.
 */
#ifndef WEIR_ROUTER_CODEC_QUIRKS_H
#define WEIR_ROUTER_CODEC_QUIRKS_H

#include "base/buf.h"
#include "base/span.h"

enum quirk {
    QUIRK_MAX_TOKENS = 1 << 0,        /* knows the limit as max_tokens only */
    QUIRK_NO_DEVELOPER = 1 << 1,      /* role developer is written system */
    QUIRK_NO_STREAM_OPTIONS = 1 << 2, /* gives usage unasked, refuses to be
                                         asked */
    QUIRK_RANDOM_SEED = 1 << 3,       /* seed is named random_seed */
    QUIRK_NO_SCHEMA = 1 << 4,         /* json_object is all there is */
    QUIRK_NO_STRICT = 1 << 5,         /* tools without strict */
    QUIRK_ID_9 = 1 << 6,              /* tool ids: 9 letters and digits */
    QUIRK_ID_40 = 1 << 7,             /* tool ids: 40 bytes at the most */
    QUIRK_FLAT = 1 << 8,              /* results and system: one string */
    QUIRK_CACHE_CONTROL = 1 << 9,     /* takes cache_control on parts */
    QUIRK_DOCUMENT_URL = 1 << 10,     /* documents by address: document_url */
    QUIRK_FILE_URL = 1 << 11,         /* ... file_url */
    QUIRK_FILE_DATA_URL = 1 << 12,    /* ... file.file_data */
    QUIRK_REPLAY_CONTENT = 1 << 13,   /* thinking goes back to its model as
                                         reasoning_content */
    QUIRK_REPLAY_DETAILS = 1 << 14,   /* ... as reasoning_details */
    QUIRK_TOP_K = 1 << 15,            /* takes top_k */
    QUIRK_TELLS_COST = 1 << 17,       /* its usage holds the bill in USD */
    QUIRK_IMAGE_DATA = 1 << 18,       /* images as data only, no addresses;
                                         JPEG, PNG and WebP */
    QUIRK_NO_NAME = 1 << 19,          /* messages without a name */
    QUIRK_OPENAI_RULES = 1 << 16,     /* OpenAI's own rules by model: see
                                         quirks_of_model() */
};

enum effort_style {
    EFFORT_PLAIN,    /* reasoning_effort */
    EFFORT_OBJECT,   /* reasoning: {effort | max_tokens} */
    EFFORT_THINKING, /* thinking: {type}, and reasoning_effort */
    EFFORT_SWITCH,   /* chat_template_kwargs.enable_thinking */
};

struct quirks {
    const char *name; /* as providers are named in the configuration */
    const char *host; /* part of its base_url's host, or NULL */
    uint32_t bits;
    enum effort_style effort;
    const char *const *refused; /* members of a request, NULL at the end */
    bool known;                 /* not the last row, for any other server */
};

/* By name or base_url; "compatible" when none fits. */
const struct quirks *quirks_find(struct span name, struct span base_url);
const struct quirks *quirks_at(unsigned i); /* or NULL */
bool quirks_refuse(const struct quirks *q, struct span member);

enum model_rule {
    RULE_NEW_LIMIT = 1 << 0,    /* refuses max_tokens */
    RULE_NO_SAMPLING = 1 << 1,  /* refuses temperature, top_p and the like
                                   but for their defaults */
    RULE_NO_PENALTIES = 1 << 2, /* refuses both penalties and stop */
    RULE_ONE_ANSWER = 1 << 3,   /* refuses n but 1 */
};
uint32_t quirks_of_model(const struct quirks *q, struct span model);

/* A tool call's id as the provider may have it, quoted: the same one for the
 * same id, so that call and result stay together. */
void quirks_put_id(const struct quirks *q, struct span id, struct buf *out);

#endif
