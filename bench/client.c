/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 20, POLL_MS = 1000, URL_MAX = 1024 };

struct slot {
    CURL *curl;
    struct curl_slist *headers; /* (owned) of the call under way */
    struct client_call call;
    struct client_answer answer;
    struct buf received;
    uint64_t began_ns;
    bool busy;
};

struct run {
    const struct client *c;
    CURLM *multi;
    struct slot *slots; /* (owned) [concurrency] */
    unsigned busy;
};

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct slot *s = ctx;

    buf_put(&s->received, bytes, size * n);
    return s->received.failed ? 0 : size * n;
}

static void take_text(struct span value, char *dst, size_t size)
{
    if (!span_copy(dst, size, value))
        dst[0] = '\0';
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct slot *s = ctx;
    struct client_answer *a = &s->answer;
    struct span value = {bytes, size * n};
    struct span name = span_cut(&value, ':');

    value = span_trim(value);
    if (span_is_nocase(name, "x-weir-request-id"))
        take_text(value, a->request_id, sizeof a->request_id);
    else if (span_is_nocase(name, "x-weir-arm"))
        take_text(value, a->arm, sizeof a->arm);
    else if (span_is_nocase(name, "x-weir-model"))
        take_text(value, a->model, sizeof a->model);
    else if (span_is_nocase(name, "x-weir-cost-usd"))
        (void)span_double(value, &a->cost_usd);
    else if (span_is_nocase(name, "x-weir-decision-us"))
        (void)span_double(value, &a->decision_us);
    return size * n;
}

static bool add_header(struct slot *s, const char *line)
{
    struct curl_slist *more = curl_slist_append(s->headers, line);

    if (more)
        s->headers = more;
    return more != NULL;
}

static bool start(struct run *r, struct slot *s)
{
    char url[URL_MAX], auth[512];

    snprintf(url, sizeof url, "%s%s", r->c->base_url, s->call.path);
    snprintf(auth, sizeof auth, "authorization: Bearer %s",
             r->c->api_key ? r->c->api_key : "none");
    s->answer = (struct client_answer){.cost_usd = NAN, .decision_us = NAN};
    buf_reset(&s->received);
    if (!add_header(s, "content-type: application/json") ||
        !add_header(s, "expect:") || !add_header(s, auth) ||
        (s->call.header[0] && !add_header(s, s->call.header)))
        return false;
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)s->call.body.len);
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, buf_cstr(&s->call.body));
    s->began_ns = clock_ns();
    s->busy = curl_multi_add_handle(r->multi, s->curl) == CURLM_OK;
    r->busy += s->busy;
    return s->busy;
}

/* Puts calls into the slots that are free. */
static bool refill(struct run *r, struct err *e)
{
    for (unsigned i = 0; i < r->c->concurrency; i++) {
        struct slot *s = &r->slots[i];

        if (s->busy)
            continue;
        buf_reset(&s->call.body);
        s->call.header[0] = '\0';
        if (!r->c->next(r->c->ctx, &s->call))
            return true;
        if (s->call.body.failed || !start(r, s))
            return err_set(e, ERR_MEMORY, "cannot start a request");
    }
    return true;
}

static const char *failure_word(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return NULL;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return "connect";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return "cut";
    default:
        return curl_easy_strerror(code);
    }
}

static void finish(struct run *r, struct slot *s, CURLcode code)
{
    long status = 0;

    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(r->multi, s->curl);
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    s->busy = false;
    r->busy--;
    s->answer.failure = failure_word(code);
    s->answer.status = code == CURLE_OK ? (int)status : 0;
    s->answer.seconds = (double)(clock_ns() - s->began_ns) * 1e-9;
    s->answer.body = buf_view(&s->received);
    r->c->done(r->c->ctx, &s->call, &s->answer);
}

static void collect(struct run *r)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(r->multi, &left))) {
        void *slot = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        finish(r, slot, m->data.result);
    }
}

static bool open_slot(const struct client *c, struct slot *s)
{
    s->curl = curl_easy_init();
    if (!s->curl)
        return false;
    buf_init(&s->call.body, BODY_MAX);
    buf_init(&s->received, BODY_MAX);
    curl_easy_setopt(s->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)(c->timeout * 1000));
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(s->curl, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->curl, CURLOPT_PRIVATE, s);
    return true;
}

static void close_slot(struct run *r, struct slot *s)
{
    if (s->busy)
        curl_multi_remove_handle(r->multi, s->curl);
    curl_easy_cleanup(s->curl);
    curl_slist_free_all(s->headers);
    buf_free(&s->call.body);
    buf_free(&s->received);
}

static bool pump(struct run *r, struct err *e)
{
    int running;

    while (refill(r, e)) {
        if (r->busy == 0)
            return true;
        if (curl_multi_perform(r->multi, &running) != CURLM_OK ||
            curl_multi_poll(r->multi, NULL, 0, running ? POLL_MS : 0, NULL) !=
                CURLM_OK)
            return err_set(e, ERR_IO, "libcurl gave up");
        if (curl_multi_perform(r->multi, &running) != CURLM_OK)
            return err_set(e, ERR_IO, "libcurl gave up");
        collect(r);
    }
    return false;
}

bool client_run(const struct client *c, struct err *e)
{
    struct run r = {.c = c};
    bool ok;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r.multi = curl_multi_init();
    r.slots = calloc(c->concurrency, sizeof *r.slots);
    ok = r.multi && r.slots;
    for (unsigned i = 0; ok && i < c->concurrency; i++)
        ok = open_slot(c, &r.slots[i]);
    if (ok)
        ok = pump(&r, e);
    else
        err_set(e, ERR_MEMORY, "no memory for %u requests at a time",
                c->concurrency);
    for (unsigned i = 0; r.slots && i < c->concurrency; i++)
        close_slot(&r, &r.slots[i]);
    free(r.slots);
    curl_multi_cleanup(r.multi);
    return ok;
}
