/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's two APIs: any bytes as a request, an answer, a stream; the first
 * byte says which.  Chunks keep their order, and what our writers make of
 * them is JSON that our readers take. */
#include "tests/unit/codec_loop.h"

#include "router/codec/completions.h"

static void request(const struct codec *in, const struct codec *out,
                    struct span body, bool same)
{
    struct arena a;
    struct buf b;
    struct losses l = {0};
    struct request r;
    struct json v;
    struct err e = {ERR_NONE, ""};
    struct target t = {.model = SPAN("m"), .same_dialect = same};

    arena_init(&a, (size_t)16 << 20);
    buf_init(&b, (size_t)16 << 20);
    t.quirks = quirks_at(body.len % 13);
    if (in->request_read(&(struct inbound){body, SPAN(""), false}, &a, &r,
                         &e) &&
        out->request_write(&r, &t, &l, &b, &e))
        check_that(json_parse(buf_view(&b), &v, &e), "%s: %s", e.msg,
                   buf_cstr(&b));
    buf_free(&b);
    arena_free(&a);
}

static void answer(const struct codec *in, const struct codec *out,
                   struct recording *rec)
{
    struct arena a;
    struct buf b;
    struct losses l = {0};
    struct gathered g, again;
    struct request asked = {.params = params_unsaid()};
    struct recording back = {.status = 200};
    struct json v;
    struct err e;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&b, (size_t)64 << 20);
    gather_init(&g, &a);
    loop_read(in, rec, (struct cuts){0, rec->answer.len}, &g);
    out->answer_write(&g, &asked, &l, &b);
    check_that(json_parse(buf_view(&b), &v, &e), "%s", e.msg);
    buf_reset(&b);
    loop_stream_write(in, rec, (struct loop_writer){out, &asked, &l, &b, NULL});
    back.answer = buf_view(&b);
    back.streamed = true;
    gather_init(&again, &a);
    loop_read(out, &back, CUTS_WHOLE, &again);
    check_that(g.error_status || !again.error_status, "%.*s",
               SPAN_ARGS(again.error_message));
    buf_free(&b);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct codec *const apis[] = {&codec_openai, &codec_responses};
    struct span rest = {(const char *)bytes + 1, n - 1};
    struct recording rec = {.answer = rest, .status = 200};

    if (n == 0)
        return 0;
    rec.streamed = bytes[0] & 8;
    if (bytes[0] & 4)
        request(apis[bytes[0] & 1], apis[bytes[0] >> 1 & 1], rest,
                (bytes[0] & 3) == 0 || (bytes[0] & 3) == 3);
    else
        answer(apis[bytes[0] & 1], apis[bytes[0] >> 1 & 1], &rec);
    return 0;
}
