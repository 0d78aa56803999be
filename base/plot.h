/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost-quality picture as SVG: points with names, steps and lines, on a
 * linear or logarithmic cost axis.  Names are put where they cover neither a
 * point nor another name.
 */
#ifndef WEIR_BASE_PLOT_H
#define WEIR_BASE_PLOT_H

#include "base/buf.h"

enum { PLOT_POINTS_MAX = 64, PLOT_LINE_MAX = 256 };

enum plot_kind { PLOT_FIXED, PLOT_ORACLE, PLOT_WEIR };

struct plot_point {
    enum plot_kind kind;
    const char *name; /* (borrowed) */
    double cost;      /* USD for 1,000 requests, > 0 */
    double quality;   /* [0,1] */
    double low, high; /* of the quality; NAN: no bar is drawn */
};

struct plot {
    const char *title, *subtitle; /* (borrowed) */
    struct plot_point point[PLOT_POINTS_MAX];
    unsigned n;
    /* The best mixes of fixed models, by rising cost. */
    double mix_cost[PLOT_LINE_MAX], mix_quality[PLOT_LINE_MAX];
    unsigned n_mix;
    bool joined; /* the PLOT_WEIR points, by rising cost, are one curve */
};

/* A complete <svg> element; safe to stand in HTML. */
void plot_svg(const struct plot *p, struct buf *out);
/* Text with & < > " escaped. */
void plot_text(struct buf *out, const char *text);

/* A step of 1, 2 or 5 times a power of ten, so that `span` has about
 * `wanted` of them. */
double plot_step(double span, unsigned wanted);

#endif
