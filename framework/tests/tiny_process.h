/* A process in memory that the test makes up: one ELF library with Go functions (pclntab), C functions (.eh_frame) and
 * names, a stack, some data. For tests only. */
#ifndef INITRACE_FRAMEWORK_TESTS_TINY_PROCESS_H
#define INITRACE_FRAMEWORK_TESTS_TINY_PROCESS_H

#include "framework/unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    TP_BASE = 0x10000, /* where the library is loaded */
    TP_GO_TEXT = 0x1000,
    TP_GO_FUNCTION = 0x40, /* bytes of each */
    TP_C_TEXT = 0x1800,
    TP_DATA = 0x2000, /* in memory too, and writable there */
    TP_DATA_BYTES = 0x1000,
    TP_FILE_BYTES = 0x6000,
    TP_STACK = 0x700000,
    TP_STACK_BYTES = 0x8000,
    TP_OTHER = 0x900000, /* another stack, a goroutine's */
    TP_OTHER_BYTES = 0x2000,
    TP_SYMBOLS_MAX = 48,
    TP_ENTRIES_MAX = 8,
};

/* Not every test calls them all. */
#define TP_FUNCTION static __attribute__((unused))

struct tp_region {
    uint64_t address;
    size_t bytes;
    uint8_t *memory;
};

static uint8_t tp_file[TP_FILE_BYTES];
static uint8_t tp_stack[TP_STACK_BYTES];
static uint8_t tp_other[TP_OTHER_BYTES];
static uint8_t tp_data[TP_DATA_BYTES];
static struct itr_target_module tp_module;
static struct itr_target_process tp_process;
static unsigned tp_go_count;
static unsigned tp_symbol_count;
static size_t tp_strings;
static struct {
    uint32_t code, entry;
} tp_entries[TP_ENTRIES_MAX];
static unsigned tp_entry_count;
static size_t tp_frames; /* end of .eh_frame so far */

TP_FUNCTION void tp_put(uint8_t *p, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

/* The byte of the process at `address`, to be written to. */
TP_FUNCTION uint8_t *tp_at(uint64_t address, size_t bytes) {
    const struct tp_region regions[] = {{TP_STACK, TP_STACK_BYTES, tp_stack},
                                        {TP_OTHER, TP_OTHER_BYTES, tp_other},
                                        {TP_BASE + TP_DATA, TP_DATA_BYTES, tp_data}};
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        if (address >= regions[i].address && address - regions[i].address <= regions[i].bytes - bytes) {
            return regions[i].memory + (address - regions[i].address);
        }
    }
    return NULL;
}

TP_FUNCTION size_t tp_read(void *context, uint64_t address, void *into, size_t bytes) {
    (void)context;
    size_t got = 0;
    for (uint8_t *to = into; got < bytes; got++) {
        const uint8_t *p = tp_at(address + got, 1);
        if (p == NULL) {
            break;
        }
        to[got] = *p;
    }
    return got;
}

TP_FUNCTION void tp_word(uint64_t address, uint64_t value) {
    uint8_t *p = tp_at(address, 8);
    assert_non_null(p);
    tp_put(p, 8, value);
}

/* ---- the library ---- */

enum { TP_TABLE = 0x3000, TP_EH = 0x4000, TP_EH_HEADER = 0x4800, TP_SYMTAB = 0x5000, TP_STRTAB = 0x5600, TP_HEADERS = 0x5d00 };
/* of the pclntab at TP_TABLE: */
enum { TP_NAMES = 72, TP_UNITS = 0x300, TP_FILES = 0x310, TP_VALUES = 0x320, TP_FUNCTIONS = 0x500, TP_RECORDS = 0x600, TP_RECORD = 48 };
static size_t tp_names;
static size_t tp_values;

TP_FUNCTION void tp_begin(void) {
    memset(tp_file, 0, sizeof tp_file);
    memset(tp_stack, 0, sizeof tp_stack);
    memset(tp_other, 0, sizeof tp_other);
    memset(tp_data, 0, sizeof tp_data);
    tp_go_count = tp_symbol_count = tp_entry_count = 0;
    tp_strings = 1;
    tp_names = tp_values = 1;
    /* the common part of .eh_frame: "zR", code step 1, data step -8, return address in column 16, addresses signed and
     * from where they stand; CFA is RSP + 8, the return address at CFA - 8 */
    static const uint8_t common[] = {20, 0,    0, 0, 0,    0, 0, 0, 1, 'z', 'R', 0,
                                     1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0};
    memcpy(tp_file + TP_EH, common, sizeof common);
    tp_frames = TP_EH + sizeof common;
}

TP_FUNCTION void tp_code(uint32_t rva, const void *bytes, size_t count) {
    memcpy(tp_file + rva, bytes, count);
}

/* `call target` at `rva`; returns the address behind it in the process. */
TP_FUNCTION uint64_t tp_call(uint32_t rva, uint32_t target) {
    tp_file[rva] = 0xe8;
    tp_put(tp_file + rva + 1, 4, (uint64_t)target - (rva + 5));
    return TP_BASE + rva + 5;
}

/* `call *%rax` */
TP_FUNCTION uint64_t tp_call_indirect(uint32_t rva) {
    tp_file[rva] = 0xff;
    tp_file[rva + 1] = 0xd0;
    return TP_BASE + rva + 2;
}

TP_FUNCTION void tp_symbol(const char *name, uint32_t rva, uint32_t bytes) {
    size_t at = TP_SYMTAB + (size_t)(tp_symbol_count + 1) * 24;
    bool data = rva >= TP_DATA;
    assert_true(tp_symbol_count < TP_SYMBOLS_MAX);
    tp_put(tp_file + at, 4, tp_strings);
    tp_file[at + 4] = data ? 1 : 2;
    tp_put(tp_file + at + 6, 2, data ? 2 : 1);
    tp_put(tp_file + at + 8, 8, rva);
    tp_put(tp_file + at + 16, 8, bytes);
    memcpy(tp_file + TP_STRTAB + tp_strings, name, strlen(name) + 1);
    tp_strings += strlen(name) + 1;
    tp_symbol_count++;
}

/* The next Go function; its frame is `first` bytes for `prologue` bytes of code, then `bytes`. Returns its rva. */
TP_FUNCTION uint32_t tp_go(const char *name, unsigned flags, uint32_t prologue, uint32_t bytes) {
    uint32_t rva = TP_GO_TEXT + tp_go_count * TP_GO_FUNCTION;
    uint8_t *record = tp_file + TP_TABLE + TP_RECORDS + (size_t)tp_go_count * TP_RECORD;
    uint8_t *entry = tp_file + TP_TABLE + TP_FUNCTIONS + (size_t)tp_go_count * 8;
    uint8_t *value = tp_file + TP_TABLE + TP_VALUES + tp_values;
    assert_true(tp_go_count < 24 && bytes < 8000 && TP_VALUES + tp_values < TP_FUNCTIONS - 8);
    tp_put(record, 4, tp_go_count * TP_GO_FUNCTION);
    tp_put(record + 4, 4, tp_names);
    tp_put(record + 16, 4, tp_values);
    record[41] = (uint8_t)flags;
    memcpy(tp_file + TP_TABLE + TP_NAMES + tp_names, name, strlen(name) + 1);
    tp_names += strlen(name) + 1;
    /* zigzag: from -1 to 0 is 2 */
    unsigned up = bytes * 2;
    uint8_t *p = value;
    if (prologue > 0) {
        *p++ = 2;
        *p++ = (uint8_t)prologue;
    } else {
        up = (bytes + 1) * 2;
    }
    if (bytes > 0 || prologue == 0) {
        *p++ = (uint8_t)(up | 0x80);
        *p++ = (uint8_t)(up >> 7);
        *p++ = TP_GO_FUNCTION;
    } else {
        p[-1] = TP_GO_FUNCTION;
    }
    *p++ = 0;
    tp_values += (size_t)(p - value);
    tp_put(entry, 4, tp_go_count * TP_GO_FUNCTION);
    tp_put(entry + 4, 4, TP_RECORDS - TP_FUNCTIONS + tp_go_count * TP_RECORD);
    tp_go_count++;
    tp_put(entry + 8, 4, tp_go_count * TP_GO_FUNCTION);
    return rva;
}

/* A C function's entry in .eh_frame, with what its program has beyond the common part; in the order of addresses. */
TP_FUNCTION void tp_cfi(uint32_t rva, uint32_t bytes, const void *program, size_t count) {
    size_t padded = (count + 17 + 3) / 4 * 4 - 4;
    size_t at = tp_frames;
    tp_put(tp_file + at, 4, padded);
    tp_put(tp_file + at + 4, 4, at + 4 - TP_EH);
    tp_put(tp_file + at + 8, 4, (uint64_t)rva - (at + 8));
    tp_put(tp_file + at + 12, 4, bytes);
    memcpy(tp_file + at + 17, program, count);
    assert_true(tp_entry_count < TP_ENTRIES_MAX);
    tp_entries[tp_entry_count].code = rva;
    tp_entries[tp_entry_count++].entry = (uint32_t)at;
    tp_frames += padded + 4;
}

TP_FUNCTION void tp_section(unsigned index, unsigned type, uint64_t flags, uint64_t at, uint64_t bytes, unsigned link,
                       unsigned each) {
    uint8_t *p = tp_file + TP_HEADERS + (size_t)index * 64;
    tp_put(p + 4, 4, type);
    tp_put(p + 8, 8, flags);
    tp_put(p + 16, 8, flags != 0 ? at : 0);
    tp_put(p + 24, 8, at);
    tp_put(p + 32, 8, bytes);
    tp_put(p + 40, 4, link);
    tp_put(p + 56, 8, each);
}

TP_FUNCTION void tp_segment(unsigned index, unsigned type, unsigned flags, uint64_t at, uint64_t bytes) {
    uint8_t *p = tp_file + 64 + (size_t)index * 56;
    tp_put(p, 4, type);
    tp_put(p + 4, 4, flags);
    tp_put(p + 8, 8, at);
    tp_put(p + 16, 8, at);
    tp_put(p + 32, 8, bytes);
    tp_put(p + 40, 8, bytes);
}

TP_FUNCTION void tp_finish_tables(void) {
    uint8_t *table = tp_file + TP_TABLE;
    static const uint64_t offsets[] = {TP_NAMES, TP_UNITS, TP_FILES, TP_VALUES, TP_FUNCTIONS};
    tp_put(table, 4, 0xfffffff1);
    tp_put(table + 4, 4, 0x08010000);
    tp_put(table + 8, 8, tp_go_count);
    tp_put(table + 24, 8, TP_GO_TEXT);
    for (size_t i = 0; i < 5; i++) {
        tp_put(table + 32 + i * 8, 8, offsets[i]);
    }
    tp_file[TP_EH_HEADER] = 1;
    tp_file[TP_EH_HEADER + 1] = 0x1b;
    tp_file[TP_EH_HEADER + 2] = 0x03;
    tp_file[TP_EH_HEADER + 3] = 0x3b;
    tp_put(tp_file + TP_EH_HEADER + 8, 4, tp_entry_count);
    for (unsigned i = 0; i < tp_entry_count; i++) {
        tp_put(tp_file + TP_EH_HEADER + 12 + i * 8, 4, (uint64_t)tp_entries[i].code - TP_EH_HEADER);
        tp_put(tp_file + TP_EH_HEADER + 16 + i * 8, 4, (uint64_t)tp_entries[i].entry - TP_EH_HEADER);
    }
}

/* Opens the library and makes the process of it; tp_end() closes it. */
TP_FUNCTION void tp_finish(void) {
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    memcpy(tp_file, "\x7f" "ELF\x02\x01\x01", 7);
    tp_put(tp_file + 18, 2, 62);
    tp_put(tp_file + 32, 8, 64);
    tp_put(tp_file + 40, 8, TP_HEADERS);
    tp_put(tp_file + 54, 2, 56);
    tp_put(tp_file + 56, 2, 4);
    tp_put(tp_file + 58, 2, 64);
    tp_put(tp_file + 60, 2, 5);
    tp_segment(0, 1, 5, 0, TP_DATA);
    tp_segment(1, 1, 6, TP_DATA, TP_DATA_BYTES);
    tp_segment(2, 1, 4, TP_TABLE, TP_SYMTAB - TP_TABLE);
    if (tp_entry_count > 0) {
        tp_segment(3, 0x6474e550, 4, TP_EH_HEADER, 12 + 8 * tp_entry_count);
    }
    if (tp_go_count > 0 || tp_entry_count > 0) {
        tp_finish_tables();
    }
    if (tp_go_count == 0) {
        memset(tp_file + TP_TABLE, 0, 8);
    }
    tp_section(1, 1, 6, TP_GO_TEXT, TP_DATA - TP_GO_TEXT, 0, 0);
    tp_section(2, 1, 3, TP_DATA, TP_DATA_BYTES, 0, 0);
    tp_section(3, 2, 0, TP_SYMTAB, (uint64_t)(tp_symbol_count + 1) * 24, 4, 24);
    tp_section(4, 3, 0, TP_STRTAB, tp_strings, 0, 0);
    memcpy(tp_data, tp_file + TP_DATA, TP_DATA_BYTES);
    assert_int_equal(itr_image_open_bytes(&image, tp_file, sizeof tp_file, NULL, &err), ITR_OK);
    assert_string_equal(itr_image_damage(image), "");
    tp_module = (struct itr_target_module){.path = "/lib/tiny.so", .base = TP_BASE, .bytes = TP_FILE_BYTES, .image = image};
    tp_process = (struct itr_target_process){.id = 1, .read = tp_read, .modules = &tp_module, .module_count = 1};
}

TP_FUNCTION void tp_end(void) {
    struct itr_image *image = (struct itr_image *)(uintptr_t)tp_module.image;
    itr_image_close(image);
    tp_module.image = NULL;
}

#endif
