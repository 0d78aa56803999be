/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include "base/clock.h"
#include "base/units.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 32, REDRAW_NS = 100000000 };

void progress_start(struct progress *p, const char *what)
{
    *p = (struct progress){.what = what, .began_ns = clock_ns()};
    p->shown = isatty(STDERR_FILENO);
}

void progress_at(struct progress *p, double done)
{
    uint64_t now = clock_ns();
    double spent = (double)(now - p->began_ns) / 1e9;
    char bar[WIDTH + 1], left[32];

    if (!p->shown || now - p->drawn_ns < REDRAW_NS)
        return;
    p->drawn_ns = now;
    done = done < 0 ? 0 : done > 1 ? 1 : done;
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < done * WIDTH ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %3.0f %%", p->what, bar, done * 100);
    if (done > 0.02)
        fprintf(stderr, ", %s left \033[K",
                units_time(spent * (1 - done) / done, left));
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}
