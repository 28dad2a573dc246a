/* Opens an image and answers questions about its sections and symbols. What a format looks like is in image_elf.c and
 * image_pe.c, Go's own table in image_pclntab.c, the search for names in image_names.c, safe reads in image_bytes.c and the
 * tables' growth and order in image_tables.c. */
#include "framework/image.h"
#include "framework/image_parts.h"
#include "framework/text.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

enum {
    READ_STEP = 1 << 20,
    PADDING_MAX = 31, /* bytes between functions that count to the one before */
};

/* ---- opening ---- */

static void find_go_version(struct itr_image *image) {
    static const char magic[] = "\xff Go buildinf:";

    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        const uint8_t *p = image->bytes + range->offset;
        for (uint64_t at = (0 - range->rva) & 15; at + 33 < range->file_bytes; at += 16) {
            size_t length = p[at + 32];
            /* bit 1 of the flags: the version follows, its length in one byte */
            if (p[at] == 0xff && memcmp(p + at, magic, sizeof magic - 1) == 0 &&
                (p[at + 15] & 2) != 0 && length < sizeof image->go_version &&
                length <= range->file_bytes - at - 33) {
                itr_escape_into(image->go_version, sizeof image->go_version, ITR_ESCAPE_TERMINAL,
                                p + at + 33, length);
                return;
            }
        }
    }
}

static enum itr_status read_image(struct itr_image *image, struct itr_error *err) {
    enum itr_status status;

    image->hash = itr_hash64(ITR_HASH64_START, image->bytes, image->count);
    if (image->count >= 4 && memcmp(image->bytes,
                                    "\x7f"
                                    "ELF",
                                    4) == 0) {
        status = itr_image_read_elf(image, err);
    } else if (image->count >= 2 && memcmp(image->bytes, "MZ", 2) == 0) {
        status = itr_image_read_pe(image, err);
    } else {
        status = itr_fail(err, ITR_E_FORMAT, 0, "neither an ELF nor a PE file");
    }
    if (status != ITR_OK) {
        return status;
    }
    itr_image_order_sections(image);
    find_go_version(image);
    if (!image->no_memory && itr_image_read_pclntab(image) && itr_image_order_symbols(image)) {
        return ITR_OK;
    }
    return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory while reading symbols");
}

/* Takes `owned` over, also when it fails. */
static enum itr_status open_image(struct itr_image **out, const void *bytes, size_t count,
                                  uint8_t *owned, void *(*reallocate)(void *, size_t),
                                  struct itr_error *err) {
    struct itr_image *image =
        reallocate != NULL ? reallocate(NULL, sizeof *image) : malloc(sizeof *image);
    enum itr_status status;

    if (image == NULL) {
        free(owned);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    memset(image, 0, sizeof *image);
    image->bytes = bytes;
    image->count = count;
    image->owned = owned;
    image->reallocate = reallocate;
    status = count > ITR_IMAGE_FILE_MAX
                 ? itr_fail(err, ITR_E_LIMIT, 0, "a library of more than %d MiB",
                            (int)(ITR_IMAGE_FILE_MAX / (1 << 20)))
                 : read_image(image, err);
    if (status != ITR_OK) {
        itr_image_close(image);
        return status;
    }
    *out = image;
    return ITR_OK;
}

enum itr_status itr_image_open_bytes(struct itr_image **image, const void *bytes, size_t count,
                                     void *(*reallocate)(void *, size_t), struct itr_error *err) {
    return open_image(image, bytes, count, NULL, reallocate, err);
}

static enum itr_status uv_failure(struct itr_error *err, uv_fs_t *request, const char *path) {
    enum itr_status status = request->result == UV_ENOENT   ? ITR_E_NOT_FOUND
                             : request->result == UV_ENOMEM ? ITR_E_NO_MEMORY
                                                            : ITR_E_SYSTEM;

    itr_fail(err, status, uv_fs_get_system_error(request), "%s: %s", path,
             uv_strerror((int)request->result));
    uv_fs_req_cleanup(request);
    return status;
}

/* Reads the whole open file into new memory. */
static enum itr_status read_file(uv_file file, const char *path, uint8_t **bytes, size_t *count,
                                 struct itr_error *err) {
    uv_fs_t request;
    uint64_t size;
    size_t filled = 0;

    if (uv_fs_fstat(NULL, &request, file, NULL) < 0) {
        return uv_failure(err, &request, path);
    }
    size = request.statbuf.st_size;
    uv_fs_req_cleanup(&request);
    if (size > ITR_IMAGE_FILE_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: a library of more than %d MiB", path,
                        (int)(ITR_IMAGE_FILE_MAX / (1 << 20)));
    }
    *bytes = malloc((size_t)size + 1);
    if (*bytes == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", path);
    }
    while (filled < size) {
        size_t step = (size_t)size - filled;
        uv_buf_t part =
            uv_buf_init((char *)*bytes + filled, (unsigned)(step < READ_STEP ? step : READ_STEP));
        int got = uv_fs_read(NULL, &request, file, &part, 1, (int64_t)filled, NULL);
        if (got < 0) {
            free(*bytes);
            return uv_failure(err, &request, path);
        }
        uv_fs_req_cleanup(&request);
        if (got == 0) {
            break; /* it shrank meanwhile */
        }
        filled += (size_t)got;
    }
    *count = filled;
    return ITR_OK;
}

enum itr_status itr_image_open(struct itr_image **image, const char *path, struct itr_error *err) {
    uv_fs_t request;
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum itr_status status;
    uv_file file = uv_fs_open(NULL, &request, path, UV_FS_O_RDONLY, 0, NULL);

    if (file < 0) {
        return uv_failure(err, &request, path);
    }
    uv_fs_req_cleanup(&request);
    status = read_file(file, path, &bytes, &count, err);
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    if (status != ITR_OK) {
        return status;
    }
    status = open_image(image, bytes, count, bytes, NULL, err);
    if (status != ITR_OK) {
        itr_fail_context(err, "%s", path);
    }
    return status;
}

void itr_image_close(struct itr_image *image) {
    if (image == NULL) {
        return;
    }
    free(image->sections);
    free(image->ranges);
    free(image->symbols);
    free(image->places);
    free(image->functions);
    free(image->names);
    free(image->owned);
    free(image);
}

/* ---- questions ---- */

enum itr_image_format itr_image_format(const struct itr_image *image) {
    return image->format;
}

uint64_t itr_image_bytes(const struct itr_image *image) {
    return image->size;
}

uint64_t itr_image_preferred_base(const struct itr_image *image) {
    return image->base;
}

uint64_t itr_image_hash(const struct itr_image *image) {
    return image->hash;
}

const char *itr_image_build_id(const struct itr_image *image) {
    return image->build_id;
}

const char *itr_image_go_version(const struct itr_image *image) {
    return image->go_version;
}

const char *itr_image_damage(const struct itr_image *image) {
    return image->damage;
}

size_t itr_image_section_count(const struct itr_image *image) {
    return image->section_count;
}

const struct itr_section *itr_image_section(const struct itr_image *image, size_t index) {
    return index < image->section_count ? &image->sections[index] : NULL;
}

const struct itr_section *itr_image_section_at(const struct itr_image *image, uint64_t rva) {
    for (size_t i = 0; i < image->section_count; i++) {
        const struct itr_section *section = &image->sections[i];
        if (rva >= section->rva && rva - section->rva < section->bytes) {
            return section;
        }
    }
    return NULL;
}

size_t itr_image_function_count(const struct itr_image *image) {
    return image->function_count;
}

const struct itr_symbol *itr_image_function(const struct itr_image *image, size_t index) {
    return index < image->function_count ? &image->symbols[image->functions[index]] : NULL;
}

const struct itr_symbol *itr_image_symbol(const struct itr_image *image, uint64_t rva) {
    size_t low = 0;
    size_t high = image->place_count;
    const struct itr_symbol *symbol;
    uint64_t behind;

    while (low < high) { /* places before `low` begin at or before rva */
        size_t middle = low + (high - low) / 2;
        if (image->symbols[image->places[middle]].rva <= rva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    symbol = &image->symbols[image->places[low - 1]];
    if (rva - symbol->rva < symbol->bytes) {
        return symbol;
    }
    behind = symbol->rva + symbol->bytes;
    if (symbol->kind == ITR_SYMBOL_FUNCTION && low < image->place_count &&
        image->symbols[image->places[low]].rva - behind <= PADDING_MAX) {
        return symbol;
    }
    return NULL;
}

bool itr_image_symbol_at(const struct itr_image *image, uint64_t rva, const char **name,
                         uint64_t *offset) {
    const struct itr_symbol *symbol = itr_image_symbol(image, rva);

    if (symbol == NULL) {
        return false;
    }
    *name = symbol->name;
    *offset = rva - symbol->rva;
    return true;
}

bool itr_image_unwind_table(const struct itr_image *image, uint64_t *rva, uint64_t *bytes) {
    if (image->unwind_table_bytes == 0 ||
        itr_image_bytes_at(image, image->unwind_table, (size_t)image->unwind_table_bytes) == NULL) {
        return false;
    }
    *rva = image->unwind_table;
    *bytes = image->unwind_table_bytes;
    return true;
}

bool itr_image_has_go_lines(const struct itr_image *image) {
    return image->go.usable;
}
