/* The bytes of an image: numbers and strings of its file, each read checked; its memory by address; and searches in
 * that. It knows no format. */
#include "framework/image_parts.h"

#include <string.h>

enum {
    NAME_BYTES_MAX = 16384, /* longer names are none: the tables of a hostile file would take for ever */
};

/* ---- by place in the file ---- */

uint16_t itr_image_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t itr_image_u32(const uint8_t *p) {
    return (uint32_t)itr_image_u16(p) | (uint32_t)itr_image_u16(p + 2) << 16;
}

uint64_t itr_image_u64(const uint8_t *p) {
    return (uint64_t)itr_image_u32(p) | (uint64_t)itr_image_u32(p + 4) << 32;
}

const uint8_t *itr_image_file(const struct itr_image *image, uint64_t offset, uint64_t count) {
    if (offset > image->count || count > image->count - offset) {
        return NULL;
    }
    return image->bytes + offset;
}

const char *itr_image_string(const uint8_t *table, uint64_t count, uint64_t offset) {
    uint64_t most = NAME_BYTES_MAX;

    if (table == NULL || offset >= count) {
        return NULL;
    }
    most = count - offset < most ? count - offset : most;
    if (memchr(table + offset, '\0', (size_t)most) == NULL) {
        return NULL;
    }
    return (const char *)table + offset;
}

/* ---- by address ---- */

static const struct itr_image_range *range_at(const struct itr_image *image, uint64_t rva) {
    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        if (rva >= range->rva && rva - range->rva < range->bytes) {
            return range;
        }
    }
    return NULL;
}

const uint8_t *itr_image_bytes_at(const struct itr_image *image, uint64_t rva, size_t count) {
    const struct itr_image_range *range = range_at(image, rva);

    if (range == NULL || rva - range->rva > range->file_bytes ||
        count > range->file_bytes - (rva - range->rva)) {
        return NULL;
    }
    return image->bytes + range->offset + (rva - range->rva);
}

size_t itr_image_memory(const struct itr_image *image, uint64_t rva, void *into, size_t count) {
    size_t within = rva < image->size ? count : 0;

    if (within > 0 && within > image->size - rva) {
        within = (size_t)(image->size - rva);
    }
    memset(into, 0, within);
    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        uint64_t from = range->rva > rva ? range->rva : rva;
        uint64_t to = range->rva + range->file_bytes;
        if (to > rva + within) {
            to = rva + within;
        }
        if (from < to) {
            memcpy((uint8_t *)into + (from - rva), image->bytes + range->offset + (from - range->rva), (size_t)(to - from));
        }
    }
    return within;
}

/* Offset in `bytes` of the needle, `count` when it is not there. */
static size_t find_bytes(const uint8_t *bytes, size_t count, const uint8_t *needle, size_t needle_count) {
    size_t mark = 0; /* images are full of zeros: look for another byte */
    size_t at = 0;

    while (mark + 1 < needle_count && needle[mark] == 0) {
        mark++;
    }
    while (needle_count <= count - at) {
        const uint8_t *found = memchr(bytes + at + mark, needle[mark], count - at - needle_count + 1);
        if (found == NULL) {
            break;
        }
        at = (size_t)(found - bytes) - mark;
        if (memcmp(bytes + at, needle, needle_count) == 0) {
            return at;
        }
        at++;
    }
    return count;
}

bool itr_image_find(const struct itr_image *image, const void *needle, size_t count, uint64_t from, uint64_t *rva) {
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; count > 0 && i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        uint64_t skip = from > range->rva ? from - range->rva : 0;
        if (skip >= range->file_bytes) {
            continue;
        }
        size_t room = (size_t)(range->file_bytes - skip);
        size_t at = find_bytes(image->bytes + range->offset + skip, room, needle, count);
        if (at < room && range->rva + skip + at < best) {
            best = range->rva + skip + at;
        }
    }
    if (best != UINT64_MAX) {
        *rva = best;
    }
    return best != UINT64_MAX;
}

const uint8_t *itr_image_rest_at(const struct itr_image *image, uint64_t rva, size_t *count) {
    const struct itr_image_range *range = range_at(image, rva);

    if (range == NULL || rva - range->rva >= range->file_bytes) {
        *count = 0;
        return NULL;
    }
    *count = (size_t)(range->file_bytes - (rva - range->rva));
    return image->bytes + range->offset + (rva - range->rva);
}

bool itr_image_is_executable(const struct itr_image *image, uint64_t rva, uint64_t count) {
    const struct itr_image_range *range = range_at(image, rva);

    return range != NULL && range->executable && count <= range->bytes - (rva - range->rva);
}
