/* Runs the line programs of .debug_line until one comes by the instruction that was asked for. A program that does not
 * hold together ends there, and the next one is tried. */
#include "framework/dwarf_line.h"

#include "framework/unwind_cfi.h"

#include <stdio.h>
#include <string.h>

enum {
    COPY = 1,
    ADVANCE_PC = 2,
    ADVANCE_LINE = 3,
    SET_FILE = 4,
    CONST_ADD_PC = 8,
    FIXED_ADVANCE_PC = 9,
    END_SEQUENCE = 1, /* extended ones */
    SET_ADDRESS = 2,
    CONTENT_PATH = 1,
    CONTENT_DIRECTORY = 2,
    FORM_BLOCK = 0x09,
    FORM_DATA1 = 0x0b,
    FORM_DATA2 = 0x05,
    FORM_DATA4 = 0x06,
    FORM_DATA8 = 0x07,
    FORM_DATA16 = 0x1e,
    FORM_STRING = 0x08,
    FORM_STRP = 0x0e,
    FORM_UDATA = 0x0f,
    FORM_LINE_STRP = 0x1f,
    FORMATS_MAX = 16,
    ADDRESS_BYTES = 8,
};

typedef struct itr_cfi_reader reader;

struct tables {
    struct itr_debug_section lines;
    struct itr_debug_section line_strings;
    struct itr_debug_section strings;
};

struct unit {
    unsigned version;
    unsigned offset_bytes;
    uint8_t shortest; /* instruction */
    int8_t line_base;
    uint8_t line_range;
    uint8_t opcode_base;
    uint8_t lengths[256]; /* operands of the standard opcodes */
    reader names;         /* directories and files */
    reader program;
};

struct row {
    uint64_t address;
    uint64_t file;
    uint64_t line;
};

static void skip(reader *r, uint64_t bytes) {
    if (bytes > r->left) {
        r->broken = true;
        bytes = r->left;
    }
    r->p += bytes;
    r->left -= (size_t)bytes;
}

/* A stretch of the next `bytes`, which are passed over. */
static reader cut(reader *r, uint64_t bytes) {
    reader part = {.p = r->p, .left = bytes <= r->left ? (size_t)bytes : r->left, .broken = bytes > r->left};
    skip(r, bytes);
    return part;
}

/* NULL where it does not end. */
static const char *string_of(reader *r) {
    const uint8_t *end = r->left > 0 ? memchr(r->p, '\0', r->left) : NULL;
    const char *text = (const char *)r->p;
    if (end == NULL) {
        r->broken = true;
        return NULL;
    }
    skip(r, (uint64_t)(end - r->p) + 1);
    return text;
}

static const char *string_at(const struct itr_debug_section *section, uint64_t offset) {
    if (offset >= section->count || memchr(section->bytes + offset, '\0', section->count - (size_t)offset) == NULL) {
        return NULL;
    }
    return (const char *)section->bytes + offset;
}

/* ---- a unit's header ---- */

/* The next unit of `all`. False at the end, or where its length cannot be believed. */
static bool next_unit(reader *all, struct unit *unit) {
    uint64_t length = all->left >= 4 ? itr_cfi_number(all, 4) : 0;
    *unit = (struct unit){.offset_bytes = 4};
    if (length == 0xffffffff) {
        length = itr_cfi_number(all, 8);
        unit->offset_bytes = 8;
    }
    if (length == 0 || all->broken || length > all->left) {
        return false;
    }
    reader r = cut(all, length);
    unit->version = (unsigned)itr_cfi_number(&r, 2);
    if (unit->version >= 5) {
        skip(&r, 2); /* sizes of addresses and segments */
    }
    uint64_t header = itr_cfi_number(&r, unit->offset_bytes);
    reader names = cut(&r, header);
    unit->program = r;
    unit->shortest = (uint8_t)itr_cfi_number(&names, 1);
    if (unit->version >= 4) {
        skip(&names, 1); /* operations in an instruction: one, here */
    }
    skip(&names, 1);
    unit->line_base = (int8_t)itr_cfi_number(&names, 1);
    unit->line_range = (uint8_t)itr_cfi_number(&names, 1);
    unit->opcode_base = (uint8_t)itr_cfi_number(&names, 1);
    for (unsigned i = 1; i < unit->opcode_base; i++) {
        unit->lengths[i] = (uint8_t)itr_cfi_number(&names, 1);
    }
    unit->names = names;
    if (names.broken || r.broken || unit->version < 2 || unit->version > 5 || unit->line_range == 0 ||
        unit->opcode_base == 0) {
        unit->program.left = 0; /* nothing of it is run */
    }
    return true;
}

/* ---- names ---- */

struct names {
    const char *directory;
    const char *file;
};

static const char *skip_form(const struct tables *tables, const struct unit *unit, reader *r, uint64_t form,
                             uint64_t *number) {
    *number = 0;
    switch (form) {
    case FORM_STRING: return string_of(r);
    case FORM_LINE_STRP: return string_at(&tables->line_strings, itr_cfi_number(r, unit->offset_bytes));
    case FORM_STRP: return string_at(&tables->strings, itr_cfi_number(r, unit->offset_bytes));
    case FORM_UDATA: *number = itr_cfi_uleb(r); break;
    case FORM_DATA1: *number = itr_cfi_number(r, 1); break;
    case FORM_DATA2: *number = itr_cfi_number(r, 2); break;
    case FORM_DATA4: *number = itr_cfi_number(r, 4); break;
    case FORM_DATA8: *number = itr_cfi_number(r, 8); break;
    case FORM_DATA16: skip(r, 16); break;
    case FORM_BLOCK: skip(r, itr_cfi_uleb(r)); break;
    default: r->broken = true; break;
    }
    return NULL;
}

/* Passes over one of version 5's two lists; entry `wanted` of it gives its path and directory. */
static const char *read_list(const struct tables *tables, const struct unit *unit, reader *r, uint64_t wanted,
                             uint64_t *directory) {
    uint64_t formats[FORMATS_MAX][2];
    const char *found = NULL;
    uint64_t count = itr_cfi_number(r, 1);
    if (count > FORMATS_MAX) {
        r->broken = true;
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++) {
        formats[i][0] = itr_cfi_uleb(r);
        formats[i][1] = itr_cfi_uleb(r);
    }
    uint64_t entries = itr_cfi_uleb(r);
    for (uint64_t at = 0; at < entries && count > 0 && !r->broken; at++) {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t number = 0;
            const char *text = skip_form(tables, unit, r, formats[i][1], &number);
            if (at == wanted && formats[i][0] == CONTENT_PATH) {
                found = text;
            } else if (at == wanted && formats[i][0] == CONTENT_DIRECTORY) {
                *directory = number;
            }
        }
    }
    return r->broken ? NULL : found;
}

static struct names names_of_5(const struct tables *tables, const struct unit *unit, uint64_t file) {
    struct names names = {NULL, NULL};
    uint64_t directory = 0;
    uint64_t unused = 0;
    reader r = unit->names;
    read_list(tables, unit, &r, 0, &unused); /* the directories come first, and which is wanted comes after */
    names.file = read_list(tables, unit, &r, file, &directory);
    r = unit->names;
    names.directory = read_list(tables, unit, &r, directory, &unused);
    return names;
}

/* Files count from 1, and so do directories: 0 is the one that the compiler ran in, which is not told here. */
static struct names names_before_5(const struct unit *unit, uint64_t file) {
    struct names names = {NULL, NULL};
    reader r = unit->names;
    reader directories = r;
    const char *text = string_of(&r);
    while (text != NULL && text[0] != '\0') {
        text = string_of(&r);
    }
    for (uint64_t at = 1; (text = string_of(&r)) != NULL && text[0] != '\0'; at++) {
        uint64_t directory = itr_cfi_uleb(&r);
        itr_cfi_uleb(&r);
        itr_cfi_uleb(&r);
        if (at != file) {
            continue;
        }
        names.file = text;
        for (uint64_t i = 1; i <= directory && (text = string_of(&directories)) != NULL && text[0] != '\0'; i++) {
            names.directory = i == directory ? text : NULL;
        }
        return names;
    }
    return names;
}

static bool name_file(const struct tables *tables, const struct unit *unit, uint64_t file, char *out, size_t room) {
    struct names names = unit->version >= 5 ? names_of_5(tables, unit, file) : names_before_5(unit, file);
    if (names.file == NULL || names.file[0] == '\0') {
        return false;
    }
    bool whole = names.file[0] == '/' || (names.file[0] != '\0' && names.file[1] == ':') || names.directory == NULL ||
                 names.directory[0] == '\0';
    snprintf(out, room, "%s%s%s", whole ? "" : names.directory, whole ? "" : "/", names.file);
    return true;
}

/* ---- a unit's program ---- */

struct machine {
    const struct unit *unit;
    struct row now;
    struct row last;
    bool has_last;
    uint64_t wanted;
    bool found;
};

static void emit(struct machine *machine, bool ends) {
    machine->found = machine->has_last && machine->last.address <= machine->wanted && machine->wanted < machine->now.address;
    machine->last = machine->found ? machine->last : machine->now;
    machine->has_last = !ends;
}

static void run_extended(struct machine *machine, reader *r) {
    reader operation = cut(r, itr_cfi_uleb(r));
    uint64_t code = itr_cfi_number(&operation, 1);
    if (code == END_SEQUENCE) {
        emit(machine, true);
        machine->now = (struct row){.file = 1, .line = 1};
    } else if (code == SET_ADDRESS && operation.left == ADDRESS_BYTES) {
        machine->now.address = itr_cfi_number(&operation, ADDRESS_BYTES);
    }
    r->broken = r->broken || operation.broken;
}

static void run_standard(struct machine *machine, reader *r, uint8_t code) {
    const struct unit *unit = machine->unit;
    switch (code) {
    case COPY: emit(machine, false); break;
    case ADVANCE_PC: machine->now.address += itr_cfi_uleb(r) * unit->shortest; break;
    case ADVANCE_LINE: machine->now.line += (uint64_t)itr_cfi_sleb(r); break;
    case SET_FILE: machine->now.file = itr_cfi_uleb(r); break;
    case CONST_ADD_PC:
        machine->now.address += (uint64_t)((255 - unit->opcode_base) / unit->line_range) * unit->shortest;
        break;
    case FIXED_ADVANCE_PC: machine->now.address += itr_cfi_number(r, 2); break;
    default:
        for (unsigned i = 0; i < unit->lengths[code]; i++) {
            itr_cfi_uleb(r);
        }
        break;
    }
}

/* True with the row in machine->last. */
static bool run_program(struct machine *machine) {
    const struct unit *unit = machine->unit;
    reader r = unit->program;
    machine->now = (struct row){.file = 1, .line = 1};
    while (r.left > 0 && !r.broken && !machine->found) {
        uint8_t code = (uint8_t)itr_cfi_number(&r, 1);
        if (code >= unit->opcode_base) {
            uint8_t step = (uint8_t)(code - unit->opcode_base);
            machine->now.address += (uint64_t)(step / unit->line_range) * unit->shortest;
            machine->now.line += (uint64_t)(int64_t)(unit->line_base + step % unit->line_range);
            emit(machine, false);
        } else if (code == 0) {
            run_extended(machine, &r);
        } else {
            run_standard(machine, &r, code);
        }
    }
    return machine->found;
}

/* ---- all of them ---- */

bool itr_dwarf_line_at(const struct itr_image *image, uint64_t rva, char *file, size_t room, uint32_t *line) {
    struct tables tables = {{0}, {0}, {0}};
    struct unit unit;
    bool found = false;
    file[0] = '\0';
    *line = 0;
    if (itr_image_debug_section(image, ".debug_line", &tables.lines, NULL) != ITR_OK) {
        return false;
    }
    if (itr_image_debug_section(image, ".debug_line_str", &tables.line_strings, NULL) != ITR_OK) {
        tables.line_strings.count = 0; /* before version 5 */
    }
    if (itr_image_debug_section(image, ".debug_str", &tables.strings, NULL) != ITR_OK) {
        tables.strings.count = 0;
    }
    reader all = {.p = tables.lines.bytes, .left = tables.lines.count};
    while (!found && next_unit(&all, &unit)) {
        struct machine machine = {.unit = &unit, .wanted = rva + itr_image_preferred_base(image)};
        if (run_program(&machine) && machine.last.line > 0 && machine.last.line <= UINT32_MAX) {
            found = name_file(&tables, &unit, machine.last.file, file, room);
            *line = found ? (uint32_t)machine.last.line : 0;
        }
    }
    itr_debug_section_release(&tables.lines);
    itr_debug_section_release(&tables.line_strings);
    itr_debug_section_release(&tables.strings);
    return found;
}
