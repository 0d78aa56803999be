/* SPDX-License-Identifier: Apache-2.0 */
/* weir log: check, repair, prune and export the outcome log. */
#ifndef WEIR_ROUTER_CMD_LOG_H
#define WEIR_ROUTER_CMD_LOG_H

int cmd_log(int argc, char **argv);

#endif
