/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every recorded answer, written for the clients of every dialect and read
 * back as they would: the same text, calls and usage, or the reason is in
 * the list of losses.  Prints a table.  With WEIR_FRAMES=FILE WEIR_CLIENT=NAME
 * each exchange also becomes a line of JSON in that file, for the official
 * SDK to read (tests/e2e/sdk_frames.sh).
 */
#include "tests/unit/codec_aws.h"
#include "tests/unit/codec_check.h"

#include "router/codec/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const DIALECTS[] = {"openai", "responses", "anthropic",
                                       "gemini", "bedrock",   "cohere"};
enum { N_DIALECTS = sizeof DIALECTS / sizeof DIALECTS[0] };

struct cell {
    unsigned exchanges, lossless, lossy, failed;
    unsigned by_kind[LOSSY_KINDS];
};

/* One exchange on its way to one client. */
struct passage {
    const struct codec *to;
    const struct request *asked;
    struct losses lost;
    void *state;
    struct buf frames, whole;
};

static struct arena memory;
static struct cell table[N_DIALECTS][N_DIALECTS];
static unsigned n_exchanges, n_chats;
static FILE *frames;
static struct err e;

/* ---- reading ---- */

static bool read_in(const struct codec *from, const struct recording *x,
                    struct chunk_sink sink)
{
    if (!x->streamed)
        return check_answer(from, x->answer, x->status, sink, &e);
    return from->framing == FRAMING_AWS
               ? check_aws(from, x->answer, CUTS_WHOLE, sink, &e)
               : check_stream(from, x->answer, CUTS_WHOLE, sink, &e);
}

static bool write_chunk(void *ctx, const struct chunk *c)
{
    struct passage *p = ctx;

    p->to->stream_write(p->state, p->asked, c, &p->lost, &p->frames);
    return true;
}

/* ---- what was said ---- */

static void text_of(const struct gathered *g, enum part_kind part,
                    struct buf *out)
{
    const struct gathered_block *b = g->choices[0].first;

    for (; b; b = b->next) {
        if (b->part == part)
            buf_span(out, b->text);
    }
}

static bool same_said(const struct gathered *a, const struct gathered *b,
                      enum part_kind part)
{
    struct buf x, y;
    bool same;

    buf_init(&x, (size_t)1 << 26);
    buf_init(&y, (size_t)1 << 26);
    text_of(a, part, &x);
    text_of(b, part, &y);
    same = !span_differ("said", buf_view(&x), buf_view(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

static const struct gathered_block *next_call(const struct gathered_block *b)
{
    while (b && b->part != PART_TOOL_CALL)
        b = b->next;
    return b;
}

static struct span arguments(const struct gathered_block *b)
{
    struct span s = span_trim(b->text);

    return s.len ? s : SPAN("{}");
}

static bool same_calls(const struct gathered *a, const struct gathered *b)
{
    const struct gathered_block *x = next_call(a->choices[0].first);
    const struct gathered_block *y = next_call(b->choices[0].first);

    for (; x && y; x = next_call(x->next), y = next_call(y->next)) {
        if (span_differ("call", x->name, y->name) ||
            !json_same(arguments(x), arguments(y)))
            return false;
    }
    return !x && !y;
}

static bool same_answer(const struct gathered *got, const struct gathered *g)
{
    if (g->error_status)
        return got->error_status >= 400;
    return got->ended && same_said(got, g, PART_TEXT) && same_calls(got, g) &&
           (!g->has_usage || g->usage.input == 0 ||
            (got->usage.input == g->usage.input &&
             got->usage.output == g->usage.output));
}

/* ---- lines for the SDK ---- */

static void put_calls(struct buf *b, const struct gathered *g)
{
    const struct gathered_block *c = next_call(g->choices[0].first);

    put_list(b, "calls");
    for (; c; c = next_call(c->next)) {
        put_comma(b);
        buf_char(b, '{');
        put_str(b, "name", c->name);
        put_raw(b, "input", arguments(c));
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static void put_line(const struct recording *x, const struct passage *p,
                     const struct gathered *g)
{
    struct buf b, text;

    buf_init(&b, (size_t)1 << 28);
    buf_init(&text, (size_t)1 << 26);
    text_of(g, PART_TEXT, &text);
    buf_char(&b, '{');
    put_str(&b, "case", x->name);
    put_str(&b, "dialect", x->dialect);
    put_int(&b, "status", g->error_status);
    put_str(&b, "frames", buf_view(&p->frames));
    put_str(&b, "whole", buf_view(&p->whole));
    put_str(&b, "text", buf_view(&text));
    put_calls(&b, g);
    put_int(&b, "input", g->usage.input);
    put_int(&b, "output", g->usage.output);
    buf_str(&b, "}\n");
    check_that(!b.failed, "no memory");
    fwrite(b.ptr, 1, b.len, frames);
    buf_free(&b);
    buf_free(&text);
}

/* ---- one exchange, one client ---- */

static bool read_back(const struct passage *p, bool whole,
                      const struct gathered *g)
{
    struct gathered back;
    struct chunk_sink sink = gather_sink(&back);
    int status = g->error_status ? g->error_status : 200;

    gather_init(&back, &memory);
    if (whole ? !check_answer(p->to, buf_view(&p->whole), status, sink, &e)
              : !check_stream(p->to, buf_view(&p->frames), CUTS_WHOLE, sink,
                              &e)) {
        fprintf(stderr, "not read back: %s\n", e.msg);
        return false;
    }
    return same_answer(&back, g);
}

static void count(struct cell *c, const struct passage *p, bool ok)
{
    c->exchanges++;
    c->failed += !ok;
    c->lossless += ok && p->lost.n == 0;
    c->lossy += ok && p->lost.n > 0;
    for (unsigned i = 0; i < p->lost.n; i++)
        c->by_kind[p->lost.at[i].kind]++;
}

static void pass(const struct recording *x, const struct codec *from,
                 const struct gathered *g, struct passage *p, struct cell *c)
{
    const char *client = getenv("WEIR_CLIENT");
    bool ok;

    p->state = calloc(1, p->to->writer_size + 1);
    if (p->to->writer_start)
        p->to->writer_start(p->state, &memory);
    buf_init(&p->frames, (size_t)1 << 28);
    buf_init(&p->whole, (size_t)1 << 28);
    ok = read_in(from, x, (struct chunk_sink){p, write_chunk});
    p->to->answer_write(g, p->asked, &p->lost, &p->whole);
    ok = ok && read_back(p, false, g) && read_back(p, true, g);
    if (!ok)
        fprintf(stderr, "%.*s -> %s failed\n", SPAN_ARGS(x->name), p->to->name);
    count(c, p, ok);
    if (frames && client && !strcmp(client, p->to->name))
        put_line(x, p, g);
    if (p->to->stream_free)
        p->to->stream_free(p->state);
    buf_free(&p->frames);
    buf_free(&p->whole);
    free(p->state);
}

/* The conversation of a client that would have got this answer. */
static const struct request *asked_for(const struct recording *x,
                                       const struct codec *from,
                                       struct request *r)
{
    if (!from->request_read(
            &(struct inbound){x->asked, SPAN("model"), x->streamed}, &memory, r,
            &e))
        *r =
            (struct request){.params = params_unsaid(), .model = SPAN("model")};
    r->params.stream_usage = true; /* else its dialect leaves it out */
    return r;
}

/* What is no chat, by its path. */
static struct {
    const char *name, *path;
    unsigned n;
} beside[] = {{"embeddings", "mbed", 0}, {"token counts", "ount", 0}};
enum { BESIDE = sizeof beside / sizeof beside[0] };

static bool is_chat(struct span path)
{
    for (unsigned i = 0; i < BESIDE; i++) {
        if (span_has(path, span_of(beside[i].path)))
            return false;
    }
    return true;
}

static void count_beside(struct span path)
{
    unsigned i = 0;

    while (!span_has(path, span_of(beside[i].path)))
        i++;
    beside[i].n++;
}

static void pass_all(const struct recording *x, unsigned row)
{
    const struct codec *from = codec_find(DIALECTS[row]);
    struct gathered g;
    struct request r;

    gather_init(&g, &memory);
    if (!is_chat(x->path)) {
        count_beside(x->path);
        return;
    }
    check_that(read_in(from, x, gather_sink(&g)) && (g.ended || g.error_status),
               "%.*s: no answer", SPAN_ARGS(x->name));
    n_chats++;
    for (unsigned i = 0; i < N_DIALECTS; i++) {
        struct passage p = {.to = codec_find(DIALECTS[i]),
                            .asked = asked_for(x, from, &r)};

        if (p.to && p.to->framing == FRAMING_SSE && p.to->stream_write &&
            p.to->answer_write)
            pass(x, from, &g, &p, &table[row][i]);
    }
}

static unsigned row_of(struct span dialect)
{
    for (unsigned i = 0; i < N_DIALECTS; i++) {
        if (span_is(dialect, DIALECTS[i]))
            return i;
    }
    return N_DIALECTS;
}

static void print_row(const char *from, const char *to, const struct cell *c)
{
    if (!c->exchanges)
        return;
    printf("%-10s %-10s %9u %8u %6u %6u ", from, to, c->exchanges, c->lossless,
           c->lossy, c->failed);
    for (int k = 0; k < LOSSY_KINDS; k++) {
        if (c->by_kind[k])
            printf(" %s=%u", lossy_name((enum lossy)k), c->by_kind[k]);
    }
    putchar('\n');
}

static unsigned print_table(void)
{
    unsigned failed = 0;

    printf("%-10s %-10s %9s %8s %6s %6s\n", "dialect", "client", "exchanges",
           "lossless", "lossy", "failed");
    for (unsigned i = 0; i < N_DIALECTS; i++) {
        for (unsigned j = 0; j < N_DIALECTS; j++) {
            failed += table[i][j].failed;
            print_row(DIALECTS[i], DIALECTS[j], &table[i][j]);
        }
    }
    printf("%u exchanges, of them %u chats", n_exchanges, n_chats);
    for (unsigned i = 0; i < BESIDE; i++) {
        printf(", %u %s", beside[i].n, beside[i].name);
        n_exchanges -= beside[i].n;
    }
    putchar('\n');
    assert_int_equal(n_exchanges, n_chats); /* each is somewhere */
    return failed;
}

static void every_recorded_answer_reaches_every_client(void **state)
{
    const char *path = getenv("WEIR_FRAMES");
    struct recordings all;
    struct recording x;

    (void)state;
    if (!recordings_open(&all))
        skip();
    frames = path ? fopen(path, "w") : NULL;
    arena_init(&memory, (size_t)1 << 30);
    while (recordings_next(&all, NULL, &x)) {
        unsigned row = row_of(x.dialect);

        n_exchanges++;
        check_that(row < N_DIALECTS, "unknown dialect %.*s",
                   SPAN_ARGS(x.dialect));
        pass_all(&x, row);
        arena_reset(&memory);
    }
    recordings_close(&all);
    arena_free(&memory);
    if (frames)
        fclose(frames);
    assert_int_equal(print_table(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_answer_reaches_every_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
