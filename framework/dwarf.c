/* Reads the entries of .debug_info one after the other and picks the members of structures out. */
#include "framework/dwarf.h"

#include "framework/unwind_cfi.h"

#include <stdlib.h>
#include <string.h>

enum {
    TAG_MEMBER = 0x0d,
    TAG_STRUCTURE = 0x13,
    ATTRIBUTE_NAME = 0x03,
    ATTRIBUTE_LOCATION = 0x38,
    ATTRIBUTE_DECLARATION = 0x3c,
    OP_PLUS = 0x23,
    OP_CONSTANT = 0x10,
    CODES_MAX = 4096,        /* kinds of entries in one table */
    WORK_MAX = 1 << 28,      /* bytes and attributes looked at */
    DEPTH_MAX = 1 << 16,
};

/* A reader that is all of DWARF's own numbers: that of .eh_frame. */
typedef struct itr_cfi_reader reader;

struct search {
    struct itr_debug_section info;
    struct itr_debug_section kinds;
    struct itr_dwarf_member *members;
    size_t count;
    size_t *codes; /* where a kind of entry is described in `kinds`; 0: nowhere, else one more */
    uint64_t codes_of; /* offset of the table they are of */
    bool have_codes;
    uint64_t work;
    unsigned version;
    unsigned address_bytes;
    unsigned offset_bytes;
};

/* One attribute's value, as far as anybody asks. */
struct value {
    const char *string; /* NULL: none that stands here */
    uint64_t number;
    bool is_number;
};

static void skip(reader *r, uint64_t bytes) {
    if (bytes > r->left) {
        r->broken = true;
        bytes = r->left;
    }
    r->p += bytes;
    r->left -= (size_t)bytes;
}

/* ---- kinds of entries ---- */

/* Notes where each kind of the table at `offset` is described. */
static bool read_kinds(struct search *search, uint64_t offset) {
    if (search->have_codes && search->codes_of == offset) {
        return true;
    }
    if (offset > search->kinds.count) {
        return false;
    }
    memset(search->codes, 0, CODES_MAX * sizeof *search->codes);
    reader r = {.p = search->kinds.bytes + offset, .left = search->kinds.count - (size_t)offset};
    for (;;) {
        uint64_t code = itr_cfi_uleb(&r);
        if (code == 0 || r.broken) {
            break;
        }
        if (code < CODES_MAX) {
            search->codes[code] = (size_t)(r.p - search->kinds.bytes) + 1;
        }
        (void)itr_cfi_uleb(&r);
        (void)itr_cfi_number(&r, 1);
        uint64_t attribute;
        uint64_t form;
        do {
            attribute = itr_cfi_uleb(&r);
            form = itr_cfi_uleb(&r);
            if (form == 0x21) {
                (void)itr_cfi_sleb(&r);
            }
            search->work += 4;
        } while (!r.broken && (attribute != 0 || form != 0));
        if (search->work > WORK_MAX) {
            return false;
        }
    }
    search->have_codes = true;
    search->codes_of = offset;
    return true;
}

/* ---- values ---- */

/* A block: of a location, "add so much" or "so much" is understood. */
static void read_block(reader *r, uint64_t bytes, struct value *value) {
    if (bytes > r->left) {
        r->broken = true;
        return;
    }
    reader block = {.p = r->p, .left = (size_t)bytes};
    skip(r, bytes);
    unsigned op = bytes > 0 ? (unsigned)itr_cfi_number(&block, 1) : 0;
    if (op == OP_PLUS || op == OP_CONSTANT) {
        value->number = itr_cfi_uleb(&block);
        value->is_number = !block.broken;
    }
}

static void read_number(reader *r, unsigned bytes, struct value *value) {
    if (bytes > 8) {
        skip(r, bytes);
        return;
    }
    value->number = itr_cfi_number(r, bytes);
    value->is_number = true;
}

static void read_string(reader *r, struct value *value) {
    const uint8_t *end = r->left > 0 ? memchr(r->p, '\0', r->left) : NULL;
    if (end == NULL) {
        r->broken = true;
        return;
    }
    value->string = (const char *)r->p;
    skip(r, (uint64_t)(end - r->p) + 1);
}

/* Bytes of a form with a fixed size; 0 for the others. */
static unsigned fixed_bytes(const struct search *search, uint64_t form) {
    switch (form) {
    case 0x0b: /* data, ref, flag, strx, addrx of one byte */
    case 0x0c:
    case 0x11:
    case 0x25:
    case 0x29: return 1;
    case 0x05:
    case 0x12:
    case 0x26:
    case 0x2a: return 2;
    case 0x27:
    case 0x2b: return 3;
    case 0x06:
    case 0x13:
    case 0x28:
    case 0x2c:
    case 0x1c: return 4;
    case 0x07:
    case 0x14:
    case 0x20:
    case 0x24: return 8;
    case 0x1e: return 16;
    case 0x01: return search->address_bytes;
    case 0x10: return search->version == 2 ? search->address_bytes : search->offset_bytes;
    case 0x0e: /* offsets into other sections */
    case 0x17:
    case 0x1d:
    case 0x1f:
    case 0x1f20:
    case 0x1f21: return search->offset_bytes;
    default: return 0;
    }
}

static void read_value(const struct search *search, reader *r, uint64_t form, reader *kind, struct value *value) {
    unsigned bytes = fixed_bytes(search, form);
    if (bytes > 0) {
        read_number(r, bytes, value);
        return;
    }
    switch (form) {
    case 0x08: read_string(r, value); break;
    case 0x03: read_block(r, itr_cfi_number(r, 2), value); break;
    case 0x04: read_block(r, itr_cfi_number(r, 4), value); break;
    case 0x0a: read_block(r, itr_cfi_number(r, 1), value); break;
    case 0x09:
    case 0x18: read_block(r, itr_cfi_uleb(r), value); break;
    case 0x0d:
        value->number = (uint64_t)itr_cfi_sleb(r);
        value->is_number = true;
        break;
    case 0x0f: /* udata, ref_udata, strx, addrx, loclistx, rnglistx */
    case 0x15:
    case 0x1a:
    case 0x1b:
    case 0x22:
    case 0x23:
        value->number = itr_cfi_uleb(r);
        value->is_number = true;
        break;
    case 0x19: break; /* a flag that is there */
    case 0x21:
        value->number = (uint64_t)itr_cfi_sleb(kind);
        value->is_number = true;
        break;
    default: r->broken = true; break; /* not known: nor how long it is */
    }
}

/* ---- entries ---- */

struct entry {
    uint64_t tag;
    bool children;
    bool declaration;
    struct value name;
    struct value location;
};

static bool read_entry(struct search *search, reader *r, uint64_t code, struct entry *entry) {
    if (code >= CODES_MAX || search->codes[code] == 0) {
        return false;
    }
    size_t at = search->codes[code] - 1;
    reader kind = {.p = search->kinds.bytes + at, .left = search->kinds.count - at};
    entry->tag = itr_cfi_uleb(&kind);
    entry->children = itr_cfi_number(&kind, 1) != 0;
    for (;;) {
        uint64_t attribute = itr_cfi_uleb(&kind);
        uint64_t form = itr_cfi_uleb(&kind);
        struct value value = {0};
        if (kind.broken || r->broken || ++search->work > WORK_MAX) {
            return false;
        }
        if (attribute == 0 && form == 0) {
            return true;
        }
        if (form == 0x16) { /* said by the entry itself; an implicit constant it cannot be */
            form = itr_cfi_uleb(r);
            if (form == 0x16 || form == 0x21) {
                return false;
            }
        }
        read_value(search, r, form, &kind, &value);
        if (attribute == ATTRIBUTE_NAME) {
            entry->name = value;
        } else if (attribute == ATTRIBUTE_LOCATION) {
            entry->location = value;
        } else if (attribute == ATTRIBUTE_DECLARATION) {
            entry->declaration = true;
        }
    }
}

static bool is_wanted(const struct search *search, const struct entry *entry) {
    for (size_t i = 0; entry->name.string != NULL && !entry->declaration && i < search->count; i++) {
        if (strcmp(search->members[i].structure, entry->name.string) == 0) {
            return true;
        }
    }
    return false;
}

static void answer(struct search *search, const char *structure, const struct entry *entry) {
    for (size_t i = 0; entry->name.string != NULL && entry->location.is_number && i < search->count; i++) {
        struct itr_dwarf_member *member = &search->members[i];
        if (!member->found && strcmp(member->structure, structure) == 0 &&
            strcmp(member->member, entry->name.string) == 0) {
            member->found = true;
            member->offset = entry->location.number;
        }
    }
}

static bool all_found(const struct search *search) {
    for (size_t i = 0; i < search->count; i++) {
        if (!search->members[i].found) {
            return false;
        }
    }
    return true;
}

/* All entries of a unit. */
static bool read_entries(struct search *search, reader r) {
    const char *structure = NULL; /* the one whose members come now ... */
    unsigned structure_depth = 0; /* ... at this depth */
    unsigned depth = 0;
    while (r.left > 0) {
        uint64_t code = itr_cfi_uleb(&r);
        struct entry entry = {0};
        if (r.broken || ++search->work > WORK_MAX) {
            return false;
        }
        if (code == 0) {
            if (depth == 0) {
                return true; /* what follows is padding */
            }
            depth--;
            structure = structure != NULL && depth < structure_depth ? NULL : structure;
            continue;
        }
        if (!read_entry(search, &r, code, &entry)) {
            return false;
        }
        if (structure != NULL && depth == structure_depth && entry.tag == TAG_MEMBER) {
            answer(search, structure, &entry);
        }
        if (entry.children) {
            if (++depth > DEPTH_MAX) {
                return false;
            }
            if (structure == NULL && entry.tag == TAG_STRUCTURE && is_wanted(search, &entry)) {
                structure = entry.name.string;
                structure_depth = depth;
            }
        }
    }
    return true;
}

/* One unit; `r` moves behind it. */
static bool read_unit(struct search *search, reader *r) {
    uint64_t bytes = itr_cfi_number(r, 4);
    search->offset_bytes = 4;
    if (bytes == UINT32_MAX) {
        bytes = itr_cfi_number(r, 8);
        search->offset_bytes = 8;
    }
    if (r->broken || bytes > r->left) {
        return false;
    }
    reader unit = {.p = r->p, .left = (size_t)bytes};
    skip(r, bytes);
    search->version = (unsigned)itr_cfi_number(&unit, 2);
    if (search->version < 2 || search->version > 5) {
        return true; /* of another kind: the next may be known */
    }
    uint64_t kinds;
    if (search->version == 5) {
        unsigned type = (unsigned)itr_cfi_number(&unit, 1);
        search->address_bytes = (unsigned)itr_cfi_number(&unit, 1);
        kinds = itr_cfi_number(&unit, search->offset_bytes);
        skip(&unit, type == 2 || type == 6 ? 8 + search->offset_bytes : type == 4 || type == 5 ? 8 : 0);
    } else {
        kinds = itr_cfi_number(&unit, search->offset_bytes);
        search->address_bytes = (unsigned)itr_cfi_number(&unit, 1);
    }
    if (unit.broken || search->address_bytes == 0 || search->address_bytes > 8) {
        return false;
    }
    return read_kinds(search, kinds) && read_entries(search, unit);
}

enum itr_status itr_dwarf_find_members(const struct itr_image *image, struct itr_dwarf_member *members, size_t count,
                                       struct itr_error *err) {
    struct search search = {.members = members, .count = count};
    enum itr_status status = itr_image_debug_section(image, ".debug_info", &search.info, err);
    if (status == ITR_OK) {
        status = itr_image_debug_section(image, ".debug_abbrev", &search.kinds, err);
    }
    if (status == ITR_OK) {
        search.codes = calloc(CODES_MAX, sizeof *search.codes);
        status = search.codes != NULL ? ITR_OK : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    if (status == ITR_OK) {
        reader r = {.p = search.info.bytes, .left = search.info.count};
        while (r.left > 0 && !all_found(&search)) {
            if (!read_unit(&search, &r)) {
                status = itr_fail(err, ITR_E_FORMAT, 0, "debug information that does not hold together");
                break;
            }
        }
    }
    free(search.codes);
    itr_debug_section_release(&search.kinds);
    itr_debug_section_release(&search.info);
    return status;
}
