/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider is sent: the client's own bytes where both speak one
 * dialect, else the same conversation in the provider's. */
#include <string.h>

#include "base/log.h"
#include "router/chat/chat_parts.h"
#include "router/codec/anthropic.h"
#include "router/codec/openai_chat.h"

/* ---- the body ---- */

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "out of memory");
}

/* A Gemini conversation in which another model called: strict models refuse
 * calls that come first in their message without a signature. */
static bool has_unsigned_call(const struct request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t j = 0; j < m->n_parts; j++) {
            if (m->parts[j].kind != PART_TOOL_CALL)
                continue;
            if (m->parts[j].signature.len == 0)
                return true;
            break;
        }
    }
    return false;
}

/* The codec that the provider is spoken to in: one that has the Responses API
 * too speaks it with that API's clients. */
const struct codec *chat_spoken(const struct chat *c)
{
    const struct model_settings *m = chat_model(c);

    if (c->ask.dialect == &dialect_responses && m->responses_url)
        return &codec_responses;
    return m->at->codec;
}

/* Where the model stands in the path, another member takes its place: the
 * place, with its key. */
static struct span model_member(struct span body)
{
    struct json top = {JSON_OBJECT, false, span_trim(body)};
    struct json_iter it = json_begin(&top);
    struct json key, value;

    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "model"))
            return (struct span){
                key.raw.ptr,
                (size_t)(value.raw.ptr + value.raw.len - key.raw.ptr)};
    }
    return (struct span){NULL, 0};
}

static bool put_version(struct chat *c, struct span *body, struct err *e)
{
    const char *version = chat_model(c)->at->form->body_version;
    struct span old = version ? model_member(*body) : (struct span){NULL, 0};
    size_t n = version ? strlen(version) : 0;
    char *out, *p;

    if (!old.ptr)
        return true;
    out = p = arena_alloc(c->arena, body->len + n);
    if (!out)
        return no_memory(e);
    p = (char *)mempcpy(p, body->ptr, (size_t)(old.ptr - body->ptr));
    p = (char *)mempcpy(p, version, n);
    p = (char *)mempcpy(p, old.ptr + old.len,
                        (size_t)(body->ptr + body->len - old.ptr) - old.len);
    *body = (struct span){out, (size_t)(p - out)};
    return true;
}

static struct target target_of(const struct chat *c)
{
    const struct model_settings *m = chat_model(c);
    const struct dialect_ops *d = c->ask.dialect;
    bool same = !strcmp(chat_spoken(c)->name, d->kin ? d->kin : d->codec);

    return (struct target){.model = span_of(m->upstream),
                           .of = &m->model,
                           .quirks = m->at->quirks,
                           .same_dialect = same,
                           .same_model =
                               !c->made.elsewhere && (same || c->made.here),
                           .stream = c->ask.request.params.stream,
                           .ask_usage = m->at->known->stream_usage,
                           .data_only = m->at->form->data_only};
}

static bool part_wants(const struct codec *codec, const struct target *t,
                       const struct part *p)
{
    bool wants = codec->wants_data(p, t);

    for (size_t i = 0; i < p->n_parts && !wants; i++)
        wants = part_wants(codec, t, &p->parts[i]);
    return wants;
}

/* Its own dialect's addresses are refused there. */
static bool has_refused_address(const struct request *r, const struct target *t)
{
    for (size_t i = 0; t->data_only && i < r->n_messages; i++) {
        for (size_t k = 0; k < r->messages[i].n_parts; k++) {
            if (part_wants(&codec_anthropic, t, &r->messages[i].parts[k]))
                return true;
        }
    }
    return false;
}

/* The provider can take the client's bytes as they are. */
static bool is_verbatim(const struct chat *c, const struct target *t)
{
    const struct dialect_ops *d = c->ask.dialect;
    const struct model_settings *m = chat_model(c);

    if (c->made.elsewhere)
        return false;
    if (d == &dialect_responses)
        return m->responses_url != NULL;
    if (d == &dialect_embeddings)
        return true;
    if (d != m->at->ops)
        return false;
    if (d == &dialect_openai)
        return chat_request_fits(&c->ask.request, t);
    if (d == &dialect_anthropic)
        return !anthropic_has_foreign(&c->ask.request) &&
               !has_refused_address(&c->ask.request, t);
    return d != &dialect_gemini || !has_unsigned_call(&c->ask.request);
}

bool chat_translates(struct chat *c, struct target *t)
{
    c->made = makers_look(c->worker->router->makers, &c->ask.request,
                          chat_model(c)->model.origin);
    *t = target_of(c);
    return !is_verbatim(c, t);
}

/* A lossy step is never silent. */
static void tell_losses(struct chat *c, struct err *e)
{
    const struct route_settings *set = c->ask.route->set;
    struct buf text;

    if (c->losses->n == 0)
        return;
    buf_init(&text, 4096);
    lossy_header(c->losses, &text);
    log_event(LOG_INFO, "not carried", "id=%s arm=%s what=\"%s\"", c->id,
              set->arms[c->arm].name, buf_cstr(&text));
    if (set->unsupported == UNSUPPORTED_REJECT) {
        c->refused = 400;
        err_set(e, ERR_INPUT, "it cannot take %s", buf_cstr(&text));
    }
    buf_free(&text);
}

/* State that only the provider that made it holds. */
static bool has_state(const struct chat *c)
{
    struct json top = {JSON_OBJECT, false, span_trim(c->ask.request.body)};
    struct json id, talk;

    if (c->ask.dialect != &dialect_responses || c->from == &codec_responses)
        return false;
    id = json_get(&top, "previous_response_id");
    talk = json_get(&top, "conversation");
    return id.type == JSON_STRING || talk.type == JSON_STRING ||
           talk.type == JSON_OBJECT;
}

/* What is lost is kept with room for what the answer may yet lose: the whole
 * table would be a good part of what an open stream takes. */
static bool keep_losses(struct chat *c, struct losses *l, struct err *e)
{
    enum { SPARE = 4 };
    size_t size = lossy_size(l, SPARE);

    l->room = l->n + SPARE < LOSSY_MAX ? l->n + SPARE : LOSSY_MAX;
    c->losses = arena_alloc(c->arena, size);
    if (!c->losses)
        return no_memory(e);
    memcpy(c->losses, l, size);
    return true;
}

/* What the client asked for and no arm gives. */
static void lose_plain(const struct chat *c, struct losses *l)
{
    if (c->ask.plain)
        lossy_add(l, LOSSY_LOGPROBS, "logprobs");
}

/* Nothing else is lost where the bytes go through. */
static bool tell_plain(struct chat *c, struct err *e)
{
    struct losses lost = {0};

    if (!c->ask.plain)
        return true;
    lose_plain(c, &lost);
    if (!keep_losses(c, &lost, e))
        return false;
    tell_losses(c, e);
    return true;
}

static bool translate(struct chat *c, const struct target *t, struct span *body,
                      struct err *e)
{
    struct losses lost = {0};
    struct buf out;
    bool ok;

    lose_plain(c, &lost);
    c->from = chat_spoken(c);
    c->to = codec_find(c->ask.dialect->codec);
    if (has_state(c)) {
        c->refused = 400;
        return err_set(e, ERR_INPUT,
                       "previous_response_id, conversation: the answers "
                       "before are not held there; send all of it");
    }
    out = worker_buf(c->worker, 2 * chat_limits(c)->body_bytes + (1 << 20));
    ok = c->from->request_write(&c->ask.request, t, &lost, &out, e) &&
         keep_losses(c, &lost, e);
    if (ok && out.failed)
        ok = no_memory(e);
    *body = arena_copy(c->arena, buf_view(&out));
    worker_give_back(c->worker, &out);
    if (ok && !body->ptr)
        ok = no_memory(e);
    if (!ok && e->kind == ERR_INPUT)
        c->refused = 400;
    if (ok)
        tell_losses(c, e);
    if (c->from == &codec_openai && c->ask.dialect == &dialect_openai)
        c->from = c->to = NULL; /* its answer is the client's as it is */
    return ok && !c->refused;
}

bool chat_make_body(struct chat *c, struct span *body, struct err *e)
{
    const struct model_settings *m = chat_model(c);
    const struct dialect_ops *d = c->ask.dialect;
    struct splice splice = {span_of(m->upstream_json),
                            m->at->known->stream_usage};
    struct target t;

    c->from = c->to = NULL;
    c->losses = NULL;
    if (c->ask.request.embeds && !m->embeddings_url) {
        c->refused = 400;
        return err_set(e, ERR_INPUT,
                       "it has no embeddings in the form of OpenAI's");
    }
    if (chat_translates(c, &t))
        return translate(c, &t, body, e) && put_version(c, body, e) &&
               (!c->from || chat_relay_begin(c));
    if (!d->splice(&c->ask.request, &splice, c->arena, body, e) ||
        !tell_plain(c, e))
        return false;
    if (d->read)
        return true;
    c->from = codec_find(d->codec);
    return put_version(c, body, e) && (chat_relay_begin(c) || no_memory(e));
}

/* ---- the head ---- */

static const char *url_of(const struct chat *c)
{
    const struct model_settings *m = chat_model(c);

    if (c->ask.request.embeds)
        return m->embeddings_url;
    if (c->from == &codec_responses)
        return m->responses_url;
    return c->ask.request.params.stream ? m->stream_url : m->url;
}

bool chat_make_head(struct chat *c, struct upstream_request *r,
                    struct upstream_header *h, struct err *e)
{
    const struct head head = {.at = chat_model(c)->at,
                              .key = c->now->at.key,
                              .x = c->x,
                              .client = c->ask.dialect,
                              .stream = c->ask.request.params.stream,
                              .bearer = c->bearer,
                              .arena = c->arena};

    r->url = url_of(c);
    return head_make(&head, r, h, e);
}
