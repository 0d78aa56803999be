/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ROUTER_CMD_LABEL_H
#define WEIR_ROUTER_CMD_LABEL_H

/* weir label: labels by an LLM judge; the exit status. */
int cmd_label(int argc, char **argv);

#endif
