/* SPDX-License-Identifier: Apache-2.0 */
/* The picture and the page of a routing benchmark. */
#include "bench/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct plot_point point_of(enum plot_kind kind, const char *name,
                                  const struct entrant *x)
{
    bool bar = kind == PLOT_WEIR;

    return (struct plot_point){kind,
                               name,
                               1000 * x->mean_cost.value,
                               x->mean_score.value,
                               bar ? x->mean_score.lo : NAN,
                               bar ? x->mean_score.hi : NAN};
}

static int by_cost(const void *a, const void *b)
{
    double x = ((const struct plot_point *)a)->cost;
    double y = ((const struct plot_point *)b)->cost;

    return (x > y) - (x < y);
}

/* What cost nothing has no place on a cost axis of powers. */
static void add_point(struct plot *p, struct plot_point q)
{
    if (q.cost > 0)
        p->point[p->n++] = q;
}

void report_svg(const struct report *r, struct buf *out)
{
    const struct tally *t = r->tally;
    char subtitle[160];
    struct plot p = {.title = "What the same requests cost, and how well they "
                              "were answered",
                     .subtitle = subtitle,
                     .joined = true};

    for (unsigned w = 0; w < t->n_ways; w++)
        p.joined &= !r->ways[w].url && r->ways[w].route == r->ways[0].route;
    snprintf(subtitle, sizeof subtitle, "%zu requests of %.100s", t->n,
             r->data);
    for (unsigned w = 0; w < t->n_ways; w++)
        add_point(&p, point_of(PLOT_WEIR, r->ways[w].label, &t->way[w]));
    for (unsigned m = 0; m < t->n_models; m++)
        add_point(&p,
                  point_of(PLOT_FIXED, r->pool->model[m].key, &t->model[m]));
    add_point(&p, point_of(PLOT_ORACLE, "oracle", &t->oracle));
    qsort(p.point, p.n, sizeof p.point[0], by_cost);
    for (size_t i = 0; i < t->n_hull; i++) {
        if (t->hull[i].cost <= 0)
            continue;
        p.mix_cost[p.n_mix] = 1000 * t->hull[i].cost;
        p.mix_quality[p.n_mix++] = t->hull[i].quality;
    }
    plot_svg(&p, out);
}

static const char page_head[] =
    "<!doctype html><html lang='en'><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width'>"
    "<title>weir: routing benchmark</title><style>"
    "body{font:15px/1.5 system-ui,'DejaVu Sans',Arial,sans-serif;"
    "color:#1e293b;max-width:820px;margin:32px auto;padding:0 20px}"
    "h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px}"
    "p{margin:8px 0}.dim{color:#64748b;font-size:13px}"
    ".say{background:#f0fdfa;border-left:4px solid #0f766e;"
    "padding:10px 14px;border-radius:0 6px 6px 0}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px}"
    "th{text-align:right;font-weight:600;color:#475569;"
    "border-bottom:2px solid #cbd5e1;padding:5px 8px}"
    "td{text-align:right;border-bottom:1px solid #e2e8f0;padding:5px 8px;"
    "font-variant-numeric:tabular-nums}"
    "th:first-child,td:first-child{text-align:left}"
    "td small{color:#64748b}tr.weir td{font-weight:600;color:#0f766e}"
    "tr.weir td small{font-weight:400}"
    ".bar{display:flex;height:26px;border-radius:5px;overflow:hidden;"
    "font-size:12px;color:#fff}.bar div{padding:3px 6px;overflow:hidden;"
    "white-space:nowrap;text-overflow:ellipsis;min-width:0;"
    "box-sizing:border-box}"
    "svg{max-width:100%;height:auto;border:1px solid #e2e8f0;"
    "border-radius:8px;margin-top:8px}</style>\n";

static void cell(struct buf *out, const struct estimate *x, double times,
                 const char *format)
{
    char value[32], lo[32], hi[32];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(value, sizeof value, format, times * x->value);
    snprintf(lo, sizeof lo, format, times * x->lo);
    snprintf(hi, sizeof hi, format, times * x->hi);
#pragma GCC diagnostic pop
    buf_printf(out, "<td>%s <small>%s to %s</small></td>", value, lo, hi);
}

static void entrant_row(struct buf *out, const char *name,
                        const struct entrant *x, bool weir)
{
    buf_printf(out, "<tr%s><td>", weir ? " class='weir'" : "");
    plot_text(out, name);
    buf_str(out, "</td>");
    cell(out, &x->mean_score, 1, "%.3f");
    cell(out, &x->mean_cost, 1000, "$%.4g");
    buf_str(out, "</tr>\n");
}

static void entrants_table(const struct report *r, struct buf *out)
{
    const struct tally *t = r->tally;

    buf_str(out, "<h2>Quality and cost</h2><table><tr><th></th>"
                 "<th>mean score</th><th>USD for 1,000 requests</th></tr>\n");
    for (unsigned m = 0; m < t->n_models; m++)
        entrant_row(out, r->pool->model[m].key, &t->model[m], false);
    entrant_row(out, "oracle", &t->oracle, false);
    for (unsigned w = 0; w < t->n_ways; w++)
        entrant_row(out, r->ways[w].label, &t->way[w], true);
    buf_str(out, "</table><p class='dim'>Small figures: 95 % bootstrap "
                 "intervals over groups of equal questions. The oracle sends "
                 "each request to the cheapest of the models that answered it "
                 "best: a bound, not a router.</p>");
}

static void shares(const struct report *r, unsigned way, struct buf *out)
{
    static const char *const colours[] = {"#0f766e", "#2563eb", "#7c3aed",
                                          "#b45309", "#be123c", "#475569"};
    const struct replay_way *w = &r->ways[way];

    buf_str(out, "<div class='bar'>");
    for (unsigned m = 0; m < r->pool->n && w->answered; m++) {
        double share = 100.0 * (double)w->chosen[m] / (double)w->answered;

        if (w->chosen[m] == 0)
            continue;
        buf_printf(out, "<div style='width:%.2f%%;background:%s' title='",
                   share, colours[m % 6]);
        plot_text(out, r->pool->model[m].key);
        buf_printf(out, ": %.1f %%'>", share);
        plot_text(out, r->pool->model[m].key);
        buf_printf(out, " %.0f&nbsp;%%</div>", share);
    }
    buf_str(out, "</div>");
}

static void service(const struct report *r, unsigned way, struct buf *out)
{
    const struct replay_way *w = &r->ways[way];

    buf_printf(out,
               "<p class='dim'>Answered %llu of %zu. Latency p50 %.2f ms, "
               "p90 %.2f ms, p99 %.2f ms",
               (unsigned long long)w->answered, w->n,
               1e3 * report_quantile(w->seconds, w->n, 0.5),
               1e3 * report_quantile(w->seconds, w->n, 0.9),
               1e3 * report_quantile(w->seconds, w->n, 0.99));
    if (!isnan(report_quantile(w->decision_us, w->n, 0.5)))
        buf_printf(out, "; of it the decision p50 %.0f us, p99 %.0f us",
                   report_quantile(w->decision_us, w->n, 0.5),
                   report_quantile(w->decision_us, w->n, 0.99));
    buf_str(out, w->n_errors ? ". Errors: " : ". No errors.");
    for (unsigned i = 0; i < w->n_errors; i++) {
        buf_printf(out, "%s%llu x ", i ? ", " : "",
                   (unsigned long long)w->error[i].n);
        plot_text(out, w->error[i].kind);
    }
    buf_str(out, "</p>");
}

static void way_section(const struct report *r, unsigned way, struct buf *out)
{
    const struct entrant *x = &r->tally->way[way];

    buf_str(out, "<h2>");
    plot_text(out, r->ways[way].label);
    buf_str(out, "</h2><p class='say'>");
    struct buf say;
    buf_init(&say, 1 << 16);
    report_verdict(r, way, &say);
    plot_text(out, buf_cstr(&say));
    buf_free(&say);
    buf_str(out, "</p>");
    shares(r, way, out);
    buf_str(out, "<table><tr><th>against</th><th>saving</th>"
                 "<th>quality kept, %</th></tr>\n");
    for (unsigned m = 0; m < r->pool->n; m++) {
        buf_str(out, "<tr><td>");
        plot_text(out, r->pool->model[m].key);
        buf_str(out, "</td>");
        buf_str(out, "<td>");
        report_saving(&x->saving[m], "<small>", "</small>", out);
        buf_str(out, "</td>");
        cell(out, &x->ratio[m], 100, "%.1f");
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</table>");
    service(r, way, out);
}

void report_html(const struct report *r, struct buf *out)
{
    buf_str(out, page_head);
    buf_str(out, "<h1>Routing benchmark</h1><p class='dim'>");
    buf_printf(out, "%zu requests of ", r->tally->n);
    plot_text(out, r->data);
    buf_str(out, " through ");
    plot_text(out, r->url);
    buf_printf(out, ", %u at a time, seed %llu", r->concurrency,
               (unsigned long long)r->seed);
    if (r->rows->incomplete)
        buf_printf(out, "; %zu rows without a score of every model left out",
                   r->rows->incomplete);
    buf_str(out, "</p>\n");
    report_svg(r, out);
    entrants_table(r, out);
    for (unsigned w = 0; w < r->tally->n_ways; w++)
        way_section(r, w, out);
    buf_str(out, "</html>\n");
}
