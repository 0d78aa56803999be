/* SPDX-License-Identifier: Apache-2.0 */
#include "base/turns.h"

#include <sched.h>

void turns_behind(void)
{
    struct sched_param none = {0};

    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
}
