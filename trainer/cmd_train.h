/* SPDX-License-Identifier: Apache-2.0 */
/* weir train: labelled outcomes or a server's log in, classifier file out. */
#ifndef WEIR_TRAINER_CMD_TRAIN_H
#define WEIR_TRAINER_CMD_TRAIN_H

int cmd_train(int argc, char **argv); /* exit status */

#endif
