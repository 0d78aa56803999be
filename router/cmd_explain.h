/* SPDX-License-Identifier: Apache-2.0 */
/* weir explain: how a request would be routed, and why. */
#ifndef WEIR_ROUTER_CMD_EXPLAIN_H
#define WEIR_ROUTER_CMD_EXPLAIN_H

int cmd_explain(int argc, char **argv);

#endif
