/* SPDX-License-Identifier: Apache-2.0 */
/* Inbound keys: in the configuration, or in a file of their own. */
#include "router/settings/settings_parts.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(struct key_settings, field)

static const char *const feedback_words[] = {"own", "any", NULL};

static const struct setting rows[] = {
    {.key = "hash",
     .kind = SETTING_SECRET,
     .offset = AT(hash),
     .needed = true,
     .help = "What `weir keygen` says is to be kept of the key."},
    {.key = "routes",
     .kind = SETTING_TEXTS,
     .offset = AT(routes),
     .help = "Routes and models that it may ask for; none: all."},
    {.key = "regions",
     .kind = SETTING_TEXTS,
     .offset = AT(regions),
     .help = "Its requests go to providers of these regions only, whatever "
             "the route; none: anywhere."},
    {.key = "requests_per_minute",
     .kind = SETTING_COUNT,
     .offset = AT(requests_per_minute),
     .initial = "0",
     .max = 1e9,
     .help = "Beyond: 429 with retry-after; a minute's worth may come at "
             "once; 0: no limit."},
    {.key = "tokens_per_minute",
     .kind = SETTING_COUNT,
     .offset = AT(tokens_per_minute),
     .initial = "0",
     .max = 1e12,
     .help = "Input and output.  At the start by the request's bytes, put "
             "right when its answer is over, so what is under way may go "
             "beyond by its output; 0: no limit."},
    {.key = "budget",
     .kind = SETTING_REAL,
     .offset = AT(budget),
     .max = 1e6,
     .help = "USD a day (UTC).  The most that a call may cost is set aside "
             "before it (max_tokens says less); where so much is not left: "
             "429 insufficient_quota.  Not given: no limit."},
    {.key = "feedback",
     .kind = SETTING_WORD,
     .offset = AT(feedback),
     .initial = "own",
     .words = feedback_words,
     .help = "Requests that it may label: own, those that came with it; any."},
};

const struct section settings_key_section = {"keys.NAME",
                                             sizeof(struct key_settings), rows,
                                             sizeof rows / sizeof rows[0]};

static const struct setting file_rows[] = {
    {.key = "keys",
     .kind = SETTING_ITEMS,
     .offset = 0,
     .section = &settings_key_section,
     .help = "As `keys` of the configuration."},
};

static const struct section file_section = {
    "key file", sizeof(struct item_list), file_rows, 1};

static bool known_route(const struct settings *s, const char *name)
{
    const struct route_settings *r = s->routes.at;

    for (unsigned i = 0; i < s->routes.n; i++) {
        if (!strcmp(r[i].item.name, name))
            return true;
    }
    return settings_model(s, name) != NULL;
}

static bool resolve(const struct settings *s, struct key_settings *k,
                    struct err *e)
{
    if (!key_hash_read(span_of(k->hash), &k->parsed))
        return conf_fail(conf_get(k->item.why, "hash"), e,
                         "sha256:..., as `weir keygen` prints it");
    for (unsigned i = 0; i < k->routes.n; i++) {
        if (!known_route(s, k->routes.at[i]))
            return conf_fail(k->routes.why[i], e, "a route or a model");
    }
    return settings_regions(s, &k->regions, e);
}

static bool resolve_all(struct settings *s, const struct item_list *list,
                        struct err *e)
{
    struct key_settings *k = list->at;

    for (unsigned i = 0; i < list->n; i++) {
        const struct key_settings *other;

        if (!resolve(s, &k[i], e))
            return false;
        other = settings_key_by_id(s, k[i].parsed.id);
        if (other != &k[i])
            return conf_failf(k[i].item.why, e,
                              "wanted a key of its own, found that of %s",
                              other->item.name);
    }
    return true;
}

bool settings_keys(struct settings *s, struct err *e)
{
    const struct conf *file;

    if (s->key_file) {
        file = conf_load(s->key_file, &s->arena, e);
        if (!file ||
            !schema_load(&file_section, file, &s->more_keys, &s->arena, e))
            return false;
    }
    return resolve_all(s, &s->keys, e) && resolve_all(s, &s->more_keys, e);
}

bool settings_have_keys(const struct settings *s)
{
    return s->keys.n + s->more_keys.n > 0;
}

typedef bool fits_fn(const struct key_settings *k, const void *what);

static const struct key_settings *find(const struct settings *s, fits_fn *fits,
                                       const void *what)
{
    const struct item_list *lists[] = {&s->keys, &s->more_keys};

    for (int l = 0; l < 2; l++) {
        const struct key_settings *k = lists[l]->at;

        for (unsigned i = 0; i < lists[l]->n; i++) {
            if (fits(&k[i], what))
                return &k[i];
        }
    }
    return NULL;
}

static bool has_id(const struct key_settings *k, const void *id)
{
    return memcmp(k->parsed.id, id, KEY_ID) == 0;
}

static bool has_name(const struct key_settings *k, const void *name)
{
    return span_is(*(const struct span *)name, k->item.name);
}

const struct key_settings *settings_key_by_id(const struct settings *s,
                                              const char id[KEY_ID])
{
    return find(s, has_id, id);
}

const struct key_settings *settings_key(const struct settings *s,
                                        struct span name)
{
    return find(s, has_name, &name);
}
