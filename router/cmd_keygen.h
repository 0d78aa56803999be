/* SPDX-License-Identifier: Apache-2.0 */
/* weir keygen: a key for a client, shown once. */
#ifndef WEIR_ROUTER_CMD_KEYGEN_H
#define WEIR_ROUTER_CMD_KEYGEN_H

int cmd_keygen(int argc, char **argv);

#endif
