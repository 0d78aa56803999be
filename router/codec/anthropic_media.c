/* SPDX-License-Identifier: Apache-2.0 */
/* Images and documents of any dialect as Anthropic's blocks. */
#include "base/base64.h"
#include "router/codec/anthropic_parts.h"
#include "router/codec/put.h"

#include <string.h>

static void begin(struct writing *w, const char *type)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "type", type);
}

static void end(struct writing *w)
{
    buf_char(w->out, '}');
}

static void put_cache(struct writing *w, struct span cache)
{
    if (cache.len)
        put_raw(w->out, "cache_control", cache);
}

/* "data:image/png;base64,..." as type and data. */
static bool data_url(struct span url, struct span *media, struct span *data)
{
    static const char mark[] = ";base64";
    enum { HEAD = 5, MARK = sizeof mark - 1 };
    struct span rest = url, head;

    if (!span_starts(url, "data:"))
        return false;
    head = span_cut(&rest, ',');
    if (!rest.ptr || head.len < HEAD + MARK ||
        memcmp(head.ptr + head.len - MARK, mark, MARK) != 0)
        return false;
    *media = (struct span){head.ptr + HEAD, head.len - HEAD - MARK};
    *media = span_cut(media, ';');
    *data = rest;
    return true;
}

static bool is_web(struct span url)
{
    return span_starts(url, "https://") || span_starts(url, "http://");
}

static bool image_type(struct span media)
{
    return span_is(media, "image/jpeg") || span_is(media, "image/png") ||
           span_is(media, "image/gif") || span_is(media, "image/webp");
}

/* What a part holds, whichever way it says it. */
struct source {
    struct span media, data, url;
};

static struct source source_of(const struct part *p)
{
    struct source s = {p->media, p->data, p->url};

    if (!s.data.len && data_url(p->url, &s.media, &s.data))
        s.url.len = 0;
    if (span_is(s.media, "image/jpg"))
        s.media = SPAN("image/jpeg");
    return s;
}

static void put_data(struct writing *w, const struct source *s)
{
    put_open(w->out, "source");
    put_cstr(w->out, "type", "base64");
    put_str(w->out, "media_type", s->media);
    put_str(w->out, "data", s->data);
    end(w);
}

static void put_url(struct writing *w, struct span url)
{
    put_open(w->out, "source");
    put_cstr(w->out, "type", "url");
    put_str(w->out, "url", url);
    end(w);
}

bool anthropic_wants_data(const struct part *p, const struct target *t)
{
    return t->data_only && is_web(p->url) &&
           (p->kind == PART_IMAGE || p->kind == PART_FILE);
}

bool anthropic_takes_image(const struct part *p)
{
    struct source s = source_of(p);

    return s.data.len ? image_type(s.media) : is_web(s.url);
}

void anthropic_put_image(struct writing *w, const struct part *p)
{
    struct source s = source_of(p);

    begin(w, "image");
    if (s.data.len)
        put_data(w, &s);
    else
        put_url(w, s.url);
    put_cache(w, p->cache);
    end(w);
}

static bool is_plain(struct span media)
{
    return span_starts(media, "text/") || span_is(media, "application/json");
}

bool anthropic_takes_file(const struct part *p)
{
    struct source s = source_of(p);

    if (p->text.raw.len || p->n_parts)
        return true;
    if (!s.data.len)
        return is_web(s.url);
    return span_is(s.media, "application/pdf") || is_plain(s.media);
}

/* Text of a document that came as base64; what is no text stays away. */
static void put_decoded(struct writing *w, struct span data)
{
    struct span text = {NULL, 0};
    struct buf bytes;
    char *at;

    buf_init(&bytes, BASE64_BYTES(data.len) + 64);
    at = buf_room(&bytes, BASE64_BYTES(data.len) + 1);
    if (!at)
        w->out->failed = true;
    else if (base64_decode(data, at, &bytes.len))
        text = buf_view(&bytes);
    put_str(w->out, "data", text);
    buf_free(&bytes);
}

void anthropic_put_file(struct writing *w, const struct part *p)
{
    struct source s = source_of(p);

    begin(w, "document");
    if (!p->text.raw.len && !p->n_parts && s.data.len && !is_plain(s.media)) {
        put_data(w, &s);
    } else if (!p->text.raw.len && !p->n_parts && !s.data.len) {
        put_url(w, s.url);
    } else {
        put_open(w->out, "source");
        put_cstr(w->out, "type", p->n_parts ? "content" : "text");
        if (!p->n_parts)
            put_cstr(w->out, "media_type", "text/plain");
        if (p->n_parts)
            anthropic_put_parts(w, p);
        else if (p->text.raw.len)
            put_text(w->out, "data", p->text);
        else
            put_decoded(w, s.data);
        end(w);
    }
    if (p->name.len)
        put_str(w->out, "title", p->name);
    put_cache(w, p->cache);
    end(w);
}
