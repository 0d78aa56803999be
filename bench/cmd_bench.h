/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BENCH_CMD_BENCH_H
#define WEIR_BENCH_CMD_BENCH_H

/* weir bench MODE: see docs/man/weir-bench.1. */
int cmd_bench(int argc, char **argv);

#endif
