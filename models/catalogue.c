/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogue files: JSON, format in models/README.md. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "models/registry.h"

enum {
    MODELS_MAX = 16384,
    ALIASES_MAX = 32,
    KEY_MAX = 128,
    FILE_MAX = 16 << 20,
    ARENA_MAX = 32 << 20,
    FORMAT = 1,
};

struct entry {
    struct model model;
    const char **names; /* (arena) [n_names] other names */
    size_t n_names;
};

struct catalogue {
    struct arena arena;
    struct entry *entries; /* (arena) [n] */
    size_t n;
    const char *source; /* (arena) */
};

/* models/catalogue_data.S: the shipped file's bytes. */
extern const char catalogue_json[], catalogue_json_end[];

static const char *dup_text(struct arena *a, const struct json *v)
{
    struct span s;
    if (v->type != JSON_STRING || !json_text(v, a, &s) || s.len == 0)
        return NULL;
    return memchr(s.ptr, 0, s.len) ? NULL : arena_strdup(a, s);
}

static bool read_price(const struct json *of, const char *key, int64_t *out,
                       struct err *e)
{
    struct json v = json_get(of, key);
    if (v.type == JSON_NONE || v.type == JSON_NULL)
        return true;
    if (v.type == JSON_NUMBER && price_parse(v.raw, out))
        return true;
    return err_set(e, ERR_INPUT,
                   "%s: wanted USD per million tokens, found %.*s", key,
                   (int)(v.raw.len < 40 ? v.raw.len : 40), v.raw.ptr);
}

static bool read_prices(const struct json *of, struct prices *p, struct err *e)
{
    *p = (struct prices){-1, -1, -1, -1, -1};
    if (!read_price(of, "input", &p->input, e) ||
        !read_price(of, "output", &p->output, e) ||
        !read_price(of, "cached_input", &p->cached_input, e) ||
        !read_price(of, "cache_write", &p->cache_write, e) ||
        !read_price(of, "cache_write_1h", &p->cache_write_1h, e))
        return false;
    if (p->input < 0 || p->output < 0)
        return err_set(e, ERR_INPUT, "price: wanted input and output");
    return true;
}

/* USD a thousand searches; factors of the prices, to a thousandth. */
static bool read_more_prices(const struct json *price,
                             const struct json *services, struct model *m,
                             struct err *e)
{
    int64_t search = 0, flex = 0, priority = 0;

    if (!read_price(price, "web_search", &search, e) ||
        !read_price(services, "flex", &flex, e) ||
        !read_price(services, "priority", &priority, e))
        return false;
    if (search > INT64_C(1000000000) || flex > 100000000 ||
        priority > 100000000)
        return err_set(e, ERR_INPUT,
                       "web_search, services: wanted USD a "
                       "thousand searches and factors up to 100");
    m->search = search * 1000;
    m->flex = (unsigned)(flex / 1000);
    m->priority = (unsigned)(priority / 1000);
    return true;
}

static bool read_tokens(const struct json *of, const char *key, int64_t *out,
                        struct err *e)
{
    struct json v = json_get(of, key);
    *out = 0;
    if (v.type == JSON_NONE)
        return true;
    if (json_i64(&v, out) && *out >= 0 && *out <= INT64_C(1) << 40)
        return true;
    return err_set(e, ERR_INPUT, "%s: wanted a number of tokens", key);
}

static bool read_steps(const struct json *of, struct model *m, struct err *e)
{
    struct json steps = json_get(of, "steps"), step;
    struct json_iter it = json_begin(&steps);
    while (json_next(&it, NULL, &step)) {
        struct price_step *s = &m->steps[m->n_steps];
        if (m->n_steps == PRICE_STEPS_MAX)
            return err_set(e, ERR_INPUT, "steps: wanted at most %d",
                           PRICE_STEPS_MAX);
        if (!read_tokens(&step, "from", &s->from_tokens, e) ||
            !read_prices(&step, &s->prices, e))
            return err_wrap(e, "steps[%u]", m->n_steps);
        if (s->from_tokens <= (m->n_steps ? s[-1].from_tokens : 0))
            return err_set(e, ERR_INPUT, "steps[%u]: wanted ascending tokens",
                           m->n_steps);
        m->n_steps++;
    }
    return true;
}

static bool read_caps(const struct json *of, struct model *m, struct err *e)
{
    struct json caps = json_get(of, "capabilities"), cap;
    struct json_iter it = json_begin(&caps);
    m->caps_known = caps.type == JSON_ARRAY;
    while (json_next(&it, NULL, &cap)) {
        uint32_t bit;
        if (cap.type != JSON_STRING ||
            !capability_parse(json_inner(&cap), &bit))
            return err_set(e, ERR_INPUT, "capabilities: unknown %.*s",
                           (int)(cap.raw.len < 40 ? cap.raw.len : 40),
                           cap.raw.ptr);
        m->caps |= bit;
    }
    return true;
}

static bool read_aliases(const struct json *of, struct arena *a,
                         struct entry *entry, struct err *e)
{
    struct json aliases = json_get(of, "aliases"), alias;
    struct json_iter it = json_begin(&aliases);
    size_t n = json_count(&aliases);
    if (n > ALIASES_MAX)
        return err_set(e, ERR_INPUT, "aliases: wanted at most %d", ALIASES_MAX);
    if (n && !(entry->names = arena_zalloc(a, n, sizeof *entry->names)))
        return err_set(e, ERR_MEMORY, "no memory");
    while (json_next(&it, NULL, &alias)) {
        const char *name = dup_text(a, &alias);
        if (!name)
            return err_set(e, ERR_INPUT, "aliases: wanted names");
        entry->names[entry->n_names++] = name;
    }
    return true;
}

static bool read_words(const struct json *of, struct arena *a, struct model *m,
                       struct err *e)
{
    struct json name = json_get(of, "name"), family = json_get(of, "family");
    struct json provider = json_get(of, "provider");
    struct json tier = json_get(of, "tier"), legacy = json_get(of, "legacy");
    struct json upstream = json_get(of, "upstream");
    m->name = dup_text(a, &name);
    if (!m->name)
        return err_set(e, ERR_INPUT, "name: wanted a string");
    m->upstream = dup_text(a, &upstream);
    if (!m->upstream)
        m->upstream = m->name;
    m->provider = dup_text(a, &provider);
    m->family = dup_text(a, &family);
    if (!m->provider)
        m->provider = "";
    if (!m->family)
        m->family = "";
    if (tier.type != JSON_NONE && !tier_parse(json_inner(&tier), &m->tier))
        return err_set(e, ERR_INPUT,
                       "tier: wanted economy, workhorse or frontier");
    m->legacy = json_true(&legacy);
    return true;
}

static bool read_model(const struct json *of, struct arena *a,
                       struct entry *entry, struct err *e)
{
    struct model *m = &entry->model;
    struct json price = json_get(of, "price");
    struct json services = json_get(of, "services");
    if (of->type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "wanted an object, found %s",
                       json_type_name(of->type));
    if (!read_words(of, a, m, e))
        return false;
    m->priced = price.type == JSON_OBJECT;
    bool ok = (!m->priced || read_prices(&price, &m->prices, e)) &&
              read_more_prices(&price, &services, m, e) &&
              read_steps(of, m, e) &&
              read_tokens(of, "context", &m->context, e) &&
              read_tokens(of, "max_output", &m->max_output, e) &&
              read_caps(of, m, e) && read_aliases(of, a, entry, e);
    return ok || err_wrap(e, "%s", m->name);
}

/* "package version (date): what for" lines, for people. */
static const char *read_source(const struct json *root, struct arena *a)
{
    struct json v = json_get(root, "source");
    const char *text = dup_text(a, &v);
    return text ? text : "";
}

static bool read_root(struct catalogue *c, struct span text, struct err *e)
{
    struct json root, models, model, format;
    if (!json_parse(text, &root, e))
        return false;
    int64_t version;
    format = json_get(&root, "format");
    models = json_get(&root, "models");
    if (!json_i64(&format, &version) || version != FORMAT)
        return err_set(e, ERR_INPUT, "format: wanted %d", FORMAT);
    size_t n = json_count(&models);
    if (models.type != JSON_ARRAY || n > MODELS_MAX)
        return err_set(e, ERR_INPUT, "models: wanted a list of at most %d",
                       MODELS_MAX);
    c->source = read_source(&root, &c->arena);
    c->entries = arena_zalloc(&c->arena, n + 1, sizeof *c->entries);
    if (!c->entries)
        return err_set(e, ERR_MEMORY, "no memory");
    struct json_iter it = json_begin(&models);
    while (json_next(&it, NULL, &model)) {
        if (!read_model(&model, &c->arena, &c->entries[c->n], e))
            return err_wrap(e, "models[%zu]", c->n);
        c->n++;
    }
    return true;
}

static struct catalogue *read_catalogue(struct span text, struct err *e)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(e, ERR_MEMORY, "no memory");
        return NULL;
    }
    arena_init(&c->arena, ARENA_MAX);
    if (read_root(c, text, e))
        return c;
    catalogue_free(c);
    return NULL;
}

struct catalogue *catalogue_shipped(struct err *e)
{
    size_t n = (size_t)(catalogue_json_end - catalogue_json);
    return read_catalogue((struct span){catalogue_json, n}, e);
}

struct catalogue *catalogue_load(const char *path, struct err *e)
{
    struct catalogue *c = NULL;
    struct buf b;
    buf_init(&b, FILE_MAX);
    if (file_read(path, &b, e)) {
        c = read_catalogue(buf_view(&b), e);
        if (!c)
            err_wrap(e, "%s", path);
    }
    buf_free(&b);
    return c;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c);
}

size_t catalogue_count(const struct catalogue *c)
{
    return c->n;
}

const struct model *catalogue_at(const struct catalogue *c, size_t i)
{
    return &c->entries[i].model;
}

const char *catalogue_source(const struct catalogue *c)
{
    return c->source;
}

/* A name as it is compared: lower case, one sort of separator. */
struct key {
    char text[KEY_MAX];
    size_t len;
};

static bool make_key(struct span name, struct key *k)
{
    if (name.len == 0 || name.len >= KEY_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        k->text[i] = strchr("._:@ ", c) && c ? '-' : c;
    }
    k->len = name.len;
    return true;
}

/* How many bytes at the key's end are a date or "-latest"; 0: none. */
static size_t date_at_end(const struct key *k)
{
    /* d: a digit; the longest first */
    static const char *const forms[] = {"-dddd-dd-dd", "-latest",  "-dddddddd",
                                        "-dd-dddd",    "-preview", "-dddd"};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t n = strlen(forms[f]), i = 0;
        if (n >= k->len)
            continue;
        const char *end = k->text + k->len - n;
        bool word = forms[f][1] != 'd';
        while (i < n &&
               (end[i] == forms[f][i] || (!word && forms[f][i] == 'd' &&
                                          end[i] >= '0' && end[i] <= '9')))
            i++;
        if (i == n && !(!word && memchr(end, 'd', n)))
            return n;
    }
    return 0;
}

static bool same(const struct key *k, const char *name)
{
    struct key other;
    return make_key(span_of(name), &other) && other.len == k->len &&
           memcmp(other.text, k->text, k->len) == 0;
}

static bool has_name(const struct entry *en, const struct key *k)
{
    for (size_t n = 0; n < en->n_names; n++) {
        if (same(k, en->names[n]))
            return true;
    }
    return false;
}

/* Proper names come before other names. */
static const struct model *find_key(const struct catalogue *c,
                                    const struct key *k)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct model *m = &c->entries[i].model;
        if (same(k, m->name))
            return m;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (has_name(&c->entries[i], k))
            return &c->entries[i].model;
    }
    return NULL;
}

const struct model *catalogue_find(const struct catalogue *c, struct span name)
{
    struct key k;
    for (;;) {
        if (!make_key(name, &k))
            return NULL;
        const struct model *m = find_key(c, &k);
        size_t date = m ? 0 : date_at_end(&k);
        if (!m && date) {
            k.len -= date;
            m = find_key(c, &k);
        }
        if (m)
            return m;
        const char *slash = memchr(name.ptr, '/', name.len);
        if (!slash)
            return NULL;
        name.len -= (size_t)(slash + 1 - name.ptr);
        name.ptr = slash + 1;
    }
}
