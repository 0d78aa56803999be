/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/google_auth.h"

#include "base/base64.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/rsa.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLAIM_SECONDS = 3600,     /* the most that Google allows */
    EARLY_MS = 5 * 60 * 1000, /* renewed this long before the end */
    LOST_MS = 30 * 1000,      /* a request without an answer is lost */
    AGAIN_MS = 5 * 1000,      /* after a refusal */
    TEXT_MAX = 1 << 16,
};

static const char default_uri[] = "https://oauth2.googleapis.com/token";

struct google_auth {
    struct rsa_key *key;    /* (owned) */
    char *email, *uri;      /* (owned) */
    char *project, *key_id; /* (owned) may be "" */
    char *token;            /* (owned) or NULL */
    int64_t expires;        /* of the token */
    int64_t asked;          /* when a request went out; 0: none is */
    int64_t not_before;     /* the next request */
};

/* ---- the key ---- */

/* A text of its own, so that all copies of a secret can be wiped. */
static char *member(const struct json *top, const char *name,
                    const char *unsaid)
{
    struct json v = json_get(top, name);
    struct span inner = json_inner(&v);
    char *copy;

    if (v.type != JSON_STRING)
        return unsaid ? strdup(unsaid) : NULL;
    copy = malloc(inner.len + 1);
    if (copy)
        copy[json_unescape(inner, copy, inner.len)] = '\0';
    return copy;
}

static void wipe(char *s)
{
    if (s)
        digest_wipe(s, strlen(s));
    free(s);
}

static struct rsa_key *read_key(const struct json *top)
{
    char *pem = member(top, "private_key", NULL);
    struct rsa_key *key = rsa_key_new(span_of(pem));

    wipe(pem);
    return key;
}

struct google_auth *google_auth_new(struct span json, struct err *e)
{
    struct google_auth *g;
    struct json top;

    if (!json_parse(json, &top, e)) {
        err_set(e, ERR_INPUT, "service account: wanted a JSON key file");
        return NULL; /* the parser's words could quote the key */
    }
    g = calloc(1, sizeof *g);
    if (!g) {
        err_set(e, ERR_MEMORY, "service account: wanted memory");
        return NULL;
    }
    g->email = member(&top, "client_email", NULL);
    g->uri = member(&top, "token_uri", default_uri);
    g->project = member(&top, "project_id", "");
    g->key_id = member(&top, "private_key_id", "");
    g->key = read_key(&top);
    if (g->email && g->uri && g->project && g->key_id && g->key)
        return g;
    err_set(e, ERR_INPUT,
            "service account: wanted client_email and an RSA "
            "private_key, found %s",
            !g->email ? "no client_email" : "no such key");
    google_auth_free(g);
    return NULL;
}

void google_auth_free(struct google_auth *g)
{
    if (!g)
        return;
    rsa_key_free(g->key);
    free(g->email);
    free(g->uri);
    free(g->project);
    free(g->key_id);
    wipe(g->token);
    free(g);
}

struct span google_auth_uri(const struct google_auth *g)
{
    return span_of(g->uri);
}

struct span google_auth_project(const struct google_auth *g)
{
    return span_of(g->project);
}

/* ---- the claim ---- */

/* Base64 for addresses, without padding (RFC 7515, section 2). */
static void put_base64url(struct buf *out, struct span bytes)
{
    char *dst = buf_room(out, BASE64_SIZE(bytes.len) + 1);
    size_t n;

    if (!dst)
        return;
    n = base64_encode(bytes, dst);
    while (n > 0 && dst[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        if (dst[i] == '+')
            dst[i] = '-';
        if (dst[i] == '/')
            dst[i] = '_';
    }
    out->len += n;
}

static void put_header(const struct google_auth *g, struct buf *out)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    buf_str(&b, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (*g->key_id) {
        buf_str(&b, ",\"kid\":");
        buf_json_str(&b, span_of(g->key_id));
    }
    buf_char(&b, '}');
    put_base64url(out, buf_view(&b));
    buf_free(&b);
}

static void put_claims(const struct google_auth *g, int64_t now,
                       struct buf *out)
{
    int64_t seconds = now / 1000;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    buf_str(&b, "{\"iss\":");
    buf_json_str(&b, span_of(g->email));
    buf_str(&b, ",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
                "\"aud\":");
    buf_json_str(&b, span_of(g->uri));
    buf_printf(&b, ",\"iat\":%lld,\"exp\":%lld}", (long long)seconds,
               (long long)seconds + CLAIM_SECONDS);
    put_base64url(out, buf_view(&b));
    buf_free(&b);
}

static bool put_signature(const struct google_auth *g, struct span text,
                          struct buf *out)
{
    unsigned char sum[RSA_SIGNATURE_MAX];
    size_t n;

    if (!rsa_sign(g->key, text, sum, &n))
        return false;
    put_base64url(out, (struct span){(const char *)sum, n});
    return true;
}

bool google_auth_ask(struct google_auth *g, int64_t now, struct buf *body,
                     struct err *e)
{
    struct buf jwt;
    bool ok;

    buf_init(&jwt, TEXT_MAX);
    put_header(g, &jwt);
    buf_char(&jwt, '.');
    put_claims(g, now, &jwt);
    buf_str(body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A"
                  "jwt-bearer&assertion=");
    buf_span(body, buf_view(&jwt));
    buf_char(body, '.');
    ok = put_signature(g, buf_view(&jwt), body);
    ok = ok && !jwt.failed && !body->failed;
    buf_free(&jwt);
    g->asked = now;
    return ok || err_set(e, ERR_STATE,
                         "service account: wanted a signature, "
                         "the library refused");
}

/* ---- the token ---- */

struct span google_auth_token(const struct google_auth *g, int64_t now)
{
    return g->token && now < g->expires ? span_of(g->token) : SPAN("");
}

bool google_auth_due(const struct google_auth *g, int64_t now)
{
    if (g->token && now < g->expires - EARLY_MS)
        return false;
    return now >= g->not_before && (!g->asked || now - g->asked >= LOST_MS);
}

static bool refused(struct google_auth *g, int64_t now, int status,
                    struct err *e)
{
    g->not_before = now + AGAIN_MS;
    return err_set(e, ERR_STATE,
                   "service account: wanted a token, found status %d", status);
}

bool google_auth_answer(struct google_auth *g, int status, struct span body,
                        int64_t now, struct err *e)
{
    struct json top, lasts;
    int64_t seconds;
    char *token;

    g->asked = 0;
    if (status != 200 || !json_parse(body, &top, e))
        return refused(g, now, status, e);
    lasts = json_get(&top, "expires_in");
    token = member(&top, "access_token", NULL);
    if (!token || !*token || !json_i64(&lasts, &seconds) || seconds <= 0 ||
        seconds > 7 * 86400) {
        wipe(token);
        return refused(g, now, status, e);
    }
    wipe(g->token);
    g->token = token;
    g->expires = now + seconds * 1000;
    g->not_before = 0;
    return true;
}

/* ---- paths ---- */

/* A name in a path: what Google's names are made of, and nothing that could
 * lead elsewhere. */
static bool put_name(struct buf *out, const char *what, struct span name,
                     struct err *e)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '@' ||
              (c == '.' && i > 0)))
            return err_set(
                e, ERR_INPUT,
                "%s: wanted letters, digits, - _ . @, found \"%.*s\"", what,
                SPAN_ARGS(name));
    }
    if (name.len == 0)
        return err_set(e, ERR_INPUT, "%s: wanted a name, found none", what);
    buf_span(out, name);
    return true;
}

bool vertex_base(const struct vertex_place *p, struct buf *out, struct err *e)
{
    buf_str(out, "https://");
    if (span_is(p->location, "us") || span_is(p->location, "eu")) {
        buf_printf(out, "aiplatform.%.*s.rep.googleapis.com",
                   SPAN_ARGS(p->location));
        return true;
    }
    if (!span_is(p->location, "global")) {
        if (!put_name(out, "location", p->location, e))
            return false;
        buf_char(out, '-');
    }
    buf_str(out, "aiplatform.googleapis.com");
    return true;
}

static const char *verb(bool google, bool stream)
{
    if (google)
        return stream ? ":streamGenerateContent?alt=sse" : ":generateContent";
    return stream ? ":streamRawPredict" : ":rawPredict";
}

bool vertex_path(const struct vertex_place *p, bool stream, struct buf *out,
                 struct err *e)
{
    buf_str(out, "/v1/projects/");
    if (!put_name(out, "project", p->project, e))
        return false;
    buf_str(out, "/locations/");
    if (!put_name(out, "location", p->location, e))
        return false;
    buf_str(out, "/publishers/");
    if (!put_name(out, "publisher", p->publisher, e))
        return false;
    buf_str(out, "/models/");
    if (!put_name(out, "model", p->model, e))
        return false;
    buf_str(out, verb(span_is(p->publisher, "google"), stream));
    return true;
}

bool gemini_path(struct span model, bool stream, struct buf *out, struct err *e)
{
    buf_str(out, "/v1beta/models/");
    if (!put_name(out, "model", model, e))
        return false;
    buf_str(out, verb(true, stream));
    return true;
}
