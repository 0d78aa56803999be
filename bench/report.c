/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double report_quantile(const double *values, size_t n, double q)
{
    double *sorted = malloc((n + 1) * sizeof *sorted), out = NAN;
    size_t k = 0;

    for (size_t i = 0; sorted && i < n; i++) {
        if (!isnan(values[i]))
            sorted[k++] = values[i];
    }
    if (k) {
        qsort(sorted, k, sizeof *sorted, by_value);
        out = metrics_quantile(sorted, k, q);
    }
    free(sorted);
    return out;
}

void report_verdict(const struct report *r, unsigned way, struct buf *out)
{
    const struct tally *t = r->tally;
    const struct entrant *x = &t->way[way];
    unsigned best = tally_best(t);
    const struct estimate *s = &x->saving[best], *q = &x->ratio[best];
    const struct estimate *g = &x->edge;

    if (r->ways[way].answered == 0) {
        buf_printf(out, "%s: no request was answered.", r->ways[way].label);
        return;
    }
    buf_printf(out,
               "%s kept %.1f %% (%.1f to %.1f) of the quality of %s, the best "
               "fixed model, and cost %.1f %% (%.1f to %.1f) %s.",
               r->ways[way].label, 100 * q->value, 100 * q->lo, 100 * q->hi,
               r->pool->model[best].key, 100 * fabs(s->value),
               100 * (s->value < 0 ? -s->hi : s->lo),
               100 * (s->value < 0 ? -s->lo : s->hi),
               s->value < 0 ? "more" : "less");
    if (isnan(g->value))
        return;
    if (g->lo > 0)
        buf_printf(out,
                   " No mix of fixed models does that: the best one at this "
                   "cost scores %.3f (%.3f to %.3f) lower.",
                   g->value, g->lo, g->hi);
    else
        buf_printf(out,
                   " The best mix of fixed models at this cost does %s "
                   "(difference %+.3f, %+.3f to %+.3f).",
                   g->hi < 0 ? "better" : "no worse, as far as this shows",
                   g->value, g->lo, g->hi);
}

void report_saving(const struct estimate *s, const char *small, const char *end,
                   struct buf *out)
{
    if (s->value < 0)
        buf_printf(out, "costs x %.3g %s%.3g to %.3g%s", 1 - s->value, small,
                   1 - s->hi, 1 - s->lo, end);
    else
        buf_printf(out, "%.1f %% %s%.1f to %.1f%s", 100 * s->value, small,
                   100 * s->lo, 100 * s->hi, end);
}

/* ---- text ---- */

static void text_entrant(const char *name, const struct entrant *x,
                         struct buf *out)
{
    buf_printf(out,
               "  %-28.28s %.3f (%.3f to %.3f)   $%-9.4g ($%.4g to $%.4g)\n",
               name, x->mean_score.value, x->mean_score.lo, x->mean_score.hi,
               1000 * x->mean_cost.value, 1000 * x->mean_cost.lo,
               1000 * x->mean_cost.hi);
}

static void text_rival(const char *name, const struct estimate *saving,
                       const char *rest, struct buf *out)
{
    struct buf b;

    buf_init(&b, 1024);
    report_saving(saving, "(", ")", &b);
    buf_printf(out, "  %-26.26s %-28s %s\n", name, buf_cstr(&b), rest);
    buf_free(&b);
}

static void text_against(const struct report *r, unsigned way, struct buf *out)
{
    const struct entrant *x = &r->tally->way[way];
    const struct estimate *g = &x->gain_first;
    char rest[96];

    buf_printf(out, "\n%-28s %-28s %s\n", "against", "saving", "quality kept");
    for (unsigned m = 0; m < r->pool->n; m++) {
        const struct estimate *q = &x->ratio[m];

        snprintf(rest, sizeof rest, "%.1f %% (%.1f to %.1f)", 100 * q->value,
                 100 * q->lo, 100 * q->hi);
        text_rival(r->pool->model[m].key, &x->saving[m], rest, out);
    }
    if (way == 0)
        return;
    snprintf(rest, sizeof rest, "score %+.3f (%+.3f to %+.3f)", g->value, g->lo,
             g->hi);
    text_rival(r->ways[0].label, &x->saving_first, rest, out);
}

static void text_service(const struct report *r, unsigned way, struct buf *out)
{
    const struct replay_way *w = &r->ways[way];

    buf_str(out, "\nmodels chosen");
    for (unsigned m = 0; m < r->pool->n; m++)
        buf_printf(out, "%s %s %.1f %%", m ? "," : " ", r->pool->model[m].key,
                   w->answered
                       ? 100.0 * (double)w->chosen[m] / (double)w->answered
                       : 0);
    buf_printf(out, "\nlatency       p50 %.2f ms, p90 %.2f ms, p99 %.2f ms\n",
               1e3 * report_quantile(w->seconds, w->n, 0.5),
               1e3 * report_quantile(w->seconds, w->n, 0.9),
               1e3 * report_quantile(w->seconds, w->n, 0.99));
    if (!isnan(report_quantile(w->decision_us, w->n, 0.5)))
        buf_printf(out, "decision      p50 %.0f us, p99 %.0f us\n",
                   report_quantile(w->decision_us, w->n, 0.5),
                   report_quantile(w->decision_us, w->n, 0.99));
    buf_printf(out, "answered      %llu of %zu",
               (unsigned long long)w->answered, w->n);
    for (unsigned i = 0; i < w->n_errors; i++)
        buf_printf(out, "; %llu x %s", (unsigned long long)w->error[i].n,
                   w->error[i].kind);
    if (w->labelled)
        buf_printf(out, "; %llu labels sent as feedback",
                   (unsigned long long)w->labelled);
    buf_char(out, '\n');
}

void report_text(const struct report *r, struct buf *out)
{
    const struct tally *t = r->tally;

    buf_printf(out, "%zu requests of %s through %s, %u at a time\n\n", t->n,
               r->data, r->url, r->concurrency);
    buf_printf(out,
               "%-30s quality, 95 %% interval     "
               "USD for 1,000 requests\n",
               "");
    for (unsigned m = 0; m < t->n_models; m++)
        text_entrant(r->pool->model[m].key, &t->model[m], out);
    text_entrant("oracle", &t->oracle, out);
    for (unsigned w = 0; w < t->n_ways; w++)
        text_entrant(r->ways[w].label, &t->way[w], out);
    for (unsigned w = 0; w < t->n_ways; w++) {
        buf_printf(out, "\n== %s ==\n", r->ways[w].label);
        report_verdict(r, w, out);
        buf_char(out, '\n');
        text_against(r, w, out);
        text_service(r, w, out);
    }
}

/* ---- JSON ---- */

static void json_estimate(struct buf *out, const char *name,
                          const struct estimate *x)
{
    buf_printf(out, ",\"%s\":{\"value\":", name);
    buf_json_num(out, x->value);
    buf_str(out, ",\"lo\":");
    buf_json_num(out, x->lo);
    buf_str(out, ",\"hi\":");
    buf_json_num(out, x->hi);
    buf_char(out, '}');
}

static void json_entrant(struct buf *out, const char *name,
                         const struct entrant *x)
{
    buf_str(out, "{\"name\":");
    buf_json_str(out, span_of(name));
    json_estimate(out, "quality", &x->mean_score);
    json_estimate(out, "cost_usd", &x->mean_cost);
    json_estimate(out, "edge", &x->edge);
}

static void json_number(struct buf *out, const char *name, double v)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json_num(out, v);
}

static void json_way(const struct report *r, unsigned way, struct buf *out)
{
    const struct replay_way *w = &r->ways[way];
    const struct entrant *x = &r->tally->way[way];

    json_entrant(out, w->label, x);
    buf_printf(out, ",\"answered\":%llu,\"labelled\":%llu",
               (unsigned long long)w->answered,
               (unsigned long long)w->labelled);
    buf_str(out, ",\"against\":[");
    for (unsigned m = 0; m < r->pool->n; m++) {
        buf_str(out, m ? ",{\"name\":" : "{\"name\":");
        buf_json_str(out, span_of(r->pool->model[m].key));
        json_estimate(out, "saving", &x->saving[m]);
        json_estimate(out, "quality", &x->ratio[m]);
        buf_printf(out, ",\"chosen\":%llu}", (unsigned long long)w->chosen[m]);
    }
    buf_char(out, ']');
    json_estimate(out, "saving_first", &x->saving_first);
    json_estimate(out, "gain_first", &x->gain_first);
    buf_str(out, ",\"errors\":{");
    for (unsigned i = 0; i < w->n_errors; i++) {
        buf_str(out, i ? "," : "");
        buf_json_str(out, span_of(w->error[i].kind));
        buf_printf(out, ":%llu", (unsigned long long)w->error[i].n);
    }
    buf_char(out, '}');
    json_number(out, "latency_p50_s", report_quantile(w->seconds, w->n, 0.5));
    json_number(out, "latency_p90_s", report_quantile(w->seconds, w->n, 0.9));
    json_number(out, "latency_p99_s", report_quantile(w->seconds, w->n, 0.99));
    json_number(out, "decision_p50_us",
                report_quantile(w->decision_us, w->n, 0.5));
    json_number(out, "decision_p99_us",
                report_quantile(w->decision_us, w->n, 0.99));
    json_number(out, "expected_cost_usd", w->expected_cost);
    buf_str(out, ",\"sample_id\":");
    buf_json_str(out, span_of(w->sample_id));
    buf_char(out, '}');
}

void report_json(const struct report *r, struct buf *out)
{
    const struct tally *t = r->tally;

    buf_printf(out,
               "{\"n\":%zu,\"incomplete\":%zu,\"resamples\":%u,\"seed\":%llu,"
               "\"data\":",
               t->n, r->rows->incomplete, t->resamples,
               (unsigned long long)r->seed);
    buf_json_str(out, span_of(r->data));
    buf_str(out, ",\"url\":");
    buf_json_str(out, span_of(r->url));
    buf_str(out, ",\"models\":[");
    for (unsigned m = 0; m < t->n_models; m++) {
        buf_str(out, m ? "," : "");
        json_entrant(out, r->pool->model[m].key, &t->model[m]);
        buf_char(out, '}');
    }
    buf_str(out, "],\"oracle\":");
    json_entrant(out, "oracle", &t->oracle);
    buf_str(out, "},\"ways\":[");
    for (unsigned w = 0; w < t->n_ways; w++) {
        buf_str(out, w ? "," : "");
        json_way(r, w, out);
    }
    buf_str(out, "]}\n");
}
