/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of Gemini's contents that any turn can have: images and the like. */
#include "router/codec/gemini_turns.h"
#include "router/codec/put.h"

#include <stdio.h>
#include <string.h>

void gemini_open_part(struct gemini_out *w)
{
    put_comma(w->out);
    buf_char(w->out, '{');
}

void gemini_put_id(struct gemini_out *w, struct span id)
{
    if (id.len == 0 || gemini_made_id(id))
        return;
    buf_str(w->out, "\"id\":");
    buf_json_str(w->out, id);
    buf_char(w->out, ',');
}

static struct span place(const struct message *m, const struct gemini_out *w,
                         char dst[32])
{
    int n = snprintf(dst, 32, "messages[%zu]", (size_t)(m - w->r->messages));

    return (struct span){dst, (size_t)n};
}

void gemini_lose(struct gemini_out *w, enum lossy kind, const struct message *m)
{
    char at[32];
    struct span s = place(m, w, at);

    lossy_add(w->l, kind, "%.*s", SPAN_ARGS(s));
}

static const struct {
    const char *suffix, *media;
} suffixes[] = {
    {".png", "image/png"},       {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},     {".webp", "image/webp"},
    {".gif", "image/gif"},       {".heic", "image/heic"},
    {".pdf", "application/pdf"}, {".mp3", "audio/mp3"},
    {".wav", "audio/wav"},       {".mp4", "video/mp4"},
    {".txt", "text/plain"},
};

/* The type that an address says by its end; empty: none. */
static struct span media_of(struct span url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] == '?' || url.ptr[i] == '#')
            url.len = i;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i].suffix);
        struct span end;

        if (url.len < n)
            continue;
        end = (struct span){url.ptr + url.len - n, n};
        if (span_is_nocase(end, suffixes[i].suffix))
            return span_of(suffixes[i].media);
    }
    return SPAN("");
}

/* Google's own addresses need no type. */
static bool googles(struct span url)
{
    static const char *const own[] = {
        "gs://",
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtu.be/",
    };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (span_starts(url, own[i]))
            return true;
    }
    return false;
}

/* data:image/png;base64,... */
static bool data_url(struct span url, struct span *media, struct span *data)
{
    struct span head;

    if (!span_starts(url, "data:"))
        return false;
    head = span_cut(&url, ',');
    if (!url.ptr || !span_has(head, SPAN(";base64")))
        return false;
    head.ptr += 5;
    head.len -= 5;
    *media = span_cut(&head, ';');
    *data = url;
    return true;
}

static void put_data(struct gemini_out *w, struct span media, struct span data)
{
    buf_str(w->out, "\"inlineData\":{\"mimeType\":");
    buf_json_str(w->out, media);
    buf_str(w->out, ",\"data\":");
    buf_json_str(w->out, data);
    buf_char(w->out, '}');
}

static void put_address(struct gemini_out *w, struct span media,
                        struct span url)
{
    buf_str(w->out, "\"fileData\":{");
    if (media.len) {
        buf_str(w->out, "\"mimeType\":");
        buf_json_str(w->out, media);
        buf_char(w->out, ',');
    }
    buf_str(w->out, "\"fileUri\":");
    buf_json_str(w->out, url);
    buf_char(w->out, '}');
}

/* Audio has the format's name where others have the type. */
static struct span media_type(const struct part *p, char dst[64])
{
    static const char *const usual[] = {
        [PART_IMAGE] = "image/png", [PART_FILE] = "application/pdf"};
    int n;

    if (p->media.len)
        return p->media;
    if (p->kind == PART_AUDIO) {
        n = snprintf(dst, 64, "audio/%.*s", SPAN_ARGS(p->name));
        return n < 64 && p->name.len ? (struct span){dst, (size_t)n}
                                     : SPAN("audio/wav");
    }
    return span_of(usual[p->kind]);
}

/* The member of a part; false when the target cannot have it. */
static bool put_media(struct gemini_out *w, const struct part *p)
{
    struct span media = p->media, data = p->data;
    char type[64];

    if (data.len || data_url(p->url, &media, &data)) {
        put_data(w, media.len ? media : media_type(p, type), data);
        return true;
    }
    if (media.len == 0)
        media = media_of(p->url);
    if (!googles(p->url) &&
        (!w->traits->https || media.len == 0 || !span_starts(p->url, "http")))
        return false;
    put_address(w, media, p->url);
    return true;
}

bool gemini_wants_data(const struct part *p, const struct target *t)
{
    struct span media = p->media.len ? p->media : media_of(p->url);

    return (p->kind == PART_IMAGE || p->kind == PART_FILE) &&
           span_starts(p->url, "http") && !googles(p->url) &&
           (!gemini_traits(t->model)->https || media.len == 0);
}

void gemini_write_media(struct gemini_out *w, const struct message *m,
                        const struct part *p)
{
    static const enum lossy kinds[] = {[PART_IMAGE] = LOSSY_IMAGE,
                                       [PART_AUDIO] = LOSSY_AUDIO,
                                       [PART_FILE] = LOSSY_FILE};
    size_t before = w->out->len;

    gemini_open_part(w);
    if (p->kind == PART_FILE && p->text.raw.len && !p->data.len) {
        put_text(w->out, "text", p->text);
    } else if (!put_media(w, p)) {
        if (!w->out->failed)
            w->out->len = before;
        gemini_lose(w, kinds[p->kind], m);
        return;
    }
    buf_char(w->out, '}');
}

bool gemini_is_media(const struct part *p)
{
    return p->kind == PART_IMAGE || p->kind == PART_AUDIO ||
           p->kind == PART_FILE;
}
