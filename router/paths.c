/* SPDX-License-Identifier: Apache-2.0 */
#include "router/paths.h"

#include <string.h>

#include "router/admin.h"
#include "router/chat/chat.h"
#include "router/chat/count.h"
#include "router/chat/listing.h"
#include "router/forward.h"
#include "router/gate/gate.h"
#include "router/problem.h"
#include "router/router.h"

enum access { ACCESS_ALL, ACCESS_METRICS, ACCESS_EXPLAIN, ACCESS_RELOAD };

struct path {
    const char *method, *path; /* one that ends in / also leads longer ones;
                                * stands for a model's name */
    void (*serve)(struct worker *w, struct http_exchange *x);
    /* Instead, where a request in a dialect is taken. */
    void (*speak)(struct worker *w, struct http_exchange *x,
                  const struct place *at);
    const struct dialect_ops *dialect; /* NULL: OpenAI's */
    bool stream;
    bool open; /* answered without a key */
    enum access access;
};

#define CHAT(p, d)                                                             \
    {                                                                          \
        "POST", p, .speak = chat_start, .dialect = &dialect_##d                \
    }
#define COUNT(p, d)                                                            \
    {                                                                          \
        "POST", p, .speak = count_start, .dialect = &dialect_##d               \
    }
/* Azure OpenAI's clients name the model, their deployment, in the path. */
#define AZURE(verb, d) CHAT("/openai/deployments/*/" verb, d)
/* Google's newer clients ask /v1, older ones /v1beta. */
#define GEMINI(v)                                                              \
    CHAT("/" v "/models/*:generateContent", gemini),                           \
        {"POST", "/" v "/models/*:streamGenerateContent", .speak = chat_start, \
         .dialect = &dialect_gemini, .stream = true},                          \
        COUNT("/" v "/models/*:countTokens", gemini)

static const struct path rows[] = {
    CHAT("/v1/chat/completions", openai),
    CHAT("/v1/responses", responses),
    CHAT("/v1/completions", completions),
    CHAT("/v1/embeddings", embeddings),
    AZURE("chat/completions", openai),
    AZURE("completions", completions),
    AZURE("embeddings", embeddings),
    CHAT("/v1/messages", anthropic),
    COUNT("/v1/messages/count_tokens", anthropic),
    GEMINI("v1beta"),
    GEMINI("v1"),
    {"GET", "/v1beta/models", .serve = listing_gemini,
     .dialect = &dialect_gemini},
    {"GET", "/v1beta/models/", .serve = listing_gemini_model,
     .dialect = &dialect_gemini},
    {"GET", "/v1/models", .serve = listing_models},
    {"GET", "/v1/models/", .serve = listing_model},
    {"POST", "/v1/feedback", .speak = admin_feedback},
    {"POST", "/v1/weir/explain", .serve = admin_explain,
     .access = ACCESS_EXPLAIN},
    {"POST", "/v1/weir/reload", .serve = admin_reload, .access = ACCESS_RELOAD},
    {"GET", "/healthz", .serve = admin_health, .open = true},
    {"GET", "/metrics", .serve = admin_metrics, .access = ACCESS_METRICS},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* What stands before the paths of a dialect at other gateways: their clients
 * need another host only. */
static const char *const mounts[] = {"/openai", "/anthropic", "/gemini",
                                     "/genai",  "/litellm",   "/api"};

/* The path below what it is mounted at. */
static struct span unmounted(struct span path)
{
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        size_t n = strlen(mounts[i]);

        if (path.len > n && span_starts(path, mounts[i]) && path.ptr[n] == '/')
            return (struct span){path.ptr + n, path.len - n};
    }
    return path;
}

/* Where paths begin that belong to a dialect, rows or none. */
static const struct {
    const char *prefix;
    const struct dialect_ops *dialect;
} families[] = {
    {"/v1/messages", &dialect_anthropic},
    {"/v1beta/", &dialect_gemini},
};

const struct dialect_ops *paths_dialect(struct span path)
{
    path = unmounted(path);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (span_starts(path, families[i].prefix))
            return families[i].dialect;
    }
    return &dialect_openai;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct span paths_decode(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        bool escape = s.ptr[i] == '%' && i + 2 < s.len &&
                      hex_value(s.ptr[i + 1]) >= 0 &&
                      hex_value(s.ptr[i + 2]) >= 0;

        out[n++] =
            escape
                ? (char)(hex_value(s.ptr[i + 1]) * 16 + hex_value(s.ptr[i + 2]))
                : s.ptr[i];
        i += escape ? 2 : 0;
    }
    return (struct span){out, n};
}

/* What stands where the pattern has its star; false: it does not fit. */
static bool fits(const char *pattern, size_t star, struct span path,
                 struct span *name)
{
    const char *tail = pattern + star + 1;
    size_t n = strlen(tail);

    if (path.len <= star + n || memcmp(path.ptr, pattern, star) != 0 ||
        memcmp(path.ptr + path.len - n, tail, n) != 0)
        return false;
    *name = (struct span){path.ptr + star, path.len - star - n};
    return true;
}

static bool pattern_is(const char *pattern, struct span path, struct span *name)
{
    size_t n = strlen(pattern), star = strcspn(pattern, "*");

    *name = (struct span){NULL, 0};
    if (star < n)
        return fits(pattern, star, path, name);
    if (pattern[n - 1] == '/')
        return path.len > n && span_starts(path, pattern);
    return span_is(path, pattern);
}

/* OpenAI's own rows are had without /v1 too: base URLs are written either
 * way. */
static bool may_lack_v1(const struct path *p)
{
    return span_starts(span_of(p->path), "/v1/") && p->access == ACCESS_ALL &&
           p->dialect != &dialect_anthropic && p->dialect != &dialect_gemini;
}

/* Every row under its own path goes before any under another's. */
enum spelling { SPELLED_SO, SPELLED_MOUNTED, SPELLED_SHORT, SPELLINGS };

static bool path_is(const struct path *p, enum spelling how, struct span path,
                    struct span *name)
{
    if (how == SPELLED_SHORT)
        return may_lack_v1(p) &&
               pattern_is(p->path + strlen("/v1"), unmounted(path), name);
    if (how == SPELLED_MOUNTED)
        path = unmounted(path);
    return pattern_is(p->path, path, name);
}

static bool method_is(const struct path *p, struct span method)
{
    return span_is(method, p->method) ||
           (span_is(method, "HEAD") && !strcmp(p->method, "GET"));
}

static unsigned access_of(const struct worker *w, const struct path *p)
{
    const struct admin_settings *a = &snapshot_settings(w->snapshot)->admin;

    switch (p->access) {
    case ACCESS_METRICS:
        return a->metrics;
    case ACCESS_EXPLAIN:
        return a->explain;
    case ACCESS_RELOAD:
        return a->reload == WHENCE_NOWHERE ? WHENCE_NOWHERE : WHENCE_LOOPBACK;
    default:
        return WHENCE_ANYWHERE;
    }
}

/* A web page in a browser on this machine is no operator: it names its
 * origin. */
bool paths_from_loopback(const struct http_exchange *x)
{
    char peer[64];

    span_copy(peer, sizeof peer, http_request(x)->peer);
    return (settings_loopback(peer) || !strcmp(peer, HTTP_PEER_LOCAL)) &&
           http_header(x, "origin").len == 0;
}

static bool may(const struct worker *w, const struct path *p,
                const struct http_exchange *x)
{
    unsigned whence = access_of(w, p);

    return whence == WHENCE_ANYWHERE ||
           (whence == WHENCE_LOOPBACK && paths_from_loopback(x));
}

static void refuse(struct http_exchange *x, bool known)
{
    const struct http_request *r = http_request(x);
    size_t n = r->path.len < 200 ? r->path.len : 200;
    struct problem p;

    if (known)
        problem_set(&p, PROBLEM_METHOD, http_arena(x),
                    "%.*s is not answered here with this method", (int)n,
                    r->path.ptr);
    else
        problem_set(&p, PROBLEM_NOT_FOUND, http_arena(x),
                    "nothing is at %.*s; a client's base URL ends in /v1 for "
                    "OpenAI's SDKs, in the port for Anthropic's and Google's",
                    (int)n, r->path.ptr);
    problem_reply(x, paths_dialect(r->path), &p);
}

static void serve(struct worker *w, struct http_exchange *x,
                  const struct path *row, struct span name)
{
    struct place at = {.dialect = row->dialect, .stream = row->stream};

    bool key = !row->open && row->access == ACCESS_ALL;

    if (key && !gate_check(w, x, &at))
        return;
    if (!row->speak) {
        row->serve(w, x);
        return;
    }
    if (name.len)
        at.name = paths_decode(name, http_arena(x));
    if (row->speak == chat_start)
        gate_enter(w, x, &at);
    else
        row->speak(w, x, &at);
}

static void forbid(struct http_exchange *x, const struct path *row)
{
    struct problem p;

    problem_set(&p, PROBLEM_FORBIDDEN, http_arena(x),
                "%s is not answered to this address (admin settings)",
                row->path);
    problem_reply(x, &dialect_openai, &p);
}

/* The first path that fits stands for all that do: a verb behind a model's name
 * is no model, whatever the method. */
static size_t look_so(struct span method, struct span path, enum spelling how,
                      struct span *name, bool *known)
{
    const char *fits = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        if (!path_is(&rows[i], how, path, name) ||
            (fits && strcmp(fits, rows[i].path) != 0))
            continue;
        fits = rows[i].path;
        if (method_is(&rows[i], method))
            return i;
    }
    *known = fits;
    return ROWS;
}

static size_t look(struct span method, struct span path, struct span *name,
                   bool *known)
{
    size_t i = ROWS;

    for (int how = 0; how < SPELLINGS && i == ROWS && !*known; how++)
        i = look_so(method, path, (enum spelling)how, name, known);
    return i;
}

struct path_look paths_look(struct span method, struct span path)
{
    struct path_look l = {.found = PATH_NONE};
    bool known = false;
    size_t i = look(method, path, &l.name, &known);

    if (i == ROWS)
        return (struct path_look){.found = known ? PATH_METHOD : PATH_NONE};
    l.found = PATH_FOUND;
    l.path = rows[i].path;
    l.dialect = rows[i].dialect ? rows[i].dialect : &dialect_openai;
    l.stream = rows[i].stream;
    return l;
}

/* What no row has may be a provider's, as it came. */
static bool pass_through(struct worker *w, struct http_exchange *x)
{
    static const char *const methods[] = {"POST", "GET", "DELETE", "PUT",
                                          "PATCH"};
    const struct http_request *r = http_request(x);
    struct place at = {.path = unmounted(r->path), .begin = forward_start};
    const struct provider_settings *to =
        forward_to(snapshot_settings(w->snapshot), at.path);
    size_t i = 0, n = sizeof methods / sizeof *methods;

    while (i < n && !span_is(r->method, methods[i]))
        i++;
    if (!to || i == n)
        return false;
    at.dialect = to->ops ? to->ops : &dialect_openai;
    if (gate_check(w, x, &at))
        gate_enter(w, x, &at);
    return true;
}

void paths_serve(struct worker *w, struct http_exchange *x)
{
    const struct http_request *r = http_request(x);
    bool known = false;
    struct span name;
    size_t i = look(r->method, r->path, &name, &known);

    if (i < ROWS && may(w, &rows[i], x))
        serve(w, x, &rows[i], name);
    else if (i < ROWS)
        forbid(x, &rows[i]);
    else if (!pass_through(w, x))
        refuse(x, known);
}

void paths_refused(struct worker *w, struct span path, int status,
                   const char *why)
{
    bool known = false;
    struct span name;
    size_t i = look(SPAN("POST"), path, &name, &known);

    if (i < ROWS && rows[i].speak == chat_start)
        chat_refused(w, &(struct place){.dialect = rows[i].dialect}, status,
                     why);
}
