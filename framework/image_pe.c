/* Reads PE32+ files for x86-64: sections, the COFF symbol table with its long names, exports, and
 * the ends of functions from the exception table. It applies no relocation and reads no debug
 * information. */
#include "framework/image_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOS_HEADER_BYTES = 64,
    COFF_HEADER_BYTES = 24, /* with the signature */
    OPTIONAL_HEADER_BYTES = 112,
    SECTION_HEADER_BYTES = 40,
    SYMBOL_BYTES = 18,
    SHORT_NAME_BYTES = 8,
    EXPORT_DIRECTORY_BYTES = 40,
    FUNCTION_ENTRY_BYTES = 12,
    DIRECTORY_EXPORTS = 0,
    DIRECTORY_EXCEPTIONS = 3,
    MACHINE_X86_64 = 0x8664,
    MAGIC_PE32_PLUS = 0x20b,
    CLASS_EXTERNAL = 2,
    CLASS_STATIC = 3,
    TYPE_FUNCTION = 0x20,
    EXPORTS_MAX = 1 << 16,
};

static const uint32_t section_executable = 0x20000000;
static const uint32_t section_writable = 0x80000000;

/* The file's own table of long names: its size, itself included, in the first four bytes. */
struct strings {
    const uint8_t *bytes;
    uint64_t count;
};

static struct strings long_names(struct itr_image *image, const uint8_t *coff) {
    uint64_t at =
        (uint64_t)itr_image_u32(coff + 12) + (uint64_t)itr_image_u32(coff + 16) * SYMBOL_BYTES;
    const uint8_t *p = itr_image_u32(coff + 12) != 0 ? itr_image_file(image, at, 4) : NULL;
    struct strings strings = {0};

    if (p != NULL) {
        strings.count = itr_image_u32(p);
        strings.bytes = itr_image_file(image, at, strings.count);
        if (strings.bytes == NULL) {
            itr_image_note(image, "a table of names that the file does not hold whole");
            strings.count = 0;
        }
    }
    return strings;
}

/* ---- sections ---- */

static void section_name(char *out, size_t room, const uint8_t *field,
                         const struct strings *strings) {
    char name[SHORT_NAME_BYTES + 1] = {0};
    const char *full = name;

    memcpy(name, field, SHORT_NAME_BYTES);
    if (name[0] == '/' && name[1] >= '0' && name[1] <= '9') {
        full = itr_image_string(strings->bytes, strings->count, strtoul(name + 1, NULL, 10));
        full = full != NULL ? full : name;
    }
    snprintf(out, room, "%s", full);
}

static bool add_section(struct itr_image *image, const uint8_t *p, const struct strings *strings) {
    struct itr_section section = {0};
    struct itr_image_range range = {0};
    uint64_t raw_bytes = itr_image_u32(p + 16);
    uint32_t flags = itr_image_u32(p + 36);

    section.rva = itr_image_u32(p + 12);
    section.bytes = itr_image_u32(p + 8) != 0 ? itr_image_u32(p + 8) : raw_bytes;
    section.executable = (flags & section_executable) != 0;
    section.writable = (flags & section_writable) != 0;
    section_name(section.name, sizeof section.name, p, strings);
    range.rva = section.rva;
    range.bytes = section.bytes;
    range.executable = section.executable;
    range.offset = itr_image_u32(p + 20);
    range.file_bytes = raw_bytes < section.bytes ? raw_bytes : section.bytes;
    if (range.offset == 0) {
        range.file_bytes = 0;
    }
    if (range.offset > image->count || range.file_bytes > image->count - range.offset) {
        itr_image_note(image, "a section that the file does not hold whole");
        range.offset = range.offset < image->count ? range.offset : image->count;
        range.file_bytes = image->count - range.offset < range.file_bytes
                               ? image->count - range.offset
                               : range.file_bytes;
    }
    if (section.rva + section.bytes > image->size) {
        image->size = section.rva + section.bytes;
    }
    return itr_image_add_section(image, &section) && itr_image_add_range(image, &range);
}

/* ---- COFF symbols ---- */

static bool reserve_names(struct itr_image *image, uint64_t symbols) {
    /* Short names that fill their field have no end in the file: those are copied. */
    size_t bytes = (size_t)symbols * (SHORT_NAME_BYTES + 1);

    image->names = image->reallocate != NULL ? image->reallocate(NULL, bytes) : malloc(bytes);
    image->names_room = image->names != NULL ? bytes : 0;
    image->no_memory = image->names == NULL;
    return !image->no_memory;
}

static const char *symbol_name(struct itr_image *image, const uint8_t *p,
                               const struct strings *strings) {
    char *copy;

    if (itr_image_u32(p) == 0) {
        return itr_image_string(strings->bytes, strings->count, itr_image_u32(p + 4));
    }
    if (p[SHORT_NAME_BYTES - 1] == '\0') {
        return (const char *)p;
    }
    if (image->names_room - image->names_used < SHORT_NAME_BYTES + 1) {
        return NULL;
    }
    copy = image->names + image->names_used;
    memcpy(copy, p, SHORT_NAME_BYTES);
    copy[SHORT_NAME_BYTES] = '\0';
    image->names_used += SHORT_NAME_BYTES + 1;
    return copy;
}

static bool add_symbol(struct itr_image *image, const uint8_t *p, const uint8_t *sections,
                       unsigned section_count, const struct strings *strings) {
    struct itr_symbol symbol = {0};
    unsigned index = itr_image_u16(p + 12); /* from 1; 0 undefined, 0xffff absolute, 0xfffe debug */
    unsigned type = itr_image_u16(p + 14);
    unsigned storage = p[16];
    const uint8_t *section;
    uint32_t value = itr_image_u32(p + 8);

    if ((storage != CLASS_EXTERNAL && storage != CLASS_STATIC) || index == 0 ||
        index > section_count) {
        return true;
    }
    section = sections + (size_t)(index - 1) * SECTION_HEADER_BYTES;
    symbol.rva = (uint64_t)itr_image_u32(section + 12) + value;
    symbol.name = symbol_name(image, p, strings);
    if (symbol.name == NULL || symbol.name[0] == '\0' || symbol.rva >= image->size) {
        return true;
    }
    if (storage == CLASS_STATIC && symbol.name[0] == '.' && type == 0) {
        return true; /* an object file's part of a section */
    }
    symbol.kind = (itr_image_u32(section + 36) & section_executable) != 0 ? ITR_SYMBOL_FUNCTION
                                                                          : ITR_SYMBOL_DATA;
    symbol.source = ITR_SYMBOL_SYMTAB;
    symbol.global =
        storage == CLASS_EXTERNAL && (type == TYPE_FUNCTION || symbol.kind == ITR_SYMBOL_DATA);
    return itr_image_add_symbol(image, &symbol);
}

static bool read_symbols(struct itr_image *image, const uint8_t *coff, const uint8_t *sections,
                         const struct strings *strings) {
    uint64_t count = itr_image_u32(coff + 16);
    const uint8_t *table = itr_image_file(image, itr_image_u32(coff + 12), count * SYMBOL_BYTES);

    if (itr_image_u32(coff + 12) == 0 || count == 0) {
        return true;
    }
    if (table == NULL) {
        itr_image_note(image, "a symbol table that the file does not hold whole");
        return true;
    }
    if (!reserve_names(image, count) || !itr_image_reserve_symbols(image, count)) {
        return false;
    }
    for (uint64_t i = 0; i < count;) {
        const uint8_t *p = table + i * SYMBOL_BYTES;
        if (!add_symbol(image, p, sections, itr_image_u16(coff + 6), strings)) {
            return false;
        }
        i += 1 + (uint64_t)p[17]; /* further entries belong to it */
    }
    return true;
}

/* ---- exports ---- */

/* The NUL-terminated string at `rva`. */
static const char *string_at(const struct itr_image *image, uint64_t rva) {
    for (size_t i = 0; i < image->range_count; i++) {
        const struct itr_image_range *range = &image->ranges[i];
        if (rva >= range->rva && rva - range->rva < range->file_bytes) {
            return itr_image_string(image->bytes + range->offset, range->file_bytes,
                                    rva - range->rva);
        }
    }
    return NULL;
}

static bool read_exports(struct itr_image *image, uint64_t rva, uint64_t bytes) {
    const uint8_t *p = itr_image_bytes_at(image, rva, EXPORT_DIRECTORY_BYTES);
    uint32_t function_count = p != NULL ? itr_image_u32(p + 20) : 0;
    uint32_t name_count = p != NULL ? itr_image_u32(p + 24) : 0;
    const uint8_t *functions;
    const uint8_t *names;
    const uint8_t *ordinals;

    if (name_count == 0 || name_count > EXPORTS_MAX || function_count > EXPORTS_MAX) {
        return true;
    }
    functions = itr_image_bytes_at(image, itr_image_u32(p + 28), (size_t)function_count * 4);
    names = itr_image_bytes_at(image, itr_image_u32(p + 32), (size_t)name_count * 4);
    ordinals = itr_image_bytes_at(image, itr_image_u32(p + 36), (size_t)name_count * 2);
    if (functions == NULL || names == NULL || ordinals == NULL) {
        itr_image_note(image, "an export table that the file does not hold whole");
        return true;
    }
    for (uint32_t i = 0; i < name_count; i++) {
        uint32_t ordinal = itr_image_u16(ordinals + (size_t)i * 2);
        struct itr_symbol symbol = {0};
        symbol.name = string_at(image, itr_image_u32(names + (size_t)i * 4));
        if (symbol.name == NULL || symbol.name[0] == '\0' || ordinal >= function_count) {
            continue;
        }
        symbol.rva = itr_image_u32(functions + (size_t)ordinal * 4);
        if (symbol.rva >= image->size || (symbol.rva >= rva && symbol.rva - rva < bytes)) {
            continue; /* forwarded to another library */
        }
        symbol.kind =
            itr_image_is_executable(image, symbol.rva, 0) ? ITR_SYMBOL_FUNCTION : ITR_SYMBOL_DATA;
        symbol.source = ITR_SYMBOL_DYNAMIC;
        symbol.global = true;
        if (!itr_image_add_symbol(image, &symbol)) {
            return false;
        }
    }
    return true;
}

/* ---- ends of functions ---- */

/* The exception table says where functions begin and end, sorted: it gives those their size whose
 * symbols have none. */
static void read_ends(struct itr_image *image, uint64_t rva, uint64_t bytes) {
    const uint8_t *table = itr_image_bytes_at(image, rva, (size_t)bytes);
    uint64_t count = bytes / FUNCTION_ENTRY_BYTES;

    for (size_t i = 0; table != NULL && i < image->symbol_count; i++) {
        struct itr_symbol *symbol = &image->symbols[i];
        uint64_t low = 0;
        uint64_t high = count;
        while (low < high) { /* entries before `low` begin before the symbol */
            uint64_t middle = low + (high - low) / 2;
            if (itr_image_u32(table + middle * FUNCTION_ENTRY_BYTES) < symbol->rva) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low < count && symbol->kind == ITR_SYMBOL_FUNCTION) {
            uint64_t begin = itr_image_u32(table + low * FUNCTION_ENTRY_BYTES);
            uint64_t end = itr_image_u32(table + low * FUNCTION_ENTRY_BYTES + 4);
            if (begin == symbol->rva && end > begin && end <= image->size) {
                symbol->bytes = end - begin;
            }
        }
    }
}

enum itr_status itr_image_read_pe(struct itr_image *image, struct itr_error *err) {
    const uint8_t *dos = itr_image_file(image, 0, DOS_HEADER_BYTES);
    uint64_t at = dos != NULL ? itr_image_u32(dos + 60) : 0;
    const uint8_t *coff = itr_image_file(image, at, COFF_HEADER_BYTES);
    const uint8_t *optional;
    const uint8_t *sections;
    struct strings strings;
    unsigned section_count;
    uint64_t optional_bytes;
    uint64_t directories;

    image->format = ITR_IMAGE_PE;
    if (dos == NULL || coff == NULL || memcmp(coff, "PE\0\0", 4) != 0) {
        return itr_fail(err, ITR_E_FORMAT, 0, "an MZ file that is no PE file");
    }
    optional_bytes = itr_image_u16(coff + 20);
    optional = itr_image_file(image, at + COFF_HEADER_BYTES, optional_bytes);
    if (itr_image_u16(coff + 4) != MACHINE_X86_64 ||
        (optional != NULL && optional_bytes >= 2 && itr_image_u16(optional) != MAGIC_PE32_PLUS)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "a PE file for another processor than x86-64");
    }
    section_count = itr_image_u16(coff + 6);
    sections = itr_image_file(image, at + COFF_HEADER_BYTES + optional_bytes,
                              (uint64_t)section_count * SECTION_HEADER_BYTES);
    if (optional == NULL || optional_bytes < OPTIONAL_HEADER_BYTES || sections == NULL) {
        return itr_fail(err, ITR_E_FORMAT, 0, "a PE file cut off in its headers");
    }
    image->base = itr_image_u64(optional + 24);
    strings = long_names(image, coff);
    for (unsigned i = 0; i < section_count; i++) {
        if (!add_section(image, sections + (size_t)i * SECTION_HEADER_BYTES, &strings)) {
            return ITR_OK; /* no_memory tells */
        }
    }
    if (!read_symbols(image, coff, sections, &strings)) {
        return ITR_OK;
    }
    directories = itr_image_u32(optional + 108);
    if (directories > (optional_bytes - OPTIONAL_HEADER_BYTES) / 8) {
        directories = (optional_bytes - OPTIONAL_HEADER_BYTES) / 8;
    }
    if (directories > DIRECTORY_EXPORTS) {
        const uint8_t *p = optional + OPTIONAL_HEADER_BYTES + 8 * DIRECTORY_EXPORTS;
        (void)read_exports(image, itr_image_u32(p), itr_image_u32(p + 4));
    }
    if (directories > DIRECTORY_EXCEPTIONS) {
        const uint8_t *p = optional + OPTIONAL_HEADER_BYTES + 8 * DIRECTORY_EXCEPTIONS;
        image->unwind_table = itr_image_u32(p);
        image->unwind_table_bytes = itr_image_u32(p + 4);
        read_ends(image, itr_image_u32(p), itr_image_u32(p + 4));
    }
    return ITR_OK;
}
