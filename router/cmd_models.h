/* SPDX-License-Identifier: Apache-2.0 */
/* weir models: what is known of the LLMs, and how to bring it up to date.
 * It stands with the router because a configuration says what is known. */
#ifndef WEIR_ROUTER_CMD_MODELS_H
#define WEIR_ROUTER_CMD_MODELS_H

int cmd_models(int argc, char **argv);

#endif
