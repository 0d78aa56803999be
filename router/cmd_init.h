/* SPDX-License-Identifier: Apache-2.0 */
/* weir init: writes a commented configuration to begin with. */
#ifndef WEIR_ROUTER_CMD_INIT_H
#define WEIR_ROUTER_CMD_INIT_H

int cmd_init(int argc, char **argv);

#endif
