/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_ledger.h"

#include "router/codec/put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = 512, NAME_SIZE = 128 };

struct account {
    uint64_t outcomes[MOCK_ABORTED + 1];
    int64_t input, cached, output, reasoning; /* of answers */
    int64_t pico;
    int64_t lost_input, lost_output, lost_pico; /* of broken, aborted ones */
};

struct row {
    char name[NAME_SIZE];
    struct model model;
    struct account account;
};

struct mock_ledger {
    struct catalogue *catalogue; /* (owned) or NULL */
    struct prices price;         /* of all, where there is no catalogue */
    FILE *journal;               /* (owned) or NULL */
    uint64_t requests, frames;
    struct account all;
    struct row rows[MODELS_MAX]; /* beyond: only in `all` */
    unsigned n;
};

static bool read_price(struct mock_ledger *l, const char *text, struct err *e)
{
    struct span rest = span_of(text), input = span_cut(&rest, '/'),
                output = span_cut(&rest, '/');

    l->price = (struct prices){0, 0, -1, -1, -1};
    if (price_parse(input, &l->price.input) &&
        price_parse(output, &l->price.output) &&
        (!rest.ptr || price_parse(rest, &l->price.cached_input)))
        return true;
    return err_set(e, ERR_USAGE,
                   "--price: wanted INPUT/OUTPUT[/CACHED] in USD per million "
                   "tokens, found '%s'",
                   text);
}

struct mock_ledger *mock_ledger_new(const char *price, struct err *e)
{
    struct mock_ledger *l = calloc(1, sizeof *l);
    bool ok = l || err_set(e, ERR_MEMORY, "no memory for the ledger");

    if (ok && price)
        ok = read_price(l, price, e);
    else if (ok)
        ok = (l->catalogue = catalogue_shipped(e)) != NULL;
    if (!ok) {
        mock_ledger_free(l);
        return NULL;
    }
    return l;
}

void mock_ledger_free(struct mock_ledger *l)
{
    if (l)
        catalogue_free(l->catalogue);
    if (l && l->journal)
        fclose(l->journal);
    free(l);
}

static struct row *row_of(struct mock_ledger *l, struct span model)
{
    const struct model *known;
    struct row *r;

    for (unsigned i = 0; i < l->n; i++) {
        if (span_is(model, l->rows[i].name))
            return &l->rows[i];
    }
    if (l->n == MODELS_MAX)
        return NULL;
    r = &l->rows[l->n];
    if (!span_copy(r->name, sizeof r->name, model))
        return NULL;
    known = l->catalogue ? catalogue_find(l->catalogue, model) : NULL;
    if (known)
        r->model = *known;
    else
        r->model = (struct model){.prices = l->price, .priced = !l->catalogue};
    l->n++;
    return r;
}

static void book(struct account *a, enum mock_outcome outcome,
                 const struct usage *u, int64_t pico)
{
    a->outcomes[outcome]++;
    if (outcome == MOCK_FAILED)
        return;
    if (outcome != MOCK_ANSWERED) {
        a->lost_input += u->input;
        a->lost_output += u->output;
        a->lost_pico += pico;
        return;
    }
    a->input += u->input;
    a->cached += u->cached;
    a->output += u->output;
    a->reasoning += u->reasoning;
    a->pico += pico;
}

void mock_ledger_request(struct mock_ledger *l)
{
    l->requests++;
}

void mock_ledger_frame(struct mock_ledger *l)
{
    l->frames++;
}

static void write_line(FILE *to, const struct mock_entry *c, int64_t pico)
{
    static const char *const names[] = {
        [MOCK_ANSWERED] = "answered",
        [MOCK_FAILED] = "error",
        [MOCK_BROKEN] = "broken",
        [MOCK_ABORTED] = "aborted",
    };
    struct buf b;

    buf_init(&b, 4096);
    buf_char(&b, '{');
    put_str(&b, "outcome", span_of(names[c->outcome]));
    put_str(&b, "model", c->model);
    put_str(&b, "words", c->words);
    put_int(&b, "input_tokens", c->usage.input);
    put_int(&b, "output_tokens", c->usage.output);
    put_int(&b, "cost_pico", pico);
    buf_str(&b, "}\n");
    fwrite(b.ptr, 1, b.failed ? 0 : b.len, to);
    fflush(to);
    buf_free(&b);
}

void mock_ledger_add(struct mock_ledger *l, const struct mock_entry *c)
{
    struct row *r = row_of(l, c->model);
    int64_t pico = r && r->model.priced ? model_cost(&r->model, &c->usage) : 0;

    if (r)
        book(&r->account, c->outcome, &c->usage, pico);
    book(&l->all, c->outcome, &c->usage, pico);
    if (l->journal)
        write_line(l->journal, c, pico);
}

bool mock_ledger_journal(struct mock_ledger *l, const char *path, struct err *e)
{
    l->journal = fopen(path, "ae");
    return l->journal || err_sys(e, "%s", path);
}

static void put_account(const struct account *a, struct buf *out)
{
    put_int(out, "answered", (int64_t)a->outcomes[MOCK_ANSWERED]);
    put_int(out, "errors", (int64_t)a->outcomes[MOCK_FAILED]);
    put_int(out, "broken", (int64_t)a->outcomes[MOCK_BROKEN]);
    put_int(out, "aborted", (int64_t)a->outcomes[MOCK_ABORTED]);
    put_int(out, "input_tokens", a->input);
    put_int(out, "cached_tokens", a->cached);
    put_int(out, "output_tokens", a->output);
    put_int(out, "reasoning_tokens", a->reasoning);
    put_int(out, "cost_pico", a->pico);
    put_num(out, "usd", (double)a->pico / PICO_PER_USD);
    put_int(out, "lost_input_tokens", a->lost_input);
    put_int(out, "lost_output_tokens", a->lost_output);
    put_int(out, "lost_cost_pico", a->lost_pico);
}

void mock_ledger_write(const struct mock_ledger *l, struct buf *out)
{
    buf_char(out, '{');
    put_int(out, "requests", (int64_t)l->requests);
    put_int(out, "frames", (int64_t)l->frames);
    put_account(&l->all, out);
    buf_str(out, ",\"models\":{");
    for (unsigned i = 0; i < l->n; i++) {
        put_comma(out);
        buf_json_str(out, span_of(l->rows[i].name));
        buf_str(out, ":{");
        put_account(&l->rows[i].account, out);
        buf_char(out, '}');
    }
    buf_str(out, "}}");
}
