/* SPDX-License-Identifier: Apache-2.0 */
#include "models/plan_form.h"

#include <stdio.h>
#include <string.h>

/* One row a kind of plan. */
static const struct kind {
    const char *name;
    enum plan_form_kind kind;
    unsigned members;
    const char *form;
} kinds[] = {
    {"verify", PLAN_FORM_VERIFY, 3, "verify(draft,check,else)"},
    {"cascade", PLAN_FORM_CASCADE, 2, "cascade(draft,else)"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

bool plan_form_is(struct span text)
{
    return span_has(text, SPAN("("));
}

void plan_form_split(struct span item, struct span *name, struct span *text)
{
    struct span rest = item;
    struct span first = span_cut(&rest, '=');

    *name = *text = span_trim(item);
    if (!rest.ptr || plan_form_is(first))
        return;
    *name = span_trim(first);
    *text = span_trim(rest);
}

struct span plan_form_cut(struct span *rest)
{
    struct span list = *rest;
    int depth = 0;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        depth += (c == '(') - (c == ')');
        if (c != ',' || depth > 0)
            continue;
        *rest = (struct span){list.ptr + i + 1, list.len - i - 1};
        return span_trim((struct span){list.ptr, i});
    }
    *rest = (struct span){NULL, 0};
    return span_trim(list);
}

static const struct kind *kind_of(struct span name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (span_is(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

const char *plan_form_kind_name(enum plan_form_kind kind)
{
    return kinds[kind].name;
}

bool plan_form_kind_find(struct span name, enum plan_form_kind *kind,
                         unsigned *members)
{
    const struct kind *k = kind_of(name);

    if (!k)
        return false;
    *kind = k->kind;
    *members = k->members;
    return true;
}

static bool members_parse(const struct kind *k, struct span list,
                          struct plan_form *p, struct err *e)
{
    while (list.ptr) {
        struct span name = plan_form_cut(&list);
        if (name.len == 0 || plan_form_is(name))
            return err_set(e, ERR_USAGE, "wanted the name of a model in %s",
                           k->form);
        if (p->n_members == k->members)
            return err_set(e, ERR_USAGE, "wanted %s, found more models",
                           k->form);
        for (unsigned i = 0; i < p->n_members; i++) {
            if (span_eq(p->member[i], name))
                return err_set(e, ERR_USAGE, "%.*s is in the plan twice",
                               SPAN_ARGS(name));
        }
        p->member[p->n_members++] = name;
    }
    if (p->n_members < k->members)
        return err_set(e, ERR_USAGE, "wanted %s, found %u models", k->form,
                       p->n_members);
    return true;
}

bool plan_form_parse(struct span text, struct plan_form *p, struct err *e)
{
    struct span rest = span_trim(text);
    struct span name = span_trim(span_cut(&rest, '('));
    const struct kind *k = kind_of(name);
    if (!k)
        return err_set(e, ERR_USAGE,
                       "wanted a plan such as %s or %s, found %.*s",
                       kinds[0].form, kinds[1].form, SPAN_ARGS(text));
    if (!rest.len || rest.ptr[rest.len - 1] != ')')
        return err_set(e, ERR_USAGE, "wanted %s, found %.*s", k->form,
                       SPAN_ARGS(text));
    rest.len--;
    *p = (struct plan_form){.kind = k->kind};
    return members_parse(k, rest, p, e) ||
           err_wrap(e, "plan %.*s", SPAN_ARGS(text));
}

size_t plan_form_write(const struct plan_form *p, char *dst, size_t size)
{
    size_t at = (size_t)snprintf(dst, size, "%s(", kinds[p->kind].name);

    for (unsigned m = 0; m < p->n_members; m++) {
        size_t here = at < size ? at : size;
        at += (size_t)snprintf(dst + here, size - here, "%s%.*s", m ? "," : "",
                               SPAN_ARGS(p->member[m]));
    }
    size_t here = at < size ? at : size;
    return at + (size_t)snprintf(dst + here, size - here, ")");
}

double plan_form_expected_usd(const double *member_usd, unsigned n_members,
                              double escalates)
{
    double sum = 0;
    for (unsigned m = 0; m + 1 < n_members; m++)
        sum += member_usd[m];
    return sum + escalates * member_usd[n_members - 1];
}

bool plan_form_is_escalates(struct span arm)
{
    struct span mark = SPAN(PLAN_FORM_ESCALATES);

    return arm.len > mark.len && memcmp(arm.ptr, mark.ptr, mark.len) == 0;
}
