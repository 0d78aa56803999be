/* SPDX-License-Identifier: Apache-2.0 */
/* weir serve: the router. */
#ifndef WEIR_ROUTER_CMD_SERVE_H
#define WEIR_ROUTER_CMD_SERVE_H

int cmd_serve(int argc, char **argv);

#endif
