/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BENCH_CMD_MOCK_H
#define WEIR_BENCH_CMD_MOCK_H

/* weir mock: see docs/man/weir-mock.1. */
int cmd_mock(int argc, char **argv);

#endif
