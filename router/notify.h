/* SPDX-License-Identifier: Apache-2.0 */
/* Words to the service manager (sd_notify(3)), as one datagram to the socket
 * that NOTIFY_SOCKET names; without one nothing happens. */
#ifndef WEIR_ROUTER_NOTIFY_H
#define WEIR_ROUTER_NOTIFY_H

#include "base/err.h"

/* "READY=1", several joined by line ends. */
void notify_say(const char *fmt, ...) PRINTF(1, 2);

#endif
