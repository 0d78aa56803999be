/* SPDX-License-Identifier: Apache-2.0 */
/* What a judge says, the arms of a row, and what is made of foreign texts for
 * a judge: what stands between the marks is JSON that reads back. */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "router/label/prompt.h"
#include "router/label/rows.h"
#include "router/spending.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct span all)
{
    struct judged j = {.id = SPAN("req_1"), .judge = "j", .max_tokens = 100};
    struct span rest = all;
    struct json top;
    struct buf out;
    struct err e;

    j.messages = span_cut(&rest, '\n');
    j.answer = span_cut(&rest, '\n');
    j.other = rest;
    buf_init(&out, 1 << 20);
    if (judge_body(&j, &out, &e) && !json_parse(buf_view(&out), &top, NULL))
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = {(const char *)data, size};
    double score = judge_score(s);

    if (!isnan(score) && !(score >= 0 && score <= 1))
        abort();
    if (judge_verdict(s) > VERDICT_NEITHER || label_disagreement(s) < 0 ||
        spending_explored(s, SPAN("b")) < 0)
        abort();
    ask(s);
    return 0;
}
