/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and labels packed for the queue: one piece of memory each. */
#include <stdlib.h>
#include <string.h>

#include "router/outlog/outlog_queue.h"
#include "router/outlog/outlog_table.h"

bool outlog_item_make(enum outlog_kind kind, const void *row,
                      struct outlog_item **out)
{
    size_t size = table_size(&OUTLOG_TABLES[kind], row);
    struct outlog_item *it = malloc(sizeof *it + size);

    *out = it;
    if (!it)
        return false;
    *it = (struct outlog_item){.kind = kind, .size = size};
    table_pack(&OUTLOG_TABLES[kind], row, it->bytes);
    return true;
}

bool outlog_item_label(const struct outlog_label *label,
                       struct outlog_item **out)
{
    const struct table *t = &OUTLOG_TABLES[OUTLOG_LABEL];
    size_t size = table_size(t, label);
    struct outlog_item *it = malloc(sizeof *it + size + label->owner.len);

    *out = it;
    if (!it)
        return false;
    *it = (struct outlog_item){
        .kind = OUTLOG_LABEL, .size = size, .owner = label->owner.len};
    table_pack(t, label, it->bytes);
    if (label->owner.len)
        memcpy(it->bytes + size, label->owner.ptr, label->owner.len);
    return true;
}
