/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/expect.h"

#include <math.h>

/* Output tokens expected where nothing is predicted. */
#define TOKENS_GUESS 300.0f

static const struct model *model_of(const struct route *r, unsigned i)
{
    return &r->set->arms[i].model->model;
}

static float expected_tokens(const struct question *q, unsigned i)
{
    const struct params *p = &q->request->params;
    const struct model *m = model_of(q->route, i);
    int head = q->prediction ? q->route->head[i] : -1;
    float t = head >= 0 ? q->prediction->tokens[head] : TOKENS_GUESS;

    if (q->request->embeds)
        return 0; /* vectors are no tokens */
    if (p->max_tokens >= 0 && t > (float)p->max_tokens)
        t = (float)p->max_tokens;
    if (m->max_output > 0 && t > (float)m->max_output)
        t = (float)m->max_output;
    return t;
}

/* The conversation's arm reads its cache; another one fills its own. */
static double cache_usd(const struct question *q, unsigned i)
{
    const struct stay *s = q->stay;
    bool stays = s && s->arm == (int)i;

    if (!s || s->arm < 0)
        return 0;
    return model_cache_usd(model_of(q->route, i),
                           (double)q->facts->input_tokens, stays ? s->read : 0,
                           stays ? 0 : s->written);
}

struct verdict expect_arm(const struct question *q, unsigned i)
{
    int head = q->prediction ? q->route->head[i] : -1;
    double n = q->request->params.n > 1 ? (double)q->request->params.n : 1;
    struct verdict v = {.quality =
                            head >= 0 ? q->prediction->quality[head] : NAN};

    v.tokens = expected_tokens(q, i);
    v.cost = model_expected_usd(model_of(q->route, i),
                                (double)q->facts->input_tokens,
                                (double)v.tokens * n);
    v.cache_usd = cache_usd(q, i);
    v.cost += v.cache_usd;
    return v;
}
