/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of all settings, made from their rows: what
 * docs/configuration.md and docs/man/weir.yaml.5 hold. */
#ifndef WEIR_ROUTER_SETTINGS_REFERENCE_H
#define WEIR_ROUTER_SETTINGS_REFERENCE_H

#include "base/buf.h"

void reference_markdown(struct buf *out);
void reference_man(struct buf *out);

#endif
