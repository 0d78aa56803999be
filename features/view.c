/* SPDX-License-Identifier: Apache-2.0 */
#include "features/view.h"

#include <string.h>

/* ---- the request ---- */

static void gather_part(struct view *v, const struct part *p, enum role role)
{
    uint64_t len = p->text.raw.len;

    v->bytes_all += len;
    if (role == ROLE_SYSTEM)
        v->bytes_system += len;
    switch (p->kind) {
    case PART_IMAGE:
        v->n_images++;
        break;
    case PART_FILE:
        v->n_files++;
        break;
    case PART_AUDIO:
        v->n_audios++;
        break;
    case PART_REFUSAL:
        v->n_refusals++;
        break;
    case PART_TOOL_CALL:
        v->n_calls++;
        v->bytes_calls += len;
        v->last_tool = p->name;
        break;
    case PART_TOOL_RESULT:
        v->n_results++;
        v->results_failed += p->is_error;
        v->result = p;
        break;
    default:
        break;
    }
}

/* A dialect may carry tool results in user messages: such a message is the
 * user's only if it has something else too. */
static bool only_results(const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind != PART_TOOL_RESULT)
            return false;
    }
    return m->n_parts > 0;
}

static void gather_message(struct view *v, const struct message *m)
{
    switch (m->role) {
    case ROLE_SYSTEM:
        v->n_system++;
        break;
    case ROLE_USER:
        if (only_results(m)) {
            v->n_tool++;
            break;
        }
        v->n_user++;
        v->user = m;
        break;
    case ROLE_ASSISTANT:
        v->n_assistant++;
        break;
    case ROLE_TOOL:
        v->n_tool++;
        break;
    }
    v->last = m;
    for (size_t i = 0; i < m->n_parts; i++)
        gather_part(v, &m->parts[i], m->role);
}

/* Bytes of the keys around a tool as chat completions write it. */
enum { TOOL_KEYS = 73 };

/* The same whatever the dialect writes around name, text and schema. */
static size_t tool_bytes(const struct tool *t)
{
    if (t->builtin || t->name.len == 0)
        return t->raw.len;
    return TOOL_KEYS + t->name.len + t->description.raw.len + t->schema.len;
}

void view_gather(struct view *v, const struct request *r)
{
    memset(v, 0, sizeof *v);
    v->r = r;
    for (size_t i = 0; i < r->n_messages; i++)
        gather_message(v, &r->messages[i]);
    for (size_t i = 0; i < r->n_tools; i++)
        v->bytes_tools += tool_bytes(&r->tools[i]);
    if (v->result)
        v->bytes_result = v->result->text.raw.len;
}

/* ---- the text's layout ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of an option's mark at the line's beginning: "A. ", "(b) ", "C:",
 * as multiple-choice questions have them; 0: none. */
static size_t option_mark(struct span line)
{
    size_t i = line.len > 0 && line.ptr[0] == '(';

    if (i + 1 >= line.len || line.ptr[i] < 'A' || line.ptr[i] > 'J')
        return 0;
    i++;
    if (line.ptr[i] != '.' && line.ptr[i] != ')' && line.ptr[i] != ':')
        return 0;
    for (i++; i < line.len && line.ptr[i] == ' '; i++)
        ;
    return i;
}

static bool has_digit(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    }
    return false;
}

static void shape_option(struct shape *s, struct span text)
{
    uint32_t len = (uint32_t)text.len;

    if (s->options == 0 || len < s->option_min)
        s->option_min = len;
    if (len > s->option_max)
        s->option_max = len;
    s->option_sum += len;
    s->options_num += has_digit(text);
    s->options++;
}

static void shape_line(struct shape *s, struct span line, size_t at)
{
    size_t mark = option_mark(line);

    s->lines++;
    if (mark) {
        if (s->options == 0)
            s->stem = (uint32_t)at;
        line.ptr += mark;
        line.len -= mark;
        shape_option(s, line);
        return;
    }
    s->fences += span_starts(line, "```");
    s->bullets += line.len > 2 && line.ptr[1] == ' ' &&
                  (line.ptr[0] == '-' || line.ptr[0] == '*');
}

void view_shape(struct shape *s, const struct window *w)
{
    const char *p = w->text, *end = w->text + w->n;

    memset(s, 0, sizeof *s);
    s->stem = (uint32_t)w->n;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *to = nl ? nl : end;

        shape_line(s, (struct span){p, (size_t)(to - p)},
                   (size_t)(p - w->text));
        p = to + 1;
    }
    for (size_t i = s->stem; i-- > 0;) {
        s->stem_end = w->text[i];
        if (!is_space(s->stem_end))
            break;
    }
    s->pipe = s->stem && memchr(w->text, '|', s->stem);
}

/* ---- tokens ---- */

static void number_token(struct token_stats *t, struct span digits)
{
    uint64_t n;

    t->numbers++;
    if (digits.len < 10 && span_u64(digits, &n) && n > t->number_max)
        t->number_max = n;
}

void view_tokens(struct token_stats *out, const struct words *w)
{
    struct token_stats t = {0};

    for (uint32_t i = 0; i < w->n_tokens; i++) {
        const struct token *k = &w->tokens[i];

        uint32_t len = k->kind == TOKEN_SIGN ? 0 : k->len;

        t.words += len > 0;
        t.letters += len;
        t.n_long += len > 9;
        t.n_short += len == 1;
        t.longest = len > t.longest ? len : t.longest;
        if (k->kind == TOKEN_NUMBER)
            number_token(&t, words_text(w, k));
    }
    *out = t;
}
