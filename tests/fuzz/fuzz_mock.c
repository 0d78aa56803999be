/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the mock's script, as a request's faults, and as a body whose
 * rules are held: no crash, and a refusal always says why. */
#include "bench/mock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void script(struct span text)
{
    struct err e = {0};
    struct mock_script *s = mock_script_read(text, &e);
    struct mock_moment m = {.model = SPAN("m"), .number = 3, .hash = 5};
    struct mock_fault f;

    if (!s && !e.msg[0])
        abort();
    mock_fault_init(&f);
    mock_fault_read(&f, text);
    mock_script_apply(s, &m, &f);
    mock_script_free(s);
}

static void body(const struct mock_dialect *d, struct span text)
{
    struct inbound in = {.body = text, .model = SPAN("m")};
    struct mock_checked c = {.body = text, .seed = 1};
    struct request r = {0};
    struct arena a;
    struct err e;

    arena_init(&a, 16 << 20);
    if (d->codec->request_read(&in, &a, &r, &e)) {
        c.request = &r;
        if (!mock_check(d, &c) && (!c.error.message || !c.error.message[0]))
            abort();
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mock_dialect *const all[] = {
        &mock_openai, &mock_responses, &mock_anthropic,
        &mock_gemini, &mock_bedrock,   &mock_cohere,
    };
    char *copy = malloc(size ? size : 1);
    struct span text = {copy, size ? size - 1 : 0};

    if (!copy)
        abort();
    if (size) {
        memcpy(copy, data + 1, size - 1);
        if (data[0] % 7 == 6)
            script(text);
        else
            body(all[data[0] % 7], text);
    }
    free(copy);
    return 0;
}
