/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_TRAINER_CMD_REPORT_H
#define WEIR_TRAINER_CMD_REPORT_H

int cmd_report(int argc, char **argv);

#endif
