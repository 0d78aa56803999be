/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and models: what the file says laid over what is known. */
#include "router/settings_parts.h"

#include <string.h>

#include "router/codec/dialect.h"

static const struct conf *member(const struct item *item, const char *key)
{
    const struct conf *c = conf_get(item->why, key);

    return c ? c : item->why;
}

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "configuration: out of memory");
}

static bool find_known(struct provider_settings *p, struct err *e)
{
    const struct known_provider *k;

    k = known_provider(p->like ? p->like : p->item.name);
    if (!k && p->like)
        return conf_fail(member(&p->item, "like"), e,
                         "a provider that weir knows (docs/configuration.md)");
    if (!p->dialect && !k)
        return conf_failf(p->item.why, e,
                          "wanted a dialect (openai): %s is no provider that "
                          "weir knows by name",
                          p->item.name);
    if (p->dialect && (!k || strcmp(k->dialect, p->dialect) != 0))
        k = known_dialect(p->dialect);
    if (!k)
        return conf_fail(member(&p->item, "dialect"), e,
                         "a dialect that weir serves (openai)");
    p->known = k;
    p->dialect = k->dialect;
    return true;
}

static bool clean(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    }
    return true;
}

static bool check_url(struct provider_settings *p, struct err *e)
{
    const char *u = p->base_url;

    if (strncmp(u, "http://", 7) != 0 && strncmp(u, "https://", 8) != 0)
        return conf_fail(member(&p->item, "base_url"), e,
                         "an address that begins with http:// or https://");
    if (!clean(u) || strpbrk(u, "?#"))
        return conf_fail(member(&p->item, "base_url"), e,
                         "an address without spaces, ? and #");
    return true;
}

static char *join(struct arena *a, const char *x, size_t nx, const char *y)
{
    size_t ny = strlen(y);
    char *out = arena_alloc(a, nx + ny + 1);

    if (!out)
        return NULL;
    memcpy(out, x, nx);
    memcpy(out + nx, y, ny + 1);
    return out;
}

static bool resolve_provider(struct settings *s, struct provider_settings *p,
                             struct err *e)
{
    const struct dialect_ops *ops;
    size_t n;

    if (!find_known(p, e))
        return false;
    ops = dialect_find(p->dialect);
    if (!ops)
        return conf_failf(member(&p->item, "dialect"), e,
                          "wanted a dialect that this version serves "
                          "(openai), found %s for the provider %s",
                          p->dialect, p->item.name);
    if (!p->base_url)
        p->base_url = p->known->base_url;
    if (!check_url(p, e))
        return false;
    if (p->api_key && !clean(p->api_key))
        return conf_failf(member(&p->item, "api_key"), e,
                          "wanted a key without spaces and line ends");
    n = strlen(p->base_url);
    while (n && p->base_url[n - 1] == '/')
        n--;
    p->url = join(&s->arena, p->base_url, n, ops->chat_path);
    if (p->api_key && *p->api_key)
        p->authorization = join(&s->arena, ops->auth_prefix,
                                strlen(ops->auth_prefix), p->api_key);
    return (p->url && (!p->api_key || !*p->api_key || p->authorization)) ||
           no_memory(e);
}

bool settings_providers(struct settings *s, struct err *e)
{
    struct provider_settings *p = s->providers.at;

    for (unsigned i = 0; i < s->providers.n; i++) {
        if (!resolve_provider(s, &p[i], e))
            return false;
    }
    return true;
}

struct provider_settings *settings_provider(const struct settings *s,
                                            const char *name)
{
    struct provider_settings *p = s->providers.at;

    for (unsigned i = 0; i < s->providers.n; i++) {
        if (!strcmp(p[i].item.name, name))
            return &p[i];
    }
    return NULL;
}

static bool find_catalogued(const struct settings *s, struct model_settings *m,
                            struct err *e)
{
    const char *name = m->like ? m->like : m->upstream;
    const struct model *known = catalogue_find(s->prices, span_of(name));

    if (known) {
        m->model = *known;
        return true;
    }
    if (m->like)
        return conf_fail(member(&m->item, "like"), e,
                         "a model of the catalogue (weir models lists them)");
    m->model = (struct model){.family = ""};
    m->model.prices = (struct prices){-1, -1, -1, -1, -1};
    return true;
}

static void lay_prices(const struct price_settings *from, struct model *m)
{
    if (from->input >= 0 || from->output >= 0)
        m->n_steps = 0;
    if (from->input >= 0 && from->cached_input < 0)
        m->prices.cached_input = m->prices.cache_write =
            m->prices.cache_write_1h = -1;
    if (from->input >= 0)
        m->prices.input = from->input;
    if (from->output >= 0)
        m->prices.output = from->output;
    if (from->cached_input >= 0)
        m->prices.cached_input = from->cached_input;
    if (from->cache_write >= 0)
        m->prices.cache_write = from->cache_write;
    if (from->cache_write_1h >= 0)
        m->prices.cache_write_1h = from->cache_write_1h;
    m->priced = m->prices.input >= 0 && m->prices.output >= 0;
}

static bool lay_capabilities(struct model_settings *m, struct err *e)
{
    const struct text_list *list = &m->capabilities;

    if (!conf_get(m->item.why, "capabilities"))
        return true;
    m->model.caps = 0;
    m->model.caps_known = true;
    for (unsigned i = 0; i < list->n; i++) {
        uint32_t bit = CAN_TOOLS;

        while (bit <= CAN_SAMPLING &&
               strcmp(capability_name((enum capability)bit), list->at[i]) != 0)
            bit <<= 1;
        if (bit > CAN_SAMPLING)
            return conf_fail(list->why[i], e,
                             "a capability such as tools, parallel_tools, "
                             "vision, json, schema");
        m->model.caps |= bit;
    }
    return true;
}

static bool write_json_name(struct settings *s, struct model_settings *m)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_json_str(&b, span_of(m->upstream));
    m->upstream_json = b.failed ? NULL : arena_strdup(&s->arena, buf_view(&b));
    buf_free(&b);
    return m->upstream_json != NULL;
}

static bool resolve_model(struct settings *s, struct model_settings *m,
                          struct err *e)
{
    m->at = settings_provider(s, m->provider);
    if (!m->at)
        return conf_failf(member(&m->item, "provider"), e,
                          "wanted one of the providers above, found %s",
                          m->provider);
    if (!m->upstream)
        m->upstream = m->item.name;
    if (!find_catalogued(s, m, e))
        return false;
    m->model.name = m->item.name;
    m->model.provider = m->provider;
    m->model.upstream = m->upstream;
    if (m->family)
        m->model.family = m->family;
    if (m->tier != TIER_UNKNOWN)
        m->model.tier = (enum tier)m->tier;
    if (m->context)
        m->model.context = (int64_t)m->context;
    if (m->max_output)
        m->model.max_output = (int64_t)m->max_output;
    lay_prices(&m->price, &m->model);
    if (!lay_capabilities(m, e))
        return false;
    return write_json_name(s, m) || no_memory(e);
}

bool settings_models(struct settings *s, struct err *e)
{
    struct model_settings *m = s->models.at;

    for (unsigned i = 0; i < s->models.n; i++) {
        if (!resolve_model(s, &m[i], e))
            return false;
    }
    return true;
}

struct model_settings *settings_model(const struct settings *s,
                                      const char *name)
{
    struct model_settings *m = s->models.at;

    for (unsigned i = 0; i < s->models.n; i++) {
        if (!strcmp(m[i].item.name, name))
            return &m[i];
    }
    return NULL;
}
