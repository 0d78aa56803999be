/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and models: what the file says laid over what is known. */
#include "router/settings/settings_parts.h"

#include <string.h>

#include "router/codec/quirks.h"
#include "router/upstream/aws_sigv4.h"
#include "router/upstream/google_auth.h"

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
                          "wanted a dialect (openai, anthropic, ...): %s is no "
                          "provider that weir knows by name",
                          p->item.name);
    p->responses = k && k->responses;
    if (p->dialect && (!k || strcmp(k->form->dialect, p->dialect) != 0)) {
        k = known_dialect(p->dialect);
        p->responses = k == known_provider("openai-responses");
    }
    if (!k || !codec_find(k->form->dialect))
        return conf_fail(member(&p->item, "dialect"), e,
                         "a dialect that weir serves (openai, responses, "
                         "anthropic, gemini, bedrock, cohere)");
    p->known = k;
    p->form = k->form;
    p->dialect = k->form->dialect;
    p->codec = codec_find(p->dialect);
    p->ops = dialect_find(p->dialect);
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

static const char *join(struct arena *a, const char *x, const char *y)
{
    size_t nx = strlen(x), ny = strlen(y);
    char *out = arena_alloc(a, nx + ny + 1);

    if (!out)
        return NULL;
    memcpy(out, x, nx);
    memcpy(out + nx, y, ny + 1);
    return out;
}

/* {key} in a pattern. */
struct hole {
    const char *key;
    struct span value;
};

/* Bytes of the pattern that the hole at its beginning takes. */
static size_t fill_hole(struct buf *b, const char *at, const struct hole *holes)
{
    for (const struct hole *h = holes; h->key; h++) {
        size_t n = strlen(h->key);

        if (strncmp(at + 1, h->key, n) == 0 && at[n + 1] == '}') {
            aws_escape(b, h->value);
            return n + 2;
        }
    }
    buf_char(b, *at);
    return 1;
}

/* base and pattern as one text, its holes filled; NULL: no memory. */
static const char *fill(struct arena *a, struct span base, const char *pattern,
                        const struct hole *holes)
{
    const char *text = NULL;
    struct buf b;

    buf_init(&b, 4096);
    buf_span(&b, base);
    while (*pattern) {
        size_t n = strcspn(pattern, "{");

        buf_put(&b, pattern, n);
        pattern += n;
        if (*pattern)
            pattern += fill_hole(&b, pattern, holes);
    }
    if (!b.failed)
        text = arena_strdup(a, buf_view(&b));
    buf_free(&b);
    return text;
}

static bool known_url(struct settings *s, struct provider_settings *p,
                      struct err *e)
{
    struct vertex_place at = {.location = span_of(p->region)};
    struct hole holes[] = {{"region", span_of(p->region)},
                           {"project", span_of(p->project)},
                           {"google", {NULL, 0}},
                           {0}};
    struct buf host;
    bool ok = true;

    if (!p->known->base_url)
        return conf_failf(p->item.why, e, "wanted base_url for %s",
                          p->item.name);
    if (p->form->takes_account && !p->project)
        return conf_failf(p->item.why, e,
                          "wanted project for %s, a project of Google Cloud",
                          p->item.name);
    if (!p->region)
        holes[0].value = SPAN("us-east-1");
    buf_init(&host, 1024);
    if (p->form->takes_account)
        ok = vertex_base(&at, &host, e);
    if (ok && host.len > strlen("https://"))
        holes[2].value = span_of(buf_cstr(&host) + strlen("https://"));
    if (ok)
        p->base_url =
            fill(&s->arena, (struct span){NULL, 0}, p->known->base_url, holes);
    buf_free(&host);
    return ok && (p->base_url || no_memory(e));
}

static bool set_base_url(struct settings *s, struct provider_settings *p,
                         struct err *e)
{
    struct span url = span_of(p->base_url);

    if (!p->base_url)
        return known_url(s, p, e);
    if (!check_url(p, e))
        return false;
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    p->base_url = arena_strdup(&s->arena, url);
    return p->base_url || no_memory(e);
}

static bool check_secret(const struct item *item, const char *key,
                         const char *value, struct err *e)
{
    if (value && !clean(value))
        return conf_failf(member(item, key), e,
                          "wanted a key without spaces and line ends");
    return true;
}

static bool resolve_key(struct settings *s, const struct provider_settings *p,
                        struct provider_key *k, struct err *e)
{
    if (!check_secret(&k->item, "api_key", k->api_key, e) ||
        !check_secret(&k->item, "secret_key", k->secret_key, e) ||
        !check_secret(&k->item, "session_token", k->session_token, e))
        return false;
    if (!k->api_key || !*k->api_key)
        return true;
    k->authorization = join(&s->arena, p->form->auth_prefix, k->api_key);
    return k->authorization || no_memory(e);
}

/* The keys under `keys`, or the one of the provider itself. */
static bool list_keys(struct settings *s, struct provider_settings *p,
                      struct err *e)
{
    p->keys = p->more_keys.at;
    p->n_keys = p->more_keys.n;
    if (p->n_keys > PROVIDER_KEYS_MAX)
        return conf_failf(member(&p->item, "keys"), e,
                          "wanted at most %d keys, found %u", PROVIDER_KEYS_MAX,
                          p->n_keys);
    if (p->n_keys && (p->api_key || p->secret_key || p->session_token))
        return conf_failf(member(&p->item, "keys"), e,
                          "wanted either api_key or keys, found both");
    if (p->n_keys)
        return true;
    p->keys = arena_zalloc(&s->arena, 1, sizeof *p->keys);
    if (!p->keys)
        return no_memory(e);
    p->n_keys = 1;
    *p->keys = (struct provider_key){.item = {"default", p->item.why},
                                     .api_key = p->api_key,
                                     .secret_key = p->secret_key,
                                     .session_token = p->session_token,
                                     .weight = 1};
    return true;
}

/* Signed calls and service accounts are made for conversations only. */
static bool check_pass_through(const struct provider_settings *p, struct err *e)
{
    for (unsigned i = 0; i < p->pass_through.n; i++) {
        if (p->pass_through.at[i][0] != '/')
            return conf_failf(p->pass_through.why[i], e,
                              "wanted a path such as /v1/images/, found %s",
                              p->pass_through.at[i]);
        if (!strcmp(p->dialect, "bedrock") || p->form->takes_account ||
            !strcmp(p->known->name, "azure"))
            return conf_fail(p->pass_through.why[i], e,
                             "none: Bedrock, Vertex AI and azure (without "
                             "/openai/v1) have other addresses for each "
                             "model");
    }
    return true;
}

static bool resolve_provider(struct settings *s, struct provider_settings *p,
                             struct err *e)
{
    if (!find_known(p, e) || !settings_account(s, p, e) ||
        !set_base_url(s, p, e) || !list_keys(s, p, e) ||
        !check_pass_through(p, e))
        return false;
    if (!strcmp(p->dialect, "openai"))
        p->quirks = quirks_find(span_of(p->like ? p->like : p->item.name),
                                span_of(p->base_url));
    for (unsigned i = 0; i < p->n_keys; i++) {
        if (!resolve_key(s, p, &p->keys[i], e))
            return false;
    }
    return true;
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
        m->model.origin = known->name;
        return true;
    }
    if (m->like)
        return conf_fail(member(&m->item, "like"), e,
                         "a model of the catalogue (weir models lists them)");
    m->model = (struct model){.family = "", .origin = m->upstream};
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
    if (from->web_search >= 0)
        m->search = from->web_search * 1000;
    if (from->flex >= 0)
        m->flex = (unsigned)(from->flex / 1000);
    if (from->priority >= 0)
        m->priority = (unsigned)(from->priority / 1000);
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
        uint32_t bit;

        if (!capability_parse(span_of(list->at[i]), &bit))
            return conf_fail(list->why[i], e,
                             "a capability such as tools, parallel_tools, "
                             "vision, json, schema");
        m->model.caps |= bit;
    }
    return true;
}

/* An address with /v1 and a path with it: once is enough. */
static const char *model_url(struct settings *s, const struct model_settings *m,
                             const char *path)
{
    const struct provider_settings *p = m->at;
    const struct hole holes[] = {
        {"model", span_of(m->upstream)},
        {"version",
         span_of(p->api_version ? p->api_version : p->form->version)},
        {0}};
    struct span base = span_of(p->base_url);

    if (!strncmp(path, "/v1/", 4) && base.len > 3 &&
        !strcmp(base.ptr + base.len - 3, "/v1"))
        base.len -= 3;
    return fill(&s->arena, base, path, holes);
}

/* NULL path: there is none. */
static bool set_url(struct settings *s, const struct model_settings *m,
                    const char *path, const char **url)
{
    *url = path ? model_url(s, m, path) : NULL;
    return *url || !path;
}

static bool set_urls(struct settings *s, struct model_settings *m)
{
    const struct provider_form *f = m->at->form;
    const char *responses = m->at->responses ? f->responses_path : NULL;

    return set_url(s, m, f->path, &m->url) &&
           set_url(s, m, f->stream_path, &m->stream_url) &&
           set_url(s, m, responses, &m->responses_url) &&
           set_url(s, m, f->embeddings_path, &m->embeddings_url) &&
           set_url(s, m, f->count_path, &m->count_url);
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

/* The model as it is served by another provider. */
static bool resolve_place(struct settings *s, struct model_settings *place,
                          const struct deployment_settings *d, struct err *e)
{
    place->at = settings_provider(s, d->provider);
    if (!place->at)
        return conf_failf(member(&d->item, "provider"), e,
                          "wanted one of the providers above, found %s",
                          d->provider);
    place->provider = place->model.provider = d->provider;
    if (d->upstream)
        place->upstream = d->upstream;
    place->model.upstream = place->upstream;
    place->responses_url = NULL;
    return (write_json_name(s, place) && set_urls(s, place)) || no_memory(e);
}

static bool list_places(struct settings *s, struct model_settings *m,
                        struct err *e)
{
    const struct deployment_settings *d = m->deployments.at;
    unsigned n = m->deployments.n;

    if (n >= DEPLOYMENTS_MAX)
        return conf_failf(member(&m->item, "deployments"), e,
                          "wanted at most %d deployments, found %u",
                          DEPLOYMENTS_MAX - 1, n);
    m->places = arena_zalloc(&s->arena, n + 1, sizeof *m->places);
    if (!m->places)
        return no_memory(e);
    m->n_places = n + 1;
    for (unsigned i = 0; i <= n; i++) {
        struct model_settings *place = &m->places[i];

        *place = *m;
        if (i > 0 && !resolve_place(s, place, &d[i - 1], e))
            return false;
        place->lanes =
            arena_zalloc(&s->arena, place->at->n_keys, sizeof *place->lanes);
        if (!place->lanes)
            return no_memory(e);
    }
    return true;
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
    if (!conf_get(m->item.why, "capabilities"))
        m->model.caps |= m->at->form->lends;
    if (!write_json_name(s, m) || !set_urls(s, m))
        return no_memory(e);
    return list_places(s, m, e);
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
