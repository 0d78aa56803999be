/* SPDX-License-Identifier: Apache-2.0 */
#include "base/resident.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that may be written are left alone: their pages differ from the
 * file since they were relocated. */
static int drop_read_only(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + h->p_vaddr;
        uintptr_t to = from + h->p_memsz;

        if (h->p_type != PT_LOAD || h->p_flags & PF_W)
            continue;
        from &= ~(page - 1);
        to = to & ~(page - 1);
        if (from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void resident_trim(void)
{
    malloc_trim(0);
    dl_iterate_phdr(drop_read_only, NULL);
}
