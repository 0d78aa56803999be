/* SPDX-License-Identifier: Apache-2.0 */
/* The savings report as one HTML page without a script: curve, calibration,
 * tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plot.h"
#include "trainer/savings.h"

static const char page_head[] =
    "<!doctype html><html lang='en'><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width'>"
    "<title>weir: savings</title><style>"
    "body{font:15px/1.5 system-ui,'DejaVu Sans',Arial,sans-serif;"
    "color:#1e293b;max-width:860px;margin:32px auto;padding:0 20px}"
    "h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px}"
    ".dim{color:#64748b;font-size:13px}"
    ".say{background:#f0fdfa;border-left:4px solid #0f766e;"
    "padding:10px 14px 10px 30px;border-radius:0 6px 6px 0}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px;"
    "margin:10px 0}"
    "th{text-align:right;font-weight:600;color:#475569;"
    "border-bottom:2px solid #cbd5e1;padding:5px 8px}"
    "td{text-align:right;border-bottom:1px solid #e2e8f0;padding:5px 8px;"
    "font-variant-numeric:tabular-nums}"
    "th:first-child,td:first-child{text-align:left}td small{color:#64748b}"
    "svg{max-width:100%;height:auto;border:1px solid #e2e8f0;"
    "border-radius:8px;margin-top:8px}</style>\n";

static void text(struct buf *out, struct span s)
{
    char name[128];

    (void)span_copy(name, sizeof name, s);
    plot_text(out, name);
}

static void cell(struct buf *out, const struct estimate *x, double times,
                 const char *unit)
{
    if (isnan(x->value))
        buf_str(out, "<td>-</td>");
    else
        buf_printf(out, "<td>%.4g%s <small>%.4g to %.4g</small></td>",
                   times * x->value, unit, times * x->lo, times * x->hi);
}

static void saving_cell(struct buf *out, const struct estimate *x)
{
    if (x->value < -1)
        buf_printf(out,
                   "<td>costs &times; %.3g <small>%.3g to %.3g</small></td>",
                   1 - x->value, 1 - x->hi, 1 - x->lo);
    else
        cell(out, x, 100, " %");
}

/* ---- pictures ---- */

static int by_cost(const void *a, const void *b)
{
    double x = ((const struct plot_point *)a)->cost;
    double y = ((const struct plot_point *)b)->cost;

    return (x > y) - (x < y);
}

/* Only what is measured: fixed arms with a solid quality, and the route. */
static void curve(const struct savings_route *r, struct buf *out)
{
    static char names[LEDGER_ARMS_MAX][64];
    struct plot p = {.title = "Cost and quality of each arm for everything, "
                              "and of the route",
                     .subtitle = "off-policy estimates from the log"};
    double own = 1000 * r->spent / (double)r->ledger->n;

    for (unsigned a = 0; a < r->ledger->n_arms; a++) {
        const struct savings_arm *x = &r->arms[a];

        if (!x->score.n || !savings_solid(&x->score) ||
            !(x->cost.ratio.value > 0) || isnan(x->score.dr.value))
            continue;
        (void)span_copy(names[a], sizeof names[a], r->ledger->arms[a]);
        p.point[p.n++] = (struct plot_point){
            PLOT_FIXED,        names[a],       1000 * x->cost.ratio.value,
            x->score.dr.value, x->score.dr.lo, x->score.dr.hi};
    }
    if (own > 0 && !isnan(r->score.value))
        p.point[p.n++] =
            (struct plot_point){PLOT_WEIR,      "the route", own,
                                r->score.value, r->score.lo, r->score.hi};
    if (p.n < 2)
        return;
    qsort(p.point, p.n, sizeof p.point[0], by_cost);
    plot_svg(&p, out);
}

static void bars(const struct savings_route *r, struct buf *out)
{
    enum { W = 360, H = 300, M = 44 };
    const double side = H - 2 * M;

    if (isnan(r->ece))
        return;
    buf_printf(out,
               "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' "
               "width='%d' font-family='DejaVu Sans,Arial,sans-serif' "
               "font-size='11'><rect width='%d' height='%d' fill='#fff'/>"
               "<text x='%d' y='22' font-size='13' font-weight='600'>"
               "Expected beside observed quality</text>"
               "<line x1='%d' y1='%d' x2='%.1f' y2='%d' stroke='#cbd5e1'/>",
               W, H, W, W, H, M, M, H - M, M + side, M);
    for (unsigned k = 0; k < SAVINGS_BINS; k++) {
        const struct savings_bin *b = &r->bins[k];

        if (b->n == 0)
            continue;
        buf_printf(out,
                   "<circle cx='%.1f' cy='%.1f' r='%.1f' fill='#0f766e' "
                   "fill-opacity='.75'><title>%llu requests: expected %.3f, "
                   "observed %.3f</title></circle>",
                   M + side * b->predicted, H - M - side * b->observed,
                   3 + 2 * log10((double)b->n), (unsigned long long)b->n,
                   b->predicted, b->observed);
    }
    for (unsigned k = 0; k <= 4; k++)
        buf_printf(out,
                   "<text x='%.1f' y='%d' text-anchor='middle' "
                   "fill='#64748b'>%.2f</text><text x='%d' y='%.1f' "
                   "text-anchor='end' fill='#64748b'>%.2f</text>",
                   M + side * k / 4.0, H - M + 16, k / 4.0, M - 6,
                   H - M - side * k / 4.0 + 4, k / 4.0);
    buf_printf(out,
               "<text x='%.1f' y='%d' text-anchor='middle' fill='#334155'>"
               "expected</text><text x='%.1f' y='%d' fill='#334155'>observed"
               "</text></svg>",
               M + side / 2, H - 10, M + 4.0, M - 4);
}

/* ---- tables ---- */

static void arms_table(const struct savings_route *r, struct buf *out)
{
    buf_str(out, "<table><tr><th>for everything</th><th>served</th>"
                 "<th>would have cost, USD</th><th>saving against it</th>"
                 "<th>its quality</th><th>effective sample</th>"
                 "<th>only expected</th></tr>\n");
    for (unsigned a = 0; a < r->ledger->n_arms; a++) {
        const struct savings_arm *x = &r->arms[a];
        struct estimate none = {NAN, NAN, NAN};
        bool solid = savings_solid(&x->cost);

        buf_str(out, "<tr><td>");
        text(out, r->ledger->arms[a]);
        buf_printf(out, "</td><td>%llu</td>",
                   (unsigned long long)r->ledger->served[a]);
        cell(out, &x->cost.ratio, (double)x->cost.n, "");
        saving_cell(out, solid ? &x->cost.less : &none);
        cell(out, x->score.n && savings_solid(&x->score) ? &x->score.dr : &none,
             1, "");
        buf_printf(out, "<td>%.0f</td><td>%.0f %%</td></tr>\n",
                   x->cost.effective, 100 * x->cost.unseen);
    }
    buf_str(out, "</table>");
}

static void kinds_table(const char *what, const struct ledger_kinds *k,
                        struct buf *out)
{
    if (k->n == 0 || (k->n == 1 && k->at[0].name.len == 0))
        return;
    buf_printf(out,
               "<table><tr><th>%s</th><th>requests</th><th>USD</th>"
               "<th>labelled</th><th>mean score</th></tr>\n",
               what);
    for (unsigned i = 0; i < k->n; i++) {
        const struct ledger_kind *x = &k->at[i];

        buf_str(out, "<tr><td>");
        text(out, x->name.len ? x->name : SPAN("-"));
        buf_printf(out, "</td><td>%llu</td><td>%.6f</td><td>%llu</td>",
                   (unsigned long long)x->n, x->cost,
                   (unsigned long long)x->labelled);
        if (x->labelled)
            buf_printf(out, "<td>%.3f</td></tr>\n",
                       x->score / (double)x->labelled);
        else
            buf_str(out, "<td>-</td></tr>\n");
    }
    buf_str(out, "</table>");
}

static void route_section(const struct savings_route *r, struct buf *out)
{
    buf_str(out, "<h2>Route ");
    text(out, r->ledger->name);
    buf_printf(out,
               "</h2><p>%zu requests answered for %.6f USD; %llu labelled; "
               "%llu explored for %.6f USD net.</p>\n",
               r->ledger->n, r->spent, (unsigned long long)r->labelled,
               (unsigned long long)r->explored, r->explored_usd);
    arms_table(r, out);
    curve(r, out);
    bars(r, out);
    kinds_table("task", &r->ledger->tasks, out);
    kinds_table("key", &r->ledger->keys, out);
}

void savings_page(const struct savings *s, struct buf *out)
{
    const struct ledger *l = s->ledger;

    buf_str(out, page_head);
    buf_printf(out,
               "<h1>Savings</h1><p class='dim'>%llu requests, %.6f USD; %llu "
               "failed, %llu from the cache, %llu answered by rules</p>\n",
               (unsigned long long)l->requests, l->spent,
               (unsigned long long)l->failed, (unsigned long long)l->cached,
               (unsigned long long)l->own);
    buf_str(out, "<ul class='say'>");
    for (unsigned i = 0; i < s->n_notes; i++) {
        buf_str(out, "<li>");
        plot_text(out, s->notes[i]);
        buf_str(out, "</li>");
    }
    buf_str(out, "</ul>\n");
    for (unsigned i = 0; i < l->n_routes; i++)
        if (l->routes[i].n)
            route_section(&s->routes[i], out);
    kinds_table("labels from", &l->sources, out);
    kinds_table("weir's own calls", &l->learning, out);
    buf_str(
        out,
        "<p class='dim'>Small figures: 95 % bootstrap intervals, whole "
        "conversations drawn together. Costs of fixed arms are ratio "
        "estimates, their quality is doubly robust: what was expected of "
        "each, set right by the answers that chance gave it. Exploration "
        "is part of the spend, so the saving is net of it, and what shadows "
        "and judges cost is taken off it.</p></html>\n");
}
