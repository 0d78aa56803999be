/* SPDX-License-Identifier: Apache-2.0 */
/* Looks now and then whether one of a configuration's files is another than
 * before.  By size, time and inode, so that a rename over a file and a
 * changed symbolic link are seen too. */
#ifndef WEIR_ROUTER_WATCH_H
#define WEIR_ROUTER_WATCH_H

#include "router/settings/settings.h"

struct watch {
    uint64_t loaded; /* of the files as they were loaded last */
    uint64_t seen;   /* at the last look */
};

/* They were loaded just now. */
void watch_loaded(struct watch *w, const char *config,
                  const struct settings *set);
/* True once when they have changed and have then rested for one look: who
 * writes a file in pieces is let finish. */
bool watch_look(struct watch *w, const char *config,
                const struct settings *set);

/* At once: whether they differ from what was loaded. */
bool watch_changed(const struct watch *w, const char *config,
                   const struct settings *set);

#endif
