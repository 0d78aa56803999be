/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/curl_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum {
    HEAD_MAX = 64 << 10,  /* bytes of an answer's headers */
    LINES_MAX = 64 << 10, /* bytes of a request's headers */
    URL_MAX = 8192,
    EXPECTS_ABOVE = 1 << 19, /* libcurl asks for 100-continue from 1 MiB */
};

/* One header line of the answer, with its CR LF. */
static size_t on_line(char *p, size_t size, size_t n, void *arg)
{
    struct curl_call *c = arg;
    struct span line = {p, size * n};
    uint64_t status;

    if (c->state != CALL_RUNNING)
        return 0;
    if (span_starts(line, "HTTP/")) { /* also behind a 100 or 103 */
        struct span rest = line;

        span_cut(&rest, ' ');
        buf_reset(&c->head);
        c->status = span_u64(span_trim(span_cut(&rest, ' ')), &status)
                        ? (int)status
                        : 0;
    }
    if (!c->first) {
        c->last = clock_ns();
        c->first = c->last - c->began;
    }
    line = span_trim(line);
    buf_put(&c->head, line.ptr, line.len);
    buf_char(&c->head, '\0');
    if (c->head.failed) {
        c->end = UPSTREAM_TOO_LARGE;
        return 0;
    }
    if (line.len == 0 && c->status >= 200 && !c->got_head) {
        c->got_head = true;
        if (c->ev.on_head)
            c->ev.on_head(c->ev.ctx, c->status);
    }
    return c->state == CALL_RUNNING ? size * n : 0;
}

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
    struct curl_call *c = arg;

    if (c->state != CALL_RUNNING)
        return 0;
    if (c->paused) {
        c->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    c->last = clock_ns();
    c->bytes += n;
    if (c->max_body && c->bytes > c->max_body) {
        c->end = UPSTREAM_TOO_LARGE;
        return 0;
    }
    if (c->ev.on_body)
        c->ev.on_body(c->ev.ctx, (struct span){p, size * n});
    return c->state == CALL_RUNNING ? size * n : 0;
}

struct span call_header(const struct upstream_call *base, const char *name)
{
    const struct curl_call *c = (const struct curl_call *)base;
    size_t len = strlen(name);
    const char *p = c->head.ptr, *end = p ? p + c->head.len : p;

    while (p < end) {
        size_t n = strlen(p);

        if (n > len && p[len] == ':' &&
            span_is_nocase((struct span){p, len}, name))
            return span_trim((struct span){p + len + 1, n - len - 1});
        p += n + 1;
    }
    return (struct span){0};
}

/* What never changes for a handle.  Each can only fail for lack of memory or
 * where libcurl was built without it. */
static bool set_constants(struct curl_call *c)
{
    CURL *h = c->easy;
    CURLcode bad = CURLE_OK;

    bad |= curl_easy_setopt(h, CURLOPT_PRIVATE, c);
    bad |= curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
    bad |= curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(h, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    bad |= curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    /* Else giving up waits for the thread that resolves a name, and all of
     * this worker's requests with it. */
    bad |= curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_line);
    bad |= curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    bad |= curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_bytes);
    bad |= curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    bad |= curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, curl_client_open);
    bad |= curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c->u);
    bad |= curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, curl_client_close);
    bad |= curl_easy_setopt(h, CURLOPT_CLOSESOCKETDATA, c->u);
    return bad == CURLE_OK;
}

struct curl_call *call_new(struct curl_client *u, struct err *e)
{
    struct curl_call *c = calloc(1, sizeof *c);

    if (!c) {
        err_set(e, ERR_MEMORY, "no memory for an upstream call");
        return NULL;
    }
    c->base.client = &upstream_curl;
    c->u = u;
    buf_init(&c->head, HEAD_MAX);
    buf_init(&c->url, URL_MAX);
    buf_init(&c->lines, LINES_MAX);
    buf_init(&c->ca_file, URL_MAX);
    c->easy = curl_easy_init();
    c->parsed = curl_url();
    if (c->easy && c->parsed && set_constants(c))
        return c;
    err_set(e, ERR_MEMORY, "libcurl gives no handle");
    call_free(c);
    return NULL;
}

void call_free(struct curl_call *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->easy);
    curl_url_cleanup(c->parsed);
    buf_free(&c->head);
    buf_free(&c->url);
    buf_free(&c->lines);
    buf_free(&c->ca_file);
    free(c->nodes);
    free(c);
}

/* Headers that libcurl would add by itself, in its words for "do not". */
static const char *const OFF[] = {"Content-Type:", "Accept:"};
enum { N_OFF = sizeof OFF / sizeof *OFF };

/* libcurl's words: "name: value", "name;" for an empty value. */
static void write_line(struct buf *b, const struct upstream_header *h,
                       bool given[N_OFF])
{
    for (int i = 0; i < N_OFF; i++)
        given[i] |= strncasecmp(h->name, OFF[i], strlen(OFF[i]) - 1) == 0 &&
                    strlen(h->name) == strlen(OFF[i]) - 1;
    buf_str(b, h->name);
    buf_str(b, h->value.len ? ": " : ";");
    buf_span(b, h->value);
    buf_char(b, '\0');
}

static bool write_lines(struct buf *b, const struct upstream_request *r,
                        struct err *e)
{
    bool given[N_OFF] = {false};

    for (size_t i = 0; i < r->n_headers; i++)
        write_line(b, &r->headers[i], given);
    for (int i = 0; i < N_OFF; i++)
        if (!given[i])
            buf_put(b, OFF[i], strlen(OFF[i]) + 1);
    if (r->body.len > EXPECTS_ABOVE)
        buf_put(b, "Expect:", sizeof "Expect:");
    return !b->failed || err_set(e, ERR_LIMIT,
                                 "the upstream request's headers are larger "
                                 "than %d bytes",
                                 LINES_MAX);
}

/* Points the nodes at the lines; libcurl reads the list, never frees it. */
static bool link_lines(struct curl_call *c, size_t n, struct err *e)
{
    char *p = c->lines.ptr;

    if (n > c->cap_nodes) {
        struct curl_slist *nodes = realloc(c->nodes, n * sizeof *nodes);

        if (!nodes)
            return err_set(e, ERR_MEMORY, "no memory for headers");
        c->nodes = nodes;
        c->cap_nodes = n;
    }
    c->n_nodes = n;
    for (size_t i = 0; i < n; i++) {
        c->nodes[i].data = p;
        c->nodes[i].next = i + 1 < n ? &c->nodes[i + 1] : NULL;
        p += strlen(p) + 1;
    }
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->nodes);
    return true;
}

static size_t count_lines(const struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++)
        n += b->ptr[i] == '\0';
    return n;
}

static bool set_headers(struct curl_call *c, const struct upstream_request *r,
                        struct err *e)
{
    buf_reset(&c->lines);
    if (!write_lines(&c->lines, r, e))
        return false;
    return link_lines(c, count_lines(&c->lines), e);
}

/* Parsed here once: libcurl would parse a text, and write it anew, with
 * every call. */
static bool set_url(struct curl_call *c, const char *url, struct err *e)
{
    bool tls = span_starts(span_of(url), "https:");
    CURLcode bad = CURLE_OK;
    CURLUcode wrong;

    if (c->url.len && span_is(buf_view(&c->url), url))
        return true;
    buf_reset(&c->url);
    buf_str(&c->url, url);
    if (c->url.failed || c->url.len == 0)
        return err_set(e, ERR_LIMIT, "upstream URL: wanted 1 to %d bytes",
                       URL_MAX);
    wrong = curl_url_set(c->parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS);
    if (wrong != CURLUE_OK) {
        buf_reset(&c->url);
        return err_set(e, ERR_INPUT, "upstream URL: %s",
                       curl_url_strerror(wrong));
    }
    bad |= curl_easy_setopt(c->easy, CURLOPT_CURLU, c->parsed);
    bad |= curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION,
                            tls ? (long)CURL_HTTP_VERSION_2TLS
                                : (long)CURL_HTTP_VERSION_1_1);
    if (bad == CURLE_OK)
        return true;
    buf_reset(&c->url);
    return err_set(e, ERR_MEMORY, "no memory for the upstream's URL");
}

static bool set_method(struct curl_call *c, const struct upstream_request *r,
                       struct err *e)
{
    bool post = strcmp(r->method, "POST") == 0;
    CURLcode bad = CURLE_OK;

    if (post || r->body.len) {
        bad |= curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS,
                                r->body.ptr ? r->body.ptr : "");
        bad |= curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)r->body.len);
    }
    if (strcmp(c->method, r->method) == 0)
        return bad == CURLE_OK || err_set(e, ERR_MEMORY, "no memory");
    if (!span_copy(c->method, sizeof c->method, span_of(r->method)))
        return err_set(e, ERR_INPUT, "unknown method %s", r->method);
    if (strcmp(r->method, "GET") == 0)
        bad |= curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
    else
        bad |= curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
    bad |= curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST,
                            post ? NULL : r->method);
    return bad == CURLE_OK || err_set(e, ERR_MEMORY, "no memory");
}

/* libcurl's form has host and port before it; empty ones stand for all. */
static bool set_place(struct curl_call *c, const char *to, struct err *e)
{
    CURLcode bad;
    int n;

    if (!to && !c->to_text[0])
        return true;
    n = snprintf(c->to_text, sizeof c->to_text, "%s%s", to ? "::" : "",
                 to ? to : "");
    if (n < 0 || (size_t)n >= sizeof c->to_text) {
        c->to_text[0] = '\0';
        return err_set(e, ERR_INPUT, "no address: %.60s", to);
    }
    c->to = (struct curl_slist){c->to_text, NULL};
    bad = curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, to ? &c->to : NULL);
    return bad == CURLE_OK || err_set(e, ERR_MEMORY, "no memory");
}

static bool set_authority(struct curl_call *c, const char *file, struct err *e)
{
    const char *wanted = file ? file : "";
    char *usual = NULL;

    if (span_is(buf_view(&c->ca_file), wanted))
        return true;
    buf_reset(&c->ca_file);
    buf_str(&c->ca_file, wanted);
    if (!file)
        curl_easy_getinfo(c->easy, CURLINFO_CAINFO, &usual);
    return (!c->ca_file.failed &&
            curl_easy_setopt(c->easy, CURLOPT_CAINFO, file ? file : usual) ==
                CURLE_OK) ||
           err_set(e, ERR_MEMORY, "no memory");
}

bool call_prepare(struct curl_call *c, const struct upstream_request *r,
                  struct err *e)
{
    if (!set_url(c, r->url, e) || !set_method(c, r, e) ||
        !set_headers(c, r, e) || !set_place(c, r->connect_to, e) ||
        !set_authority(c, r->ca_file, e))
        return false;
    if (c->connect_ms != r->connect_ms) {
        curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)r->connect_ms);
        c->connect_ms = r->connect_ms;
    }
    c->first_byte_ms = r->first_byte_ms;
    c->stall_ms = r->stall_ms;
    c->total_ms = r->total_ms;
    c->max_body = r->max_body;
    c->paused = c->held = c->resume = c->got_head = false;
    c->end = UPSTREAM_OK;
    c->status = 0;
    c->bytes = c->first = 0;
    c->began = c->last = clock_ns();
    c->error[0] = '\0';
    buf_reset(&c->head);
    return true;
}

static enum upstream_end end_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        enum upstream_end end;
    } ends[] = {
        {CURLE_OK, UPSTREAM_OK},
        {CURLE_COULDNT_RESOLVE_HOST, UPSTREAM_REFUSED},
        {CURLE_COULDNT_RESOLVE_PROXY, UPSTREAM_REFUSED},
        {CURLE_COULDNT_CONNECT, UPSTREAM_REFUSED},
        {CURLE_OPERATION_TIMEDOUT, UPSTREAM_TIMEOUT},
        {CURLE_PARTIAL_FILE, UPSTREAM_CUT},
        {CURLE_GOT_NOTHING, UPSTREAM_CUT},
        {CURLE_RECV_ERROR, UPSTREAM_CUT},
        {CURLE_SEND_ERROR, UPSTREAM_CUT},
        {CURLE_HTTP2, UPSTREAM_CUT},
        {CURLE_HTTP2_STREAM, UPSTREAM_CUT},
        {CURLE_SSL_CONNECT_ERROR, UPSTREAM_TLS},
        {CURLE_SSL_CERTPROBLEM, UPSTREAM_TLS},
        {CURLE_SSL_CIPHER, UPSTREAM_TLS},
        {CURLE_PEER_FAILED_VERIFICATION, UPSTREAM_TLS},
        {CURLE_SSL_CACERT_BADFILE, UPSTREAM_TLS},
        {CURLE_SSL_ISSUER_ERROR, UPSTREAM_TLS},
        {CURLE_SSL_INVALIDCERTSTATUS, UPSTREAM_TLS},
    };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i].code == code)
            return ends[i].end;
    return UPSTREAM_OTHER;
}

static void connect_result(struct curl_call *c, struct upstream_result *r)
{
    long connects = 0;
    curl_off_t tcp = 0, tls = 0, ready = 0;

    curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    r->connected = ready > 0;
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    r->reused = connects == 0 && r->first_byte_us > 0;
    if (connects == 0)
        return;
    curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &tcp);
    curl_easy_getinfo(c->easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    r->connect_us = (uint64_t)(tls > 0 ? tls : tcp);
}

/* Why the call did not end well, for people. */
static void say_reason(struct curl_call *c, CURLcode code, char dst[160])
{
    const char *text = c->error[0] ? c->error : curl_easy_strerror(code);

    if (c->end == UPSTREAM_TOO_LARGE && c->head.failed)
        snprintf(dst, 160, "the answer's headers are larger than %d bytes",
                 HEAD_MAX);
    else if (c->end == UPSTREAM_TOO_LARGE)
        snprintf(dst, 160, "the answer is larger than %zu bytes", c->max_body);
    else if (code == CURLE_OK)
        snprintf(dst, 160, "the answer ended within its headers");
    else
        span_copy(dst, 160, span_of(text));
}

void call_result(struct curl_call *c, CURLcode code, struct upstream_result *r)
{
    *r = (struct upstream_result){
        .end = c->end ? c->end : end_of(code),
        .status = c->status,
        .first_byte_us = c->first / 1000,
        .total_us = (clock_ns() - c->began) / 1000,
    };
    if (r->end == UPSTREAM_OK && !c->got_head)
        r->end = UPSTREAM_CUT; /* libcurl takes half a head for a whole */
    connect_result(c, r);
    if (r->end != UPSTREAM_OK)
        say_reason(c, code, r->reason);
}
