/* SPDX-License-Identifier: Apache-2.0 */
/* weir replay: a logged decision once more. */
#ifndef WEIR_ROUTER_CMD_REPLAY_H
#define WEIR_ROUTER_CMD_REPLAY_H

int cmd_replay(int argc, char **argv);

#endif
