/* Finds sections of debug information in an image and inflates them. What is in them is read elsewhere. */
#include "framework/image_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

enum {
    ELF_HEADER_BYTES = 24, /* of a compressed section: kind, reserved, size, alignment */
    ELF_KIND_ZLIB = 1,
    OLD_HEADER_BYTES = 12,   /* of a .zdebug section: "ZLIB", size with its highest byte first */
    RATIO_MAX = 1100,        /* zlib packs nothing denser */
    NAME_MAX_BYTES = 64,
};

static const uint8_t *raw_section(const struct itr_image *image, const char *name, uint64_t *count,
                                  bool *compressed) {
    if (image->format == ITR_IMAGE_ELF) {
        return itr_image_elf_section(image, name, count, compressed);
    }
    *compressed = false;
    for (size_t i = 0; i < image->section_count; i++) {
        size_t left;
        const uint8_t *p;
        if (strcmp(image->sections[i].name, name) != 0) {
            continue;
        }
        p = itr_image_rest_at(image, image->sections[i].rva, &left);
        *count = left < image->sections[i].bytes ? left : image->sections[i].bytes;
        return p;
    }
    return NULL;
}

static enum itr_status inflate_section(const char *name, const uint8_t *packed, uint64_t packed_count, uint64_t size,
                                       struct itr_debug_section *section, struct itr_error *err) {
    uint8_t *bytes;
    uLongf got;
    int answer;

    if (size > ITR_DEBUG_SECTION_MAX || packed_count > ITR_DEBUG_SECTION_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "section %s: more than %d MiB", name,
                        (int)(ITR_DEBUG_SECTION_MAX / (1 << 20)));
    }
    if (size == 0 || size / RATIO_MAX > packed_count) {
        return itr_fail(err, ITR_E_FORMAT, 0, "section %s: compressed, but not to its size", name);
    }
    bytes = malloc((size_t)size);
    if (bytes == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "section %s: out of memory", name);
    }
    got = (uLongf)size;
    answer = uncompress(bytes, &got, packed, (uLong)packed_count);
    if (answer != Z_OK || got != size) {
        free(bytes);
        return itr_fail(err, answer == Z_MEM_ERROR ? ITR_E_NO_MEMORY : ITR_E_FORMAT, 0,
                        "section %s: cannot be inflated: %s", name, answer == Z_OK ? "too short" : zError(answer));
    }
    *section = (struct itr_debug_section){.bytes = bytes, .count = (size_t)size, .owned = bytes};
    return ITR_OK;
}

/* ".debug_x" under its older name for compressed sections. */
static enum itr_status old_section(const struct itr_image *image, const char *name,
                                   struct itr_debug_section *section, struct itr_error *err) {
    char old[NAME_MAX_BYTES];
    uint64_t count;
    uint64_t size = 0;
    bool compressed;
    const uint8_t *p;

    snprintf(old, sizeof old, ".z%s", name + (name[0] == '.'));
    p = raw_section(image, old, &count, &compressed);
    if (p == NULL) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "no section %s", name);
    }
    if (count < OLD_HEADER_BYTES || memcmp(p, "ZLIB", 4) != 0) {
        return itr_fail(err, ITR_E_FORMAT, 0, "section %s: not compressed as its name says", old);
    }
    for (unsigned i = 4; i < OLD_HEADER_BYTES; i++) {
        size = size << 8 | p[i];
    }
    return inflate_section(old, p + OLD_HEADER_BYTES, count - OLD_HEADER_BYTES, size, section, err);
}

enum itr_status itr_image_debug_section(const struct itr_image *image, const char *name,
                                        struct itr_debug_section *section, struct itr_error *err) {
    uint64_t count;
    bool compressed;
    const uint8_t *p = raw_section(image, name, &count, &compressed);

    if (p == NULL) {
        return old_section(image, name, section, err);
    }
    if (!compressed) {
        *section = (struct itr_debug_section){.bytes = p, .count = (size_t)count};
        return ITR_OK;
    }
    if (count < ELF_HEADER_BYTES) {
        return itr_fail(err, ITR_E_FORMAT, 0, "section %s: compressed, but cut off", name);
    }
    if (itr_image_u32(p) != ELF_KIND_ZLIB) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "section %s: compressed in another way than by zlib", name);
    }
    return inflate_section(name, p + ELF_HEADER_BYTES, count - ELF_HEADER_BYTES, itr_image_u64(p + 8), section,
                           err);
}

void itr_debug_section_release(struct itr_debug_section *section) {
    free(section->owned);
    *section = (struct itr_debug_section){0};
}
