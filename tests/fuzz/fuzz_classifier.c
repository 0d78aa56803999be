/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a classifier file.  The checksum is put right first, so that
 * what stands behind it is reached; what is taken must predict sanely. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "models/classifier.h"
#include "tests/unit/weights_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct buf seed;
static struct vec vec;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct weights_sample s;
    struct err e;
    sample_small(&s);
    buf_init(&seed, 1 << 20);
    if (!weights_encode(&s.w, 1, SPAN("{}"), &seed, &e))
        abort();
    sample_free(&s);
    sample_vec(&vec, 200, 1);
    return 0;
}

/* The input is a list of edits of a right file: u16 position, u8 value; an
 * input that starts with the magic is taken as it is. */
static void edit(char *bytes, size_t size, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i + 3 <= n; i += 3)
        bytes[(size_t)(data[i] | data[i + 1] << 8) % size] = (char)data[i + 2];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole = size > 200 && memcmp(data, "WEIRCLS\n", 8) == 0;
    size_t n = whole ? size : seed.len;
    char *bytes = malloc(n);
    struct err e;
    if (!bytes)
        return 0;
    memcpy(bytes, whole ? (const char *)data : seed.ptr, n);
    if (!whole)
        edit(bytes, n, data, size);
    size_t body = n - DIGEST_SIZE;
    if (!digest_sha256((struct span){bytes, body},
                       (unsigned char *)bytes + body))
        abort();
    struct classifier *c = classifier_from((struct span){bytes, n}, 1, &e);
    if (c) {
        struct prediction p;
        classifier_predict(c, &vec, -1, &p);
        for (uint32_t a = 0; a < p.n_arms; a++) {
            if (!(p.quality[a] >= 0 && p.quality[a] <= 1))
                abort();
        }
    }
    classifier_close(c);
    free(bytes);
    return 0;
}
