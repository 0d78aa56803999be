/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an Anthropic request, and as an OpenAI one for an Anthropic
 * model: never a crash, and what is written is JSON. */
#include "router/codec/anthropic.h"
#include "tests/unit/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_for(const struct request *r, const struct target *t,
                      bool count)
{
    struct losses l = {0};
    struct json v;
    struct buf out;
    struct err e;
    bool ok;

    buf_init(&out, (size_t)1 << 24);
    ok = count ? anthropic_count_write(r, t, &l, &out, &e)
               : anthropic_request_write(r, t, &l, &out, &e);
    if (ok)
        check_that(json_parse(buf_view(&out), &v, &e), "%s: %s", e.msg,
                   buf_cstr(&out));
    else
        check_that(e.msg[0], "failed without a reason");
    buf_free(&out);
}

static void write_all(const struct request *r, bool own)
{
    static const char *const models[] = {"claude-opus-4-8", "claude-haiku-4-5",
                                         "claude-3-haiku", ""};

    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct target t = {.model = span_of(models[i]),
                           .same_dialect = own,
                           .same_model = own && i % 2,
                           .stream = i == 1};

        write_for(r, &t, i == 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = {(const char *)data, size};
    struct arena memory;
    struct request r;
    struct err e = {ERR_NONE, ""};

    arena_init(&memory, (size_t)1 << 24);
    if (anthropic_request_read(
            &(struct inbound){body, (struct span){NULL, 0}, false}, &memory, &r,
            &e)) {
        write_all(&r, true);
        write_all(&r, false);
    } else {
        check_that(e.msg[0], "failed without a reason");
    }
    if (request_from_openai(body, &memory, &r, &e))
        write_all(&r, false);
    arena_free(&memory);
    return 0;
}
