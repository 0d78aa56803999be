/* SPDX-License-Identifier: Apache-2.0 */
/* `weir eval`: what routing is worth on labelled outcomes. */
#ifndef WEIR_TRAINER_CMD_EVAL_H
#define WEIR_TRAINER_CMD_EVAL_H

int cmd_eval(int argc, char **argv);

#endif
