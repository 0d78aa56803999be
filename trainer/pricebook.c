/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/pricebook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/registry.h"

struct price_row {
    char *model; /* (owned) */
    double in, out;
};

struct pricebook {
    const struct catalogue *catalogue; /* (borrowed) */
    struct price_row *rows;
    size_t n;
};

struct pricebook *pricebook_new(const struct catalogue *catalogue)
{
    struct pricebook *p = calloc(1, sizeof *p);

    if (p)
        p->catalogue = catalogue;
    return p;
}

void pricebook_free(struct pricebook *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->rows[i].model);
    free(p->rows);
    free(p);
}

bool pricebook_add(struct pricebook *p, struct span model, const double usd[2],
                   struct err *e)
{
    struct price_row *rows = realloc(p->rows, (p->n + 1) * sizeof *rows);
    char *name = strndup(model.ptr, model.len);

    if (rows)
        p->rows = rows;
    if (!rows || !name) {
        free(name);
        return err_set(e, ERR_MEMORY, "no memory for prices");
    }
    p->rows[p->n++] = (struct price_row){name, usd[0] / 1e6, usd[1] / 1e6};
    return true;
}

static bool line_read(struct pricebook *p, struct span line, unsigned number,
                      struct err *e)
{
    struct span model = span_trim(span_cut(&line, ','));
    double usd[2];

    for (int i = 0; i < 2; i++) {
        struct span cell = span_trim(span_cut(&line, ','));
        if (span_double(cell, &usd[i]) && usd[i] >= 0)
            continue;
        if (number == 1 && i == 0)
            return true; /* the columns' names */
        return err_set(e, ERR_INPUT,
                       "line %u: wanted `model,input,output` in USD per "
                       "million tokens, found \"%.*s\" as %s price",
                       number, SPAN_ARGS(cell), i ? "output" : "input");
    }
    if (!model.len)
        return err_set(e, ERR_INPUT, "line %u: no model's name", number);
    return pricebook_add(p, model, usd, e);
}

bool pricebook_read(struct pricebook *p, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    unsigned number = 0;
    bool ok = true;

    if (!f)
        return err_sys(e, "%s", path);
    while (ok && (len = getline(&line, &room, f)) >= 0) {
        struct span s = span_trim((struct span){line, (size_t)len});
        number++;
        if (s.len && s.ptr[0] != '#')
            ok = line_read(p, s, number, e);
    }
    if (ok && ferror(f))
        ok = err_sys(e, "reading");
    free(line);
    fclose(f);
    return ok || err_wrap(e, "%s", path);
}

bool pricebook_find(const struct pricebook *p, struct span model,
                    double *usd_in, double *usd_out)
{
    const struct model *m;

    for (size_t i = p->n; i-- > 0;)
        if (span_is(model, p->rows[i].model)) {
            *usd_in = p->rows[i].in;
            *usd_out = p->rows[i].out;
            return true;
        }
    m = p->catalogue ? catalogue_find(p->catalogue, model) : NULL;
    if (!m || !m->priced)
        return false;
    *usd_in = (double)m->prices.input / PICO_PER_USD;
    *usd_out = (double)m->prices.output / PICO_PER_USD;
    return true;
}
