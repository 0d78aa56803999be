/* SPDX-License-Identifier: Apache-2.0 */
/* Where an event stream may be cut: the bytes of one event, comment or blank
 * line as they came, for passing on what is not touched. */
#ifndef WEIR_ROUTER_HTTP_FRAMES_H
#define WEIR_ROUTER_HTTP_FRAMES_H

#include "base/span.h"

/* Bytes up to and with the first empty line (LF or CR LF); 0: none yet. */
size_t frame_length(struct span bytes);

#endif
