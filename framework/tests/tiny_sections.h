/* An ELF file that has sections and nothing in them: its header, one loaded segment, section headers. For tests only;
 * what the sections hold is the test's to put. */
#ifndef INITRACE_FRAMEWORK_TESTS_TINY_SECTIONS_H
#define INITRACE_FRAMEWORK_TESTS_TINY_SECTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SECTION_HEADER_BYTES = 64, SECTION_BYTES = 1, SECTION_STRINGS = 3 };

/* Little-endian. */
static void put(uint8_t *p, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

/* `headers` is the offset of `count` section headers, the last of which has the sections' names. */
static void put_file_header(uint8_t *file, uint64_t headers, unsigned count) {
    memcpy(file, "\x7f" "ELF\x02\x01\x01", 7);
    put(file + 18, 2, 62); /* x86-64 */
    put(file + 32, 8, 64); /* the segment is behind this header */
    put(file + 40, 8, headers);
    put(file + 54, 2, 56);
    put(file + 56, 2, 1);
    put(file + 58, 2, SECTION_HEADER_BYTES);
    put(file + 60, 2, count);
    put(file + 62, 2, count - 1);
    put(file + 64, 4, 1);
    put(file + 68, 4, 5); /* readable, executable */
    put(file + 96, 8, 0x200);
    put(file + 104, 8, 0x200);
}

/* `name` is an offset in the section of names; `type` SECTION_BYTES or SECTION_STRINGS. */
static void put_section(uint8_t *header, unsigned name, unsigned type, uint64_t flags, uint64_t at, uint64_t bytes) {
    put(header, 4, name);
    put(header + 4, 4, type);
    put(header + 8, 8, flags);
    put(header + 24, 8, at);
    put(header + 32, 8, bytes);
}

#endif
