/* SPDX-License-Identifier: Apache-2.0 */
/* weir rollback: the classifier file before the present one, back again. */
#ifndef WEIR_TRAINER_CMD_ROLLBACK_H
#define WEIR_TRAINER_CMD_ROLLBACK_H

int cmd_rollback(int argc, char **argv); /* exit status */

#endif
