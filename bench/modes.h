/* SPDX-License-Identifier: Apache-2.0 */
/* The modes of `weir bench`: see docs/man/weir-bench.1. */
#ifndef WEIR_BENCH_MODES_H
#define WEIR_BENCH_MODES_H

/* Exit status 0, 1 or 2; argv[0] is the mode's name. */
int bench_routing(int argc, char **argv);
int bench_split(int argc, char **argv);
int bench_load(int argc, char **argv);
int bench_decision(int argc, char **argv);

#endif
