/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_train.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "features/features.h"
#include "models/classifier.h"
#include "trainer/card.h"
#include "trainer/cycle_files.h"
#include "trainer/cycle_plans.h"
#include "trainer/train.h"

enum { FILE_MAX = 1 << 30, CARD_MAX = 4 << 20 };

/* What an arm did before it became another model says nothing of it. */
static void forget_changed(const struct cycle_config *set, struct table *t,
                           const struct cycle_state *s)
{
    for (uint32_t k = 0; k < s->n_arms; k++) {
        int a = table_find_arm(t, span_of(cycle_learnt(set, s->arms[k].arm)));

        for (size_t i = 0; a >= 0 && i < t->n; i++) {
            struct table_arm *arm = &t->arms[a];

            if (t->time_ms[i] < 0 || t->time_ms[i] >= s->arms[k].ms)
                continue;
            arm->n_scores -= !isnan(arm->score[i]);
            arm->score[i] = NAN;
        }
    }
}

/* plans false: without the route's. */
static struct table *load_arms(const struct cycle_config *set, int64_t until_ms,
                               bool plans, struct err *e)
{
    const char *files[CYCLE_FILES_MAX + 1];
    struct table_options o = {.files = files,
                              .n_files = set->n_data + 1,
                              .prices = set->prices,
                              .skip_bad = true,
                              .until_ms = until_ms};
    struct table *t = NULL;
    struct wanted w;

    for (uint32_t i = 0; i < set->n_data; i++)
        files[i] = set->data[i];
    files[set->n_data] = set->log;
    if (cycle_plans_wanted(set, plans, &w, e))
        t = wanted_load(&w, &o, e);
    wanted_free(&w);
    return t;
}

/* A plan that nothing is known of yet must not keep the models from being
 * learnt. */
static struct table *load(const struct cycle_config *set, int64_t until_ms,
                          struct cycle_trained *out, struct err *e)
{
    struct table *t = load_arms(set, until_ms, true, e);
    bool plans = false;

    for (uint32_t i = 0; i < set->n_arms; i++)
        plans = plans || set->arms[i].plan;
    if (t || !plans || e->kind != ERR_INPUT)
        return t;
    (void)span_copy(out->no_plans, sizeof out->no_plans, span_of(e->msg));
    return load_arms(set, until_ms, false, e);
}

static bool write_challenger(const struct cycle_config *set,
                             const struct training *r,
                             const struct card_about *about, char id[CYCLE_ID],
                             struct err *e)
{
    char path[PATH_MAX];
    struct classifier *c = NULL;
    struct buf card, file;

    buf_init(&card, CARD_MAX);
    buf_init(&file, FILE_MAX);
    if (!cycle_file_path(set->model, ".challenger", path, sizeof path))
        err_set(e, ERR_USAGE, "%s: the path is too long", set->model);
    else if (card_json(r, about, &card, e) &&
             fit_write(r->fit, buf_view(&card), &file, e))
        c = classifier_from(buf_view(&file), FEATURES_VERSION, e);
    if (c && !file_write(path, buf_view(&file), e)) {
        classifier_close(c);
        c = NULL;
    }
    if (c)
        snprintf(id, CYCLE_ID, "%s", classifier_id(c));
    classifier_close(c);
    buf_free(&card);
    buf_free(&file);
    return c != NULL;
}

static void tell(const struct cycle_config *set, const struct training *r,
                 struct cycle_trained *out)
{
    out->rows = r->t->n;
    out->complete = r->n_judged;
    for (uint32_t a = 0; a < r->t->n_arms; a++)
        out->labels += fit_arm(r->fit, a)->labels;
    for (uint32_t k = 0; k < r->n_levels; k++)
        out->promises |=
            r->levels[k].valid && fabs(r->qualities[k] - set->quality) < 1e-9;
    if (r->use_fixed >= 0)
        snprintf(out->use_fixed, sizeof out->use_fixed, "%s",
                 cycle_shown(set, r->t->arms[r->use_fixed].name));
}

bool cycle_train(const struct cycle_config *set,
                 const struct cycle_state *changed, int64_t until_ms,
                 struct cycle_trained *out, struct err *e)
{
    const struct train_options how = {.reference =
                                          cycle_learnt(set, set->reference),
                                      .quality = set->quality,
                                      .confidence = set->confidence,
                                      .ladder = true,
                                      .seed = set->seed,
                                      .threads = set->threads};
    char now[32];
    struct card_about about = {now, "weir cycle", &how};
    struct training r = {0};
    struct table *t;
    bool ok;

    *out = (struct cycle_trained){.rows = 0};
    t = load(set, until_ms, out, e);
    ok = t != NULL;
    clock_format(clock_utc_ms(), now);
    if (ok) {
        forget_changed(set, t, changed);
        cycle_plans_charge(set, t);
    }
    ok = ok && train_run(&r, t, &how, e) &&
         write_challenger(set, &r, &about, out->id, e);
    if (ok)
        tell(set, &r, out);
    training_free(&r);
    table_free(t);
    return ok;
}
