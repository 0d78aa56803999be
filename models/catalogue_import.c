/* SPDX-License-Identifier: Apache-2.0 */
/* LiteLLM writes USD per token, models.dev USD per million of them. */
#include "models/catalogue_import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "models/catalogue_write.h"

enum { PRICES = 5, KEY_SIZE = 96 };

/* One price: its key in their files. */
struct price_row {
    const char *litellm, *models_dev;
    size_t member; /* in struct prices */
};

static const struct price_row price_rows[PRICES] = {
    {"input_cost_per_token", "input", offsetof(struct prices, input)},
    {"output_cost_per_token", "output", offsetof(struct prices, output)},
    {"cache_read_input_token_cost", "cache_read",
     offsetof(struct prices, cached_input)},
    {"cache_creation_input_token_cost", "cache_write",
     offsetof(struct prices, cache_write)},
    {"cache_creation_input_token_cost_above_1hr", "cache_write_1h",
     offsetof(struct prices, cache_write_1h)},
};

/* What a model's name begins with, whose answers it is like, and the
 * providers that made it: only theirs may be asked for without a prefix. */
static const struct {
    const char *prefix, *family, *makers[3];
} families[] = {
    {"gpt-oss", "gpt", {NULL}},
    {"gpt", "gpt", {"openai", NULL}},
    {"chatgpt", "gpt", {"openai", NULL}},
    {"o1", "gpt", {"openai", NULL}},
    {"o3", "gpt", {"openai", NULL}},
    {"o4", "gpt", {"openai", NULL}},
    {"codex", "gpt", {"openai", NULL}},
    {"claude", "claude", {"anthropic", NULL}},
    {"gemini", "gemini", {"google", "gemini", NULL}},
    {"gemma", "gemma", {"google", "gemini", NULL}},
    {"mistral", "mistral", {"mistral", NULL}},
    {"ministral", "mistral", {"mistral", NULL}},
    {"mixtral", "mistral", {"mistral", NULL}},
    {"codestral", "mistral", {"mistral", NULL}},
    {"devstral", "mistral", {"mistral", NULL}},
    {"magistral", "mistral", {"mistral", NULL}},
    {"pixtral", "mistral", {"mistral", NULL}},
    {"deepseek", "deepseek", {"deepseek", NULL}},
    {"grok", "grok", {"xai", NULL}},
    {"llama", "llama", {"llama", "meta_llama", NULL}},
    {"qwen", "qwen", {"alibaba", "dashscope", NULL}},
    {"qwq", "qwen", {"alibaba", "dashscope", NULL}},
    {"kimi", "kimi", {"moonshotai", "moonshot", NULL}},
    {"command", "command", {"cohere", "cohere_chat", NULL}},
    {"phi", "phi", {NULL}},
    {"nova", "nova", {NULL}},
    {"glm", "glm", {"zai", NULL}},
    {"minimax", "minimax", {"minimax", NULL}},
};

enum { FAMILIES = sizeof families / sizeof *families };

/* A flag of theirs and the bits it stands for. */
struct flag_row {
    const char *key;
    uint32_t bits;
};

static const struct flag_row litellm_flags[] = {
    {"supports_function_calling", CAN_TOOLS},
    {"supports_parallel_function_calling", CAN_PARALLEL_TOOLS},
    {"supports_vision", CAN_VISION},
    {"supports_audio_input", CAN_AUDIO},
    {"supports_pdf_input", CAN_FILES},
    {"supports_response_schema", CAN_JSON | CAN_SCHEMA},
    {"supports_reasoning", CAN_REASONING},
    {NULL, 0},
};

static const struct flag_row models_dev_flags[] = {
    {"tool_call", CAN_TOOLS},
    {"reasoning", CAN_REASONING},
    {"temperature", CAN_SAMPLING},
    {"structured_output", CAN_JSON | CAN_SCHEMA},
    {NULL, 0},
};

static const struct {
    const char *input;
    uint32_t bit;
} modalities[] = {
    {"image", CAN_VISION}, {"audio", CAN_AUDIO}, {"pdf", CAN_FILES}};

/* One model on its way from their file into ours. */
struct found {
    struct catalogue_words words; /* (borrowed: their text) */
    struct model m;
};

static struct span behind_slash(struct span s)
{
    const char *slash = s.len ? memrchr(s.ptr, '/', s.len) : NULL;
    if (!slash)
        return s;
    size_t n = (size_t)(slash + 1 - s.ptr);
    return (struct span){s.ptr + n, s.len - n};
}

static bool is_maker(unsigned family, struct span provider)
{
    for (const char *const *m = families[family].makers; *m; m++) {
        if (span_is(provider, *m))
            return true;
    }
    return false;
}

/* Family, tier and the short name, from what the name says. */
static void recognise(const struct catalogue_import *im, struct found *f)
{
    struct span bare = behind_slash(f->words.name);
    for (unsigned i = 0; i < FAMILIES; i++) {
        size_t n = strlen(families[i].prefix);
        if (bare.len < n || strncasecmp(bare.ptr, families[i].prefix, n) != 0)
            continue;
        f->m.family = families[i].family;
        if (bare.len < f->words.name.len && is_maker(i, f->words.provider))
            f->words.alias = bare;
        break;
    }
    const struct model *known =
        im->known ? catalogue_find(im->known, bare) : NULL;
    if (known)
        f->m.tier = known->tier;
}

static bool wanted(const struct catalogue_import *im, struct span provider)
{
    for (unsigned i = 0; i < im->n_providers; i++) {
        if (span_is(provider, im->providers[i]))
            return true;
    }
    return im->n_providers == 0;
}

/* usd * per_unit in whole pico-USD a token; absent or null leaves -1. */
static bool get_price(const struct json *of, const char *key, double pico,
                      int64_t *out)
{
    struct json v = json_get(of, key);
    double usd;
    *out = -1;
    if (v.type == JSON_NONE || v.type == JSON_NULL)
        return true;
    if (!json_double(&v, &usd) || !(usd >= 0) || usd * pico > 1e12)
        return false;
    *out = llround(usd * pico);
    return true;
}

static int64_t *price_at(struct prices *p, unsigned i)
{
    return (int64_t *)(void *)((char *)p + price_rows[i].member);
}

static int64_t get_tokens(const struct json *of, const char *key)
{
    struct json v = json_get(of, key);
    double n;
    if (!json_double(&v, &n) || !(n >= 0) || n > 1e12)
        return 0;
    return (int64_t)n;
}

static void get_flags(const struct json *of, const struct flag_row *rows,
                      struct model *m)
{
    for (; rows->key; rows++) {
        struct json v = json_get(of, rows->key);
        m->caps |= json_true(&v) ? rows->bits : 0;
    }
    m->caps |= CAN_STREAM;
    m->caps_known = true;
}

/* Appends a step where it has both prices that count. */
static void add_step(struct model *m, int64_t from, const struct prices *p)
{
    if (p->input < 0 || p->output < 0 || m->n_steps == PRICE_STEPS_MAX ||
        from <= (m->n_steps ? m->steps[m->n_steps - 1].from_tokens : 0))
        return;
    m->steps[m->n_steps++] = (struct price_step){from, *p};
}

static bool litellm_prices(const struct json *of, const char *suffix,
                           struct prices *p)
{
    char key[KEY_SIZE];
    for (unsigned i = 0; i < PRICES; i++) {
        snprintf(key, sizeof key, "%s%s", price_rows[i].litellm, suffix);
        if (!get_price(of, key, PICO_PER_USD, price_at(p, i)))
            return false;
    }
    return true;
}

static bool read_litellm(const struct json *of, struct found *f)
{
    static const unsigned thousands[] = {128, 200, 256, 272};
    struct json mode = json_get(of, "mode");
    struct json provider = json_get(of, "litellm_provider");
    struct model *m = &f->m;
    if (!json_is(&mode, "chat") && !json_is(&mode, "responses"))
        return false;
    if (provider.type != JSON_STRING || !litellm_prices(of, "", &m->prices))
        return false;
    f->words.provider = json_inner(&provider);
    f->words.upstream = f->words.name;
    struct span rest = f->words.name;
    if (span_eq(span_cut(&rest, '/'), f->words.provider) && rest.len)
        f->words.upstream = rest;
    for (unsigned i = 0; i < sizeof thousands / sizeof *thousands; i++) {
        char suffix[32];
        struct prices p;
        snprintf(suffix, sizeof suffix, "_above_%uk_tokens", thousands[i]);
        if (litellm_prices(of, suffix, &p))
            add_step(m, (int64_t)thousands[i] * 1000 + 1, &p);
    }
    m->priced = true;
    m->context = get_tokens(of, "max_input_tokens");
    m->max_output = get_tokens(of, "max_output_tokens");
    get_flags(of, litellm_flags, m);
    m->caps |= CAN_SAMPLING;
    return true;
}

static bool models_dev_prices(const struct json *of, struct prices *p)
{
    for (unsigned i = 0; i < PRICES; i++) {
        if (!get_price(of, price_rows[i].models_dev, 1e6, price_at(p, i)))
            return false;
    }
    return true;
}

/* `tiers` says more than the older `context_over_200k`. */
static void models_dev_steps(const struct json *cost, struct model *m)
{
    struct json tiers = json_get(cost, "tiers"), tier;
    struct json over = json_get(cost, "context_over_200k");
    struct json_iter it = json_begin(&tiers);
    struct prices p;
    while (json_next(&it, NULL, &tier)) {
        struct json what = json_get(&tier, "tier");
        struct json type = json_get(&what, "type");
        if (json_is(&type, "context") && models_dev_prices(&tier, &p))
            add_step(m, get_tokens(&what, "size") + 1, &p);
    }
    if (m->n_steps == 0 && over.type == JSON_OBJECT &&
        models_dev_prices(&over, &p))
        add_step(m, 200001, &p);
}

static bool has_word(const struct json *list, const char *word)
{
    struct json_iter it = json_begin(list);
    struct json v;
    while (json_next(&it, NULL, &v)) {
        if (json_is(&v, word))
            return true;
    }
    return false;
}

static bool read_models_dev(const struct json *of, struct found *f)
{
    struct json cost = json_get(of, "cost"), limit = json_get(of, "limit");
    struct json modes = json_get(of, "modalities");
    struct json in = json_get(&modes, "input"),
                out = json_get(&modes, "output");
    struct model *m = &f->m;
    if (cost.type != JSON_OBJECT || !models_dev_prices(&cost, &m->prices) ||
        (out.type == JSON_ARRAY && !has_word(&out, "text")))
        return false;
    models_dev_steps(&cost, m);
    m->priced = true;
    m->context = get_tokens(&limit, "context");
    m->max_output = get_tokens(&limit, "output");
    get_flags(of, models_dev_flags, m);
    for (unsigned i = 0; i < sizeof modalities / sizeof *modalities; i++) {
        if (has_word(&in, modalities[i].input))
            m->caps |= modalities[i].bit;
    }
    return true;
}

static void take(struct catalogue_import *im, struct found *f, bool read,
                 struct buf *out)
{
    struct model *m = &f->m;
    if (!read || f->words.name.len == 0 || m->prices.input < 0 ||
        m->prices.output < 0 || !wanted(im, f->words.provider)) {
        im->skipped++;
        return;
    }
    if (m->max_output > m->context && m->context > 0)
        m->max_output = m->context;
    recognise(im, f);
    buf_str(out, im->taken++ ? ",\n" : "\n");
    catalogue_put(out, &f->words, m);
}

static void walk_litellm(const struct json *root, struct catalogue_import *im,
                         struct buf *out)
{
    struct json_iter it = json_begin(root);
    struct json key, value;
    while (json_next(&it, &key, &value)) {
        struct found f = {.words = {.name = json_inner(&key)}};
        if (json_is(&key, "sample_spec") || value.type != JSON_OBJECT)
            continue;
        take(im, &f, !key.escaped && read_litellm(&value, &f), out);
    }
}

/* "provider/id" is the name, id the upstream's. */
static void walk_models_dev(const struct json *root,
                            struct catalogue_import *im, struct buf *out)
{
    struct json_iter it = json_begin(root);
    struct json provider, value, key, model;
    while (json_next(&it, &provider, &value)) {
        struct json models = json_get(&value, "models");
        struct json_iter each = json_begin(&models);
        while (json_next(&each, &key, &model)) {
            char name[256];
            struct span id = json_inner(&key), from = json_inner(&provider);
            int n = snprintf(name, sizeof name, "%.*s/%.*s", SPAN_ARGS(from),
                             SPAN_ARGS(id));
            struct found f = {.words = {.provider = from, .upstream = id}};
            if (n > 0 && (size_t)n < sizeof name)
                f.words.name = (struct span){name, (size_t)n};
            bool plain = !key.escaped && !provider.escaped;
            take(im, &f, plain && read_models_dev(&model, &f), out);
        }
    }
}

/* The first object inside decides: models.dev's hold "models". */
static bool is_models_dev(const struct json *root)
{
    struct json_iter it = json_begin(root);
    struct json value;
    while (json_next(&it, NULL, &value)) {
        struct json models = json_get(&value, "models");
        if (value.type == JSON_OBJECT)
            return models.type == JSON_OBJECT;
    }
    return false;
}

bool catalogue_import(struct span text, struct catalogue_import *im,
                      struct buf *out, struct err *e)
{
    struct json root;
    im->taken = im->skipped = 0;
    if (!json_parse(text, &root, e))
        return false;
    if (root.type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "wanted an object, found %s",
                       json_type_name(root.type));
    buf_str(out, "{\"format\":1,\n\"source\":");
    buf_json_str(out, span_of(im->origin));
    buf_str(out, ",\n\"models\":[");
    if (is_models_dev(&root))
        walk_models_dev(&root, im, out);
    else
        walk_litellm(&root, im, out);
    buf_str(out, "\n]}\n");
    if (im->taken == 0)
        return err_set(e, ERR_INPUT,
                       "wanted LiteLLM's price map or models.dev's api.json, "
                       "found no model with prices");
    return !out->failed || err_set(e, ERR_MEMORY, "no memory");
}
