/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LLMs that may be called: upstream name, tier, prices, windows,
 * capabilities.  Filled from the shipped catalogue (models/catalogue.json)
 * and overridden by the operator's configuration.  Read only once built.
 *
 * Money is exact: prices are whole pico-USD a token (1 USD per million
 * tokens = 1,000,000 pico-USD a token), costs whole pico-USD in int64.
 */
#ifndef WEIR_MODELS_REGISTRY_H
#define WEIR_MODELS_REGISTRY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

#define PICO_PER_USD 1000000000000.0

enum tier { TIER_UNKNOWN, TIER_ECONOMY, TIER_WORKHORSE, TIER_FRONTIER };

enum capability {
    CAN_TOOLS = 1 << 0,
    CAN_PARALLEL_TOOLS = 1 << 1,
    CAN_VISION = 1 << 2,
    CAN_AUDIO = 1 << 3,
    CAN_FILES = 1 << 4,
    CAN_JSON = 1 << 5,   /* json_object mode */
    CAN_SCHEMA = 1 << 6, /* json_schema output */
    CAN_REASONING = 1 << 7,
    CAN_LOGPROBS = 1 << 8,
    CAN_STREAM = 1 << 9,
    CAN_SAMPLING = 1 << 10,   /* temperature and top_p are accepted */
    CAN_EMBEDDINGS = 1 << 11, /* makes embeddings, and nothing else */
};

/* pico-USD a token.  The last three may be -1, not known: then reads and
 * writes of the cache cost what plain input does, and 1-hour writes what
 * 5-minute ones do. */
struct prices {
    int64_t input, output;
    int64_t cached_input;   /* read from the provider's prompt cache */
    int64_t cache_write;    /* written, 5 minutes */
    int64_t cache_write_1h; /* written, 1 hour */
};

enum { PRICE_STEPS_MAX = 3 };

/* From `from_tokens` input tokens on, all tokens of the request cost this.
 * Steps ascend. */
struct price_step {
    int64_t from_tokens;
    struct prices prices;
};

/* At which of a provider's services an answer was made, as it says itself. */
enum service { SERVICE_STANDARD, SERVICE_FLEX, SERVICE_PRIORITY };

struct usage {
    int64_t input; /* all input tokens, with the cached and written ones */
    int64_t cached;
    int64_t cache_write, cache_write_1h; /* a written token is in one of them */
    int64_t output;                      /* with reasoning */
    int64_t reasoning;
    int64_t searches; /* of the web, by the provider: charged each */
    enum service service;
    /* What is charged, where it is not what was read and written. */
    bool billed;
    int64_t billed_input, billed_output;
    /* The bill, where the provider sends it along: pico-USD. */
    bool told;
    int64_t told_pico;
};

struct model {
    const char *name;     /* key in the configuration or catalogue */
    const char *provider; /* provider's key */
    const char *upstream; /* name sent to the provider */
    const char *origin;   /* the catalogue's name of it, else its upstream one:
                             the same for the same model at any provider */
    const char *family;   /* "gpt", "claude", "qwen": whose answers agree
                             for the same reasons */
    enum tier tier;
    struct prices prices;
    struct price_step steps[PRICE_STEPS_MAX];
    unsigned n_steps;
    int64_t search;          /* pico-USD a search of the web; 0: not charged */
    unsigned flex, priority; /* thousandths of the standard prices; 0: as
                                these */
    bool priced;             /* false: prices unknown, costs count as 0 */
    int64_t context;         /* tokens, input + output; 0: not known */
    int64_t max_output;      /* tokens; 0: not known */
    uint32_t caps;           /* enum capability bits */
    bool caps_known;
    bool legacy; /* kept for old records and benchmarks; no longer offered */
};

/* Exact cost in pico-USD, never below zero; reasoning is inside output. */
int64_t model_cost(const struct model *m, const struct usage *u);
/* The most that at most so many tokens can cost, whatever of them is read
 * from or written to the provider's cache.  s: the dearest service at which
 * it may be answered.  Searches of the web are not in it. */
int64_t model_most(const struct model *m, int64_t input, int64_t output,
                   enum service s);
/* Expected cost in USD of a request not sent yet. */
double model_expected_usd(const struct model *m, double input_tokens,
                          double output_tokens);

/* What the provider's prompt cache changes about that, in USD: `read` tokens
 * of the input come from it (saved: negative), `written` ones are stored in
 * it anew (dearer on some).  0 where the prices are not known. */
double model_cache_usd(const struct model *m, double input_tokens, double read,
                       double written);

struct catalogue;

/* The catalogue compiled into the program; never fails on a good build. */
MUST_USE struct catalogue *catalogue_shipped(struct err *e);
MUST_USE struct catalogue *catalogue_load(const char *path, struct err *e);
void catalogue_free(struct catalogue *c); /* NULL: no-op */
size_t catalogue_count(const struct catalogue *c);
const struct model *catalogue_at(const struct catalogue *c, size_t i);
/* By name or another name of the same model; with or without a provider
 * prefix ("openai/gpt-5.4-nano"), in any case, with dots or dashes, and by
 * dated forms ("gpt-5.4-nano-2026-03-05", "...-latest"); NULL when unknown. */
const struct model *catalogue_find(const struct catalogue *c, struct span name);

/* Where the figures are from, one line a source; borrowed. */
const char *catalogue_source(const struct catalogue *c);

/* "flex", "priority"; anything else is the standard. */
enum service service_of(struct span name);
/* A bill in USD, as a number of JSON; false when it is none. */
bool usd_parse(struct span usd, int64_t *pico);

/* USD per million tokens, as people write it ("0.075", "1e-1") <-> pico a
 * token; exact for up to 6 decimals, finer ones are refused.  Up to a
 * million USD. */
bool price_parse(struct span usd_per_million, int64_t *pico);
const char *price_format(int64_t pico, char dst[32]); /* returns dst */

const char *tier_name(enum tier t);
bool tier_parse(struct span s, enum tier *out);
const char *capability_name(enum capability c); /* "tools", "vision" ... */
bool capability_parse(struct span s, uint32_t *bit);
enum { CAPABILITIES = 12 }; /* bits 0 to 11 */

#endif
