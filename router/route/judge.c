/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/judge.h"

#include <math.h>
#include <stdlib.h>

struct judge *judge_new(void)
{
    struct judge *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->scratch = features_scratch_new();
    if (j->scratch)
        return j;
    free(j);
    return NULL;
}

void judge_free(struct judge *j)
{
    if (!j)
        return;
    features_scratch_free(j->scratch);
    free(j);
}

/* Looks the request's conversation up, between its facts and its decision. */
static void find_session(struct judge *j, const struct snapshot *s,
                         const struct brief *b, struct question *q)
{
    const char *header = snapshot_settings(s)->sessions.header;
    struct span given = {NULL, 0};

    if (b->header && header)
        given = b->header(b->header_ctx, header);
    if (b->header && !given.len) /* Bifrost's name for it */
        given = b->header(b->header_ctx, "x-bf-session-id");
    j->session =
        session_key(given, q->request, q->facts, q->route->set->item.name);
    j->stay = (struct stay){.arm = -1};
    j->last = (struct session_note){.time_ms = 0};
    if (!b->sessions)
        return;
    if (session_look(b->sessions, j->session, &j->last))
        j->stay = session_stay(b->sessions, &j->last, q->route, q->request,
                               b->now_ms);
    q->stay = &j->stay;
}

void judge_decide(struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  const struct brief *b)
{
    const struct classifier *c;
    struct question q = {
        .route = r,
        .request = request,
        .facts = &j->facts,
        .wish = b->wish,
        .price = b->price,
        .bounded = b->bounded,
        .room = b->room,
        .drifted = b->drifted,
        .seed = b->seed,
        .down = b->down,
        .resting = b->resting,
        .abroad = b->abroad,
        .header = b->header,
        .header_ctx = b->header_ctx,
        .afford = b->afford,
        .afford_ctx = b->afford_ctx,
    };

    features_extract(request, j->scratch, &j->vec, &j->facts);
    find_session(j, s, b, &q);
    j->route = q.route = snapshot_pick(s, r, j->session ? j->session : b->seed);
    if (q.route != r)
        q.drifted = drift_alarm(snapshot_drift(s, q.route));
    q.classifier = c = q.route->classifier;
    q.prediction = c && !request->embeds ? &j->prediction : NULL;
    if (q.prediction)
        classifier_predict(c, &j->vec, classifier_find_task(c, b->wish.task),
                           &j->prediction);
    decide(&q, &j->decision);
    record_take(&j->record, &q, &j->decision);
}

bool judge_again(struct judge *j, const struct snapshot *s,
                 const struct route *r, struct judged_then *then, struct err *e)
{
    const struct classifier *c = snapshot_classifier(s);
    struct question q = {
        .route = r, .classifier = c, .wish = {.task = then->task}};

    if (c && !then->record.embeds) {
        q.prediction = &j->prediction;
        if (!vec_unpack(then->features, &j->vec, e))
            return err_wrap(e, "features");
        classifier_predict(c, &j->vec, classifier_find_task(c, then->task),
                           &j->prediction);
    }
    record_ask(&then->record, &then->made, &q);
    j->facts = then->made.facts;
    decide(&q, &j->decision);
    record_take(&j->record, &q, &j->decision);
    return true;
}

struct wish wish_none(void)
{
    return (struct wish){.quality = NAN, .max_cost = NAN};
}

static bool read_number(struct span text, const char *name, double max,
                        double *out, struct err *e)
{
    if (text.len == 0)
        return true;
    if (span_double(text, out) && *out >= 0 && *out <= max)
        return true;
    return err_set(e, ERR_INPUT, "%s: wanted a number from 0 to %g, found %.*s",
                   name, max, (int)(text.len < 64 ? text.len : 64), text.ptr);
}

bool wish_read(struct wish *w,
               struct span (*header)(const void *ctx, const char *lower_name),
               const void *ctx, struct err *e)
{
    *w = wish_none();
    w->arms = header(ctx, "x-weir-arm");
    w->task = header(ctx, "x-weir-task");
    return read_number(header(ctx, "x-weir-quality"), "x-weir-quality", 1.5,
                       &w->quality, e) &&
           read_number(header(ctx, "x-weir-max-cost"), "x-weir-max-cost", 1e6,
                       &w->max_cost, e);
}
