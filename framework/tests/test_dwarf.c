/* Unit tests of dwarf.c and image_debug.c on small files made here: versions 4 and 5, sections compressed in both ways,
 * and damage. On real libraries self.stacks tests them. */
#include "framework/dwarf.h"
#include "framework/random.h"
#include "framework/tests/tiny_sections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

enum { FILE_BYTES = 8192, INFO = 0x400, KINDS = 0xc00, NAMES = 0x1000, HEADERS = 0x1100, PART_MAX = 0x600 };

static uint8_t file[FILE_BYTES];
static uint8_t info[PART_MAX];
static size_t info_count;

/* Kinds: 1 unit (name), 2 structure (name, size), 3 member (name, offset as udata), 4 member (offset as a block),
 * 5 member (offset as an implicit constant 7), 6 structure that is only declared, 7 variable (address). */
static const uint8_t kinds[] = {1, 0x11, 1, 0x03, 0x08, 0, 0,
                                2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0,
                                3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0f, 0, 0,
                                4, 0x0d, 0, 0x03, 0x08, 0x38, 0x0a, 0, 0,
                                5, 0x0d, 0, 0x03, 0x08, 0x38, 0x21, 7, 0, 0,
                                6, 0x13, 0, 0x03, 0x08, 0x3c, 0x19, 0, 0,
                                7, 0x34, 0, 0x03, 0x08, 0x02, 0x18, 0, 0,
                                0};

static void add(const void *bytes, size_t count) {
    assert_true(info_count + count <= sizeof info);
    memcpy(info + info_count, bytes, count);
    info_count += count;
}

static void begin_unit(unsigned version) {
    info_count = 4;
    put(info + info_count, 2, version);
    info_count += 2;
    if (version == 5) {
        add("\x01\x08\0\0\0\0", 6);
    } else {
        add("\0\0\0\0\x08", 5);
    }
    add("\x01unit", 6);
}

static void end_unit(void) {
    add("\0", 1);
    put(info, 4, info_count - 4);
}

/* runtime.g {m at 48; nested structure; id at 152, in a block; wait at 7}, another g that is only declared. */
static void make_info(unsigned version) {
    begin_unit(version);
    add("\x06runtime.g", 11);
    add("\x07variable\0\x02\x91\x30", 13);
    add("\x02other.g\0\x08", 10);
    add("\x03m\0\x63", 4);
    add("\0", 1);
    add("\x02runtime.g\0\x08", 12);
    add("\x03m\0\x30", 4);
    add("\x02runtime.m\0\x08", 12); /* inside: its members are its own */
    add("\x03id\0\x05", 5);
    add("\0", 1);
    add("\x04id\0\x03\x23\x98\x01", 8);
    add("\x05wait", 6);
    add("\0", 1);
    end_unit();
}

static uint8_t *header_of(unsigned section) {
    return file + HEADERS + (size_t)section * SECTION_HEADER_BYTES;
}

enum packing { PLAIN, COMPRESSED, OLD_COMPRESSED };

static struct itr_image *make_file(enum packing packing) {
    static const char names[] = "\0.debug_info\0.debug_abbrev\0.zdebug_info\0.shstrtab";
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    size_t count = info_count;
    memset(file, 0, sizeof file);
    put_file_header(file, HEADERS, 4);
    memcpy(file + KINDS, kinds, sizeof kinds);
    memcpy(file + NAMES, names, sizeof names);
    if (packing == PLAIN) {
        memcpy(file + INFO, info, info_count);
    } else {
        size_t header = packing == COMPRESSED ? 24 : 12;
        uLongf room = PART_MAX;
        if (packing == COMPRESSED) {
            put(file + INFO, 4, 1);
            put(file + INFO + 8, 8, info_count);
        } else {
            memcpy(file + INFO, "ZLIB", 4);
            file[INFO + 10] = (uint8_t)(info_count >> 8);
            file[INFO + 11] = (uint8_t)info_count;
        }
        assert_int_equal(compress(file + INFO + header, &room, info, (uLong)info_count), Z_OK);
        count = header + room;
    }
    put_section(header_of(1), packing == OLD_COMPRESSED ? 27 : 1, SECTION_BYTES, packing == COMPRESSED ? 0x800 : 0, INFO, count);
    put_section(header_of(2), 13, SECTION_BYTES, 0, KINDS, sizeof kinds);
    put_section(header_of(3), 40, SECTION_STRINGS, 0, NAMES, sizeof names);
    assert_int_equal(itr_image_open_bytes(&image, file, sizeof file, NULL, &err), ITR_OK);
    return image;
}

static struct itr_dwarf_member members[] = {
    {.structure = "runtime.g", .member = "m"},    {.structure = "runtime.g", .member = "id"},
    {.structure = "runtime.g", .member = "wait"}, {.structure = "runtime.g", .member = "nothing"},
    {.structure = "runtime.m", .member = "id"},
};

static enum itr_status ask(const struct itr_image *image, struct itr_error *err) {
    for (size_t i = 0; i < 5; i++) {
        members[i].found = false;
        members[i].offset = 0;
    }
    return itr_dwarf_find_members(image, members, 5, err);
}

static void members_are_found(void **state) {
    (void)state;
    for (unsigned version = 4; version <= 5; version++) {
        for (int packing = PLAIN; packing <= OLD_COMPRESSED; packing++) {
            struct itr_error err = {0};
            make_info(version);
            struct itr_image *image = make_file((enum packing)packing);
            if (ask(image, &err) != ITR_OK) {
                fail_msg("version %u, packing %d: %s", version, packing, err.text);
            }
            assert_true(members[0].found);
            assert_int_equal(members[0].offset, 48);
            assert_true(members[1].found);
            assert_int_equal(members[1].offset, 152);
            assert_true(members[2].found);
            assert_int_equal(members[2].offset, 7);
            assert_false(members[3].found);
            assert_false(members[4].found); /* one that stands inside another is not looked for */
            itr_image_close(image);
        }
    }
}

static void without_debug_information_nothing_is_found(void **state) {
    struct itr_error err = {0};
    (void)state;
    make_info(4);
    struct itr_image *image = make_file(PLAIN);
    put(header_of(1), 4, 0);
    assert_int_equal(ask(image, &err), ITR_E_NOT_FOUND);
    itr_image_close(image);
}

static void what_does_not_inflate_is_refused(void **state) {
    struct itr_error err = {0};
    (void)state;
    make_info(4);
    struct itr_image *image = make_file(COMPRESSED);
    put(file + INFO + 8, 8, (uint64_t)1 << 20); /* larger than those bytes can be */
    assert_int_equal(ask(image, &err), ITR_E_FORMAT);
    put(file + INFO + 8, 8, UINT64_MAX);
    assert_int_equal(ask(image, &err), ITR_E_LIMIT);
    put(file + INFO + 8, 8, info_count + 1); /* too short */
    assert_int_equal(ask(image, &err), ITR_E_FORMAT);
    put(file + INFO, 4, 2); /* another way */
    assert_int_equal(ask(image, &err), ITR_E_UNSUPPORTED);
    itr_image_close(image);
}

static void damage_is_survived(void **state) {
    struct itr_random random = itr_random_seed(1);
    unsigned found = 0;
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct itr_error err = {0};
        make_info(4 + round % 2);
        if (round % 3 == 0) {
            info_count = 4 + itr_random_below(&random, info_count - 4); /* cut off */
        }
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            info[itr_random_below(&random, info_count)] = (uint8_t)itr_random_next(&random);
        }
        struct itr_image *image = make_file(PLAIN);
        file[KINDS + itr_random_below(&random, sizeof kinds)] ^= (uint8_t)(itr_random_next(&random) & (round % 5 == 0 ? 0xff : 0));
        enum itr_status status = ask(image, &err);
        assert_true(status == ITR_OK || (status == ITR_E_FORMAT && err.text[0] != '\0'));
        found += members[0].found;
        itr_image_close(image);
    }
    assert_true(found > 100 && found < 3000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(without_debug_information_nothing_is_found),
        cmocka_unit_test(what_does_not_inflate_is_refused),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests_name("dwarf", tests, NULL, NULL);
}
