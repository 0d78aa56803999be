/* SPDX-License-Identifier: Apache-2.0 */
/* weir reload: tells a running server to load its configuration again. */
#ifndef WEIR_ROUTER_CMD_RELOAD_H
#define WEIR_ROUTER_CMD_RELOAD_H

int cmd_reload(int argc, char **argv);

#endif
