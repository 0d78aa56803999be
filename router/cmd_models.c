/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/file.h"
#include "models/catalogue_import.h"
#include "models/catalogue_write.h"
#include "router/settings/settings.h"

enum { LIST_MAX = 64 << 20, UPDATE_MAX = 128 << 20, PROVIDERS_MAX = 64 };

struct options {
    bool json, legacy;
    const char *config, *tier, *provider;
    const char *from, *out;
};

/* Where the models come from: a configuration's own, then its catalogue's;
 * without a configuration the shipped catalogue's. */
struct listing {
    struct settings *settings;         /* (owned) or NULL */
    struct catalogue *shipped;         /* (owned) or NULL */
    const struct catalogue *catalogue; /* (borrowed: one of them) */
    const struct options *o;
    enum tier tier; /* TIER_UNKNOWN: all */
    struct buf *out;
    size_t n;
};

static const char *count_or_dash(int64_t n, char dst[32])
{
    if (n <= 0)
        snprintf(dst, 32, "-");
    else
        units_count((double)n, dst);
    return dst;
}

static void put_row(struct buf *out, const struct model *m)
{
    char in[32], outp[32], cached[32], context[32], most[32];
    const struct prices none = {-1, -1, -1, -1, -1};
    const struct prices *p = m->priced ? &m->prices : &none;
    buf_printf(
        out, "%-30s %-11s %-9s %8s %8s %8s %8s %8s%s\n", m->name, m->provider,
        m->tier ? tier_name(m->tier) : "-", price_format(p->input, in),
        price_format(p->output, outp), price_format(p->cached_input, cached),
        count_or_dash(m->context, context), count_or_dash(m->max_output, most),
        m->legacy    ? "  legacy"
        : m->n_steps ? "  dearer when long"
                     : "");
}

static void put_one(struct listing *l, const struct model *m)
{
    const struct options *o = l->o;
    if ((l->tier != TIER_UNKNOWN && m->tier != l->tier) ||
        (o->provider && strcmp(o->provider, m->provider) != 0) ||
        (m->legacy && !o->legacy))
        return;
    if (!o->json) {
        put_row(l->out, m);
    } else {
        struct catalogue_words words = catalogue_words_of(m);
        buf_str(l->out, l->n ? ",\n" : "\n");
        catalogue_put(l->out, &words, m);
    }
    l->n++;
}

static void put_all(struct listing *l)
{
    const struct options *o = l->o;
    if (o->json) {
        buf_str(l->out, "{\"format\":1,\n\"source\":");
        buf_json_str(l->out, span_of(catalogue_source(l->catalogue)));
        buf_str(l->out, ",\n\"models\":[");
    } else {
        buf_printf(l->out, "%-30s %-11s %-9s %8s %8s %8s %8s %8s\n", "MODEL",
                   "PROVIDER", "TIER", "INPUT", "OUTPUT", "CACHED", "CONTEXT",
                   "ANSWER");
    }
    const struct model_settings *own =
        l->settings ? l->settings->models.at : NULL;
    for (unsigned i = 0; l->settings && i < l->settings->models.n; i++)
        put_one(l, &own[i].model);
    for (size_t i = 0; i < catalogue_count(l->catalogue); i++)
        put_one(l, catalogue_at(l->catalogue, i));
    if (o->json)
        buf_str(l->out, "\n]}\n");
    else
        buf_printf(l->out,
                   "%zu models; USD per million tokens, window and longest "
                   "answer in tokens.\n%s\n",
                   l->n, catalogue_source(l->catalogue));
}

static bool list(const struct options *o, struct buf *out, struct err *e)
{
    struct listing l = {.o = o, .out = out};
    bool ok = false;
    if (o->tier && !tier_parse(span_of(o->tier), &l.tier))
        return err_set(e, ERR_USAGE,
                       "--tier: wanted economy, workhorse or frontier, found "
                       "'%s'",
                       o->tier);
    if (o->config)
        l.settings = settings_load(o->config, e);
    else
        l.shipped = catalogue_shipped(e);
    l.catalogue = l.settings ? l.settings->prices : l.shipped;
    if (l.catalogue) {
        put_all(&l);
        ok = !out->failed || err_set(e, ERR_MEMORY, "no memory");
    }
    catalogue_free(l.shipped);
    settings_free(l.settings);
    return ok;
}

static unsigned split(char *words, const char **at, unsigned max)
{
    unsigned n = 0;
    char *rest = words;
    while (rest && n < max) {
        char *word = strsep(&rest, ",");
        if (*word)
            at[n++] = word;
    }
    return n;
}

static bool update(const struct options *o, struct buf *report, struct err *e)
{
    const char *providers[PROVIDERS_MAX];
    char *words = o->provider ? strdup(o->provider) : NULL;
    struct catalogue *known = NULL;
    struct buf text, out;
    bool ok = false;
    buf_init(&text, UPDATE_MAX);
    buf_init(&out, UPDATE_MAX);
    if (!o->from || !o->out) {
        err_set(e, ERR_USAGE, "update: wanted --from FILE and --out FILE");
        goto out;
    }
    known = catalogue_shipped(e);
    if (!known || !file_read(o->from, &text, e))
        goto out;
    struct catalogue_import im = {
        .known = known, .providers = providers, .origin = o->from};
    im.n_providers = words ? split(words, providers, PROVIDERS_MAX) : 0;
    if (!catalogue_import(buf_view(&text), &im, &out, e)) {
        err_wrap(e, "%s", o->from);
        goto out;
    }
    ok = file_write(o->out, buf_view(&out), e);
    buf_printf(report,
               "%s: %zu models; %zu left out (not for chat, without prices, "
               "or of other providers)\nin weir.yaml: catalogue: %s\n",
               o->out, im.taken, im.skipped, o->out);
out:
    buf_free(&text);
    buf_free(&out);
    catalogue_free(known);
    free(words);
    return ok;
}

static enum args_end parse(struct options *o, int argc, char **argv, int *first,
                           struct err *e)
{
    const struct arg list_args[] = {
        {"json", ARG_FLAG, &o->json, NULL, "print a catalogue file"},
        {"config", ARG_TEXT, &o->config, "FILE",
         "the models of this configuration first, then its catalogue's"},
        {"tier", ARG_TEXT, &o->tier, "T", "economy, workhorse or frontier"},
        {"provider", ARG_TEXT, &o->provider, "P",
         "only this provider's; update: several, with commas"},
        {"legacy", ARG_FLAG, &o->legacy, NULL,
         "also models that are no longer offered"},
        {"from", ARG_TEXT, &o->from, "FILE",
         "update: LiteLLM's price map or models.dev's api.json"},
        {"out", ARG_TEXT, &o->out, "FILE", "update: the catalogue to write"},
    };
    const struct args args = {
        "models", "[update --from FILE --out FILE] [options]",
        "Lists the LLMs that weir knows, with prices and limits; or makes a "
        "catalogue of another program's price list.",
        list_args, sizeof list_args / sizeof *list_args};
    return args_parse(&args, argc, argv, first, e);
}

int cmd_models(int argc, char **argv)
{
    struct options o = {0};
    struct err e = {0};
    struct buf out;
    int first = 1;
    bool ok = false;
    buf_init(&out, LIST_MAX);
    enum args_end end = parse(&o, argc, argv, &first, &e);
    if (end == ARGS_HELP)
        return 0;
    if (end == ARGS_OK && first == argc)
        ok = list(&o, &out, &e);
    else if (end == ARGS_OK && first + 1 == argc &&
             strcmp(argv[first], "update") == 0)
        ok = update(&o, &out, &e);
    else if (end == ARGS_OK)
        err_set(&e, ERR_USAGE, "wanted nothing or 'update', found '%s'",
                argv[first]);
    if (ok)
        fputs(buf_cstr(&out), stdout);
    else
        fprintf(stderr, "weir models: %s\n", e.msg);
    buf_free(&out);
    return ok ? 0 : e.kind == ERR_USAGE ? 2 : 1;
}
