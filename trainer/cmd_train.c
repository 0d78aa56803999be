/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cmd_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/progress.h"
#include "models/registry.h"
#include "trainer/card.h"
#include "trainer/deploy.h"
#include "trainer/pricebook.h"
#include "trainer/tiers.h"
#include "trainer/train.h"
#include "trainer/wanted.h"

enum { FILE_MAX = 1 << 30, TEXT_MAX = 4 << 20 };

#define LOADING .08 /* share of the time that reading takes */

struct options {
    struct arg_list data, prices;
    const char *arms, *out, *tiers, *reference;
    double quality, confidence;
    uint64_t seed, threads, bits, min_rows;
    bool skip_bad, no_signals, json;
};

/* long: a row for each option */
static enum args_end parse(int argc, char **argv, struct options *o, int *first,
                           struct err *e)
{
    const struct arg list[] = {
        {"data", ARG_LIST, &o->data, "F",
         "labelled outcomes (.jsonl, .jsonl.gz) or a server's log (.db)"},
        {"arms", ARG_TEXT, &o->arms, "A,B,...",
         "models, and plans such as checked=verify(a,b,c) (default: all "
         "models that occur)"},
        {"out", ARG_TEXT, &o->out, "M.weir",
         "where the classifier goes (default classifier.weir); the files "
         "before it are kept as M.weir.1 ... .5"},
        {"tiers", ARG_TEXT, &o->tiers, "F.yaml", "models -> tiers as arms"},
        {"quality", ARG_REAL, &o->quality, "Q",
         "share of the reference's quality to be kept (default 0.98)"},
        {"reference", ARG_TEXT, &o->reference, "ARM",
         "the measure of quality and cost (default: the best arm)"},
        {"confidence", ARG_REAL, &o->confidence, "C",
         "of the promise (default 0.95)"},
        {"prices", ARG_LIST, &o->prices, "F.csv",
         "model,input,output in USD per million tokens; before the registry's"},
        {"seed", ARG_U64, &o->seed, "N", "of every random choice (default 1)"},
        {"threads", ARG_U64, &o->threads, "N",
         "worker processes (default: one a core)"},
        {"bits", ARG_U64, &o->bits, "N",
         "hash space of 2^N, 8 to 22 (default 18)"},
        {"min-rows", ARG_U64, &o->min_rows, "N",
         "words in fewer rows get no weights: a smaller file"},
        {"skip-bad", ARG_FLAG, &o->skip_bad, NULL,
         "leave out malformed rows instead of stopping at the first"},
        {"no-signals", ARG_FLAG, &o->no_signals, NULL,
         "no soft scores from what answers of a log show of themselves"},
        {"json", ARG_FLAG, &o->json, NULL, "print the card as JSON"},
    };
    const struct args a = {
        .command = "train",
        .usage = "--data F... [--arms A,B,...] [--out M.weir] [options]",
        .about = "Learns from labelled outcomes which arm is adequate for "
                 "which request,\nand writes the classifier file that `weir "
                 "serve` loads.  Loose words are\nfurther --data files.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };
    return args_parse(&a, argc, argv, first, e);
}

static bool check(struct options *o, int argc, char **argv, int first,
                  struct err *e)
{
    for (int i = first; i < argc; i++) {
        if (o->data.n == ARG_LIST_MAX)
            return err_set(e, ERR_USAGE, "wanted at most %d files",
                           ARG_LIST_MAX);
        o->data.at[o->data.n++] = argv[i];
    }
    if (!o->data.n)
        return err_set(e, ERR_USAGE,
                       "--data: wanted labelled outcomes, found none");
    if (!(o->quality > 0 && o->quality <= 1))
        return err_set(e, ERR_USAGE,
                       "--quality: wanted a share above 0 up to 1, found %g",
                       o->quality);
    if (!(o->confidence >= .5 && o->confidence < 1))
        return err_set(e, ERR_USAGE,
                       "--confidence: wanted 0.5 to below 1, found %g",
                       o->confidence);
    if (o->seed > UINT32_MAX || o->threads > 256)
        return err_set(e, ERR_USAGE,
                       "--seed: wanted at most %u; --threads: at most 256",
                       UINT32_MAX);
    if (o->bits && (o->bits < 8 || o->bits > 22))
        return err_set(e, ERR_USAGE, "--bits: wanted 8 to 22, found %llu",
                       (unsigned long long)o->bits);
    return o->min_rows < 1000000 ||
           err_set(e, ERR_USAGE, "--min-rows: wanted less than 1000000");
}

struct span_of_bar {
    struct progress *bar;
    double from, to;
};

static void show(void *ctx, double done)
{
    const struct span_of_bar *s = ctx;

    progress_at(s->bar, s->from + done * (s->to - s->from));
}

static bool read_prices(const struct options *o, struct pricebook *p,
                        struct err *e)
{
    for (unsigned i = 0; i < o->prices.n; i++)
        if (!pricebook_read(p, o->prices.at[i], e))
            return false;
    return true;
}

/* signals: filled first, then used. */
static struct table *load(const struct options *o, const struct wanted *w,
                          struct signals *signals, struct progress *bar,
                          struct err *e)
{
    struct catalogue *catalogue = catalogue_shipped(e);
    struct pricebook *prices = catalogue ? pricebook_new(catalogue) : NULL;
    struct span_of_bar part = {bar, 0, LOADING};
    struct tiers *tiers = NULL;
    struct table *t = NULL;
    struct table_options how = {.files = o->data.at,
                                .n_files = o->data.n,
                                .prices = prices,
                                .signals = o->no_signals ? NULL : signals,
                                .skip_bad = o->skip_bad,
                                .progress = show,
                                .ctx = &part};
    bool ok = prices != NULL;

    if (catalogue && !ok)
        err_set(e, ERR_MEMORY, "no memory for prices");
    ok = ok && read_prices(o, prices, e);
    if (ok && !o->no_signals)
        ok =
            signals_learn(signals, o->data.at, o->data.n, (uint32_t)o->seed, e);
    if (ok && o->tiers)
        ok = (tiers = tiers_read(o->tiers, e)) != NULL;
    how.tiers = tiers;
    wanted_options(w, &how);
    if (ok)
        t = table_load(&how, e);
    tiers_free(tiers);
    pricebook_free(prices);
    catalogue_free(catalogue);
    return t;
}

/* The words as typed, separated by blanks. */
static void command_line(int argc, char **argv, struct buf *out)
{
    buf_str(out, "weir");
    for (int i = 0; i < argc; i++)
        buf_printf(out, " %s", argv[i]);
}

/* Now, or SOURCE_DATE_EPOCH (seconds) for files that are to be rebuilt. */
static void created(char dst[32])
{
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;

    if (fixed && span_u64(span_of(fixed), &seconds) && seconds < 1u << 31)
        clock_format((int64_t)seconds * 1000, dst);
    else
        clock_format(clock_utc_ms(), dst);
}

static bool write_and_say(const struct options *o, const struct training *r,
                          const struct card_about *about, struct err *e)
{
    struct buf card, file, text;
    bool ok;

    buf_init(&card, TEXT_MAX);
    buf_init(&file, FILE_MAX);
    buf_init(&text, TEXT_MAX);
    ok = card_json(r, about, &card, e) &&
         fit_write(r->fit, buf_view(&card), &file, e) &&
         deploy_write(o->out, buf_view(&file), e);
    if (ok && o->json) {
        printf("%s\n", buf_cstr(&card));
    } else if (ok) {
        card_text(r, about, &text);
        buf_printf(&text, "Written: %s (%.1f MB)\n", o->out,
                   (double)file.len / 1e6);
        fputs(buf_cstr(&text), stdout);
    }
    buf_free(&card);
    buf_free(&file);
    buf_free(&text);
    return ok;
}

/* A tier's score is a mean over models: it gives no answer of its own. */
static bool plans_allowed(const struct options *o, const struct wanted *w,
                          struct err *e)
{
    return !o->tiers || !w->plans.n ||
           err_set(e, ERR_USAGE,
                   "--arms: wanted models alone together with --tiers, found "
                   "the plan %s",
                   w->plans.at[0]);
}

static bool run(const struct options *o, const char *command, struct err *e)
{
    struct progress bar;
    struct span_of_bar part = {&bar, LOADING, 1};
    const struct train_options how = {.reference = o->reference,
                                      .quality = o->quality,
                                      .confidence = o->confidence,
                                      .seed = (uint32_t)o->seed,
                                      .threads = (unsigned)o->threads,
                                      .bits = (unsigned)o->bits,
                                      .min_rows = (unsigned)o->min_rows,
                                      .ordered = o->tiers != NULL,
                                      .progress = show,
                                      .ctx = &part};
    char now[32];
    struct card_about about = {now, command, &how};
    struct training r = {0};
    struct signals signals = {0};
    struct wanted w;
    struct table *t;
    bool ok;

    created(now);
    progress_start(&bar, "training");
    ok = wanted_parse(&w, o->arms, e) && plans_allowed(o, &w, e);
    t = ok ? load(o, &w, &signals, &bar, e) : NULL;
    ok = t && wanted_finish(&w, t, e) &&
         (!t->soft || signals_join(t, how.seed, how.threads, e)) &&
         train_run(&r, t, &how, e) &&
         acceptance_learn(&r.acceptance, t, how.seed, e);
    progress_end(&bar);
    r.signals = signals;
    ok = ok && write_and_say(o, &r, &about, e);
    training_free(&r);
    table_free(t);
    wanted_free(&w);
    return ok;
}

int cmd_train(int argc, char **argv)
{
    struct options o = {
        .out = "classifier.weir", .quality = .98, .confidence = .95, .seed = 1};
    struct err e = {0};
    struct buf command;
    int first = 0, status = 0;

    buf_init(&command, 1 << 16);
    command_line(argc, argv, &command);
    switch (parse(argc, argv, &o, &first, &e)) {
    case ARGS_HELP:
        break;
    case ARGS_BAD:
        status = 2;
        break;
    case ARGS_OK:
        if (!check(&o, argc, argv, first, &e))
            status = 2;
        else if (!run(&o, buf_cstr(&command), &e))
            status = e.kind == ERR_USAGE ? 2 : 1;
        break;
    }
    if (status)
        fprintf(stderr, "weir train: %s\n", e.msg);
    buf_free(&command);
    return status;
}
