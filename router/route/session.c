/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAYS = 8,         /* conversations that share a slot's fate */
    LOCKS = 64,       /* a power of two */
    RATES = 256,      /* arms whose cache is watched; a power of two */
    PREFIX_MIN = 1024 /* tokens below which no provider caches by itself */
};

struct entry {
    uint64_t key; /* 0: free */
    struct session_note note;
};

/* How much of an earlier request an arm's provider reads from its cache.
 * Races lose an observation, which is no harm. */
struct rate {
    _Atomic uint64_t arm;
    _Atomic uint32_t share; /* millionths */
};

struct sessions {
    pthread_mutex_t locks[LOCKS];
    struct rate rates[RATES];
    uint64_t sets;         /* a power of two */
    struct entry *entries; /* (owned) [sets * WAYS] */
};

struct sessions *sessions_new(uint64_t most, struct err *e)
{
    struct sessions *s = calloc(1, sizeof *s);
    uint64_t sets = 1;

    while (sets * WAYS < most)
        sets *= 2;
    if (s)
        s->entries = calloc(sets * WAYS, sizeof *s->entries);
    if (!s || !s->entries) {
        free(s);
        err_set(e, ERR_MEMORY, "sessions: no memory for %llu",
                (unsigned long long)most);
        return NULL;
    }
    s->sets = sets;
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&s->locks[i], NULL);
    return s;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&s->locks[i]);
    free(s->entries);
    free(s);
}

/* ---- whose conversation ---- */

static struct span extra_text(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->n_extras; i++)
        if (span_is(r->extras[i].name, name))
            return r->extras[i].value;
    return (struct span){NULL, 0};
}

/* A value that a client gives each request of a conversation; as written. */
static struct span told(const struct request *r)
{
    static const char *const names[] = {"session_id", "conversation_id",
                                        "thread_id"};
    struct json meta = {JSON_OBJECT, false, span_trim(r->params.metadata)};
    struct span key = extra_text(r, "prompt_cache_key");

    if (key.len > 2 || meta.raw.len < 2 || *meta.raw.ptr != '{')
        return key;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct json v = json_get(&meta, names[i]);

        if (v.type == JSON_STRING && v.raw.len > 2)
            return v.raw;
    }
    return (struct span){NULL, 0};
}

uint64_t session_key(struct span given, const struct request *r,
                     const struct facts *f, const char *route)
{
    uint64_t seed = span_hash(r->key_name, span_hash(span_of(route), 5));
    struct span id = given.len ? given : told(r);

    if (id.len)
        return span_hash(id, seed) | 1;
    if (!f->session_hash)
        return 0;
    return span_hash((struct span){(const char *)&f->session_hash,
                                   sizeof f->session_hash},
                     seed) |
           1;
}

uint64_t session_arm(const char *name)
{
    return span_hash(span_of(name), 7) | 1;
}

/* ---- the table ---- */

static struct entry *set_of(const struct sessions *s, uint64_t key)
{
    return s->entries + (key >> 8 & (s->sets - 1)) * WAYS;
}

static pthread_mutex_t *lock_of(struct sessions *s, uint64_t key)
{
    return &s->locks[key >> 8 & (s->sets - 1) & (LOCKS - 1)];
}

bool session_look(struct sessions *s, uint64_t key, struct session_note *out)
{
    struct entry *set = set_of(s, key);
    bool found = false;

    *out = (struct session_note){.time_ms = 0};
    if (key == 0)
        return false;

    pthread_mutex_lock(lock_of(s, key));
    for (unsigned i = 0; i < WAYS && !found; i++) {
        found = set[i].key == key;
        if (found)
            *out = set[i].note;
    }
    pthread_mutex_unlock(lock_of(s, key));
    return found;
}

/* The entry of the key, else a free one, else the one longest silent. */
static struct entry *place_of(struct entry *set, uint64_t key)
{
    struct entry *best = &set[0];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].key == 0
                ? best->key != 0
                : best->key != 0 && set[i].note.time_ms < best->note.time_ms)
            best = &set[i];
    }
    return best;
}

/* ---- the caches ---- */

static double rate_of(const struct sessions *s, uint64_t arm)
{
    const struct rate *r = &s->rates[arm >> 8 & (RATES - 1)];

    if (atomic_load_explicit(&r->arm, memory_order_relaxed) != arm)
        return 0;
    return atomic_load_explicit(&r->share, memory_order_relaxed) / 1e6;
}

static void learn_rate(struct sessions *s, uint64_t arm, double share)
{
    struct rate *r = &s->rates[arm >> 8 & (RATES - 1)];
    double was = rate_of(s, arm);

    if (atomic_load_explicit(&r->arm, memory_order_relaxed) != arm) {
        atomic_store_explicit(&r->arm, arm, memory_order_relaxed);
        was = share;
    }
    atomic_store_explicit(&r->share,
                          (uint32_t)((was + (share - was) * 0.1) * 1e6),
                          memory_order_relaxed);
}

void session_note(struct sessions *s, uint64_t key,
                  const struct session_note *n)
{
    struct entry *at;
    struct session_note was = {0};

    if (key == 0)
        return;
    pthread_mutex_lock(lock_of(s, key));
    at = place_of(set_of(s, key), key);
    if (at->key == key)
        was = at->note;
    *at = (struct entry){key, *n};
    pthread_mutex_unlock(lock_of(s, key));
    /* Only where the provider caches by itself; one that is told what to
     * write says how much of it there is. */
    if (was.arm == n->arm && was.input >= PREFIX_MIN && n->written == 0 &&
        was.written == 0)
        learn_rate(s, n->arm,
                   n->read < was.input ? (double)n->read / was.input : 1);
}

void session_left(struct sessions *s, uint64_t key,
                  const struct session_note *n)
{
    struct session_note is = *n;
    struct entry *at;

    if (key == 0)
        return;
    pthread_mutex_lock(lock_of(s, key));
    at = place_of(set_of(s, key), key);
    if (at->key == key) {
        is.arm = at->note.arm;
        is.input = at->note.input;
        is.read = at->note.read;
        is.written = at->note.written;
    }
    *at = (struct entry){key, is};
    pthread_mutex_unlock(lock_of(s, key));
}

/* Tokens of the conversation that its arm's provider should still have. */
static double kept(const struct sessions *s, const struct session_note *n)
{
    if (n->written > 0)
        return (double)n->read + n->written;
    if (n->read > 0)
        return n->input;
    return n->input >= PREFIX_MIN ? n->input * rate_of(s, n->arm) : 0;
}

static bool has_thinking(const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_THINKING &&
            (m->parts[i].signature.len || m->parts[i].redacted))
            return true;
    }
    return false;
}

/* Its last message brings a tool's result: the model is in the middle of
 * something, and its thinking belongs to it. */
static bool in_loop(const struct request *r)
{
    const struct message *last;

    if (r->n_messages == 0)
        return false;
    last = &r->messages[r->n_messages - 1];
    if (last->role == ROLE_TOOL)
        return true;
    for (size_t i = 0; i < last->n_parts; i++)
        if (last->parts[i].kind == PART_TOOL_RESULT)
            return true;
    return false;
}

static bool holds(const struct route *route, const struct request *r)
{
    switch (route->set->stay) {
    case STAY_ALWAYS:
        return true;
    case STAY_LOOPS:
        if (in_loop(r))
            return true;
        for (size_t i = 0; i < r->n_messages; i++)
            if (has_thinking(&r->messages[i]))
                return true;
        return false;
    default:
        return false;
    }
}

struct stay session_stay(const struct sessions *s, const struct session_note *n,
                         const struct route *route, const struct request *r,
                         int64_t now_ms)
{
    const struct route_settings *set = route->set;
    struct stay out = {.arm = -1};
    uint64_t cache_ms;

    for (unsigned i = 0; i < set->n_all && out.arm < 0; i++)
        if (session_arm(set->arms[i].name) == n->arm)
            out.arm = (int)i;
    if (out.arm < 0)
        return out;
    out.hold = holds(route, r);
    cache_ms = set->arms[out.arm].model->at->cache_ms;
    if (now_ms - n->time_ms > (int64_t)cache_ms)
        return out;
    out.read = kept(s, n);
    out.written = n->written > 0 ? out.read : 0;
    return out;
}
