/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/rules.h"

#include <string.h>

#include "features/language.h"

static bool tri_holds(unsigned want, bool is)
{
    return want == TRI_ANY || (want == TRI_YES) == is;
}

uint64_t header_mark(struct span value)
{
    return value.len ? span_hash(value, 0x68656164) | 1 : 0;
}

uint64_t header_mark_of(const struct question *q, const char *lower_name)
{
    if (q->header)
        return header_mark(q->header(q->header_ctx, lower_name));
    for (unsigned i = 0; i < q->n_marks; i++) {
        if (span_is(q->marks[i].name, lower_name))
            return q->marks[i].value;
    }
    return 0;
}

static bool headers_hold(const struct question *q,
                         const struct pair_list *wanted)
{
    for (unsigned i = 0; i < wanted->n; i++) {
        const char *name = wanted->at[i].name, *value = wanted->at[i].value;

        if (q->header ? !span_is(q->header(q->header_ctx, name), value)
                      : !q->n_marks || header_mark_of(q, name) !=
                                           header_mark(span_of(value)))
            return false;
    }
    return true;
}

static bool metadata_holds(const struct request *r,
                           const struct pair_list *wanted)
{
    struct json meta = {JSON_OBJECT, false, span_trim(r->params.metadata)};

    if (wanted->n == 0)
        return true;
    if (meta.raw.len < 2 || *meta.raw.ptr != '{')
        return false;
    for (unsigned i = 0; i < wanted->n; i++) {
        struct json v = json_get(&meta, wanted->at[i].name);

        if (v.type != JSON_STRING || !json_is(&v, wanted->at[i].value))
            return false;
    }
    return true;
}

static bool offers(const struct request *r, const char *tool)
{
    for (size_t i = 0; i < r->n_tools; i++) {
        if (span_is(r->tools[i].name, tool))
            return true;
    }
    return tool == NULL;
}

/* Asked only where a rule names languages: it reads the text. */
static bool speaks(const struct request *r, const struct text_list *wanted)
{
    const char *is = wanted->n ? language_of(r) : "";

    for (unsigned i = 0; i < wanted->n; i++) {
        if (!strcmp(wanted->at[i], is))
            return true;
    }
    return wanted->n == 0;
}

bool rule_holds(const struct question *q, const struct decision *d,
                const struct when_settings *w)
{
    const struct request *r = q->request;
    const struct facts *f = q->facts;

    return tri_holds(w->tools, r->n_tools > 0) &&
           tri_holds(w->images, f->images > 0) &&
           tri_holds(w->json, r->params.format != FORMAT_TEXT) &&
           tri_holds(w->stream, r->params.stream) &&
           f->input_tokens >= w->min_tokens &&
           f->input_tokens <= w->max_tokens && f->turns >= w->min_turns &&
           (!w->key || span_is(r->key_name, w->key)) &&
           (!w->task || span_is(d->task, w->task)) && offers(r, w->tool) &&
           speaks(r, &w->language) && metadata_holds(r, &w->metadata) &&
           headers_hold(q, &w->headers);
}

static bool names(const struct text_list *list, struct span name)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (span_is(name, list->at[i]))
            return true;
    }
    return false;
}

bool risk_holds(const struct question *q, const struct decision *d)
{
    const struct risk_settings *r = &q->route->set->high_risk;

    return (d->task.len && names(&r->tasks, d->task)) ||
           names(&r->keys, q->request->key_name) ||
           (r->header && header_mark_of(q, r->header) != 0);
}
