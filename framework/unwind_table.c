/* Finds an instruction's entry in .eh_frame by its search table and runs the entry's program up to that
 * instruction. Files without the search table that every linker writes are not read. */
#include "framework/unwind_cfi.h"

#include <string.h>

enum {
    ENCODED_OMITTED = 0xff,
    ENCODED_SEARCH_TABLE = 0x3b, /* pairs of signed 32-bit numbers, counted from the table's own beginning */
    SAVED_ROWS_MAX = 8,
    PROGRAM_STEPS_MAX = 1 << 16,
};

/* ---- numbers ---- */

uint64_t itr_cfi_number(struct itr_cfi_reader *reader, unsigned bytes) {
    uint64_t value = 0;
    if (reader->left < bytes) {
        reader->broken = true;
        reader->left = 0;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)reader->p[i] << (8 * i);
    }
    reader->p += bytes;
    reader->left -= bytes;
    return value;
}

uint64_t itr_cfi_uleb(struct itr_cfi_reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = itr_cfi_number(reader, 1);
        if (shift < 64) {
            value |= (byte & 0x7f) << shift;
        }
        if (reader->broken || (byte & 0x80) == 0) {
            return value;
        }
    }
}

int64_t itr_cfi_sleb(struct itr_cfi_reader *reader) {
    uint64_t value = 0;
    unsigned shift = 0;
    uint64_t byte;
    do {
        byte = itr_cfi_number(reader, 1);
        if (shift < 64) {
            value |= (byte & 0x7f) << shift;
        }
        shift += 7;
    } while (!reader->broken && (byte & 0x80) != 0);
    if (shift < 64 && (byte & 0x40) != 0) {
        value |= UINT64_MAX << shift;
    }
    return (int64_t)value;
}

static uint64_t extended(uint64_t value, unsigned bytes) {
    unsigned shift = 64 - 8 * bytes;
    return shift == 0 ? value : (uint64_t)((int64_t)(value << shift) >> shift);
}

/* An encoded pointer as an rva; `rva` is where it stands. */
static uint64_t encoded(struct itr_cfi_reader *reader, unsigned encoding, uint64_t rva, uint64_t image_base) {
    uint64_t value;
    switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = itr_cfi_number(reader, 8); break;
    case 0x02: value = itr_cfi_number(reader, 2); break;
    case 0x03: value = itr_cfi_number(reader, 4); break;
    case 0x0a: value = extended(itr_cfi_number(reader, 2), 2); break;
    case 0x0b: value = extended(itr_cfi_number(reader, 4), 4); break;
    case 0x01: value = itr_cfi_uleb(reader); break;
    case 0x09: value = (uint64_t)itr_cfi_sleb(reader); break;
    default: reader->broken = true; return 0;
    }
    switch (encoding & 0x70) {
    case 0x00: return value - image_base;
    case 0x10: return value + rva;
    default: reader->broken = true; return 0;
    }
}

/* ---- entries ---- */

struct entry {
    struct itr_cfi_reader initial; /* the common part's program */
    struct itr_cfi_reader program;
    uint64_t begin; /* rva */
    uint64_t bytes;
    uint64_t code_step;
    int64_t data_step;
    unsigned encoding;
    unsigned return_column;
    bool augmented;
    bool signal;
};

/* The record at `rva`, without its length; `*at` becomes the rva of what is read next. */
static bool record_at(const struct itr_image *image, uint64_t rva, struct itr_cfi_reader *reader, uint64_t *at) {
    reader->p = itr_image_rest_at(image, rva, &reader->left);
    reader->broken = reader->p == NULL;
    uint64_t bytes = itr_cfi_number(reader, 4);
    if (reader->broken || bytes == 0 || bytes > reader->left) { /* 0xffffffff, a 64-bit length, is one of these */
        return false;
    }
    reader->left = (size_t)bytes;
    *at = rva + 4;
    return true;
}

static bool read_augmentation(struct entry *entry, struct itr_cfi_reader *reader, const char *letters) {
    uint64_t bytes = itr_cfi_uleb(reader);
    if (reader->broken || bytes > reader->left) {
        return false;
    }
    struct itr_cfi_reader data = {.p = reader->p, .left = (size_t)bytes};
    reader->p += bytes;
    reader->left -= (size_t)bytes;
    for (; *letters != '\0'; letters++) {
        unsigned encoding;
        switch (*letters) {
        case 'R': entry->encoding = (unsigned)itr_cfi_number(&data, 1); break;
        case 'L': (void)itr_cfi_number(&data, 1); break;
        case 'P':
            encoding = (unsigned)itr_cfi_number(&data, 1);
            (void)encoded(&data, encoding & 0x0f, 0, 0);
            break;
        case 'S': entry->signal = true; break;
        case 'B': break;
        default: return !data.broken; /* what follows is not known, nor needed */
        }
    }
    return !data.broken;
}

/* The part that several entries have in common. */
static bool read_common(const struct itr_image *image, uint64_t rva, struct entry *entry) {
    struct itr_cfi_reader reader;
    uint64_t at;
    if (!record_at(image, rva, &reader, &at) || itr_cfi_number(&reader, 4) != 0) {
        return false;
    }
    unsigned version = (unsigned)itr_cfi_number(&reader, 1);
    const char *letters = (const char *)reader.p;
    if (reader.broken || (version != 1 && version != 3) || memchr(reader.p, '\0', reader.left) == NULL) {
        return false;
    }
    size_t bytes = strlen(letters) + 1;
    reader.p += bytes;
    reader.left -= bytes;
    entry->code_step = itr_cfi_uleb(&reader);
    entry->data_step = itr_cfi_sleb(&reader);
    entry->return_column = (unsigned)(version == 1 ? itr_cfi_number(&reader, 1) : itr_cfi_uleb(&reader));
    entry->augmented = letters[0] == 'z';
    if ((letters[0] != '\0' && letters[0] != 'z') ||
        (entry->augmented && !read_augmentation(entry, &reader, letters + 1))) {
        return false;
    }
    entry->initial = reader;
    return !reader.broken && entry->return_column < ITR_CFI_COLUMNS;
}

static bool read_entry(const struct itr_image *image, uint64_t rva, struct entry *entry) {
    struct itr_cfi_reader reader;
    uint64_t at;
    if (!record_at(image, rva, &reader, &at)) {
        return false;
    }
    uint64_t back = itr_cfi_number(&reader, 4);
    if (back == 0 || back > at || !read_common(image, at - back, entry)) {
        return false;
    }
    const uint8_t *first = reader.p;
    uint64_t base = itr_image_preferred_base(image);
    entry->begin = encoded(&reader, entry->encoding, at + 4, base);
    entry->bytes = encoded(&reader, entry->encoding & 0x0f, at + 4 + (uint64_t)(reader.p - first), 0);
    if (entry->augmented) {
        uint64_t bytes = itr_cfi_uleb(&reader);
        if (bytes > reader.left) {
            return false;
        }
        reader.p += bytes;
        reader.left -= (size_t)bytes;
    }
    entry->program = reader;
    return !reader.broken;
}

/* The entry whose code holds `rva`, by the search table: a header of four bytes, the address of .eh_frame, the number
 * of pairs, then pairs of code and entry, by code. */
static bool find_entry(const struct itr_image *image, uint64_t rva, struct entry *entry) {
    uint64_t table;
    uint64_t bytes;
    if (itr_image_format(image) != ITR_IMAGE_ELF || !itr_image_unwind_table(image, &table, &bytes)) {
        return false;
    }
    struct itr_cfi_reader reader = {.p = itr_image_bytes_at(image, table, (size_t)bytes), .left = (size_t)bytes};
    const uint8_t *header = reader.p;
    if (itr_cfi_number(&reader, 4) >> 24 != ENCODED_SEARCH_TABLE || reader.broken || header[0] != 1 ||
        header[2] == ENCODED_OMITTED) {
        return false;
    }
    (void)encoded(&reader, header[1] & 0x0f, 0, 0); /* where .eh_frame is: the pairs say it themselves */
    uint64_t count = encoded(&reader, header[2] & 0x0f, 0, 0);
    if (reader.broken || count == 0 || count > reader.left / 8) {
        return false;
    }
    uint64_t low = 0;
    uint64_t high = count;
    while (low < high) { /* pairs before `low` begin at or before rva */
        uint64_t middle = low + (high - low) / 2;
        struct itr_cfi_reader pair = {.p = reader.p + middle * 8, .left = 8};
        if (table + extended(itr_cfi_number(&pair, 4), 4) <= rva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return false;
    }
    struct itr_cfi_reader pair = {.p = reader.p + (low - 1) * 8 + 4, .left = 4};
    return read_entry(image, table + extended(itr_cfi_number(&pair, 4), 4), entry) && rva >= entry->begin &&
           rva - entry->begin < entry->bytes;
}

/* ---- programs ---- */

struct machine {
    struct itr_cfi_row *row;
    struct itr_cfi_row initial; /* after the common part's program */
    struct itr_cfi_row saved[SAVED_ROWS_MAX];
    unsigned saved_count;
    const struct entry *entry;
    uint64_t at; /* rva */
    bool failed;
};

static void set_rule(struct machine *machine, uint64_t column, enum itr_cfi_kind kind, int64_t value) {
    if (column < ITR_CFI_COLUMNS) { /* vectors and the like are none of ours */
        machine->row->columns[column] = (struct itr_cfi_rule){.kind = kind, .value = value};
    }
}

static int64_t scaled(const struct machine *machine, uint64_t factor) {
    return (int64_t)(factor * (uint64_t)machine->entry->data_step);
}

static struct itr_cfi_rule expression(struct itr_cfi_reader *reader, enum itr_cfi_kind kind) {
    uint64_t bytes = itr_cfi_uleb(reader);
    struct itr_cfi_rule rule = {.kind = kind, .expression = reader->p};
    if (bytes > reader->left) {
        reader->broken = true;
        return rule;
    }
    rule.bytes = (size_t)bytes;
    reader->p += bytes;
    reader->left -= (size_t)bytes;
    return rule;
}

static void set_cfa(struct machine *machine, uint64_t column, int64_t offset) {
    machine->row->cfa = (struct itr_cfi_rule){.kind = ITR_CFI_REGISTER, .value = (int64_t)column};
    machine->row->offset = offset;
    machine->failed = machine->failed || column >= ITR_CFI_COLUMNS - 1;
}

static void remember(struct machine *machine, bool restore) {
    if (restore && machine->saved_count > 0) {
        *machine->row = machine->saved[--machine->saved_count];
    } else if (!restore && machine->saved_count < SAVED_ROWS_MAX) {
        machine->saved[machine->saved_count++] = *machine->row;
    } else {
        machine->failed = true;
    }
}

static void restore(struct machine *machine, uint64_t column) {
    if (column < ITR_CFI_COLUMNS) {
        machine->row->columns[column] = machine->initial.columns[column];
    }
}

static void define_cfa(struct machine *machine, unsigned op, struct itr_cfi_reader *reader) {
    uint64_t column = (uint64_t)machine->row->cfa.value;
    switch (op) {
    case 0x0c: /* register and offset */
        column = itr_cfi_uleb(reader);
        set_cfa(machine, column, (int64_t)itr_cfi_uleb(reader));
        break;
    case 0x12: /* the same, offset scaled */
        column = itr_cfi_uleb(reader);
        set_cfa(machine, column, scaled(machine, (uint64_t)itr_cfi_sleb(reader)));
        break;
    case 0x0d: set_cfa(machine, itr_cfi_uleb(reader), machine->row->offset); break;
    case 0x0e: set_cfa(machine, column, (int64_t)itr_cfi_uleb(reader)); break;
    case 0x13: set_cfa(machine, column, scaled(machine, (uint64_t)itr_cfi_sleb(reader))); break;
    default: machine->row->cfa = expression(reader, ITR_CFI_EXPRESSION); break;
    }
}

static void set_column(struct machine *machine, unsigned op, struct itr_cfi_reader *reader) {
    uint64_t column = itr_cfi_uleb(reader);
    struct itr_cfi_rule rule;
    switch (op) {
    case 0x05: set_rule(machine, column, ITR_CFI_OFFSET, scaled(machine, itr_cfi_uleb(reader))); break;
    case 0x06: restore(machine, column); break;
    case 0x07: set_rule(machine, column, ITR_CFI_UNDEFINED, 0); break;
    case 0x08: set_rule(machine, column, ITR_CFI_SAME, 0); break;
    case 0x09: set_rule(machine, column, ITR_CFI_REGISTER, (int64_t)itr_cfi_uleb(reader)); break;
    case 0x11: set_rule(machine, column, ITR_CFI_OFFSET, scaled(machine, (uint64_t)itr_cfi_sleb(reader))); break;
    case 0x14: set_rule(machine, column, ITR_CFI_VALUE_OFFSET, scaled(machine, itr_cfi_uleb(reader))); break;
    case 0x15:
        set_rule(machine, column, ITR_CFI_VALUE_OFFSET, scaled(machine, (uint64_t)itr_cfi_sleb(reader)));
        break;
    default:
        rule = expression(reader, op == 0x10 ? ITR_CFI_EXPRESSION : ITR_CFI_VALUE_EXPRESSION);
        if (column < ITR_CFI_COLUMNS) {
            machine->row->columns[column] = rule;
        }
        break;
    }
}

/* One instruction of a program. */
static void execute(struct machine *machine, struct itr_cfi_reader *reader) {
    unsigned op = (unsigned)itr_cfi_number(reader, 1);
    uint64_t step = machine->entry->code_step;
    switch (op >> 6) {
    case 1: machine->at += (op & 0x3f) * step; return;
    case 2: set_rule(machine, op & 0x3f, ITR_CFI_OFFSET, scaled(machine, itr_cfi_uleb(reader))); return;
    case 3: restore(machine, op & 0x3f); return;
    default: break;
    }
    switch (op) {
    case 0x00: break;
    case 0x02: machine->at += itr_cfi_number(reader, 1) * step; break;
    case 0x03: machine->at += itr_cfi_number(reader, 2) * step; break;
    case 0x04: machine->at += itr_cfi_number(reader, 4) * step; break;
    case 0x0a: remember(machine, false); break;
    case 0x0b: remember(machine, true); break;
    case 0x0c:
    case 0x0d:
    case 0x0e:
    case 0x0f:
    case 0x12:
    case 0x13: define_cfa(machine, op, reader); break;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x10:
    case 0x11:
    case 0x14:
    case 0x15:
    case 0x16: set_column(machine, op, reader); break;
    case 0x2e: (void)itr_cfi_uleb(reader); break; /* the size of the arguments */
    default: machine->failed = true; break;       /* not of this processor, or not known */
    }
}

static bool run(struct machine *machine, struct itr_cfi_reader reader, uint64_t rva) {
    unsigned steps = 0;
    while (reader.left > 0 && !machine->failed && !reader.broken && machine->at <= rva) {
        execute(machine, &reader); /* what moves on changes nothing else */
        machine->failed = machine->failed || ++steps > PROGRAM_STEPS_MAX;
    }
    return !machine->failed && !reader.broken;
}

bool itr_cfi_row_at(const struct itr_image *image, uint64_t rva, struct itr_cfi_row *row) {
    struct entry entry = {0};
    if (!find_entry(image, rva, &entry)) {
        return false;
    }
    *row = (struct itr_cfi_row){.return_column = entry.return_column, .signal = entry.signal};
    struct machine machine = {.row = row, .entry = &entry, .at = entry.begin};
    if (!run(&machine, entry.initial, UINT64_MAX)) {
        return false;
    }
    machine.initial = *row;
    machine.at = entry.begin;
    return run(&machine, entry.program, rva) && row->cfa.kind != ITR_CFI_UNSPECIFIED;
}
