/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a dataset is read: reading_bars FILE.  A median of ROUNDS. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "datasets/dataset.h"

enum { ROUNDS = 5 };
#define WANTED_MB_S 150

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Seconds for all of it; the number of rows; negative: e is filled. */
static double read_all(const char *path, size_t *rows, struct err *e)
{
    uint64_t since = clock_ns();
    struct dataset *d = dataset_open(path, (struct dataset_options){0}, e);
    struct dataset_row row;
    int more = d ? 1 : -1;

    *rows = 0;
    while (more == 1) {
        more = dataset_next(d, &row, e);
        *rows += more == 1;
    }
    dataset_close(d);
    return more < 0 ? -1 : (double)(clock_ns() - since) / 1e9;
}

int main(int argc, char **argv)
{
    double seconds[ROUNDS], speed;
    struct stat st;
    size_t rows = 0;
    struct err e;

    if (argc != 2 || stat(argv[1], &st) != 0) {
        fprintf(stderr, "wanted: reading_bars FILE, a dataset\n");
        return 2;
    }
    for (int i = 0; i < ROUNDS; i++) {
        seconds[i] = read_all(argv[1], &rows, &e);
        if (seconds[i] < 0) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
    }
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    speed = (double)st.st_size / 1e6 / seconds[ROUNDS / 2];
    printf("%zu rows, %.1f MB read in %.2f s (%.2f to %.2f)\n", rows,
           (double)st.st_size / 1e6, seconds[ROUNDS / 2], seconds[0],
           seconds[ROUNDS - 1]);
    printf("%s  reading, MB/s: %.0f (wanted >= %d)\n",
           speed >= WANTED_MB_S ? "pass" : "FAIL", speed, WANTED_MB_S);
    return speed >= WANTED_MB_S ? 0 : 1;
}
