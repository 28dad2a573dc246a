/* Finds and reads Go's own table of functions and lines (pclntab; Go 1.18 and later), which every
 * Go library has, stripped or not. The layout is that of the runtime's symtab.go. */
#include "framework/image_parts.h"

#include <string.h>

enum {
    HEADER_BYTES = 72,
    FUNCTION_BYTES = 36, /* as far as it is read; the flags come later, at a place of the version's */
    FLAGS_AT_1_18 = 37,
    FLAGS_AT_1_20 = 41, /* behind the line where the function begins */
    FLAG_TOP = 1,
    FLAG_MOVES_STACK = 2,
    FLAG_ASSEMBLY = 4,
    TABLE_STEPS_MAX = 1 << 20,
    FUNCTIONS_MAX = 1 << 22,
    CANDIDATES_MAX = 64, /* headers that look right and are checked in full */
    RELOCATION_BYTES = 24,
    RELOCATION_RELATIVE = 8,
    /* in runtime.moduledata, which begins with the table's address and that of its names: */
    MODULE_TEXT = 22 * 8,
    VARINT_BYTES_MAX = 5,
    TEXT_START_BYTES = 512, /* where Go puts its build id into the text */
};

static const uint32_t magic_1_18 = 0xfffffff0;
static const uint32_t magic_1_20 = 0xfffffff1;

/* ---- finding it ---- */

static bool has_magic(const uint8_t *p) {
    uint32_t magic = itr_image_u32(p);

    /* then two zeros, the instruction quantum of x86, the size of a pointer */
    return (magic == magic_1_18 || magic == magic_1_20) && p[4] == 0 && p[5] == 0 && p[6] == 1 &&
           p[7] == 8;
}

static uint32_t entry_offset(const struct itr_image_pclntab *go, uint32_t index) {
    return itr_image_u32(go->bytes + go->table + (uint64_t)index * 8);
}

/* Whether what begins at `p` holds together as a whole. */
static bool check_table(struct itr_image_pclntab *go, const uint8_t *p, uint64_t count,
                        unsigned *checked) {
    uint64_t functions;

    if (count < HEADER_BYTES) {
        return false;
    }
    functions = itr_image_u64(p + 8);
    go->bytes = p;
    go->count = (size_t)count;
    go->names = itr_image_u64(p + 32);
    go->units = itr_image_u64(p + 40);
    go->files = itr_image_u64(p + 48);
    go->values = itr_image_u64(p + 56);
    go->table = itr_image_u64(p + 64);
    if (functions == 0 || functions > FUNCTIONS_MAX || go->names < HEADER_BYTES ||
        go->units < go->names || go->files < go->units || go->values < go->files ||
        go->table < go->values || go->table > count || functions * 8 + 4 > count - go->table ||
        ++*checked > CANDIDATES_MAX) {
        return false;
    }
    go->functions = (uint32_t)functions;
    for (uint32_t i = 0; i < go->functions; i++) {
        if (entry_offset(go, i) >= entry_offset(go, i + 1)) {
            return false;
        }
    }
    return true;
}

static void find_table(struct itr_image *image) {
    unsigned checked = 0;

    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        const uint8_t *p = image->bytes + range->offset;
        for (uint64_t at = (0 - range->rva) & 3; at + HEADER_BYTES <= range->file_bytes; at += 4) {
            struct itr_image_pclntab go = {0};
            if (has_magic(p + at) && check_table(&go, p + at, range->file_bytes - at, &checked)) {
                go.found = true;
                go.rva = range->rva + at;
                image->go = go;
                return;
            }
        }
    }
}

/* ---- finding its text ---- */

/* The pointer that will be at `rva` once the image is loaded at its preferred base: what the file
 * has there, or, where that is zero, what an ELF relocation puts there. */
static uint64_t pointer_at(const struct itr_image *image, uint64_t rva) {
    const uint8_t *p = itr_image_bytes_at(image, rva, 8);

    if (p != NULL && itr_image_u64(p) != 0) {
        return itr_image_u64(p);
    }
    for (uint64_t i = 0; i < image->relocation_count; i++) {
        p = image->bytes + image->relocations + i * RELOCATION_BYTES;
        if (itr_image_u64(p) == image->base + rva && itr_image_u32(p + 8) == RELOCATION_RELATIVE) {
            return itr_image_u64(p + 16);
        }
    }
    return 0;
}

static bool set_text(struct itr_image *image, uint64_t address) {
    struct itr_image_pclntab *go = &image->go;
    uint64_t rva = address - image->base;

    if (address <= image->base ||
        !itr_image_is_executable(image, rva, entry_offset(go, go->functions))) {
        return false;
    }
    go->text = rva;
    go->usable = true;
    return true;
}

/* Whether runtime.moduledata is at `rva`; then the text is known. */
static bool text_from_module(struct itr_image *image, uint64_t rva) {
    uint64_t names = image->base + image->go.rva + image->go.names;

    return pointer_at(image, rva + 8) == names &&
           set_text(image, pointer_at(image, rva + MODULE_TEXT));
}

static bool find_module(struct itr_image *image) {
    uint64_t wanted = image->base + image->go.rva;
    unsigned checked = 0;

    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        const uint8_t *p = image->bytes + range->offset;
        for (uint64_t at = (0 - range->rva) & 7; at + 8 <= range->file_bytes; at += 8) {
            if (itr_image_u64(p + at) == wanted && ++checked <= CANDIDATES_MAX &&
                text_from_module(image, range->rva + at)) {
                return true;
            }
        }
    }
    for (uint64_t i = 0; i < image->relocation_count; i++) {
        const uint8_t *p = image->bytes + image->relocations + i * RELOCATION_BYTES;
        if (itr_image_u64(p + 16) == wanted && itr_image_u32(p + 8) == RELOCATION_RELATIVE &&
            ++checked <= CANDIDATES_MAX &&
            text_from_module(image, itr_image_u64(p) - image->base)) {
            return true;
        }
    }
    return false;
}

static bool text_from_symbol(struct itr_image *image) {
    for (size_t i = 0; i < image->symbol_count; i++) {
        if (strcmp(image->symbols[i].name, "runtime.text") == 0 &&
            set_text(image, image->base + image->symbols[i].rva)) {
            return true;
        }
    }
    return false;
}

/* "\xff Go build ID: "…"" at the beginning of Go's text, where the file has no note for it. */
static void find_build_id(struct itr_image *image) {
    static const char before[] = "\xff Go build ID: \"";
    const size_t before_bytes = sizeof before - 1;
    size_t count = TEXT_START_BYTES;
    const uint8_t *p = itr_image_bytes_at(image, image->go.text, count);

    for (; p == NULL && count > 2 * before_bytes; count /= 2) {
        p = itr_image_bytes_at(image, image->go.text, count / 2);
    }
    for (size_t i = 0; p != NULL && i + before_bytes < count; i++) {
        if (memcmp(p + i, before, before_bytes) != 0) {
            continue;
        }
        i += before_bytes;
        for (size_t j = 0; i + j < count && j < sizeof image->build_id - 1; j++) {
            if (p[i + j] <= 0x20 || p[i + j] >= 0x7f || p[i + j] == '"') {
                break;
            }
            image->build_id[j] = (char)p[i + j];
        }
        return;
    }
}

/* ---- reading it ---- */

/* The index of the function that holds `rva`. */
static bool find_function(const struct itr_image_pclntab *go, uint64_t rva, uint32_t *index) {
    uint32_t low = 0;
    uint32_t high;
    uint64_t offset = rva - go->text;

    if (!go->usable || rva < go->text || offset < entry_offset(go, 0) ||
        offset >= entry_offset(go, go->functions)) {
        return false;
    }
    high = go->functions;
    while (high - low > 1) { /* low begins at or before the offset, high behind it */
        uint32_t middle = low + (high - low) / 2;
        if (entry_offset(go, middle) <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *index = low;
    return true;
}

/* The record of a function: entry, name, …; NULL when it lies outside. */
static const uint8_t *function_record(const struct itr_image_pclntab *go, uint32_t index) {
    uint64_t at = itr_image_u32(go->bytes + go->table + (uint64_t)index * 8 + 4);

    if (at > go->count - go->table || go->count - go->table - at < FUNCTION_BYTES) {
        return NULL;
    }
    return go->bytes + go->table + at;
}

static const char *function_name(const struct itr_image_pclntab *go, const uint8_t *record) {
    return itr_image_string(go->bytes + go->names, go->units - go->names,
                            itr_image_u32(record + 4));
}

static bool read_varint(const uint8_t **p, const uint8_t *end, uint32_t *value) {
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && *p < end; i++) {
        uint8_t byte = *(*p)++;
        *value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            return true;
        }
    }
    return false;
}

/* The value that one of a function's tables has at `target`, counted in bytes from its entry: pairs
 * of a zigzag difference of the value, which begins as -1, and the bytes it holds for. */
static bool table_value(const struct itr_image_pclntab *go, uint32_t table, uint64_t target,
                        int64_t *value) {
    const uint8_t *p;
    const uint8_t *end = go->bytes + go->table;
    uint64_t pc = 0;
    int32_t current = -1;

    if (table == 0 || table >= go->table - go->values) {
        return false;
    }
    p = go->bytes + go->values + table;
    for (unsigned step = 0; step < TABLE_STEPS_MAX; step++) {
        uint32_t difference;
        uint32_t bytes;
        if (!read_varint(&p, end, &difference) || (difference == 0 && step > 0) ||
            !read_varint(&p, end, &bytes)) {
            return false;
        }
        current = (int32_t)((uint32_t)current + ((difference >> 1) ^ (0 - (difference & 1))));
        pc += bytes;
        if (target < pc) {
            *value = current;
            return true;
        }
    }
    return false;
}

static const char *file_name(const struct itr_image_pclntab *go, const uint8_t *record,
                             int64_t file) {
    uint64_t unit = (uint64_t)itr_image_u32(record + 32) + (uint64_t)file;
    uint32_t offset;

    if (file < 0 || unit >= (go->files - go->units) / 4) {
        return NULL;
    }
    offset = itr_image_u32(go->bytes + go->units + unit * 4);
    return itr_image_string(go->bytes + go->files, go->values - go->files, offset);
}

bool itr_image_line_at(const struct itr_image *image, uint64_t rva, const char **file,
                       uint32_t *line) {
    const struct itr_image_pclntab *go = &image->go;
    const uint8_t *record;
    const char *name;
    uint32_t index;
    uint64_t target;
    int64_t file_value;
    int64_t line_value;

    if (!find_function(go, rva, &index)) {
        return false;
    }
    record = function_record(go, index);
    target = rva - go->text - entry_offset(go, index);
    if (record == NULL || !table_value(go, itr_image_u32(record + 20), target, &file_value) ||
        !table_value(go, itr_image_u32(record + 24), target, &line_value) || line_value < 1) {
        return false;
    }
    name = file_name(go, record, file_value);
    if (name == NULL) {
        return false;
    }
    *file = name;
    *line = (uint32_t)line_value;
    return true;
}

static unsigned function_flags(const struct itr_image_pclntab *go, const uint8_t *record) {
    size_t at = itr_image_u32(go->bytes) == magic_1_18 ? FLAGS_AT_1_18 : FLAGS_AT_1_20;

    return (size_t)(go->bytes + go->count - record) > at ? record[at] : 0;
}

bool itr_image_go_frame_at(const struct itr_image *image, uint64_t rva,
                           struct itr_go_frame *frame) {
    const struct itr_image_pclntab *go = &image->go;
    const uint8_t *record;
    const char *name;
    uint32_t index;
    int64_t bytes;

    if (!find_function(go, rva, &index)) {
        return false;
    }
    record = function_record(go, index);
    if (record == NULL ||
        !table_value(go, itr_image_u32(record + 16), rva - go->text - entry_offset(go, index),
                     &bytes) ||
        bytes < 0 || bytes % 8 != 0) {
        return false;
    }
    name = function_name(go, record);
    frame->name = name != NULL ? name : "";
    frame->entry = go->text + entry_offset(go, index);
    frame->end = go->text + entry_offset(go, index + 1);
    frame->bytes = (uint64_t)bytes;
    frame->top = (function_flags(go, record) & FLAG_TOP) != 0;
    frame->assembly = (function_flags(go, record) & FLAG_ASSEMBLY) != 0;
    frame->moves_stack = (function_flags(go, record) & FLAG_MOVES_STACK) != 0;
    return true;
}

static bool add_functions(struct itr_image *image) {
    const struct itr_image_pclntab *go = &image->go;

    if (!itr_image_reserve_symbols(image, go->functions)) {
        return false;
    }
    for (uint32_t i = 0; i < go->functions; i++) {
        const uint8_t *record = function_record(go, i);
        struct itr_symbol symbol = {0};
        const char *file = "";
        uint32_t line;
        symbol.name = record != NULL ? function_name(go, record) : NULL;
        if (symbol.name == NULL || symbol.name[0] == '\0') {
            itr_image_note(image, "functions without a name in Go's table");
            continue;
        }
        symbol.rva = go->text + entry_offset(go, i);
        symbol.bytes = entry_offset(go, i + 1) - entry_offset(go, i);
        symbol.kind = ITR_SYMBOL_FUNCTION;
        symbol.source = ITR_SYMBOL_PCLNTAB;
        /* A wrapper has the name of what it wraps; the compiler says that it made it up. */
        symbol.global = !itr_image_line_at(image, symbol.rva, &file, &line) ||
                        strcmp(file, "<autogenerated>") != 0;
        if (!itr_image_add_symbol(image, &symbol)) {
            return false;
        }
    }
    return true;
}

bool itr_image_read_pclntab(struct itr_image *image) {
    find_table(image);
    if (!image->go.found) {
        return true;
    }
    if (!find_module(image) && !text_from_symbol(image) &&
        !set_text(image, itr_image_u64(image->go.bytes + 24))) {
        itr_image_note(image, "Go's table of functions, but not where its text begins");
        return true;
    }
    if (image->build_id[0] == '\0') {
        find_build_id(image);
    }
    return add_functions(image);
}
