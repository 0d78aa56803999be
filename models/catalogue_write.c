/* SPDX-License-Identifier: Apache-2.0 */
#include "models/catalogue_write.h"

static void put_prices(struct buf *out, const struct prices *p)
{
    const struct {
        const char *key;
        int64_t pico;
    } rows[] = {
        {"input", p->input},
        {"output", p->output},
        {"cached_input", p->cached_input},
        {"cache_write", p->cache_write},
        {"cache_write_1h", p->cache_write_1h},
    };
    char text[32];
    for (size_t i = 0, n = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].pico >= 0)
            buf_printf(out, "%s\"%s\":%s", n++ ? "," : "", rows[i].key,
                       price_format(rows[i].pico, text));
    }
}

static void put_steps(struct buf *out, const struct model *m)
{
    buf_str(out, ",\"steps\":[");
    for (unsigned i = 0; i < m->n_steps; i++) {
        buf_printf(out, "%s{\"from\":%lld,", i ? "," : "",
                   (long long)m->steps[i].from_tokens);
        put_prices(out, &m->steps[i].prices);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_capabilities(struct buf *out, uint32_t caps)
{
    buf_str(out, ",\"capabilities\":[");
    for (unsigned i = 0, n = 0; i < CAPABILITIES; i++) {
        if (caps & 1u << i)
            buf_printf(out, "%s\"%s\"", n++ ? "," : "",
                       capability_name((enum capability)(1u << i)));
    }
    buf_char(out, ']');
}

static void put_word(struct buf *out, const char *key, struct span word)
{
    buf_printf(out, ",\"%s\":", key);
    buf_json_str(out, word);
}

void catalogue_put(struct buf *out, const struct catalogue_words *words,
                   const struct model *m)
{
    char text[32];

    buf_str(out, "{\"name\":");
    buf_json_str(out, words->name);
    put_word(out, "provider", words->provider);
    if (words->upstream.len && !span_eq(words->upstream, words->name))
        put_word(out, "upstream", words->upstream);
    if (m->family && *m->family)
        put_word(out, "family", span_of(m->family));
    if (m->tier != TIER_UNKNOWN)
        put_word(out, "tier", span_of(tier_name(m->tier)));
    if (m->priced) {
        buf_str(out, ",\"price\":{");
        put_prices(out, &m->prices);
        if (m->search)
            buf_printf(out, ",\"web_search\":%s",
                       price_format(m->search / 1000, text));
        buf_char(out, '}');
    }
    if (m->flex || m->priority)
        buf_printf(out, ",\"services\":{\"flex\":%g,\"priority\":%g}",
                   m->flex / 1e3, m->priority / 1e3);
    if (m->n_steps)
        put_steps(out, m);
    if (m->context)
        buf_printf(out, ",\"context\":%lld", (long long)m->context);
    if (m->max_output)
        buf_printf(out, ",\"max_output\":%lld", (long long)m->max_output);
    if (m->caps_known)
        put_capabilities(out, m->caps);
    if (words->alias.len) {
        buf_str(out, ",\"aliases\":[");
        buf_json_str(out, words->alias);
        buf_char(out, ']');
    }
    buf_str(out, m->legacy ? ",\"legacy\":true}" : "}");
}

struct catalogue_words catalogue_words_of(const struct model *m)
{
    return (struct catalogue_words){span_of(m->name),
                                    span_of(m->provider),
                                    span_of(m->upstream),
                                    {NULL, 0}};
}
