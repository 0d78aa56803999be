/* SPDX-License-Identifier: Apache-2.0 */
#include "router/settings/reference.h"

#include "router/settings/settings.h"

/* Text with each `of` replaced by `by`. */
static void put_escaped(struct buf *out, const char *text, char of,
                        const char *by)
{
    for (; *text; text++) {
        if (*text == of)
            buf_str(out, by);
        else
            buf_char(out, *text);
    }
}

static void put_wanted(struct buf *out, const struct setting *r, char of,
                       const char *by)
{
    struct buf text;

    buf_init(&text, 4096);
    schema_wanted(r, &text);
    put_escaped(out, buf_cstr(&text), of, by);
    buf_free(&text);
}

static void markdown_row(void *ctx, const char *path, const struct setting *r)
{
    struct buf *out = ctx;

    buf_printf(out, "| `%s` | ", path);
    put_wanted(out, r, '|', "\\|");
    buf_str(out, " | ");
    if (r->needed)
        buf_str(out, "*needed*");
    else if (r->initial)
        buf_printf(out, "`%s`", r->initial);
    buf_str(out, " | ");
    put_escaped(out, r->help, '|', "\\|");
    buf_str(out, r->restart ? " After a restart. |\n" : " |\n");
}

void reference_markdown(struct buf *out)
{
    buf_str(out, "| setting | wanted | initially | what it does |\n"
                 "|---|---|---|---|\n");
    schema_walk(&settings_schema, "", markdown_row, out);
}

static void man_row(void *ctx, const char *path, const struct setting *r)
{
    struct buf *out = ctx;

    buf_str(out, ".TP\n.B ");
    put_escaped(out, path, '-', "\\-");
    buf_char(out, '\n');
    put_escaped(out, r->help, '\\', "\\e");
    buf_str(out, "\nWanted: ");
    put_wanted(out, r, '\\', "\\e");
    if (r->needed)
        buf_str(out, "; needed");
    else if (r->initial)
        buf_printf(out, "; initially \\(lq%s\\(rq", r->initial);
    buf_str(out, r->restart ? ".  Holds after a restart.\n" : ".\n");
}

void reference_man(struct buf *out)
{
    schema_walk(&settings_schema, "", man_row, out);
}
