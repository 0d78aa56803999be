/* SPDX-License-Identifier: Apache-2.0 */
#include "router/watch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t file_state(const char *path, uint64_t seed)
{
    struct stat st;
    uint64_t facts[4] = {0};

    if (!path || stat(path, &st) < 0)
        return span_hash(SPAN("none"), seed);
    facts[0] = (uint64_t)st.st_ino;
    facts[1] = (uint64_t)st.st_size;
    facts[2] = (uint64_t)st.st_mtim.tv_sec;
    facts[3] = (uint64_t)st.st_mtim.tv_nsec;
    return span_hash((struct span){(const char *)facts, sizeof facts}, seed);
}

static uint64_t all_states(const char *config, const struct settings *set)
{
    const char *const paths[] = {config,         set->key_file, set->classifier,
                                 set->catalogue, set->tls.cert, set->tls.key};
    char trial[2][PATH_MAX];
    uint64_t h = 0;

    /* One on trial comes and goes beside the classifier (canary.h). */
    for (int i = 0; i < 2; i++) {
        snprintf(trial[i], sizeof trial[i], "%s.canary%s", set->classifier,
                 i ? ".json" : "");
        h = file_state(trial[i], h);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        h = file_state(paths[i], h);
    return h;
}

void watch_loaded(struct watch *w, const char *config,
                  const struct settings *set)
{
    w->loaded = w->seen = all_states(config, set);
}

bool watch_changed(const struct watch *w, const char *config,
                   const struct settings *set)
{
    return all_states(config, set) != w->loaded;
}

bool watch_look(struct watch *w, const char *config, const struct settings *set)
{
    uint64_t now = all_states(config, set);
    bool rested = now == w->seen;

    w->seen = now;
    if (!rested || now == w->loaded)
        return false;
    w->loaded = now; /* a bad file is tried once */
    return true;
}
