/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/card.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "base/version.h"
#include "trainer/plan.h"

/* NAN becomes null. */
static void number(cJSON *to, const char *key, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(to, key, value);
    else
        cJSON_AddNullToObject(to, key);
}

static void data_json(const struct table *t, cJSON *card)
{
    cJSON *list = cJSON_AddArrayToObject(card, "data");

    for (uint32_t i = 0; i < t->n_files; i++) {
        cJSON *file = cJSON_CreateObject();
        cJSON_AddStringToObject(file, "path", t->files[i].path);
        cJSON_AddStringToObject(file, "sha256", t->files[i].sha256);
        number(file, "rows", (double)t->files[i].rows);
        cJSON_AddItemToArray(list, file);
    }
    number(card, "rows", (double)t->n);
    number(card, "duplicates", (double)t->duplicates);
    number(card, "bad_rows", (double)t->bad_rows);
}

static void names_json(const struct training *r, cJSON *card)
{
    cJSON *arms = cJSON_AddArrayToObject(card, "arms");
    cJSON *tasks = cJSON_AddArrayToObject(card, "tasks");

    for (uint32_t a = 0; a < r->t->n_arms; a++)
        if (r->t->arms[a].role != TABLE_ESCALATES)
            cJSON_AddItemToArray(arms, cJSON_CreateString(r->t->arms[a].name));
    for (uint32_t i = 0; i < r->t->n_tasks; i++)
        cJSON_AddItemToArray(tasks, cJSON_CreateString(r->t->tasks[i]));
}

static void plans_json(const struct training *r, cJSON *card)
{
    cJSON *all;

    if (!r->t->n_plans)
        return;
    all = cJSON_AddObjectToObject(card, "plans");
    for (uint32_t k = 0; k < r->t->n_plans; k++) {
        char text[PLAN_TEXT_MAX];
        plan_text(r->t, &r->t->plans[k], text, sizeof text);
        cJSON_AddStringToObject(all, r->t->arms[r->t->plans[k].arm].name, text);
    }
}

/* Read by the router when it loads the file. */
static void acceptance_json(const struct training *r, cJSON *card)
{
    cJSON *all = NULL;

    for (uint32_t i = 0; i < r->acceptance.n; i++) {
        const struct acceptance *a = &r->acceptance.at[i];
        cJSON *head, *weights;
        if (!a->good)
            continue;
        if (!all)
            all = cJSON_AddObjectToObject(card, "acceptance");
        head = cJSON_AddObjectToObject(all, a->plan);
        number(head, "rows", (double)a->rows);
        number(head, "inadequate", (double)a->inadequate);
        number(head, "log_loss", a->check.loss);
        number(head, "log_loss_of_mean", a->check.base);
        number(head, "intercept", a->fit.intercept);
        weights = cJSON_AddObjectToObject(head, "weights");
        for (unsigned j = 0; j < a->fit.k; j++)
            if (a->fit.w[j] != 0)
                number(weights, a->name[j], a->fit.w[j]);
    }
}

static void signals_json(const struct training *r, cJSON *card)
{
    const struct signals *s = &r->signals;
    cJSON *all, *arms, *weights;

    if (s->fit.k == 0)
        return;
    all = cJSON_AddObjectToObject(card, "signals");
    cJSON_AddBoolToObject(all, "used", s->good);
    number(all, "gold", (double)s->gold);
    number(all, "gold_with_signals", (double)s->shown);
    number(all, "soft_scores", (double)r->t->soft);
    number(all, "log_loss", s->check.loss);
    number(all, "log_loss_of_arms", s->check.base);
    number(all, "intercept", s->fit.intercept);
    weights = cJSON_AddObjectToObject(all, "weights");
    for (unsigned i = 0; i < s->n_names; i++)
        number(weights, s->name[i], s->fit.w[SIGNALS_ARMS_MAX + i]);
    arms = cJSON_AddObjectToObject(all, "arms");
    for (unsigned i = 0; i < s->n_arms; i++)
        number(arms, s->arm[i], s->fit.w[i]);
}

static void calibration_json(const struct training *r, cJSON *card)
{
    cJSON *all = cJSON_AddObjectToObject(card, "calibration");

    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        const struct fit_arm *f = fit_arm(r->fit, a);
        cJSON *arm = cJSON_AddObjectToObject(all, r->t->arms[a].name);
        number(arm, "labels", (double)f->labels);
        number(arm, "gold", (double)f->gold);
        cJSON_AddStringToObject(arm, "errors_by", f->by_gold ? "gold" : "all");
        number(arm, "mean", f->mean);
        number(arm, "ece", f->ece);
        number(arm, "log_loss", f->log_loss);
        cJSON_AddStringToObject(arm, "curve",
                                f->isotonic ? "isotonic" : "platt");
        cJSON_AddBoolToObject(arm, "constant", f->constant);
    }
}

static void figures_json(const struct training *r,
                         const struct guarantee_level *v, uint64_t among,
                         cJSON *to)
{
    cJSON *share = cJSON_AddObjectToObject(to, "share");

    number(to, "price", v->price);
    number(to, "n", (double)v->n);
    number(to, "conversations", (double)v->groups);
    number(to, "measured", v->measured);
    number(to, "measured_lo", v->measured_lo);
    number(to, "measured_hi", v->measured_hi);
    number(to, "saving", v->saving);
    number(to, "lo", v->lo);
    number(to, "hi", v->hi);
    for (uint32_t a = 0; a < r->t->n_arms; a++)
        if (among >> a & 1)
            number(share, r->t->arms[a].name, v->share[a]);
}

static void arms_json(const struct training *r, uint64_t among, cJSON *to)
{
    cJSON *arms = cJSON_AddArrayToObject(to, "arms");

    for (uint32_t a = 0; a < r->t->n_arms; a++)
        if (among >> a & 1)
            cJSON_AddItemToArray(arms, cJSON_CreateString(r->t->arms[a].name));
    cJSON_AddStringToObject(to, "reference", r->t->arms[r->reference].name);
}

/* Read by trainer/cycle_ladder.c. */
static void ladder_json(const struct training *r, double quality, cJSON *card)
{
    cJSON *all, *list;

    if (!r->ladder.n_rungs)
        return;
    all = cJSON_AddObjectToObject(card, "ladder");
    arms_json(r, r->choices, all);
    number(all, "quality", quality);
    number(all, "n", (double)r->ladder.n);
    number(all, "conversations", (double)r->ladder.groups);
    list = cJSON_AddArrayToObject(all, "prices");
    for (uint32_t k = 0; k < r->ladder.n_rungs; k++) {
        const struct guarantee_rung *s = &r->ladder.rung[k];
        const double four[] = {s->price, s->mean, s->error, s->share};

        cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(four, 4));
    }
}

static void levels_json(const struct training *r, double confidence,
                        cJSON *card)
{
    cJSON *list = cJSON_AddArrayToObject(card, "levels");

    for (uint32_t k = 0; k < r->n_levels; k++) {
        cJSON *level = cJSON_CreateObject();
        arms_json(r, r->among[k], level);
        number(level, "quality", r->qualities[k]);
        number(level, "confidence", confidence);
        cJSON_AddBoolToObject(level, "valid", r->levels[k].valid);
        cJSON_AddBoolToObject(level, "void", r->voided);
        figures_json(r, &r->levels[k], r->among[k], level);
        cJSON_AddItemToArray(list, level);
    }
}

static void labels_json(const struct training *r, cJSON *basis)
{
    const struct gold *g = &r->gold;
    cJSON *measured;

    cJSON_AddStringToObject(basis, "labels", gold_kind_name(g->kind));
    number(basis, "gold", (double)g->golden);
    if (g->kind != GOLD_MEASURED)
        return;
    measured = cJSON_AddObjectToObject(basis, "second_hand");
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        cJSON *arm;

        if (!g->pairs[a])
            continue;
        arm = cJSON_AddObjectToObject(measured, r->t->arms[a].name);
        number(arm, "pairs", (double)g->pairs[a]);
        number(arm, "bias", (double)g->bias[a]);
        number(arm, "lo", (double)g->low[a]);
        number(arm, "hi", (double)g->high[a]);
    }
}

/* What the levels rest on: see docs/classifier-format.md. */
static void basis_json(const struct training *r, cJSON *card)
{
    cJSON *basis = cJSON_AddObjectToObject(card, "basis");
    cJSON *mix = cJSON_AddObjectToObject(basis, "mix");
    cJSON *arms = cJSON_AddObjectToObject(basis, "arms");

    labels_json(r, basis);
    number(basis, "requests", r->mix.n);
    number(basis, "input_tokens", r->input_tokens);
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        cJSON *arm;

        if (r->t->arms[a].role == TABLE_ESCALATES)
            continue;
        arm = cJSON_AddObjectToObject(arms, r->t->arms[a].name);
        number(arm, "usd", r->usd[a]);
        if (table_plan_of(r->t, a))
            number(arm, "escalates", r->escalates[a]);
        else
            number(arm, "output_tokens", r->output_tokens[a]);
    }
    if (r->domain.known) {
        cJSON *domain = cJSON_AddObjectToObject(basis, "domain");

        number(domain, "unseen", (double)r->domain.unseen);
        number(domain, "top", (double)r->domain.top);
        number(domain, "far", (double)r->domain.far);
    }
    for (unsigned k = 0; k < MIX_KINDS; k++) {
        enum mix_kind kind = (enum mix_kind)k;
        cJSON *list = cJSON_AddArrayToObject(mix, mix_kind_name(kind));

        for (uint32_t i = 0; i < mix_kind_bins(&r->mix, kind); i++)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(r->mix.count[k][i]));
    }
}

static void metrics_json(const struct training *r, const struct card_about *c,
                         cJSON *card)
{
    cJSON *all = cJSON_AddObjectToObject(card, "metrics"), *arms;

    cJSON_AddStringToObject(all, "on",
                            !r->held     ? "nothing kept back"
                            : r->by_time ? "the newest conversations, kept "
                                           "back from a fit on the others"
                                         : "conversations drawn at random, "
                                           "kept back from a fit on the "
                                           "others");
    number(all, "n_train", (double)r->n_train);
    number(all, "n", (double)r->n_held);
    if (!r->held)
        return;
    arms = cJSON_AddObjectToObject(all, "arms");
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        cJSON *arm = cJSON_AddObjectToObject(arms, r->t->arms[a].name);
        number(arm, "labels", (double)r->arms[a].labels);
        cJSON_AddStringToObject(arm, "errors_by",
                                r->arms[a].gold ? "gold" : "all");
        number(arm, "score", r->arms[a].score);
        number(arm, "cost_usd", r->arms[a].cost);
        number(arm, "ece", r->arms[a].ece);
        number(arm, "log_loss", r->arms[a].log_loss);
    }
    if (r->on_held.valid) {
        cJSON *router = cJSON_AddObjectToObject(all, "router");
        number(router, "quality", c->options->quality);
        figures_json(r, &r->on_held, r->choices, router);
    }
}

static void advice_json(const struct training *r, cJSON *card)
{
    cJSON *notes;

    cJSON_AddStringToObject(card, "reference", r->t->arms[r->reference].name);
    if (r->use_fixed >= 0)
        cJSON_AddStringToObject(card, "use_fixed",
                                r->t->arms[r->use_fixed].name);
    notes = cJSON_AddArrayToObject(card, "notes");
    for (uint32_t i = 0; i < r->n_notes; i++)
        cJSON_AddItemToArray(notes, cJSON_CreateString(r->notes[i]));
}

bool card_json(const struct training *r, const struct card_about *c,
               struct buf *out, struct err *e)
{
    cJSON *card = cJSON_CreateObject();
    char *text;

    cJSON_AddNumberToObject(card, "format", 1);
    cJSON_AddStringToObject(card, "created", c->created);
    cJSON_AddStringToObject(card, "weir", WEIR_VERSION);
    cJSON_AddStringToObject(card, "command", c->command);
    number(card, "seed", c->options->seed);
    data_json(r->t, card);
    names_json(r, card);
    plans_json(r, card);
    acceptance_json(r, card);
    signals_json(r, card);
    calibration_json(r, card);
    levels_json(r, c->options->confidence, card);
    ladder_json(r, c->options->quality, card);
    if (r->mix.n)
        basis_json(r, card);
    metrics_json(r, c, card);
    advice_json(r, card);
    text = cJSON_PrintUnformatted(card);
    cJSON_Delete(card);
    if (!text)
        return err_set(e, ERR_MEMORY, "no memory for the card");
    buf_str(out, text);
    cJSON_free(text);
    return !out->failed || err_set(e, ERR_MEMORY, "no memory for the card");
}

static void cell(struct buf *out, double value)
{
    if (isnan(value))
        buf_str(out, "        -");
    else
        buf_printf(out, " %8.4f", value);
}

static void arms_text(const struct training *r, struct buf *out)
{
    char usd[32];

    buf_printf(out, "  %-28s %8s %8s %12s %8s\n", "arm", "labels", "score",
               "cost", "ECE");
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        const struct train_arm *arm = &r->arms[a];
        buf_printf(out, "  %-28.28s %8zu", r->t->arms[a].name, arm->labels);
        cell(out, arm->score);
        buf_printf(out, " %12s",
                   isnan(arm->cost) ? "-" : units_usd(arm->cost, usd));
        cell(out, arm->ece);
        buf_char(out, '\n');
    }
}

static void held_text(const struct training *r, const struct card_about *c,
                      struct buf *out)
{
    const struct guarantee_level *v = &r->on_held;

    buf_printf(out, "On %zu rows kept back (%s), by a fit on the other %zu:\n",
               r->n_held, r->by_time ? "the newest" : "at random", r->n_train);
    arms_text(r, out);
    if (!v->valid)
        return;
    buf_printf(out,
               "  routed at %.2f of %s: saving %.1f %% [%.1f, %.1f], quality "
               "%.4f [%.4f, %.4f] of it, n=%zu\n",
               c->options->quality, r->t->arms[r->reference].name,
               100 * v->saving, 100 * v->lo, 100 * v->hi, v->measured,
               v->measured_lo, v->measured_hi, v->n);
}

static void levels_text(const struct training *r, const struct card_about *c,
                        struct buf *out)
{
    buf_printf(out,
               "Promises over %s with %.0f %% confidence (n=%zu, cross-fitted; "
               "saving with 95 %% interval):\n",
               r->t->arms[r->reference].name, 100 * c->options->confidence,
               r->n_judged);
    for (uint32_t k = 0; k < r->n_levels; k++) {
        const struct guarantee_level *v = &r->levels[k];
        if (k && r->among[k] != r->among[k - 1])
            buf_str(out, "Without plans, over the models alone:\n");
        if (v->valid)
            buf_printf(
                out, "  quality >= %.2f  saving %5.1f %% [%5.1f, %5.1f]\n",
                r->qualities[k], 100 * v->saving, 100 * v->lo, 100 * v->hi);
        else
            buf_printf(out, "  quality >= %.2f  not to be had: %s answers\n",
                       r->qualities[k], r->t->arms[r->reference].name);
    }
}

static void plans_text(const struct training *r, struct buf *out)
{
    for (uint32_t k = 0; k < r->t->n_plans; k++) {
        const struct table_plan *p = &r->t->plans[k];
        char text[PLAN_TEXT_MAX];
        plan_text(r->t, p, text, sizeof text);
        buf_printf(out, "Plan %s: %s", r->t->arms[p->arm].name, text);
        if (r->n_judged)
            buf_printf(out, ", expected to escalate %.1f %% of requests",
                       100 * r->escalates[p->arm]);
        buf_str(out, "\n");
    }
}

void card_text(const struct training *r, const struct card_about *c,
               struct buf *out)
{
    buf_printf(out, "Learnt from %zu rows, %u arms, %u tasks.\n", r->t->n,
               r->t->n_arms - r->t->n_plans, r->t->n_tasks);
    plans_text(r, out);
    if (r->held)
        held_text(r, c, out);
    if (r->n_judged && r->t->n_arms > 1)
        levels_text(r, c, out);
    acceptance_text(&r->acceptance, out);
    signals_text(&r->signals, out);
    for (uint32_t i = 0; i < r->n_notes; i++)
        buf_printf(out, "* %s\n", r->notes[i]);
}
