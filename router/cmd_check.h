/* SPDX-License-Identifier: Apache-2.0 */
/* weir check: is the configuration right, and what does it say? */
#ifndef WEIR_ROUTER_CMD_CHECK_H
#define WEIR_ROUTER_CMD_CHECK_H

int cmd_check(int argc, char **argv);

#endif
