/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a request of Cohere's chat, an answer, a stream of events.
 * What is read is written again, and what was written is taken by the
 * reader; the checking sink holds chunks to their order.
 */
#include "../unit/codec_aws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct codec *const codec = &codec_cohere;

static void try_request(struct span body)
{
    struct target t = {.model = SPAN("command-a")};
    struct losses l = {.n = 0};
    struct request r, again;
    struct json v;
    struct arena a;
    struct buf out;
    struct err e;

    arena_init(&a, (size_t)1 << 22);
    buf_init(&out, (size_t)1 << 22);
    if (codec->request_read(&(struct inbound){body, SPAN("m"), false}, &a, &r,
                            &e)) {
        check_that(codec->request_write(&r, &t, &l, &out, &e), "%s", e.msg);
        check_that(json_parse(buf_view(&out), &v, &e), "%s", e.msg);
        check_that(codec->request_read(
                       &(struct inbound){buf_view(&out), SPAN("m"), false}, &a,
                       &again, &e) ||
                       e.kind == ERR_MEMORY,
                   "%s", e.msg);
        t.same_dialect = true;
        buf_reset(&out);
        check_that(codec->request_write(&r, &t, &l, &out, &e), "%s", e.msg);
        check_that(json_parse(buf_view(&out), &v, &e), "%s", e.msg);
    }
    buf_free(&out);
    arena_free(&a);
}

/* What was read can be written, as a stream and whole. */
static void write_again(const struct gathered *g)
{
    struct request asked = {.params = params_unsaid()};
    void *state = calloc(1, codec->writer_size);
    struct chunk_sink none = {NULL, NULL};
    struct losses l = {.n = 0};
    struct json v;
    struct buf out;
    struct err e;

    check_that(state, "no memory");
    buf_init(&out, (size_t)1 << 23);
    check_replay(&(struct replay){codec, state, &asked, &l, &out}, g);
    check_that(check_stream(codec, buf_view(&out), CUTS_WHOLE, none, &e), "%s",
               e.msg);
    buf_reset(&out);
    codec->answer_write(g, &asked, &l, &out);
    check_that(json_parse(buf_view(&out), &v, &e), "%s", e.msg);
    buf_free(&out);
    free(state);
}

static void try_answer(struct span body, int status)
{
    struct gathered g;
    struct arena a;
    struct err e;

    arena_init(&a, (size_t)1 << 23);
    gather_init(&g, &a);
    if (check_answer(codec, body, status, gather_sink(&g), &e))
        write_again(&g);
    arena_free(&a);
}

static void try_stream(struct span bytes, uint64_t seed)
{
    struct gathered g;
    struct arena a;
    struct err e;

    arena_init(&a, (size_t)1 << 23);
    gather_init(&g, &a);
    if (check_stream(codec, bytes, (struct cuts){0, seed}, gather_sink(&g), &e))
        write_again(&g);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = {(const char *)data + 1, size - 1};

    if (size < 2)
        return 0;
    switch (data[0] % 4) {
    case 0:
        try_request(body);
        break;
    case 1:
        try_answer(body, 200);
        break;
    case 2:
        try_answer(body, 429);
        break;
    default:
        try_stream(body, data[0]);
    }
    return 0;
}
