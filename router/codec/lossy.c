/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/lossy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *sentence;
} table[LOSSY_KINDS] = {
    [LOSSY_PARAMETER] = {"parameter", "The target has no such parameter."},
    [LOSSY_CLAMPED] = {"clamped", "A number was brought into the target's "
                                  "range."},
    [LOSSY_N] = {"n", "The target gives one answer a request."},
    [LOSSY_LOGPROBS] = {"logprobs", "The target gives no log-probabilities."},
    [LOSSY_IMAGE] = {"image", "The target cannot take this image."},
    [LOSSY_AUDIO] = {"audio", "The target cannot take audio."},
    [LOSSY_FILE] = {"file", "The target cannot take this document."},
    [LOSSY_THINKING] = {"thinking", "Another model's thinking is not sent."},
    [LOSSY_SIGNATURE] = {"signature", "A provider's signature means nothing "
                                      "to another."},
    [LOSSY_CACHE_CONTROL] = {"cache_control", "The target decides itself what "
                                              "it caches."},
    [LOSSY_SCHEMA] = {"schema", "Schema keywords that the target refuses were "
                                "taken out."},
    [LOSSY_TOOL_CHOICE] = {"tool_choice", "The target cannot be told to "
                                          "choose tools in this way."},
    [LOSSY_BUILTIN_TOOL] = {"builtin_tool", "The tool is of another provider's "
                                            "own."},
    [LOSSY_CITATION] = {"citation", "Citations have no place in the client's "
                                    "dialect."},
    [LOSSY_STOP] = {"stop", "Stop sequences beyond what the target takes were "
                            "left out."},
    [LOSSY_ROLE] = {"role", "A message had to change its role or place."},
    [LOSSY_ERROR_FLAG] = {"error_flag", "A tool result's error mark became "
                                        "text."},
    [LOSSY_STATE] = {"state", "State held by a provider cannot move."},
    [LOSSY_REASONING] = {"reasoning", "The wanted effort was mapped to what "
                                      "the target has."},
    [LOSSY_OTHER] = {"other", "Something that only its own dialect knows was "
                              "left out."},
};

void lossy_add(struct losses *l, enum lossy kind, const char *fmt, ...)
{
    char what[sizeof l->at[0].what];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].kind == kind && !strcmp(l->at[i].what, what))
            return;
    }
    if (l->n == (l->room ? l->room : LOSSY_MAX)) {
        l->more++;
        return;
    }
    l->at[l->n].kind = kind;
    memcpy(l->at[l->n++].what, what, sizeof what);
}

const char *lossy_name(enum lossy kind)
{
    return table[kind].name;
}

const char *lossy_sentence(enum lossy kind)
{
    return table[kind].sentence;
}

size_t lossy_size(const struct losses *l, unsigned spare)
{
    unsigned n = l->n + spare < LOSSY_MAX ? l->n + spare : LOSSY_MAX;

    return offsetof(struct losses, at) + n * sizeof l->at[0];
}

void lossy_header(const struct losses *l, struct buf *out)
{
    for (unsigned i = 0; i < l->n; i++)
        buf_printf(out, "%s%s=%s", i ? ", " : "", lossy_name(l->at[i].kind),
                   l->at[i].what);
    if (l->more)
        buf_printf(out, ", and %u more", l->more);
}
