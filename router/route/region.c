/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/region.h"

static bool allowed(const struct text_list *regions,
                    const struct model_settings *place)
{
    return regions->n == 0 || settings_in_region(regions, place->at);
}

bool region_allows(const struct route_settings *r, const struct key_settings *k,
                   const struct model_settings *place)
{
    return allowed(&r->regions, place) && (!k || allowed(&k->regions, place));
}

static bool has_place(const struct route_settings *r,
                      const struct key_settings *k,
                      const struct model_settings *m)
{
    for (unsigned i = 0; i < m->n_places; i++) {
        if (region_allows(r, k, &m->places[i]))
            return true;
    }
    return false;
}

uint32_t region_mask(const struct route_settings *r,
                     const struct key_settings *k)
{
    uint32_t mask = 0;

    if (r->regions.n == 0 && (!k || k->regions.n == 0))
        return 0;
    for (unsigned i = 0; i < r->n_all; i++) {
        if (!has_place(r, k, r->arms[i].model))
            mask |= (uint32_t)1 << i;
    }
    return mask;
}
