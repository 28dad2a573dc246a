/* Opens an image, keeps its tables in order and answers questions about addresses. What a format
 * looks like is in image_elf.c and image_pe.c, Go's own table in image_pclntab.c, the search for
 * names in image_names.c. */
#include "framework/image.h"
#include "framework/image_parts.h"
#include "framework/text.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

enum {
    READ_STEP = 1 << 20,
    NAME_BYTES_MAX =
        16384,        /* longer names are none: the tables of a hostile file would take for ever */
    PADDING_MAX = 31, /* bytes between functions that count to the one before */
};

/* ---- safe reads ---- */

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

/* ---- tables ---- */

void itr_image_note(struct itr_image *image, const char *text) {
    if (image->damage[0] == '\0') {
        itr_escape_into(image->damage, sizeof image->damage, ITR_ESCAPE_TERMINAL, text,
                        strlen(text));
    }
}

static void *resize(struct itr_image *image, void *array, size_t bytes) {
    void *moved =
        image->reallocate != NULL ? image->reallocate(array, bytes) : realloc(array, bytes);

    if (moved == NULL) {
        image->no_memory = true;
    }
    return moved;
}

/* The array with room for `needed` entries of `each` bytes, or NULL. */
static void *grown(struct itr_image *image, void *array, size_t *room, size_t needed, size_t each) {
    size_t entries = *room < 16 ? 16 : *room;
    void *moved;

    if (needed <= *room) {
        return array;
    }
    while (entries < needed) {
        entries *= 2;
    }
    moved = resize(image, array, entries * each);
    if (moved != NULL) {
        *room = entries;
    }
    return moved;
}

bool itr_image_add_section(struct itr_image *image, const struct itr_section *section) {
    struct itr_section *sections;

    if (image->section_count >= ITR_IMAGE_SECTIONS_MAX) {
        itr_image_note(image, "more sections than are read");
        return true;
    }
    sections = grown(image, image->sections, &image->section_room, image->section_count + 1,
                     sizeof *sections);
    if (sections == NULL) {
        return false;
    }
    image->sections = sections;
    image->sections[image->section_count++] = *section;
    return true;
}

bool itr_image_add_range(struct itr_image *image, const struct itr_image_range *range) {
    struct itr_image_range *ranges;

    if (image->range_count >= ITR_IMAGE_SECTIONS_MAX) {
        itr_image_note(image, "more segments than are read");
        return true;
    }
    ranges =
        grown(image, image->ranges, &image->range_room, image->range_count + 1, sizeof *ranges);
    if (ranges == NULL) {
        return false;
    }
    image->ranges = ranges;
    image->ranges[image->range_count++] = *range;
    return true;
}

bool itr_image_reserve_symbols(struct itr_image *image, uint64_t count) {
    uint64_t needed = image->symbol_count + count;
    struct itr_symbol *symbols;

    if (needed > ITR_IMAGE_SYMBOLS_MAX) {
        needed = ITR_IMAGE_SYMBOLS_MAX;
    }
    symbols = grown(image, image->symbols, &image->symbol_room, (size_t)needed, sizeof *symbols);
    if (symbols == NULL) {
        return false;
    }
    image->symbols = symbols;
    return true;
}

bool itr_image_add_symbol(struct itr_image *image, const struct itr_symbol *symbol) {
    if (image->symbol_count >= ITR_IMAGE_SYMBOLS_MAX) {
        itr_image_note(image, "more symbols than are read");
        return true;
    }
    if (!itr_image_reserve_symbols(image, 1)) {
        return false;
    }
    image->symbols[image->symbol_count++] = *symbol;
    return true;
}

/* ---- order ---- */

static bool is_mark(const char *name) {
    return strcmp(name, "runtime.text") == 0 || strcmp(name, "runtime.etext") == 0;
}

/* By address; at one address the most telling name first. */
static int by_place(const void *left, const void *right) {
    const struct itr_symbol *a = left;
    const struct itr_symbol *b = right;

    if (a->rva != b->rva) {
        return a->rva < b->rva ? -1 : 1;
    }
    if (is_mark(a->name) != is_mark(b->name)) {
        return is_mark(a->name) ? 1 : -1;
    }
    if (a->kind != b->kind) {
        return a->kind == ITR_SYMBOL_FUNCTION ? -1 : 1;
    }
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    if ((a->bytes == 0) != (b->bytes == 0)) {
        return a->bytes == 0 ? 1 : -1;
    }
    if (a->global != b->global) {
        return a->global ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static int by_rva(const void *left, const void *right) {
    const struct itr_section *a = left;
    const struct itr_section *b = right;

    return a->rva != b->rva ? (a->rva < b->rva ? -1 : 1) : strcmp(a->name, b->name);
}

/* Drops a name that another table has already given to the same address. */
static void drop_doubles(struct itr_image *image) {
    size_t kept = 0;

    for (size_t i = 0; i < image->symbol_count; i++) {
        bool twice = false;
        for (size_t j = kept; j > 0 && image->symbols[j - 1].rva == image->symbols[i].rva; j--) {
            twice = twice || strcmp(image->symbols[j - 1].name, image->symbols[i].name) == 0;
            if (kept - j >= 16) {
                break; /* thousands of names for one address are nobody's library */
            }
        }
        if (!twice) {
            image->symbols[kept++] = image->symbols[i];
        }
    }
    image->symbol_count = kept;
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

/* Chooses one symbol for each address and gives an end to those whose file gives none. A symbol
 * without a size inside one that has a size is a label in it and no place of its own. */
static bool choose_places(struct itr_image *image) {
    size_t count = image->symbol_count;
    uint64_t covered = 0;

    image->places = resize(image, NULL, (count + 1) * sizeof *image->places);
    if (image->places == NULL) {
        return false;
    }
    memset(image->places, 0, (count + 1) * sizeof *image->places);
    image->functions = resize(image, NULL, (count + 1) * sizeof *image->functions);
    if (image->functions == NULL) {
        return false;
    }
    for (size_t i = 0, next; i < count; i = next) {
        struct itr_symbol *first = &image->symbols[i];
        uint64_t bytes = 0;
        for (next = i; next < count && image->symbols[next].rva == first->rva; next++) {
            if (image->symbols[next].source != ITR_SYMBOL_PCLNTAB || bytes == 0) {
                bytes = image->symbols[next].bytes > bytes ? image->symbols[next].bytes : bytes;
            }
        }
        if (is_mark(first->name) || (bytes == 0 && first->rva < covered)) {
            continue;
        }
        first->bytes = bytes;
        if (bytes > 0 && first->rva + bytes > covered) {
            covered = first->rva + bytes;
        }
        image->places[image->place_count++] = (uint32_t)i;
        if (first->kind == ITR_SYMBOL_FUNCTION) {
            image->functions[image->function_count++] = (uint32_t)i;
        }
    }
    return true;
}

static void end_open_places(struct itr_image *image) {
    const struct itr_section *section = NULL;

    for (size_t i = 0; i < image->place_count; i++) {
        struct itr_symbol *symbol = &image->symbols[image->places[i]];
        uint64_t end = image->size;
        if (symbol->bytes > 0) {
            continue;
        }
        if (section == NULL || symbol->rva < section->rva ||
            symbol->rva - section->rva >= section->bytes) {
            section = itr_image_section_at(image, symbol->rva);
        }
        if (section != NULL) {
            end = section->rva + section->bytes;
        }
        if (i + 1 < image->place_count && image->symbols[image->places[i + 1]].rva < end) {
            end = image->symbols[image->places[i + 1]].rva;
        }
        symbol->bytes = end > symbol->rva ? end - symbol->rva : 0;
    }
}

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
    if (image->section_count > 0) {
        qsort(image->sections, image->section_count, sizeof *image->sections, by_rva);
    }
    find_go_version(image);
    if (!image->no_memory && itr_image_read_pclntab(image) && image->symbol_count > 0) {
        qsort(image->symbols, image->symbol_count, sizeof *image->symbols, by_place);
        drop_doubles(image);
    }
    if (!image->no_memory && choose_places(image)) {
        end_open_places(image);
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
    enum itr_status status = request->result == UV_ENOENT ? ITR_E_NOT_FOUND : ITR_E_SYSTEM;

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
