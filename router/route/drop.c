/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/drop.h"

#include <stdio.h>

static const struct {
    const char *name, *text;
    uint32_t capability; /* that would have been needed, 0: none */
} rows[DROP_KINDS] = {
    [DROP_NONE] = {"", "", 0},
    [DROP_NOT_ASKED] = {"not_asked", "not among the arms asked for", 0},
    [DROP_TOOLS] = {"tools", "cannot call tools", CAN_TOOLS},
    [DROP_PARALLEL] = {"parallel_tools", "cannot call tools in parallel",
                       CAN_PARALLEL_TOOLS},
    [DROP_VISION] = {"vision", "cannot see images", CAN_VISION},
    [DROP_AUDIO] = {"audio", "cannot hear audio", CAN_AUDIO},
    [DROP_FILES] = {"files", "cannot read files", CAN_FILES},
    [DROP_JSON] = {"json", "has no JSON mode", CAN_JSON},
    [DROP_SCHEMA] = {"schema", "cannot keep to a JSON schema", CAN_SCHEMA},
    [DROP_LOGPROBS] = {"logprobs", "gives no logprobs", CAN_LOGPROBS},
    [DROP_STREAM] = {"stream", "cannot stream", CAN_STREAM},
    [DROP_CONTEXT] = {"context", "", 0},
    [DROP_MAX_OUTPUT] = {"max_output", "", 0},
    [DROP_COST] = {"max_cost", "", 0},
    [DROP_UNPRICED] = {"unpriced", "its price is not known", 0},
    [DROP_UNHEALTHY] = {"unhealthy", "its provider fails at present", 0},
    [DROP_RESTING] = {"resting", "its provider's limits are used up", 0},
    [DROP_CHAT] = {"chat", "only makes embeddings", 0},
    [DROP_EMBEDDINGS] = {"embeddings", "makes no embeddings", 0},
    [DROP_MEMBER] = {"member", "only a member of plans", 0},
    [DROP_REGION] = {"region", "is in no region that is allowed", 0},
    [DROP_VECTORS] = {"vectors", "makes another model's embeddings", 0},
};

static bool needs(enum drop_kind kind, const struct request *r,
                  const struct facts *f)
{
    const struct params *p = &r->params;

    switch (kind) {
    case DROP_TOOLS:
        return r->n_tools > 0;
    case DROP_PARALLEL:
        return r->n_tools > 0 && p->parallel_tool_calls == 1;
    case DROP_VISION:
        return f->images > 0;
    case DROP_AUDIO:
        return f->audios > 0;
    case DROP_FILES:
        return f->files > 0;
    case DROP_JSON:
        return p->format == FORMAT_JSON;
    case DROP_SCHEMA:
        return p->format == FORMAT_JSON_SCHEMA;
    case DROP_LOGPROBS:
        return p->logprobs;
    case DROP_STREAM:
        return p->stream;
    default:
        return false;
    }
}

/* The room an answer takes: as asked for, else a modest one. */
static double output_room(const struct request *r)
{
    return r->params.max_tokens >= 0 ? (double)r->params.max_tokens : 256;
}

static struct drop by_size(const struct model *m, const struct request *r,
                           const struct facts *f)
{
    double out = output_room(r);
    double all = (double)f->input_tokens + out;

    if (m->context > 0 && all > (double)m->context)
        return (struct drop){DROP_CONTEXT, all, (double)m->context};
    if (m->max_output > 0 && r->params.max_tokens >= 0 &&
        out > (double)m->max_output)
        return (struct drop){DROP_MAX_OUTPUT, out, (double)m->max_output};
    return (struct drop){DROP_NONE, 0, 0};
}

struct drop drop_by_task(const struct model *m, const struct request *r)
{
    bool can = m->caps & CAN_EMBEDDINGS;

    if (m->caps_known && can != r->embeds)
        return (struct drop){can ? DROP_CHAT : DROP_EMBEDDINGS, 0, 0};
    return (struct drop){DROP_NONE, 0, 0};
}

struct drop drop_by_model(const struct model *m, const struct request *r,
                          const struct facts *f)
{
    for (unsigned k = 0; m->caps_known && k < DROP_KINDS; k++) {
        uint32_t bit = rows[k].capability;

        if (bit && !(m->caps & bit) && needs((enum drop_kind)k, r, f))
            return (struct drop){(enum drop_kind)k, 0, 0};
    }
    return by_size(m, r, f);
}

const char *drop_name(enum drop_kind kind)
{
    return rows[kind].name;
}

void drop_text(const struct drop *d, char *dst, size_t size)
{
    switch (d->kind) {
    case DROP_CONTEXT:
        snprintf(dst, size, "needs %.0f tokens of context, has %.0f", d->need,
                 d->have);
        return;
    case DROP_MAX_OUTPUT:
        snprintf(dst, size, "needs %.0f output tokens, has %.0f", d->need,
                 d->have);
        return;
    case DROP_COST:
        snprintf(dst, size, "expected to cost $%.6g, allowed are $%.6g",
                 d->need, d->have);
        return;
    default:
        snprintf(dst, size, "%s", rows[d->kind].text);
    }
}
