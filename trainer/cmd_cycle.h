/* SPDX-License-Identifier: Apache-2.0 */
/* weir cycle: train, prove, deploy, watch and roll back, from a log. */
#ifndef WEIR_TRAINER_CMD_CYCLE_H
#define WEIR_TRAINER_CMD_CYCLE_H

int cmd_cycle(int argc, char **argv);

#endif
