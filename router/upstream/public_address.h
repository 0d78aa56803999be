/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which network addresses belong to the public Internet.  What clients name
 * is fetched from nowhere else: a gateway stands where its clients do not,
 * and must not be their way into its own network.
 */
#ifndef WEIR_ROUTER_UPSTREAM_PUBLIC_ADDRESS_H
#define WEIR_ROUTER_UPSTREAM_PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* False for loopback, private, link-local, shared, multicast, documentation
 * and reserved addresses (the IANA special-purpose registries, RFC 6890),
 * clouds' metadata services, IPv6 forms that hold an IPv4 address (but for
 * mapped ones, which count as what they hold) and other families. */
bool address_is_public(const struct sockaddr *a);

#endif
