/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a route's parts: its rules, and what it learns from. */
#include "router/settings/settings_parts.h"

#include <stddef.h>

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, field) offsetof(struct type, field)

static const char *const tri_words[] = {"any", "no", "yes", NULL};

/* ---- rules ---- */

#define WHEN_TRI(name, field_, text)                                           \
    {                                                                          \
        .key = name, .kind = SETTING_WORD,                                     \
        .offset = AT(when_settings, field_), .initial = "any",                 \
        .words = tri_words, .help = text                                       \
    }
#define WHEN_COUNT(name, field_, first, text)                                  \
    {                                                                          \
        .key = name, .kind = SETTING_COUNT,                                    \
        .offset = AT(when_settings, field_), .initial = first, .max = 1e12,    \
        .help = text                                                           \
    }

static const struct setting when_rows[] = {
    {.key = "headers",
     .kind = SETTING_PAIRS,
     .offset = AT(when_settings, headers),
     .help = "Headers of the request with exactly these values."},
    {.key = "metadata",
     .kind = SETTING_PAIRS,
     .offset = AT(when_settings, metadata),
     .help = "Members of the body's metadata with exactly these texts."},
    {.key = "language",
     .kind = SETTING_TEXTS,
     .offset = AT(when_settings, language),
     .help = "The last user message is in one of these languages: en, de, fr, "
             "es, it, pt, nl, pl, sv, tr, zh, ja, ko, th, el, or of the script "
             "cyrillic, arabic, hebrew, indic.  Guessed from its letters and "
             "small words: texts of a few words, mixed ones and code are in "
             "none."},
    {.key = "tool",
     .kind = SETTING_TEXT,
     .offset = AT(when_settings, tool),
     .help = "Name of a tool that the request offers."},
    {.key = "key",
     .kind = SETTING_TEXT,
     .offset = AT(when_settings, key),
     .help = "Name of the inbound key."},
    {.key = "task",
     .kind = SETTING_TEXT,
     .offset = AT(when_settings, task),
     .help = "Task: the request's x-weir-task, else the likeliest one."},
    WHEN_TRI("tools", tools, "Whether the request offers tools."),
    WHEN_TRI("images", images, "Whether it holds images."),
    WHEN_TRI("json", json, "Whether it asks for JSON."),
    WHEN_TRI("stream", stream, "Whether it asks for a stream."),
    WHEN_COUNT("min_tokens", min_tokens, "0", "Input tokens at the least."),
    WHEN_COUNT("max_tokens", max_tokens, "1000000000000",
               "Input tokens at the most."),
    WHEN_COUNT("min_turns", min_turns, "0", "User messages at the least."),
};

static const struct section when_section = {"routes.NAME.rules[].when",
                                            sizeof(struct when_settings),
                                            when_rows, LEN(when_rows)};

static const struct setting rule_rows[] = {
    {.key = "when",
     .kind = SETTING_SECTION,
     .offset = AT(rule_settings, when),
     .section = &when_section,
     .help = "All of it must hold; without it the rule always holds."},
    {.key = "arm",
     .kind = SETTING_TEXT,
     .offset = AT(rule_settings, arm),
     .help = "The arm that is then taken."},
    {.key = "answer",
     .kind = SETTING_TEXT,
     .offset = AT(rule_settings, answer),
     .help = "Instead of an arm: the text that is then answered, by no model "
             "and at no cost."},
};

const struct section settings_rule_section = {"routes.NAME.rules[]",
                                              sizeof(struct rule_settings),
                                              rule_rows, LEN(rule_rows)};

/* ---- exploration and shadow answers ---- */

static const struct setting risk_rows[] = {
    {.key = "tasks",
     .kind = SETTING_TEXTS,
     .offset = AT(risk_settings, tasks),
     .help = "Tasks: the request's x-weir-task, else the likeliest one."},
    {.key = "keys",
     .kind = SETTING_TEXTS,
     .offset = AT(risk_settings, keys),
     .help = "Names of inbound keys."},
    {.key = "header",
     .kind = SETTING_TEXT,
     .offset = AT(risk_settings, header),
     .help = "A header whose presence marks a request so."},
};

const struct section settings_risk_section = {"routes.NAME.high_risk",
                                              sizeof(struct risk_settings),
                                              risk_rows, LEN(risk_rows)};

static const struct setting shadow_rows[] = {
    {.key = "rate",
     .kind = SETTING_REAL,
     .offset = AT(shadow_settings, rate),
     .initial = "0",
     .max = 1,
     .help = "Share of the route's requests; 0: none."},
    {.key = "unproven",
     .kind = SETTING_REAL,
     .offset = AT(shadow_settings, unproven),
     .max = 1,
     .help = "The share while nothing is promised of the route's requests, or "
             "the promise is void; initially that of rate.  The reference "
             "answers then, so that answers of cheaper arms cost little, and "
             "they are what a promise comes from."},
    {.key = "arms",
     .kind = SETTING_TEXTS,
     .offset = AT(shadow_settings, arms),
     .help = "Arms of the route, models and plans, of which another than the "
             "one that answered is drawn; initially all."},
    {.key = "each",
     .kind = SETTING_BOOL,
     .offset = AT(shadow_settings, each),
     .initial = "false",
     .help = "Each of these arms is asked, not one that is drawn: such "
             "requests have the outcomes of all arms, on which promises "
             "rest; 500 of them, labelled, are enough for one."},
    {.key = "budget",
     .kind = SETTING_REAL,
     .offset = AT(shadow_settings, budget),
     .max = 1e6,
     .help = "USD a day (UTC) that they may cost, at the most; needed with a "
             "rate."},
};

const struct section settings_shadow_section = {"routes.NAME.shadow",
                                                sizeof(struct shadow_settings),
                                                shadow_rows, LEN(shadow_rows)};
