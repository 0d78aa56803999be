/* SPDX-License-Identifier: Apache-2.0 */
#include "router/settings/settings.h"

#include <stdlib.h>
#include <string.h>

#include "router/settings/settings_parts.h"

enum { SETTINGS_BYTES = 64 << 20 };

static const struct conf *top_member(const struct conf *top, const char *key)
{
    const struct conf *c = conf_get(top, key);

    return c ? c : top;
}

bool settings_loopback(const char *address)
{
    size_t host = strcspn(address, ":/");

    if (*address == '[')
        return !strncmp(address, "[::1]", 5);
    if (host == strlen("localhost") && !strncmp(address, "localhost", host))
        return true;
    return !strncmp(address, "127.", 4) &&
           strspn(address, "0123456789.") == host;
}

static bool check_listen(const struct settings *s, const struct conf *top,
                         struct err *e)
{
    const char *words = s->listen_public;

    if (words && strcmp(words, "yes-without-keys") != 0)
        return conf_fail(top_member(top, "listen_public"), e,
                         "yes-without-keys or nothing");
    if (*s->listen && !settings_loopback(s->listen) && !words &&
        !settings_have_keys(s))
        return conf_failf(
            top_member(top, "listen"), e,
            "wanted a loopback address such as 127.0.0.1:8080, found %s: "
            "whoever reaches another address spends your money; if that is "
            "meant, give clients keys (weir keygen) or say listen_public: "
            "yes-without-keys",
            s->listen);
    return true;
}

static bool check_sessions(const struct settings *s, const struct conf *top,
                           struct err *e)
{
    const char *name = s->sessions.header;

    if (*name &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(name))
        return true;
    return conf_fail(top_member(top, "sessions"), e,
                     "header: the name of a header in lower case");
}

static bool check_mode(struct settings *s, const struct conf *top,
                       struct err *e)
{
    const char *text = s->unix_mode_text;
    char *end;

    s->unix_mode = strtoul(text, &end, 8);
    return (*text && !*end && s->unix_mode <= 0777) ||
           conf_fail(top_member(top, "listen_unix_mode"), e,
                     "permissions in octal such as 0660");
}

bool settings_retrain(const struct settings *s)
{
    return s->retrain.every_ms > 0 || s->retrain.min_new_labels > 0;
}

/* The cycle replaces a file, and learns from the log's features. */
static bool check_retrain(const struct settings *s, const struct conf *top,
                          struct err *e)
{
    const struct conf *at = top_member(top, "retrain");

    if (!settings_retrain(s))
        return true;
    if (!*s->classifier || !strcmp(s->classifier, "default") ||
        !strcmp(s->classifier, "none"))
        return conf_failf(at, e,
                          "wanted `classifier` to be the path of a file that "
                          "may be replaced, found '%s'",
                          s->classifier);
    if (!*s->log.path || s->log.prompts == PROMPTS_NONE)
        return conf_failf(at, e,
                          "wanted a log with features (`log`: path, prompts)");
    return true;
}

static bool load_catalogue(struct settings *s, struct err *e)
{
    s->prices =
        s->catalogue ? catalogue_load(s->catalogue, e) : catalogue_shipped(e);
    return s->prices != NULL;
}

static bool resolve(struct settings *s, const struct conf *top, struct err *e)
{
    return schema_load(&settings_schema, top, s, &s->arena, e) &&
           check_sessions(s, top, e) && load_catalogue(s, e) &&
           settings_providers(s, e) && settings_models(s, e) &&
           settings_routes(s, e) && settings_keys(s, e) &&
           settings_risks(s, e) && check_retrain(s, top, e) &&
           check_listen(s, top, e) && check_mode(s, top, e);
}

static struct settings *settings_new(struct err *e)
{
    struct settings *s = calloc(1, sizeof *s);

    if (!s)
        err_set(e, ERR_MEMORY, "configuration: out of memory");
    else
        arena_init(&s->arena, SETTINGS_BYTES);
    return s;
}

static struct settings *finish(struct settings *s, const struct conf *top,
                               struct err *e)
{
    if (top && resolve(s, top, e)) {
        s->file = top->file;
        return s;
    }
    settings_free(s);
    return NULL;
}

struct settings *settings_load(const char *path, struct err *e)
{
    struct settings *s = settings_new(e);

    return s ? finish(s, conf_load(path, &s->arena, e), e) : NULL;
}

struct settings *settings_parse(struct span text, const char *file,
                                struct err *e)
{
    struct settings *s = settings_new(e);

    return s ? finish(s, conf_parse(text, file, &s->arena, e), e) : NULL;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    catalogue_free(s->prices);
    arena_free(&s->arena);
    free(s);
}
