/* SPDX-License-Identifier: Apache-2.0 */
#include "base/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    WIDTH = 760,
    HEIGHT = 470,
    LEFT = 72,
    RIGHT = 28,
    TOP = 78,
    BOTTOM = 64,
    LETTER = 7, /* of the names, about */
    LINE = 15,
    TAKEN_MAX = 2048, /* boxes */
};

struct box {
    double x, y, w, h; /* x, y: upper left corner */
};

struct drawing {
    const struct plot *p;
    struct buf *out;
    bool log; /* cost axis */
    double x_lo, x_hi, y_lo, y_hi;
    struct box taken[TAKEN_MAX];
    unsigned n_taken;
};

struct look {
    const char *name, *fill;
    double radius;
};

static const struct look looks[] = {
    [PLOT_FIXED] = {"fixed model", "#64748b", 5},
    [PLOT_ORACLE] = {"oracle", "#d97706", 6},
    [PLOT_WEIR] = {"through the gateway, 95 % interval", "#0f766e", 6.5},
};

void plot_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_str(out, "&amp;");
            break;
        case '<':
            buf_str(out, "&lt;");
            break;
        case '>':
            buf_str(out, "&gt;");
            break;
        case '"':
            buf_str(out, "&quot;");
            break;
        default:
            buf_char(out, *text);
        }
    }
}

double plot_step(double span, unsigned wanted)
{
    double rough = span / wanted;
    double base = pow(10, floor(log10(rough)));
    double m = rough / base;

    return base * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static double axis_x(const struct drawing *d, double cost)
{
    return d->log ? log10(cost) : cost;
}

static double at_x(const struct drawing *d, double cost)
{
    return LEFT + (axis_x(d, cost) - d->x_lo) / (d->x_hi - d->x_lo) *
                      (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct drawing *d, double quality)
{
    return HEIGHT - BOTTOM -
           (quality - d->y_lo) / (d->y_hi - d->y_lo) * (HEIGHT - TOP - BOTTOM);
}

/* ---- ranges and axes ---- */

static void widen(double v, double *lo, double *hi)
{
    if (v < *lo)
        *lo = v;
    if (v > *hi)
        *hi = v;
}

static void find_ranges(struct drawing *d)
{
    double lo = INFINITY, hi = -INFINITY, pad;

    d->y_lo = INFINITY;
    d->y_hi = -INFINITY;
    for (unsigned i = 0; i < d->p->n; i++) {
        const struct plot_point *q = &d->p->point[i];

        widen(q->cost, &lo, &hi);
        widen(isfinite(q->low) ? q->low : q->quality, &d->y_lo, &d->y_hi);
        widen(isfinite(q->high) ? q->high : q->quality, &d->y_lo, &d->y_hi);
    }
    d->log = hi > 20 * lo;
    d->x_lo = d->log ? log10(lo) : 0;
    d->x_hi = d->log ? log10(hi) : hi;
    pad = (d->x_hi - d->x_lo) * 0.08;
    pad = pad > 0 ? pad : 0.1;
    d->x_hi += pad;
    if (d->log)
        d->x_lo -= pad;
    pad = (d->y_hi - d->y_lo) * 0.12;
    pad = pad > 0 ? pad : 0.05;
    d->y_lo = fmax(0, d->y_lo - pad);
    d->y_hi = fmin(1.02, d->y_hi + pad);
}

static void tick_x(struct drawing *d, double cost)
{
    char text[32];
    double x = at_x(d, cost);

    if (x < LEFT - 1 || x > WIDTH - RIGHT + 1)
        return;
    snprintf(text, sizeof text, "$%g", cost);
    buf_printf(d->out,
               "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' class='grid'/>"
               "<text x='%.1f' y='%d' class='tick' text-anchor='middle'>%s"
               "</text>\n",
               x, TOP, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, text);
}

static void ticks_x(struct drawing *d)
{
    static const double parts[] = {1, 2, 5};
    double step;

    if (d->log) {
        bool few = d->x_hi - d->x_lo > 3.2;

        for (int k = (int)floor(d->x_lo); k <= (int)ceil(d->x_hi); k++) {
            for (unsigned i = 0; i < (few ? 1 : 3); i++)
                tick_x(d, parts[i] * pow(10, k));
        }
        return;
    }
    step = plot_step(d->x_hi, 6);
    for (unsigned i = 0; i * step <= d->x_hi; i++)
        tick_x(d, i * step);
}

static void ticks_y(struct drawing *d)
{
    double step = plot_step(d->y_hi - d->y_lo, 6);

    for (double v = ceil(d->y_lo / step) * step; v <= d->y_hi; v += step) {
        double y = at_y(d, v);

        buf_printf(d->out,
                   "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' class='grid'/>"
                   "<text x='%d' y='%.1f' class='tick' text-anchor='end'>"
                   "%.*f</text>\n",
                   LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4,
                   step < 0.01 ? 3 : 2, v);
    }
}

static void titles(struct drawing *d)
{
    buf_printf(d->out, "<text x='%d' y='26' class='title'>", LEFT);
    plot_text(d->out, d->p->title);
    buf_printf(d->out, "</text>\n<text x='%d' y='44' class='sub'>", LEFT);
    plot_text(d->out, d->p->subtitle);
    buf_printf(d->out,
               "</text>\n<text x='%d' y='%d' class='axis' "
               "text-anchor='middle'>cost, USD for 1,000 requests%s</text>\n"
               "<text transform='translate(18 %d) rotate(-90)' class='axis' "
               "text-anchor='middle'>quality (mean score, 0 to 1)</text>\n",
               (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38,
               d->log ? " (logarithmic)" : "", (TOP + HEIGHT - BOTTOM) / 2);
}

/* ---- marks ---- */

static bool overlap(const struct box *a, const struct box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h &&
           b->y < a->y + a->h;
}

static void take(struct drawing *d, struct box b)
{
    if (d->n_taken < sizeof d->taken / sizeof d->taken[0])
        d->taken[d->n_taken++] = b;
}

static bool is_free(const struct drawing *d, const struct box *b)
{
    if (b->x < LEFT || b->x + b->w > WIDTH - 2 || b->y < TOP - 12 ||
        b->y + b->h > HEIGHT - BOTTOM)
        return false;
    for (unsigned i = 0; i < d->n_taken; i++) {
        if (overlap(b, &d->taken[i]))
            return false;
    }
    return true;
}

static void write_name(struct drawing *d, const struct plot_point *q,
                       const struct box *b)
{
    buf_printf(d->out, "<text x='%.1f' y='%.1f' class='name%s'>", b->x,
               b->y + LINE - 4, q->kind == PLOT_WEIR ? " weir" : "");
    plot_text(d->out, q->name);
    buf_str(d->out, "</text>\n");
}

/* Beside, above, below, then further away with a thin line to the point. */
static void place_name(struct drawing *d, const struct plot_point *q)
{
    static const struct {
        double dx, dy; /* of the box's centre, in boxes and pixels */
    } around[] = {{1, 0},  {-1, 0}, {0, -1},  {0, 1},
                  {1, -1}, {1, 1},  {-1, -1}, {-1, 1}};
    double x = at_x(d, q->cost), y = at_y(d, q->quality);
    double w = (double)strlen(q->name) * LETTER + 4;

    for (double far = 0; far < 8; far++) {
        for (unsigned i = 0; i < sizeof around / sizeof around[0]; i++) {
            double cx = x + around[i].dx * (w / 2 + 9 + far * 5);
            double cy = y + around[i].dy * (LINE / 2.0 + 8 + far * 10);
            struct box b = {cx - w / 2, cy - LINE / 2.0, w, LINE};

            if (!is_free(d, &b))
                continue;
            if (far > 0)
                buf_printf(d->out,
                           "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' "
                           "class='lead'/>\n",
                           x, y, cx, cy);
            take(d, b);
            write_name(d, q, &b);
            return;
        }
    }
}

static void draw_bar(struct drawing *d, const struct plot_point *q)
{
    double x = at_x(d, q->cost);

    if (!isfinite(q->low) || !isfinite(q->high))
        return;
    buf_printf(d->out,
               "<path d='M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8' "
               "class='bar'/>\n",
               x, at_y(d, q->low), at_y(d, q->high), x - 4, at_y(d, q->low),
               x - 4, at_y(d, q->high));
    take(d, (struct box){x - 5, at_y(d, q->high), 10,
                         at_y(d, q->low) - at_y(d, q->high)});
}

static void draw_mark(struct buf *out, enum plot_kind kind, double x, double y)
{
    const struct look *l = &looks[kind];

    if (kind == PLOT_ORACLE)
        buf_printf(out,
                   "<path d='M%.1f %.1fl%.1f %.1fl-%.1f %.1fl-%.1f -%.1fz' "
                   "fill='%s' class='mark'/>\n",
                   x, y - l->radius, l->radius, l->radius, l->radius, l->radius,
                   l->radius, l->radius, l->fill);
    else
        buf_printf(out,
                   "<circle cx='%.1f' cy='%.1f' r='%.1f' fill='%s' "
                   "class='mark'/>\n",
                   x, y, l->radius, l->fill);
}

static void draw_points(struct drawing *d)
{
    for (unsigned i = 0; i < d->p->n; i++) {
        const struct plot_point *q = &d->p->point[i];
        double x = at_x(d, q->cost), y = at_y(d, q->quality);

        take(d, (struct box){x - 7, y - 7, 14, 14});
        draw_bar(d, q);
    }
    for (unsigned i = 0; i < d->p->n; i++) {
        const struct plot_point *q = &d->p->point[i];

        place_name(d, q);
        draw_mark(d->out, q->kind, at_x(d, q->cost), at_y(d, q->quality));
    }
}

/* Straight between costs, so curved where the axis is logarithmic. */
static void draw_mix(struct drawing *d)
{
    const struct plot *p = d->p;
    bool first = true;

    if (p->n_mix < 2)
        return;
    buf_str(d->out, "<path class='mix' d='");
    for (unsigned i = 0; i + 1 < p->n_mix; i++) {
        for (unsigned k = 0; k <= 24; k++) {
            double f = k / 24.0;
            double c =
                p->mix_cost[i] + f * (p->mix_cost[i + 1] - p->mix_cost[i]);
            double q = p->mix_quality[i] +
                       f * (p->mix_quality[i + 1] - p->mix_quality[i]);

            buf_printf(d->out, "%c%.1f %.1f", first ? 'M' : 'L', at_x(d, c),
                       at_y(d, q));
            take(d, (struct box){at_x(d, c) - 3, at_y(d, q) - 3, 6, 6});
            first = false;
        }
    }
    buf_str(d->out, "'/>\n");
}

static void draw_weir_line(struct drawing *d)
{
    bool first = true;

    for (unsigned i = 0; i < d->p->n; i++) {
        const struct plot_point *q = &d->p->point[i];

        if (q->kind != PLOT_WEIR)
            continue;
        buf_printf(d->out, "%s%.1f %.1f",
                   first ? "<path class='path' d='M" : "L", at_x(d, q->cost),
                   at_y(d, q->quality));
        first = false;
    }
    if (!first)
        buf_str(d->out, "'/>\n");
}

static void legend(struct drawing *d)
{
    double x = LEFT + 6, y = TOP - 18;

    for (unsigned i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        draw_mark(d->out, (enum plot_kind)i, x, y);
        buf_printf(d->out, "<text x='%.1f' y='%.1f' class='key'>%s</text>\n",
                   x + 11, y + 4, looks[i].name);
        x += 34 + 6.1 * (double)strlen(looks[i].name);
    }
    if (d->p->n_mix > 1)
        buf_printf(d->out,
                   "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' "
                   "class='mix'/><text x='%.1f' y='%.1f' class='key'>"
                   "best mixes of fixed models</text>\n",
                   x - 4, y, x + 14, y, x + 20, y + 4);
}

static const char style[] =
    "<style>.wp text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;"
    "fill:#334155}.wp .title{font-size:17px;font-weight:600;fill:#0f172a}"
    ".wp .sub,.wp .tick,.wp .key{font-size:11.5px;fill:#64748b}"
    ".wp .axis{font-size:12.5px}.wp .name{font-size:12px}"
    ".wp .name.weir{font-weight:600;fill:#0f766e}"
    ".wp .grid{stroke:#e2e8f0;stroke-width:1}"
    ".wp .mix{fill:none;stroke:#94a3b8;stroke-width:1.6;stroke-dasharray:5 4}"
    ".wp .path{fill:none;stroke:#0f766e;stroke-width:2;opacity:.65}"
    ".wp .bar{fill:none;stroke:#0f766e;stroke-width:1.3;opacity:.7}"
    ".wp .lead{stroke:#cbd5e1;stroke-width:1}"
    ".wp .mark{stroke:#fff;stroke-width:1.4}</style>\n";

void plot_svg(const struct plot *p, struct buf *out)
{
    struct drawing d = {.p = p, .out = out};

    find_ranges(&d);
    buf_printf(out,
               "<svg xmlns='http://www.w3.org/2000/svg' class='wp' "
               "viewBox='0 0 %d %d' width='%d' height='%d' role='img'>\n",
               WIDTH, HEIGHT, WIDTH, HEIGHT);
    buf_str(out, style);
    buf_printf(out, "<rect width='%d' height='%d' fill='#fff'/>\n", WIDTH,
               HEIGHT);
    titles(&d);
    ticks_x(&d);
    ticks_y(&d);
    draw_mix(&d);
    if (p->joined)
        draw_weir_line(&d);
    draw_points(&d);
    legend(&d);
    buf_str(out, "</svg>\n");
}
