/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_keygen.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/args.h"
#include "base/buf.h"
#include "base/file.h"
#include "router/gate/key.h"

enum { FILE_MAX = 1 << 20 };

struct options {
    const char *name, *routes, *file;
    uint64_t requests, tokens;
};

static bool name_fits(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                            "WXYZ0123456789-_.");

    return n > 0 && n <= 63 && !name[n];
}

/* The entry as it stands in a configuration. */
static void put_entry(const struct options *o, const char *hash,
                      struct buf *out)
{
    buf_printf(out, "  %s:\n    hash: \"%s\"\n", o->name, hash);
    if (o->routes)
        buf_printf(out, "    routes: [%s]\n", o->routes);
    if (o->requests)
        buf_printf(out, "    requests_per_minute: %llu\n",
                   (unsigned long long)o->requests);
    if (o->tokens)
        buf_printf(out, "    tokens_per_minute: %llu\n",
                   (unsigned long long)o->tokens);
}

/* The file with the entry behind the others; made where it is not there. */
static bool add_to_file(const struct options *o, const struct buf *entry,
                        struct err *e)
{
    struct buf text, mark;
    bool ok = true;

    buf_init(&text, FILE_MAX);
    buf_init(&mark, 256);
    buf_printf(&mark, "\n  %s:", o->name);
    if (access(o->file, F_OK) == 0)
        ok = file_read(o->file, &text, e);
    else
        buf_str(&text, "# Keys of clients, made by weir keygen --file.\n"
                       "keys:\n");
    if (ok && strstr(buf_cstr(&text), buf_cstr(&mark)))
        ok = err_set(e, ERR_INPUT, "%s: %s has a key there", o->file, o->name);
    if (ok && !strstr(buf_cstr(&text), "keys:\n"))
        ok = err_set(e, ERR_INPUT, "%s: wanted a line `keys:`, found none",
                     o->file);
    if (text.len && text.ptr[text.len - 1] != '\n')
        buf_char(&text, '\n');
    buf_span(&text, buf_view(entry));
    ok = ok && file_write(o->file, buf_view(&text), e) &&
         (chmod(o->file, 0600) == 0 || err_sys(e, "%s", o->file));
    buf_free(&text);
    buf_free(&mark);
    return ok;
}

static bool make(void *options, struct err *e)
{
    const struct options *o = options;
    char key[KEY_TEXT + 1], hash[KEY_HASH + 1];
    struct buf entry;
    bool ok;

    if (!o->name || !name_fits(o->name))
        return err_set(e, ERR_USAGE,
                       "--name: wanted up to 63 letters, digits, - _ or ., "
                       "found %s",
                       o->name ? o->name : "none");
    if (!key_make(key, hash, e))
        return false;
    buf_init(&entry, 8192);
    put_entry(o, hash, &entry);
    ok = !o->file || add_to_file(o, &entry, e);
    if (ok) {
        printf("%s\n", key);
        fprintf(stderr,
                "The key is above, for the client; it is not shown again.  %s"
                "\n",
                o->file ? "Its hash is in the file; reload the server."
                        : "Put this below `keys:` of the configuration:");
        if (!o->file)
            fputs(buf_cstr(&entry), stderr);
    }
    digest_wipe(key, sizeof key);
    buf_free(&entry);
    return ok;
}

int cmd_keygen(int argc, char **argv)
{
    struct options o = {.name = NULL};
    const struct arg list[] = {
        {"name", ARG_TEXT, &o.name, "NAME", "who has it: for logs and limits"},
        {"routes", ARG_TEXT, &o.routes, "A,B",
         "routes and models that it may ask for [all]"},
        {"requests-per-minute", ARG_U64, &o.requests, "N", "limit [none]"},
        {"tokens-per-minute", ARG_U64, &o.tokens, "N", "limit [none]"},
        {"file", ARG_TEXT, &o.file, "F",
         "add the hash to this key file (key_file of the configuration)"},
    };
    const struct args args = {
        "keygen", "--name NAME [options]",
        "Makes a key for a client.  The key goes to standard output, once; "
        "what the server keeps of it, a salted hash, to standard error or "
        "into a file.",
        list, sizeof list / sizeof list[0]};

    return args_run(&args, argc, argv, make, &o);
}
