/* Minidumps, read back by a reader of the test's own, from the numbers of Microsoft's description: what went in comes out,
 * where there is no room the least worthy stays away, and what cannot be read ends where that begins. */
#include "framework/minidump.h"
#include "framework/tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    STREAM_THREADS = 3,
    STREAM_MODULES = 4,
    STREAM_MEMORY = 5,
    STREAM_EXCEPTION = 6,
    STREAM_SYSTEM = 7,
    STREAM_MISC = 15,
    STREAM_REGIONS = 16,
    STREAM_NAMES = 24,
    ROOM = 1 << 20,
    FULL = 1 << 20,
};

#define BASE     UINT64_C(0x10000)
#define CODE     UINT64_C(0x11000)
#define DATA     UINT64_C(0x13000)
#define PROGRAM  UINT64_C(0x20000)
#define STACK    UINT64_C(0x700000)
#define STACK_SP UINT64_C(0x702345)
#define HEAP     UINT64_C(0x900000)
#define HALF     UINT64_C(0xa00000) /* only its first page can be read */
#define RESERVE  UINT64_C(0x100000000)
#define NAME     "C:\\\xc3\xa4\xf0\x9f\x98\x80\xff\\x.dll"

static char scratch[SCRATCH_PATH_MAX];
static char path[SCRATCH_PATH_MAX + 32];
static uint8_t file[ROOM];
static size_t file_bytes;

/* ---- the host ---- */

static const struct itrp_snapshot_mapping mappings[] = {
    {.begin = BASE, .end = CODE, .readable = true, .is_file = true, .path = NAME},
    {.begin = CODE, .end = DATA, .offset = 0x1000, .readable = true, .executable = true, .is_file = true, .path = NAME},
    {.begin = DATA, .end = DATA + 0x1000, .offset = 0x3000, .readable = true, .writable = true, .is_file = true, .path = NAME},
    {.begin = PROGRAM, .end = PROGRAM + 0x1000, .readable = true, .is_file = true, .path = "p.exe"},
    {.begin = STACK - 0x1000, .end = STACK, .path = "[stack]"},
    {.begin = STACK, .end = STACK + 0x4000, .readable = true, .writable = true, .path = "[stack]"},
    {.begin = HEAP, .end = HEAP + 0x20000, .readable = true, .writable = true, .path = "[heap]"},
    {.begin = HALF, .end = HALF + 0x2000, .readable = true, .writable = true, .path = ""},
    {.begin = RESERVE, .end = RESERVE + (UINT64_C(2) << 30), .readable = true, .writable = true, .path = ""},
};

enum { MAPPINGS = sizeof mappings / sizeof mappings[0] };

static struct itr_target_thread targets[2];
static struct itrp_snapshot_thread threads[2];
static const struct itr_target_module modules[] = {{.path = NAME, .base = BASE, .bytes = 0x4000},
                                                   {.path = "p.exe", .base = PROGRAM, .bytes = 0x1000}};
static struct itrp_snapshot snapshot;
static struct itr_minidump_region regions[MAPPINGS];

static uint8_t byte_at(uint64_t address) {
    static const uint8_t head[] = {[0x3c] = 0x80, [0x88] = 0x11, 0x22, 0x33, 0x44, [0x80 + 22] = 0x22, 0x20,
                                   [0x80 + 88] = 0x55, 0x66, 0x77, 0x88};
    static const uint8_t program[] = {[0x3c] = 0x40, [0x40 + 22] = 0x22, 0, [0x40 + 88] = 0, 0, 0, 0};
    if (address >= BASE && address - BASE < sizeof head) {
        return head[address - BASE];
    }
    if (address >= PROGRAM && address - PROGRAM < sizeof program) {
        return program[address - PROGRAM];
    }
    return (uint8_t)((address * 0x9e3779b97f4a7c15u) >> 56);
}

static size_t read_memory(void *context, uint64_t address, void *into, size_t bytes) {
    size_t got = 0;
    (void)context;
    for (uint8_t *to = into; got < bytes; got++) {
        bool there = false;
        for (size_t i = 0; i < MAPPINGS; i++) {
            uint64_t end = mappings[i].begin == HALF ? HALF + 0x1000 : mappings[i].end;
            there = there || (address + got >= mappings[i].begin && address + got < end && mappings[i].readable);
        }
        if (!there) {
            break;
        }
        to[got] = byte_at(address + got);
    }
    return got;
}

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(path, sizeof path, "%s/host.dmp", scratch);
    memset(targets, 0, sizeof targets);
    memset(threads, 0, sizeof threads);
    targets[0] = (struct itr_target_thread){.id = 32, .has_registers = true, .at_fault = true};
    for (unsigned i = 0; i < ITR_REGISTER_COUNT; i++) {
        targets[0].registers[i] = UINT64_C(0x1111111100000000) + i;
    }
    targets[0].registers[ITR_REGISTER_RSP] = STACK_SP;
    targets[0].registers[ITR_REGISTER_GS_BASE] = 0x7ffe0000;
    for (unsigned i = 0; i < 6; i++) {
        threads[0].segments[i] = 0x30 + i;
    }
    for (unsigned i = 0; i < ITRP_SNAPSHOT_FLOATING_BYTES; i++) {
        threads[0].floating[i] = (uint8_t)(i * 7);
    }
    threads[0].has_floating = true;
    strcpy(threads[0].name, "worker");
    threads[0].has_exception = true;
    threads[0].exception = (struct itrp_snapshot_exception){
        .first_chance = true, .code = 0xC0000005, .access = 1, .pc = CODE + 4, .address = 0x30};
    targets[1] = (struct itr_target_thread){.id = 36};
    snapshot = (struct itrp_snapshot){.target = {.system = ITR_TARGET_WINDOWS,
                                                 .id = 4711,
                                                 .read = read_memory,
                                                 .modules = modules,
                                                 .module_count = 2,
                                                 .threads = targets,
                                                 .thread_count = 2},
                                      .threads = threads,
                                      .mappings = mappings,
                                      .mapping_count = MAPPINGS};
    for (size_t i = 0; i < MAPPINGS; i++) {
        regions[i] = (struct itr_minidump_region){.allocation = mappings[i].begin - mappings[i].offset,
                                                  .allocation_protect = 0x80,
                                                  .state = 0x1000,
                                                  .protect = 4,
                                                  .type = 0x20000};
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

/* ---- the reader ---- */

static uint64_t number(size_t offset, unsigned width) {
    uint64_t value = 0;
    assert_true(offset <= file_bytes && width <= file_bytes - offset);
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)file[offset + i] << (8 * i);
    }
    return value;
}

/* Offset of a stream, 0 where there is none. */
static size_t stream(unsigned type, size_t *bytes) {
    size_t directory = number(12, 4);
    for (uint64_t i = 0; i < number(8, 4); i++) {
        if (number(directory + i * 12, 4) == type) {
            *bytes = number(directory + i * 12 + 4, 4);
            size_t at = number(directory + i * 12 + 8, 4);
            assert_true(at + *bytes <= file_bytes);
            return at;
        }
    }
    return 0;
}

static size_t needed_stream(unsigned type) {
    size_t bytes = 0;
    size_t at = stream(type, &bytes);
    assert_true(at != 0);
    return at;
}

static void assert_text(size_t at, const uint16_t *expected, size_t count) {
    assert_int_equal(number(at, 4), count * 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(number(at + 4 + 2 * i, 2), expected[i]);
    }
    assert_int_equal(number(at + 4 + 2 * count, 2), 0);
}

/* Offset of an address's byte, 0 where it is not in the file. Checks the whole list on the way. */
static size_t memory(uint64_t address) {
    size_t bytes = 0;
    size_t at = stream(STREAM_MEMORY, &bytes);
    size_t found = 0;
    uint64_t end = 0;
    assert_true(at != 0);
    assert_int_equal(bytes, 4 + 16 * number(at, 4));
    for (uint64_t i = 0; i < number(at, 4); i++) {
        uint64_t begin = number(at + 4 + i * 16, 8);
        uint64_t count = number(at + 4 + i * 16 + 8, 4);
        size_t offset = number(at + 4 + i * 16 + 12, 4);
        assert_true(count > 0 && begin >= end && offset + count <= file_bytes);
        end = begin + count;
        for (uint64_t k = 0; k < count; k++) {
            assert_int_equal(file[offset + k], byte_at(begin + k));
        }
        if (address >= begin && address < end) {
            found = offset + (size_t)(address - begin);
        }
    }
    return found;
}

static enum itr_status write_dump(uint64_t limit, struct itrp_core_result *result, struct itr_error *err) {
    const struct itr_minidump_request request = {
        .path = path,
        .limit_bytes = limit,
        .system = {.major = 10,
                   .minor = 1,
                   .build = 19043,
                   .processor_level = 6,
                   .processor_revision = 0x5504,
                   .processors = 2,
                   .features = {0x1234, 0}},
        .regions = regions,
    };
    enum itr_status status = itr_minidump_write(&snapshot, &request, result, err);
    FILE *dump = fopen(path, "rb");
    assert_int_equal(dump != NULL, status == ITR_OK);
    if (dump != NULL) {
        file_bytes = fread(file, 1, sizeof file, dump);
        fclose(dump);
        assert_true(file_bytes < sizeof file);
        assert_int_equal(result->bytes, file_bytes);
        assert_memory_equal(file, "MDMP\x93\xa7", 6);
    }
    return status;
}

static void write_well(uint64_t limit, struct itrp_core_result *result) {
    struct itr_error err = {0};
    if (write_dump(limit, result, &err) != ITR_OK) {
        fail_msg("%s", err.text);
    }
}

/* ---- tests ---- */

static void threads_come_back(void **state) {
    struct itrp_core_result result;
    (void)state;
    write_well(FULL, &result);
    size_t at = needed_stream(STREAM_THREADS);
    assert_int_equal(number(at, 4), 2);
    assert_int_equal(number(at + 4, 4), 32);
    assert_int_equal(number(at + 4 + 16, 8), 0x7ffe0000);
    assert_int_equal(number(at + 4 + 24, 8), STACK_SP & ~UINT64_C(7));
    assert_int_equal(number(at + 4 + 32, 4), STACK + 0x4000 - (STACK_SP & ~UINT64_C(7)));
    assert_int_equal(number(at + 4 + 36, 4), memory(STACK_SP & ~UINT64_C(7)));
    assert_int_equal(number(at + 4 + 40, 4), 1232);
    size_t context = number(at + 4 + 44, 4);
    assert_int_equal(context % 16, 0);
    assert_int_equal(number(context + 0x30, 4), 0x10000f);
    assert_memory_equal(file + context + 0x34, threads[0].floating + 24, 4);
    static const unsigned segments[] = {0x30, 0x32, 0x33, 0x34, 0x35, 0x31}; /* cs ds es fs gs ss */
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(number(context + 0x38 + 2 * i, 2), segments[i]);
    }
    assert_int_equal(number(context + 0x44, 4), ITR_REGISTER_RFLAGS);
    for (unsigned i = 0; i <= ITR_REGISTER_RIP; i++) {
        assert_int_equal(number(context + 0x78 + 8u * i, 8), targets[0].registers[i]);
    }
    assert_memory_equal(file + context + 0x100, threads[0].floating, 512);
    /* One that did not stop: no registers, no stack. */
    assert_int_equal(number(at + 52, 4), 36);
    assert_int_equal(number(at + 52 + 32, 8), 0);
    assert_int_equal(number(at + 52 + 40, 8), 0);
    at = needed_stream(STREAM_NAMES);
    assert_int_equal(number(at, 4), 1);
    assert_int_equal(number(at + 4, 4), 32);
    assert_text(number(at + 8, 8), (const uint16_t[]){'w', 'o', 'r', 'k', 'e', 'r'}, 6);
}

static void the_exception_comes_back(void **state) {
    struct itrp_core_result result;
    size_t bytes = 0;
    (void)state;
    write_well(FULL, &result);
    size_t at = needed_stream(STREAM_EXCEPTION);
    assert_int_equal(number(at, 8), 32);
    assert_int_equal(number(at + 8, 4), 0xC0000005);
    assert_int_equal(number(at + 24, 8), CODE + 4);
    assert_int_equal(number(at + 32, 4), 2);
    assert_int_equal(number(at + 40, 8), 1);
    assert_int_equal(number(at + 48, 8), 0x30);
    assert_int_equal(number(at + 160, 8), number(needed_stream(STREAM_THREADS) + 44, 8));
    threads[0].has_exception = false;
    write_well(FULL, &result);
    assert_int_equal(stream(STREAM_EXCEPTION, &bytes), 0);
}

static void modules_and_machine_come_back(void **state) {
    static const uint16_t name[] = {'C', ':', '\\', 0xe4, 0xd83d, 0xde00, 0xfffd, '\\', 'x', '.', 'd', 'l', 'l'};
    struct itrp_core_result result;
    (void)state;
    write_well(FULL, &result);
    size_t at = needed_stream(STREAM_MODULES);
    assert_int_equal(number(at, 4), 2);
    assert_int_equal(number(at + 4, 8), PROGRAM); /* first, wherever it lies */
    at += 108;
    assert_int_equal(number(at + 4, 8), BASE);
    assert_int_equal(number(at + 12, 4), 0x4000);
    assert_int_equal(number(at + 16, 4), 0x88776655);
    assert_int_equal(number(at + 20, 4), 0x44332211);
    assert_text(number(at + 24, 4), name, sizeof name / sizeof name[0]);
    at = needed_stream(STREAM_SYSTEM);
    assert_int_equal(number(at, 2), 9);
    assert_int_equal(number(at + 6, 1), 2);
    assert_int_equal(number(at + 8, 4), 10);
    assert_int_equal(number(at + 16, 4), 19043);
    assert_int_equal(number(at + 20, 4), 2);
    assert_text(number(at + 24, 4), NULL, 0);
    assert_int_equal(number(at + 32, 8), 0x1234);
    at = needed_stream(STREAM_MISC);
    assert_int_equal(number(at, 4), 24);
    assert_int_equal(number(at + 8, 4), 4711);
}

static void the_map_comes_back(void **state) {
    struct itrp_core_result result;
    (void)state;
    write_well(FULL, &result);
    size_t at = needed_stream(STREAM_REGIONS);
    assert_int_equal(number(at, 8), 16 + (UINT64_C(48) << 32));
    assert_int_equal(number(at + 8, 8), MAPPINGS);
    for (size_t i = 0; i < MAPPINGS; i++) {
        size_t one = at + 16 + 48 * i;
        assert_int_equal(number(one, 8), mappings[i].begin);
        assert_int_equal(number(one + 8, 8), mappings[i].begin - mappings[i].offset);
        assert_int_equal(number(one + 16, 4), 0x80);
        assert_int_equal(number(one + 24, 8), mappings[i].end - mappings[i].begin);
        assert_int_equal(number(one + 32, 4), 0x1000);
        assert_int_equal(number(one + 36, 4), 4);
        assert_int_equal(number(one + 40, 4), 0x20000);
    }
}

static void memory_comes_back(void **state) {
    struct itrp_core_result result;
    (void)state;
    write_well(FULL, &result);
    assert_true(memory(STACK + 0x3fff) != 0 && memory(STACK_SP) != 0);
    assert_int_equal(memory(STACK + 0x1fff), 0); /* below the stack pointer's page */
    assert_true(memory(HEAP) != 0 && memory(HEAP + 0x1ffff) != 0);
    assert_true(memory(DATA) != 0);
    assert_true(memory(BASE) != 0);
    assert_int_equal(memory(CODE), 0); /* in its file */
    assert_true(memory(HALF + 0xfff) != 0);
    assert_int_equal(memory(HALF + 0x1000), 0); /* could not be read */
    assert_int_equal(result.memory_bytes, 0x2000 + 0x20000 + 0x1000 + 0x1000 + 2 * 0x1000);
    assert_int_equal(result.left_out_bytes, UINT64_C(2) << 30); /* the reserve */
    assert_int_equal(result.left_out_ranges, 1);
}

static void the_least_worthy_stays_away(void **state) {
    struct itrp_core_result whole;
    struct itrp_core_result part;
    (void)state;
    write_well(FULL, &whole);
    for (uint64_t limit = whole.bytes - 1; limit > whole.bytes - 0x27000; limit -= 0x800) {
        write_well(limit, &part);
        assert_true(part.bytes <= limit);
        assert_true(part.left_out_bytes > whole.left_out_bytes && part.left_out_ranges > 1);
        assert_true(memory(STACK_SP) != 0 || part.memory_bytes < 0x2000);
    }
    write_well(whole.bytes - 0x22000, &part); /* two pages of the heap, and nothing of what comes after it */
    assert_true(memory(DATA) != 0 && memory(HEAP) != 0);
    assert_true(memory(HEAP + 0x2000) == 0 && memory(HALF) == 0 && memory(BASE) == 0);
}

static void without_room_there_is_no_file(void **state) {
    struct itrp_core_result result;
    struct itr_error err = {0};
    (void)state;
    write_well(FULL, &result); /* an earlier one goes */
    assert_int_equal(write_dump(100, &result, &err), ITR_E_LIMIT);
    assert_true(err.text[0] != '\0');
    snprintf(path, sizeof path, "%s/not-there/host.dmp", scratch);
    assert_int_equal(write_dump(FULL, &result, &err), ITR_E_SYSTEM);
}

/* A dying process may have next to nothing. */
static void nothing_is_a_minidump_too(void **state) {
    struct itrp_core_result result;
    size_t bytes = 0;
    (void)state;
    snapshot.mapping_count = 0;
    snapshot.target.module_count = 0;
    snapshot.target.thread_count = 0;
    write_well(FULL, &result);
    assert_int_equal(number(needed_stream(STREAM_THREADS), 4), 0);
    assert_int_equal(number(needed_stream(STREAM_MODULES), 4), 0);
    assert_int_equal(number(needed_stream(STREAM_MEMORY), 4), 0);
    assert_int_equal(stream(STREAM_EXCEPTION, &bytes), 0);
    assert_int_equal(result.memory_bytes, 0);
}

int main(void) {
#define MINIDUMP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        MINIDUMP_TEST(threads_come_back),
        MINIDUMP_TEST(the_exception_comes_back),
        MINIDUMP_TEST(modules_and_machine_come_back),
        MINIDUMP_TEST(the_map_comes_back),
        MINIDUMP_TEST(memory_comes_back),
        MINIDUMP_TEST(the_least_worthy_stays_away),
        MINIDUMP_TEST(without_room_there_is_no_file),
        MINIDUMP_TEST(nothing_is_a_minidump_too),
    };
    return cmocka_run_group_tests_name("minidump", tests, NULL, NULL);
}
