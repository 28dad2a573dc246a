/* A small ELF library in memory: text of the test's own at rva 0x1000, data at 0x1400, and names. For tests
 * only. */
#ifndef INITRACE_FRAMEWORK_TESTS_TINY_IMAGE_H
#define INITRACE_FRAMEWORK_TESTS_TINY_IMAGE_H

#include "framework/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TINY_TEXT = 0x1000, TINY_DATA = 0x1400, TINY_BYTES = 0x3000 };

struct tiny_symbol {
    const char *name;
    uint64_t rva, bytes;
};

static uint8_t tiny_file[TINY_BYTES];

static void tiny_set(size_t at, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        tiny_file[at + i] = (uint8_t)(value >> 8 * i);
    }
}

static void tiny_section(unsigned index, unsigned name, unsigned type, unsigned flags, uint64_t at,
                         uint64_t bytes, unsigned link, unsigned each) {
    size_t header = 0x2c00 + (size_t)index * 64;
    tiny_set(header, 4, name);
    tiny_set(header + 4, 4, type);
    tiny_set(header + 8, 8, flags);
    tiny_set(header + 16, 8, flags != 0 ? at : 0);
    tiny_set(header + 24, 8, at);
    tiny_set(header + 32, 8, bytes);
    tiny_set(header + 40, 4, link);
    tiny_set(header + 56, 8, each);
}

/* The caller closes it before it makes the next. */
static struct itr_image *tiny_image(const uint8_t *text, size_t count,
                                    const struct tiny_symbol *symbols, size_t symbol_count) {
    static const char names[] = "\0.text\0.data\0.symtab\0.strtab\0.shstrtab";
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    size_t strings = 1;
    assert_true(count <= TINY_DATA - TINY_TEXT && symbol_count < 40);
    memset(tiny_file, 0, sizeof tiny_file);
    memcpy(tiny_file,
           "\x7f"
           "ELF\x02\x01\x01",
           7);
    tiny_set(18, 2, 62);
    tiny_set(32, 8, 64);
    tiny_set(40, 8, 0x2c00);
    tiny_set(54, 2, 56);
    tiny_set(56, 2, 2);
    tiny_set(58, 2, 64);
    tiny_set(60, 2, 6);
    tiny_set(62, 2, 5);
    for (size_t i = 0; i < 2; i++) {
        size_t at = 64 + i * 56;
        uint64_t from = i == 0 ? 0 : TINY_DATA;
        uint64_t bytes = i == 0 ? TINY_DATA : 0x100;
        tiny_set(at, 4, 1);
        tiny_set(at + 4, 4, i == 0 ? 5 : 6);
        tiny_set(at + 8, 8, from);
        tiny_set(at + 16, 8, from);
        tiny_set(at + 32, 8, bytes);
        tiny_set(at + 40, 8, bytes);
    }
    memcpy(tiny_file + TINY_TEXT, text, count);
    for (size_t i = 0; i < symbol_count; i++) {
        size_t at = 0x1800 + (i + 1) * 24;
        bool data = symbols[i].rva >= TINY_DATA;
        tiny_set(at, 4, strings);
        tiny_set(at + 4, 1, data ? 1 : 2);
        tiny_set(at + 6, 2, data ? 2 : 1);
        tiny_set(at + 8, 8, symbols[i].rva);
        tiny_set(at + 16, 8, symbols[i].bytes);
        memcpy(tiny_file + 0x2000 + strings, symbols[i].name, strlen(symbols[i].name) + 1);
        strings += strlen(symbols[i].name) + 1;
    }
    memcpy(tiny_file + 0x2b00, names, sizeof names);
    tiny_section(1, 1, 1, 6, TINY_TEXT, TINY_DATA - TINY_TEXT, 0, 0);
    tiny_section(2, 7, 1, 3, TINY_DATA, 0x100, 0, 0);
    tiny_section(3, 13, 2, 0, 0x1800, (symbol_count + 1) * 24, 4, 24);
    tiny_section(4, 21, 3, 0, 0x2000, strings, 0, 0);
    tiny_section(5, 29, 3, 0, 0x2b00, sizeof names, 0, 0);
    assert_int_equal(itr_image_open_bytes(&image, tiny_file, sizeof tiny_file, NULL, &err), ITR_OK);
    assert_string_equal(itr_image_damage(image), "");
    return image;
}

#endif
