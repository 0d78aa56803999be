/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/http_parse.h"

#include <string.h>

enum { CHUNK_EXTRA_MAX = 8192, CHUNK_DIGITS_MAX = 15 };

enum { TOKEN = 1, TARGET = 2, VALUE = 4, DIGIT = 8 };

/* What an ASCII byte may be, sixteen in a row: part of a token (RFC 9110
 * 5.6.2), of a request target (visible ASCII), of a header's value (no
 * controls but tab). */
static const unsigned char CLASSES[128] = {
    0, 0, 0, 0, 0,  0,  0,  0,  0,  4,  0,  0,  0,  0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  4,  7,  6,  7,  7, 7, 7, 7, 6, 6, 7, 7,
    6, 7, 7, 6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 6, 6, 6, 6, 7,
    7, 7, 7, 7, 7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 6, 6,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7,  7,  7,  7,  7,  7,  7,  7,  7,  6,  7, 6, 7, 0,
};

static unsigned char_class(unsigned char c)
{
    return c < 128 ? CLASSES[c] : VALUE;
}

static bool all(struct span s, unsigned class)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(char_class((unsigned char)s.ptr[i]) & class))
            return false;
    return true;
}

long http_head_end(const char *p, size_t n, size_t *from)
{
    size_t at = *from;

    while (at < n) {
        const char *nl = memchr(p + at, '\n', n - at);
        size_t i;

        if (!nl)
            break;
        i = (size_t)(nl - p);
        if (i == 0 || p[i - 1] != '\r')
            return -1;
        *from = i + 1;
        /* An empty line: the CR stands where the line begins. */
        if (i - 1 == at && at > 0)
            return (long)i + 1;
        at = i + 1;
    }
    return 0;
}

/* Optional white space is space and tab, nothing else (RFC 9110 5.6.3). */
static struct span trim(struct span s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct span){s.ptr + 1, s.len - 1};
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool fail(struct http_head *h, int status, const char *wrong)
{
    h->status = status;
    h->wrong = wrong;
    return false;
}

/* "HTTP/1.1" */
static bool parse_version(struct http_head *h, struct span v)
{
    bool shape = v.len == 8 && memcmp(v.ptr, "HTTP/", 5) == 0 &&
                 v.ptr[6] == '.' && all((struct span){v.ptr + 5, 1}, DIGIT) &&
                 all((struct span){v.ptr + 7, 1}, DIGIT);

    if (!shape)
        return fail(h, 400, "the request line has no HTTP version");
    if (v.ptr[5] != '1' || v.ptr[7] > '1')
        return fail(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    h->old = v.ptr[7] == '0';
    h->keep = !h->old;
    return true;
}

/* origin-form, absolute-form (scheme and authority are cut off), "*". */
static bool parse_target(struct http_head *h, struct span t)
{
    if (t.len == 0 || !all(t, TARGET))
        return fail(h, 400, "the request target has bytes it must not have");
    if (t.ptr[0] != '/' && !span_is(t, "*")) {
        const char *host = memmem(t.ptr, t.len, "://", 3);
        const char *path;
        size_t left;

        if (!host)
            return fail(h, 400, "the request target is no path");
        left = t.len - (size_t)(host + 3 - t.ptr);
        path = memchr(host + 3, '/', left);
        if (!path)
            return fail(h, 400, "the request target has no path");
        t.len -= (size_t)(path - t.ptr);
        t.ptr = path;
    }
    h->query = t;
    h->path = span_cut(&h->query, '?');
    return true;
}

static bool parse_line(struct http_head *h, struct span line)
{
    struct span rest = line, target;

    h->method = span_cut(&rest, ' ');
    target = span_cut(&rest, ' ');
    if (h->method.len == 0 || h->method.len > 20 || !all(h->method, TOKEN))
        return fail(h, 400, "the request line has no method");
    if (!rest.ptr)
        return fail(h, 400, "the request line is not whole");
    return parse_version(h, rest) && parse_target(h, target);
}

/* What the framing needs to remember over all headers. */
struct framing {
    unsigned lengths, encodings, hosts;
};

static bool see_length(struct http_head *h, struct framing *f, struct span v)
{
    if (f->lengths++)
        return fail(h, 400, "more than one content-length");
    if (v.len == 0 || !all(v, DIGIT) || !span_u64(v, &h->length))
        return fail(h, 400, "content-length is no number");
    return true;
}

static bool see_encoding(struct http_head *h, struct framing *f, struct span v)
{
    if (f->encodings++ || !span_is_nocase(v, "chunked"))
        return fail(h, 400, "the only transfer-encoding taken is chunked");
    h->chunked = true;
    return true;
}

static bool see_connection(struct http_head *h, struct framing *f,
                           struct span v)
{
    (void)f;
    while (v.ptr) {
        struct span word = trim(span_cut(&v, ','));

        if (span_is_nocase(word, "close"))
            h->keep = false;
        else if (h->old && span_is_nocase(word, "keep-alive"))
            h->keep = true;
    }
    return true;
}

static bool see_expect(struct http_head *h, struct framing *f, struct span v)
{
    (void)f;
    if (!span_is_nocase(v, "100-continue"))
        return fail(h, 417, "the only expectation met is 100-continue");
    h->expects = !h->old;
    return true;
}

static bool see_host(struct http_head *h, struct framing *f, struct span v)
{
    (void)v;
    if (f->hosts++)
        return fail(h, 400, "more than one host");
    return true;
}

static const struct special {
    const char *name;
    bool (*see)(struct http_head *h, struct framing *f, struct span value);
} SPECIALS[] = {
    {"content-length", see_length},
    {"transfer-encoding", see_encoding},
    {"connection", see_connection},
    {"expect", see_expect},
    {"host", see_host},
};

static bool see_header(struct http_head *h, struct framing *f,
                       struct http_header kv)
{
    static const char first[] = "cteh";

    if (!memchr(first, kv.name.ptr[0], sizeof first - 1))
        return true;
    for (size_t i = 0; i < sizeof SPECIALS / sizeof *SPECIALS; i++)
        if (span_is(kv.name, SPECIALS[i].name))
            return SPECIALS[i].see(h, f, kv.value);
    return true;
}

/* Lower-cases a header's name up to its colon; 0 when it is no name. */
static size_t take_name(char *p, size_t n)
{
    size_t i = 0;

    for (; i < n && p[i] != ':'; i++) {
        if (!(char_class((unsigned char)p[i]) & TOKEN))
            return 0;
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    }
    return i < n ? i : 0;
}

const char *http_header_parse(char *p, size_t n, struct http_header *kv)
{
    size_t name;

    if (n && (p[0] == ' ' || p[0] == '\t'))
        return "a header is folded over two lines";
    name = take_name(p, n);
    if (name == 0)
        return "a header has no name, or one with wrong bytes";
    kv->name = (struct span){p, name};
    kv->value = trim((struct span){p + name + 1, n - name - 1});
    return all(kv->value, VALUE) ? NULL : "a header's value has control bytes";
}

bool http_is_text(struct span s)
{
    return all(s, VALUE);
}

static bool parse_header(struct http_head *h, struct framing *f, char *p,
                         size_t n)
{
    struct http_header kv;
    const char *wrong = http_header_parse(p, n, &kv);

    if (wrong)
        return fail(h, 400, wrong);
    if (h->n_headers == HTTP_HEADERS_MAX)
        return fail(h, 431, "too many headers");
    h->headers[h->n_headers++] = kv;
    return see_header(h, f, kv);
}

static bool check_framing(struct http_head *h, const struct framing *f)
{
    if (f->lengths && f->encodings)
        return fail(h, 400, "both content-length and transfer-encoding");
    if (f->encodings && h->old)
        return fail(h, 400, "HTTP/1.0 has no transfer-encoding");
    if (!f->hosts && !h->old)
        return fail(h, 400, "HTTP/1.1 wants a host header");
    return true;
}

bool http_head_parse(char *p, size_t n, struct http_head *h)
{
    char *end = p + n - 2; /* without the empty line */
    char *line = p;
    struct framing f = {0};
    bool first = true;

    h->method = h->path = h->query = (struct span){0};
    h->n_headers = 0;
    h->old = h->keep = h->expects = h->chunked = false;
    h->length = 0;
    while (line < end) {
        char *nl = memchr(line, '\n', (size_t)(end - line));
        size_t len;

        if (!nl || nl == line || nl[-1] != '\r')
            return fail(h, 400, "a line does not end in CR LF");
        len = (size_t)(nl - 1 - line);
        if (first ? !parse_line(h, (struct span){line, len})
                  : !parse_header(h, &f, line, len))
            return false;
        first = false;
        line = nl + 1;
    }
    return check_framing(h, &f);
}

/* Chunked bodies: one function per state, one byte at a time but for data. */

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXT,     /* behind ';' */
    CHUNK_SIZE_LF, /* CR seen */
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LINE, /* the start of a trailer line, or the last CR LF */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_DONE,
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool chunk_extra(struct http_chunks *k, char c)
{
    return (char_class((unsigned char)c) & VALUE) &&
           ++k->extra <= CHUNK_EXTRA_MAX;
}

static bool chunk_size(struct http_chunks *k, char c)
{
    int v = hex(c);

    if (v >= 0) {
        k->left = k->left * 16 + (uint64_t)v;
        return ++k->digits <= CHUNK_DIGITS_MAX;
    }
    if (k->digits == 0)
        return false;
    k->state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT;
    return c == '\r' || c == ';';
}

static bool chunk_ext(struct http_chunks *k, char c)
{
    if (c == '\r')
        k->state = CHUNK_SIZE_LF;
    return c == '\r' || chunk_extra(k, c);
}

static bool chunk_size_lf(struct http_chunks *k, char c)
{
    k->state = k->left ? CHUNK_DATA : CHUNK_LINE;
    return c == '\n';
}

static bool chunk_data_cr(struct http_chunks *k, char c)
{
    k->state = CHUNK_DATA_LF;
    return c == '\r';
}

static bool chunk_data_lf(struct http_chunks *k, char c)
{
    k->state = CHUNK_SIZE;
    k->digits = 0;
    k->left = 0;
    return c == '\n';
}

static bool chunk_trailer_name(struct http_chunks *k, char c)
{
    if (c == ':')
        k->state = CHUNK_TRAILER;
    return ++k->extra <= CHUNK_EXTRA_MAX &&
           (c == ':' || (char_class((unsigned char)c) & TOKEN));
}

static bool chunk_line(struct http_chunks *k, char c)
{
    k->state = c == '\r' ? CHUNK_LAST_LF : CHUNK_TRAILER_NAME;
    return c == '\r' || (c != ':' && chunk_trailer_name(k, c));
}

static bool chunk_trailer(struct http_chunks *k, char c)
{
    if (c == '\r')
        k->state = CHUNK_TRAILER_LF;
    return c == '\r' || chunk_extra(k, c);
}

static bool chunk_trailer_lf(struct http_chunks *k, char c)
{
    k->state = CHUNK_LINE;
    return c == '\n';
}

static bool chunk_last_lf(struct http_chunks *k, char c)
{
    k->state = CHUNK_DONE;
    return c == '\n';
}

static bool (*const CHUNK_STEPS[])(struct http_chunks *k, char c) = {
    [CHUNK_SIZE] = chunk_size,
    [CHUNK_EXT] = chunk_ext,
    [CHUNK_SIZE_LF] = chunk_size_lf,
    [CHUNK_DATA_CR] = chunk_data_cr,
    [CHUNK_DATA_LF] = chunk_data_lf,
    [CHUNK_LINE] = chunk_line,
    [CHUNK_TRAILER_NAME] = chunk_trailer_name,
    [CHUNK_TRAILER] = chunk_trailer,
    [CHUNK_TRAILER_LF] = chunk_trailer_lf,
    [CHUNK_LAST_LF] = chunk_last_lf,
};

bool http_chunks_done(const struct http_chunks *k)
{
    return k->state == CHUNK_DONE;
}

long http_chunks_feed(struct http_chunks *k, const char *p, size_t n,
                      struct span *data)
{
    size_t i = 0;

    *data = (struct span){0};
    while (i < n && k->state != CHUNK_DONE) {
        if (k->state != CHUNK_DATA) {
            if (!CHUNK_STEPS[k->state](k, p[i]))
                return -1;
            i++;
            continue;
        }
        *data = (struct span){p + i, n - i};
        if (data->len > k->left)
            data->len = (size_t)k->left;
        k->left -= data->len;
        if (k->left == 0)
            k->state = CHUNK_DATA_CR;
        return (long)(i + data->len);
    }
    return (long)i;
}
