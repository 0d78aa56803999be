/* SPDX-License-Identifier: Apache-2.0 */
/* Whose account a provider's calls are made on: AWS keys and Google service
 * accounts, from the file or, where it says none, from the environment under
 * the names that AWS's and Google's own tools use. */
#include "router/settings/settings_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "router/upstream/google_auth.h"

enum { KEY_FILE_MAX = 64 << 10 };

static const char *environment(struct settings *s, const char *name)
{
    const char *v = getenv(name);

    return v && *v ? arena_strdup(&s->arena, span_of(v)) : NULL;
}

static void aws(struct settings *s, struct provider_settings *p)
{
    if (!p->region)
        p->region = environment(s, "AWS_REGION");
    if (!p->region)
        p->region = environment(s, "AWS_DEFAULT_REGION");
    if (p->api_key || p->secret_key)
        return;
    p->api_key = environment(s, "AWS_BEARER_TOKEN_BEDROCK");
    if (p->api_key)
        return;
    p->api_key = environment(s, "AWS_ACCESS_KEY_ID");
    p->secret_key = environment(s, "AWS_SECRET_ACCESS_KEY");
    p->session_token = environment(s, "AWS_SESSION_TOKEN");
}

static const struct conf *place(const struct provider_settings *p)
{
    const struct conf *c = conf_get(p->item.why, "credentials");

    return c ? c : p->item.why;
}

/* The key file is read once, so that a call never waits for a disk and a bad
 * one is found before serving. */
static bool read_key(struct settings *s, struct provider_settings *p,
                     struct err *e)
{
    struct google_auth *g = NULL;
    struct err why = {0};
    struct buf b;

    buf_init(&b, KEY_FILE_MAX);
    if (file_read(p->credentials, &b, &why))
        g = google_auth_new(buf_view(&b), &why);
    if (g) {
        p->account = arena_copy(&s->arena, buf_view(&b));
        if (!p->project && google_auth_project(g).len)
            p->project = arena_strdup(&s->arena, google_auth_project(g));
    } else {
        conf_failf(place(p), e, "%s: %s", p->credentials, why.msg);
    }
    google_auth_free(g);
    if (b.ptr)
        digest_wipe(b.ptr, b.cap);
    buf_free(&b);
    return g != NULL;
}

static bool google(struct settings *s, struct provider_settings *p,
                   struct err *e)
{
    if (!p->region)
        p->region = "global";
    if (!p->credentials && !p->api_key)
        p->credentials = environment(s, "GOOGLE_APPLICATION_CREDENTIALS");
    return !p->credentials || read_key(s, p, e);
}

bool settings_account(struct settings *s, struct provider_settings *p,
                      struct err *e)
{
    bool vertex = p->form->takes_account;

    if (p->credentials && !vertex)
        return conf_fail(place(p), e,
                         "none: only Vertex AI (like: vertex or "
                         "vertex-anthropic) takes a service account");
    if (!strcmp(p->dialect, "bedrock"))
        aws(s, p);
    return !vertex || google(s, p, e);
}
