/* Unit tests of dwarf_line.c on line programs made here: versions 2 to 5, both sizes of offsets, cut off at every byte,
 * with headers that cannot be. */
#include "framework/dwarf_line.h"
#include "framework/random.h"
#include "framework/tests/tiny_sections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    FILE_BYTES = 8192,
    LINES = 0x400,
    LINE_STRINGS = 0x1000,
    STRINGS = 0x1100,
    NAMES = 0x1200,
    HEADERS = 0x1300,
    LINES_MAX = 0xc00,
    BASE_ADDRESS = 0x1000,
    NAME_ROOM = 64,
};

static uint8_t file[FILE_BYTES];
static uint8_t lines[LINES_MAX];
static size_t count;
static size_t unit_at;    /* where the unit's length stands */
static size_t header_at;  /* where the header's length stands */
static size_t minimum_at; /* the first byte behind that */
static unsigned offset_bytes;

static void add(const void *bytes, size_t length) {
    assert_true(count + length <= sizeof lines);
    memcpy(lines + count, bytes, length);
    count += length;
}

static void add_number(unsigned width, uint64_t value) {
    uint8_t bytes[8];
    put(bytes, width, value);
    add(bytes, width);
}

#define ADD(literal) add(literal, sizeof(literal) - 1)

/* ---- a unit ---- */

static void add_names_before_5(void) {
    ADD("inc\0\0");                            /* directories: 1 inc */
    ADD("a.c\0\0\x05\x81\x01" "b.h\0\x01\0\0"); /* files: 1 a.c, 2 inc/b.h, */
    ADD("/abs/c.c\0\x01\0\0" "d.c\0\x09\0\0" "\0"); /* 3 a whole path, 4 of a directory that is not there */
}

static const char line_strings[] = "/src\0inc";
static const char strings[] = "b.h\0/abs/c.c";

/* Directories: 0 /src, 1 inc. Files: 0 and 1 a.c in 0, 2 b.h in 1, 3 /abs/c.c, 4 d.c in 9. Each with a sum of 16 bytes. */
static void add_names_of_5(void) {
    ADD("\x01\x01\x1f\x02");
    add_number(offset_bytes, 0);
    add_number(offset_bytes, 5);
    ADD("\x03\x01\x08\x02\x0b\x05\x1e\x05"); /* path: a string; directory: a byte; sum: 16 bytes; five files */
    ADD("a.c\0\0" "0123456789abcdef" "a.c\0\0" "0123456789abcdef" "b.h\0\x01" "0123456789abcdef");
    ADD("/abs/c.c\0\x01" "0123456789abcdef" "d.c\0\x09" "0123456789abcdef");
}

static void begin_unit(unsigned version, bool large) {
    unit_at = count;
    offset_bytes = large ? 8 : 4;
    if (large) {
        add_number(4, 0xffffffff);
    }
    add_number(offset_bytes, 0);
    add_number(2, version);
    if (version >= 5) {
        ADD("\x08\0");
    }
    header_at = count;
    add_number(offset_bytes, 0);
    minimum_at = count;
    ADD("\x01");
    if (version >= 4) {
        ADD("\x01");
    }
    ADD("\x01\xfb\x0e\x0d\0\x01\x01\x01\x01\0\0\0\x01\0\0\x01"); /* line base -5, range 14, first special opcode 13 */
}

static void end_header(void) {
    put(lines + header_at, offset_bytes, count - header_at - offset_bytes);
}

static void end_unit(void) {
    put(lines + unit_at + (offset_bytes == 8 ? 4 : 0), offset_bytes,
        count - unit_at - offset_bytes - (offset_bytes == 8 ? 4 : 0));
}

/* 1000 a.c:10, 1004 a.c:11, 1014 b.h:100, 1025 b.h:50, 1125 c.c:50, 1130 the end. */
static void add_program(void) {
    ADD("\0\x09\x02");
    add_number(8, BASE_ADDRESS);
    ADD("\x03\x09\x01");             /* line 10, a row */
    ADD("\x05\x07\x06\x07\x0a");     /* column, statement, block, prologue's end */
    ADD("\0\x02\x04\x03");           /* a discriminator */
    ADD("\x4b");                     /* 13 + 14*4 + 6: four bytes, one line on; a row */
    ADD("\x04\x02\x03\xd9\0\x02\x10\x01"); /* file 2, 89 lines and 16 bytes on */
    ADD("\x08\x03\x4e\x01");         /* 17 bytes on, 50 lines back */
    ADD("\0\x04\x80xyz");            /* an operation of somebody's own */
    ADD("\x09\0\x01\x04\x03\x01");   /* 256 bytes on, file 3 */
    ADD("\x02\x0b\0\x01\x01");       /* 11 bytes on: the end */
}

static void make_unit(unsigned version, bool large) {
    begin_unit(version, large);
    if (version >= 5) {
        add_names_of_5();
    } else {
        add_names_before_5();
    }
    end_header();
    add_program();
    end_unit();
}

/* ---- the file ---- */

static uint8_t *header_of(unsigned section) {
    return file + HEADERS + (size_t)section * SECTION_HEADER_BYTES;
}

static struct itr_image *make_file(void) {
    static const char names[] = "\0.debug_line\0.debug_line_str\0.debug_str\0.shstrtab";
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    memset(file, 0, sizeof file);
    put_file_header(file, HEADERS, 5);
    memcpy(file + LINES, lines, count);
    memcpy(file + LINE_STRINGS, line_strings, sizeof line_strings);
    memcpy(file + STRINGS, strings, sizeof strings);
    memcpy(file + NAMES, names, sizeof names);
    put_section(header_of(1), 1, SECTION_BYTES, 0, LINES, count);
    put_section(header_of(2), 13, SECTION_BYTES, 0, LINE_STRINGS, sizeof line_strings);
    put_section(header_of(3), 29, SECTION_BYTES, 0, STRINGS, sizeof strings);
    put_section(header_of(4), 40, SECTION_STRINGS, 0, NAMES, sizeof names);
    assert_int_equal(itr_image_open_bytes(&image, file, sizeof file, NULL, &err), ITR_OK);
    return image;
}

/* ---- questions ---- */

struct question {
    uint64_t address;
    const char *name; /* NULL: none has it */
    const char *name_of_5;
    uint32_t line;
};

static const struct question questions[] = {
    {0xfff, NULL, NULL, 0},
    {0x1000, "a.c", "/src/a.c", 10},
    {0x1003, "a.c", "/src/a.c", 10},
    {0x1004, "a.c", "/src/a.c", 11},
    {0x1014, "inc/b.h", "inc/b.h", 100},
    {0x1024, "inc/b.h", "inc/b.h", 100},
    {0x1025, "inc/b.h", "inc/b.h", 50},
    {0x1124, "inc/b.h", "inc/b.h", 50},
    {0x1125, "/abs/c.c", "/abs/c.c", 50},
    {0x112f, "/abs/c.c", "/abs/c.c", 50},
    {0x1130, NULL, NULL, 0},
    {UINT64_MAX, NULL, NULL, 0},
};

enum { QUESTIONS = sizeof questions / sizeof questions[0] };

/* Asks all; an answer must be the right one. Returns how many there were. */
static unsigned ask(const struct itr_image *image, unsigned version) {
    unsigned answers = 0;
    for (size_t i = 0; i < QUESTIONS; i++) {
        char name[NAME_ROOM];
        uint32_t line = 77;
        if (!itr_dwarf_line_at(image, questions[i].address, name, sizeof name, &line)) {
            assert_string_equal(name, "");
            assert_int_equal(line, 0);
            continue;
        }
        answers++;
        assert_non_null(questions[i].name);
        assert_string_equal(name, version >= 5 ? questions[i].name_of_5 : questions[i].name);
        assert_int_equal(line, questions[i].line);
    }
    return answers;
}

static void every_version_is_read(void **state) {
    (void)state;
    for (unsigned version = 2; version <= 5; version++) {
        for (int large = 0; large < 2; large++) {
            count = 0;
            make_unit(version, large != 0);
            struct itr_image *image = make_file();
            assert_int_equal(ask(image, version), QUESTIONS - 3);
            itr_image_close(image);
        }
    }
}

/* Each form that a name or a directory can have. */
static void every_form_of_a_name_is_read(void **state) {
    static const struct {
        const char *form; /* path, directory */
        const char *entry;
        size_t length;
    } rows[] = {
        {"\x08\x0b", "b.h\0\x01", 5},           {"\x1f\x0f", "\x05\0\0\0\x01", 5}, /* "inc" as a file's name */
        {"\x0e\x05", "\0\0\0\0\x01\0", 6},      {"\x0e\x06", "\0\0\0\0\x01\0\0\0", 8},
        {"\x0e\x07", "\0\0\0\0\x01\0\0\0\0\0\0\0", 12},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[NAME_ROOM];
        uint32_t line;
        count = 0;
        begin_unit(5, false);
        ADD("\x01\x01\x1f\x02\0\0\0\0\x05\0\0\0");
        ADD("\x03\x01");
        add(rows[i].form, 1);
        ADD("\x02");
        add(rows[i].form + 1, 1);
        ADD("\x05\x09\x02"); /* a block, which is passed over; two files */
        for (int j = 0; j < 2; j++) {
            add(rows[i].entry, rows[i].length);
            ADD("\x02zz");
        }
        end_header();
        ADD("\0\x09\x02");
        add_number(8, BASE_ADDRESS);
        ADD("\x01\x02\x10\0\x01\x01");
        end_unit();
        struct itr_image *image = make_file();
        assert_true(itr_dwarf_line_at(image, BASE_ADDRESS, name, sizeof name, &line));
        assert_string_equal(name, rows[i].form[0] == '\x1f' ? "inc/inc" : "inc/b.h");
        assert_int_equal(line, 1);
        itr_image_close(image);
    }
}

/* A unit that is cut says what it knew before the cut, and its neighbour everything. */
static void a_cut_at_any_byte_is_survived(void **state) {
    (void)state;
    for (unsigned version = 2; version <= 5; version++) {
        count = 0;
        make_unit(version, version == 3);
        size_t whole = count;
        unsigned before = 0;
        for (size_t left = 0; left <= whole; left++) {
            struct itr_image *image;
            count = left; /* the section ends, its unit claims more */
            image = make_file();
            assert_int_equal(ask(image, version), left == whole ? QUESTIONS - 3 : 0);
            itr_image_close(image);
            if (left < unit_at + 4 + offset_bytes) {
                continue;
            }
            end_unit(); /* the unit ends there too */
            image = make_file();
            unsigned answers = ask(image, version);
            assert_true(answers >= before);
            before = answers;
            itr_image_close(image);
            count = whole;
            end_unit();
        }
        assert_int_equal(before, QUESTIONS - 3);
    }
}

static void a_unit_that_cannot_be_is_passed_over(void **state) {
    static const struct {
        size_t at; /* from the header's first field on */
        uint8_t value;
    } rows[] = {
        {4, 0},    /* lines in a special opcode's range: none */
        {5, 0},    /* no opcodes at all */
        {6, 0xff}, /* copy has 255 operands; it is known not to */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        count = 0;
        make_unit(4, false);
        lines[minimum_at + rows[i].at] = rows[i].value;
        size_t first = count;
        struct itr_image *image = make_file();
        assert_int_equal(ask(image, 4), i == 2 ? QUESTIONS - 3 : 0);
        itr_image_close(image);
        make_unit(4, false); /* the next one is read all the same */
        assert_true(count > first);
        image = make_file();
        assert_int_equal(ask(image, 4), QUESTIONS - 3);
        itr_image_close(image);
    }
}

static void a_header_that_lies_is_passed_over(void **state) {
    static const uint64_t lengths[] = {0, 1, 0x7fffffff, 0xfffffff0};
    static const unsigned versions[] = {0, 1, 6, 0xffff};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        count = 0;
        make_unit(4, false);
        put(lines + 4, 2, versions[i]);
        struct itr_image *image = make_file();
        assert_int_equal(ask(image, 4), 0);
        itr_image_close(image);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        count = 0;
        make_unit(4, false);
        put(lines + header_at, 4, lengths[i]);
        struct itr_image *image = make_file();
        assert_int_equal(ask(image, 4), 0);
        itr_image_close(image);
        count = 0;
        make_unit(4, false);
        put(lines, 4, lengths[i] == 1 ? 0xffffffff : lengths[i]); /* the unit's own */
        image = make_file();
        assert_int_equal(ask(image, 4), 0);
        itr_image_close(image);
    }
}

/* Lists that claim to be endless, and entries without a byte. */
static void endless_lists_end(void **state) {
    static const char *const lists[] = {
        "\x01\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", /* 2^64 directories, none there */
        "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",           /* of nothing at all */
        "\xff\x01\x08",                                         /* 255 parts an entry */
        "\x01\x01\x77\x01",                                     /* a form that nobody knows */
    };
    static const size_t lengths[] = {13, 11, 3, 4};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char name[NAME_ROOM];
        uint32_t line;
        count = 0;
        begin_unit(5, false);
        add(lists[i], lengths[i]);
        end_header();
        ADD("\0\x09\x02");
        add_number(8, BASE_ADDRESS);
        ADD("\x01\x02\x10\0\x01\x01");
        end_unit();
        struct itr_image *image = make_file();
        assert_false(itr_dwarf_line_at(image, BASE_ADDRESS, name, sizeof name, &line));
        itr_image_close(image);
    }
}

static void a_short_buffer_is_filled_and_ended(void **state) {
    char name[6] = "zzzzz";
    uint32_t line;
    (void)state;
    count = 0;
    make_unit(5, false);
    struct itr_image *image = make_file();
    assert_true(itr_dwarf_line_at(image, 0x1004, name, sizeof name, &line));
    assert_string_equal(name, "/src/");
    itr_image_close(image);
}

static void damage_is_survived(void **state) {
    struct itr_random random = itr_random_seed(1);
    unsigned answers = 0;
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        count = 0;
        make_unit(2 + round % 4, round % 3 == 0);
        make_unit(2 + round % 3, false);
        for (unsigned i = 0; i < 1 + round % 5; i++) {
            lines[itr_random_below(&random, count)] = (uint8_t)itr_random_next(&random);
        }
        struct itr_image *image = make_file();
        for (size_t i = 0; i < QUESTIONS; i++) {
            char name[NAME_ROOM];
            uint32_t line;
            answers += itr_dwarf_line_at(image, questions[i].address, name, sizeof name, &line) ? 1 : 0;
            assert_true(memchr(name, '\0', sizeof name) != NULL);
        }
        itr_image_close(image);
    }
    assert_true(answers > 4000); /* mostly the other unit has it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_is_read),
        cmocka_unit_test(every_form_of_a_name_is_read),
        cmocka_unit_test(a_cut_at_any_byte_is_survived),
        cmocka_unit_test(a_unit_that_cannot_be_is_passed_over),
        cmocka_unit_test(a_header_that_lies_is_passed_over),
        cmocka_unit_test(endless_lists_end),
        cmocka_unit_test(a_short_buffer_is_filled_and_ended),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests_name("dwarf_line", tests, NULL, NULL);
}
