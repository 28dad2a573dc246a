/* Reads ELF64 files for x86-64: segments, sections, symbols, relocations' place, build id. It
 * applies no relocation and reads no debug information. */
#include "framework/image_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER_BYTES = 64,
    PROGRAM_HEADER_BYTES = 56,
    SECTION_HEADER_BYTES = 64,
    SYMBOL_BYTES = 24,
    RELOCATION_BYTES = 24,
    DYNAMIC_BYTES = 16,
    MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1,
    SEGMENT_DYNAMIC = 2,
    SEGMENT_NOTE = 4,
    SEGMENT_UNWIND_TABLE = 0x6474e550,
    SEGMENT_EXECUTABLE = 1,
    SECTION_SYMTAB = 2,
    SECTION_NOBITS = 8,
    SECTION_DYNSYM = 11,
    SECTION_WRITABLE = 1,
    SECTION_ALLOCATED = 2,
    SECTION_EXECUTABLE = 4,
    SECTION_TLS = 0x400,
    SECTION_COMPRESSED = 0x800,
    INDEX_RESERVED = 0xff00,
    INDEX_ELSEWHERE = 0xffff,
    TYPE_NONE = 0,
    TYPE_OBJECT = 1,
    TYPE_FUNCTION = 2,
    TYPE_INDIRECT = 10,
    TAG_RELA = 7,
    TAG_RELA_BYTES = 8,
    PAGE_BYTES = 4096,
};

/* Where a table of equal entries is; all of it is in the file. */
struct table {
    const uint8_t *bytes;
    uint64_t count;
    uint64_t each;
};

static struct table table_at(struct itr_image *image, uint64_t offset, uint64_t count,
                             uint64_t each, uint64_t least, const char *what) {
    struct table table = {0};

    if (count == 0) {
        return table;
    }
    if (each < least || count > image->count / each) {
        itr_image_note(image, what);
        return table;
    }
    table.bytes = itr_image_file(image, offset, count * each);
    if (table.bytes == NULL) {
        itr_image_note(image, what);
        return table;
    }
    table.count = count;
    table.each = each;
    return table;
}

static const uint8_t *entry(const struct table *table, uint64_t index) {
    return index < table->count ? table->bytes + index * table->each : NULL;
}

static void copy_name(char *out, size_t room, const char *name) {
    snprintf(out, room, "%s", name != NULL ? name : "");
}

/* ---- segments ---- */

static bool add_segment(struct itr_image *image, const uint8_t *p, uint64_t base) {
    struct itr_image_range range = {0};
    uint64_t address = itr_image_u64(p + 16);

    range.offset = itr_image_u64(p + 8);
    range.file_bytes = itr_image_u64(p + 32);
    range.bytes = itr_image_u64(p + 40);
    range.executable = (itr_image_u32(p + 4) & SEGMENT_EXECUTABLE) != 0;
    range.rva = address - base;
    if (range.bytes > UINT64_MAX / 2 || range.rva > UINT64_MAX / 2) {
        itr_image_note(image, "a segment beyond the address space");
        return true;
    }
    if (range.file_bytes > range.bytes) {
        range.file_bytes = range.bytes;
    }
    if (range.offset > image->count || range.file_bytes > image->count - range.offset) {
        itr_image_note(image, "a segment that the file does not hold whole");
        range.offset = range.offset < image->count ? range.offset : image->count;
        range.file_bytes = image->count - range.offset < range.file_bytes
                               ? image->count - range.offset
                               : range.file_bytes;
    }
    if (range.rva + range.bytes > image->size) {
        image->size = range.rva + range.bytes;
    }
    return itr_image_add_range(image, &range);
}

static bool read_segments(struct itr_image *image, const struct table *segments) {
    uint64_t lowest = UINT64_MAX;

    for (uint64_t i = 0; i < segments->count; i++) {
        const uint8_t *p = entry(segments, i);
        if (itr_image_u32(p) == SEGMENT_LOAD && itr_image_u64(p + 16) < lowest) {
            lowest = itr_image_u64(p + 16);
        }
    }
    if (lowest == UINT64_MAX) {
        return true;
    }
    image->base = lowest / PAGE_BYTES * PAGE_BYTES;
    for (uint64_t i = 0; i < segments->count; i++) {
        const uint8_t *p = entry(segments, i);
        if (itr_image_u32(p) == SEGMENT_LOAD && !add_segment(image, p, image->base)) {
            return false;
        }
    }
    return true;
}

/* ---- build id and relocations ---- */

static void read_notes(struct itr_image *image, const uint8_t *p, uint64_t count) {
    while (count >= 12) {
        uint64_t name_bytes = itr_image_u32(p);
        uint64_t value_bytes = itr_image_u32(p + 4);
        uint32_t type = itr_image_u32(p + 8);
        uint64_t value_at = 12 + (name_bytes + 3) / 4 * 4;
        uint64_t next = value_at + (value_bytes + 3) / 4 * 4;
        if (value_at > count || value_bytes > count - value_at) {
            return;
        }
        if (type == 3 && name_bytes == 4 && memcmp(p + 12, "GNU", 4) == 0) {
            size_t most = sizeof image->build_id / 2 - 1;
            size_t bytes = value_bytes < most ? (size_t)value_bytes : most;
            for (size_t i = 0; i < bytes; i++) {
                snprintf(image->build_id + 2 * i, 3, "%02x", p[value_at + i]);
            }
            return;
        }
        if (type == 4 && name_bytes == 4 && memcmp(p + 12, "Go\0", 4) == 0 &&
            image->build_id[0] == '\0') {
            for (size_t i = 0; i < value_bytes && i < sizeof image->build_id - 1; i++) {
                uint8_t byte = p[value_at + i];
                image->build_id[i] = (char)(byte >= 0x21 && byte < 0x7f ? byte : '?');
            }
        }
        if (next >= count) {
            return;
        }
        p += next;
        count -= next;
    }
}

static void read_dynamic(struct itr_image *image, const uint8_t *p, uint64_t count) {
    uint64_t address = 0;
    uint64_t bytes = 0;

    for (; count >= DYNAMIC_BYTES; p += DYNAMIC_BYTES, count -= DYNAMIC_BYTES) {
        if (itr_image_u64(p) == TAG_RELA) {
            address = itr_image_u64(p + 8);
        } else if (itr_image_u64(p) == TAG_RELA_BYTES) {
            bytes = itr_image_u64(p + 8);
        }
    }
    if (address >= image->base && bytes > 0 && bytes <= image->count) {
        p = itr_image_bytes_at(image, address - image->base, (size_t)bytes);
        if (p != NULL) {
            image->relocations = (uint64_t)(p - image->bytes);
            image->relocation_count = bytes / RELOCATION_BYTES;
        }
    }
}

static void read_other_segments(struct itr_image *image, const struct table *segments) {
    for (uint64_t i = 0; i < segments->count; i++) {
        const uint8_t *p = entry(segments, i);
        uint32_t type = itr_image_u32(p);
        uint64_t bytes = itr_image_u64(p + 32);
        const uint8_t *content = itr_image_file(image, itr_image_u64(p + 8), bytes);
        if (content != NULL && type == SEGMENT_NOTE) {
            read_notes(image, content, bytes);
        } else if (content != NULL && type == SEGMENT_DYNAMIC) {
            read_dynamic(image, content, bytes);
        } else if (content != NULL && type == SEGMENT_UNWIND_TABLE) {
            image->unwind_table = itr_image_u64(p + 16) - image->base;
            image->unwind_table_bytes = bytes;
        }
    }
}

/* ---- sections and symbols ---- */

static struct table section_strings(struct itr_image *image, const struct table *sections,
                                    uint64_t index) {
    const uint8_t *p = entry(sections, index);
    struct table strings = {0};

    if (p != NULL) {
        strings = table_at(image, itr_image_u64(p + 24), itr_image_u64(p + 32), 1, 1,
                           "a table of names that the file does not hold whole");
    }
    return strings;
}

static bool read_sections(struct itr_image *image, const struct table *sections,
                          const struct table *names) {
    for (uint64_t i = 1; i < sections->count; i++) {
        const uint8_t *p = entry(sections, i);
        uint64_t flags = itr_image_u64(p + 8);
        uint64_t address = itr_image_u64(p + 16);
        struct itr_section section = {0};
        section.bytes = itr_image_u64(p + 32);
        section.rva = address - image->base;
        if ((flags & SECTION_ALLOCATED) == 0 || (flags & SECTION_TLS) != 0 ||
            address < image->base || section.rva > image->size ||
            section.bytes > image->size - section.rva) {
            continue;
        }
        section.executable = (flags & SECTION_EXECUTABLE) != 0;
        section.writable = (flags & SECTION_WRITABLE) != 0;
        copy_name(section.name, sizeof section.name,
                  itr_image_string(names->bytes, names->count, itr_image_u32(p)));
        if (!itr_image_add_section(image, &section)) {
            return false;
        }
    }
    return true;
}

/* Segments stand in where the file has no sections. */
static bool sections_from_segments(struct itr_image *image, const struct table *segments) {
    for (uint64_t i = 0; i < segments->count; i++) {
        const uint8_t *p = entry(segments, i);
        struct itr_section section = {0};
        section.rva = itr_image_u64(p + 16) - image->base;
        section.bytes = itr_image_u64(p + 40);
        section.executable = (itr_image_u32(p + 4) & 1) != 0;
        section.writable = (itr_image_u32(p + 4) & 2) != 0;
        if (itr_image_u32(p) != SEGMENT_LOAD || section.rva > image->size ||
            section.bytes > image->size - section.rva) {
            continue;
        }
        snprintf(section.name, sizeof section.name, "LOAD%u", (unsigned)i);
        if (!itr_image_add_section(image, &section)) {
            return false;
        }
    }
    return true;
}

static bool add_symbol(struct itr_image *image, const uint8_t *p, const struct table *names,
                       enum itr_symbol_source source) {
    struct itr_symbol symbol = {0};
    unsigned type = p[4] & 15;
    unsigned binding = p[4] >> 4;
    unsigned section = itr_image_u16(p + 6);
    uint64_t address = itr_image_u64(p + 8);

    symbol.rva = address - image->base;
    if (section == 0 || (section >= INDEX_RESERVED && section != INDEX_ELSEWHERE) ||
        address < image->base || symbol.rva >= image->size) {
        return true;
    }
    if (type == TYPE_FUNCTION || type == TYPE_INDIRECT ||
        (type == TYPE_NONE && itr_image_is_executable(image, symbol.rva, 0))) {
        symbol.kind = ITR_SYMBOL_FUNCTION;
    } else if (type == TYPE_OBJECT) {
        symbol.kind = ITR_SYMBOL_DATA;
    } else {
        return true;
    }
    symbol.name = itr_image_string(names->bytes, names->count, itr_image_u32(p));
    if (symbol.name == NULL || symbol.name[0] == '\0') {
        return true;
    }
    symbol.bytes = itr_image_u64(p + 16);
    if (symbol.bytes > image->size - symbol.rva) {
        symbol.bytes = image->size - symbol.rva;
    }
    symbol.source = source;
    symbol.global = binding != 0;
    return itr_image_add_symbol(image, &symbol);
}

static bool read_symbols(struct itr_image *image, const struct table *sections) {
    for (uint64_t i = 0; i < sections->count; i++) {
        const uint8_t *p = entry(sections, i);
        uint32_t type = itr_image_u32(p + 4);
        uint64_t each = itr_image_u64(p + 56);
        struct table symbols;
        struct table names;
        if ((type != SECTION_SYMTAB && type != SECTION_DYNSYM) || each == 0) {
            continue;
        }
        symbols = table_at(image, itr_image_u64(p + 24), itr_image_u64(p + 32) / each, each,
                           SYMBOL_BYTES, "a symbol table that the file does not hold whole");
        names = section_strings(image, sections, itr_image_u32(p + 40));
        if (!itr_image_reserve_symbols(image, symbols.count)) {
            return false;
        }
        for (uint64_t j = 0; j < symbols.count; j++) {
            if (!add_symbol(image, entry(&symbols, j), &names,
                            type == SECTION_SYMTAB ? ITR_SYMBOL_SYMTAB : ITR_SYMBOL_DYNAMIC)) {
                return false;
            }
        }
    }
    return true;
}

static struct table section_table(struct itr_image *image) {
    const uint8_t *header = image->bytes;
    uint64_t offset = itr_image_u64(header + 40);
    uint64_t each = itr_image_u16(header + 58);
    uint64_t count = itr_image_u16(header + 60);
    const char *what = "a section table that the file does not hold whole";

    if (offset == 0) {
        return (struct table){0};
    }
    if (count == 0) { /* too many for the field: the first section tells */
        struct table first = table_at(image, offset, 1, each, SECTION_HEADER_BYTES, what);
        count = first.count > 0 ? itr_image_u64(first.bytes + 32) : 0;
    }
    return table_at(image, offset, count, each, SECTION_HEADER_BYTES, what);
}

const uint8_t *itr_image_elf_section(const struct itr_image *image, const char *name, uint64_t *count,
                                     bool *compressed) {
    struct itr_image quiet = *image; /* what is amiss was noted when the file was opened */
    struct table sections = section_table(&quiet);
    uint64_t names_index = itr_image_u16(image->bytes + 62);
    if (names_index == INDEX_ELSEWHERE && sections.count > 0) {
        names_index = itr_image_u32(sections.bytes + 40);
    }
    struct table names = section_strings(&quiet, &sections, names_index);
    for (uint64_t i = 1; i < sections.count; i++) {
        const uint8_t *p = entry(&sections, i);
        const char *found = itr_image_string(names.bytes, names.count, itr_image_u32(p));
        if (found != NULL && strcmp(found, name) == 0 && itr_image_u32(p + 4) != SECTION_NOBITS) {
            *count = itr_image_u64(p + 32);
            *compressed = (itr_image_u64(p + 8) & SECTION_COMPRESSED) != 0;
            return itr_image_file(image, itr_image_u64(p + 24), *count);
        }
    }
    return NULL;
}

enum itr_status itr_image_read_elf(struct itr_image *image, struct itr_error *err) {
    const uint8_t *header = itr_image_file(image, 0, HEADER_BYTES);
    struct table segments;
    struct table sections;
    struct table names;
    uint64_t names_index;

    image->format = ITR_IMAGE_ELF;
    if (header == NULL) {
        return itr_fail(err, ITR_E_FORMAT, 0, "an ELF file cut off in its header");
    }
    if (header[4] != 2 || header[5] != 1 || itr_image_u16(header + 18) != MACHINE_X86_64) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "an ELF file for another processor than x86-64");
    }
    segments = table_at(image, itr_image_u64(header + 32), itr_image_u16(header + 56),
                        itr_image_u16(header + 54), PROGRAM_HEADER_BYTES,
                        "a segment table that the file does not hold whole");
    if (!read_segments(image, &segments)) {
        return ITR_OK; /* no_memory tells */
    }
    if (image->range_count == 0) {
        return itr_fail(err, ITR_E_FORMAT, 0,
                        "an ELF file without anything to load: not a library or program");
    }
    read_other_segments(image, &segments);
    sections = section_table(image);
    names_index = itr_image_u16(header + 62);
    if (names_index == INDEX_ELSEWHERE && sections.count > 0) {
        names_index = itr_image_u32(sections.bytes + 40);
    }
    names = section_strings(image, &sections, names_index);
    if (read_sections(image, &sections, &names) && image->section_count == 0) {
        (void)sections_from_segments(image, &segments);
    }
    if (!image->no_memory) {
        (void)read_symbols(image, &sections);
    }
    return ITR_OK;
}
