/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/curl_call.h"
#include "router/upstream/url.h"

#include <stdlib.h>
#include <string.h>

/* libcurl's copy as ours, so that free() is right for it. */
static char *own(char *theirs)
{
    char *ours = theirs ? strdup(theirs) : NULL;

    curl_free(theirs);
    return ours;
}

static bool part_is_http(CURLU *u)
{
    char *scheme = NULL;
    bool ok;

    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    ok = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    curl_free(scheme);
    return ok;
}

/* "[::1]" -> "::1" */
static bool take_part(CURLU *u, CURLUPart part, char *dst, size_t size)
{
    char *text = NULL;
    struct span s;
    bool ok;

    if (curl_url_get(u, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return false;
    s = span_of(text);
    if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
        s = (struct span){s.ptr + 1, s.len - 2};
    ok = s.len > 0 && span_copy(dst, size, s);
    curl_free(text);
    return ok;
}

static bool take(CURLU *u, char **whole, struct url_place *at, struct err *e)
{
    char *text = NULL;

    if (!part_is_http(u))
        return err_set(e, ERR_INPUT, "wanted an http or https address");
    if (!take_part(u, CURLUPART_HOST, at->host, sizeof at->host) ||
        !take_part(u, CURLUPART_PORT, at->port, sizeof at->port))
        return err_set(e, ERR_INPUT, "the address names no host");
    curl_url_get(u, CURLUPART_URL, &text, 0);
    *whole = own(text);
    return *whole || err_set(e, ERR_MEMORY, "out of memory");
}

bool url_read(const char *text, char **whole, struct url_place *at,
              struct err *e)
{
    CURLU *u = curl_url();
    CURLUcode rc;
    bool ok;

    *whole = NULL;
    if (!u)
        return err_set(e, ERR_MEMORY, "out of memory");
    rc = curl_url_set(u, CURLUPART_URL, text,
                      CURLU_DISALLOW_USER | CURLU_URLENCODE);
    if (rc == CURLUE_OK)
        ok = take(u, whole, at, e);
    else
        ok = err_set(e, rc == CURLUE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_INPUT,
                     "%s", curl_url_strerror(rc));
    curl_url_cleanup(u);
    return ok;
}

char *url_join(const char *base, const char *to)
{
    CURLU *u = curl_url();
    char *text = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, to, CURLU_URLENCODE) == CURLUE_OK)
        curl_url_get(u, CURLUPART_URL, &text, 0);
    curl_url_cleanup(u);
    return own(text);
}
