/* Unit tests of instruction.c and instruction_text.c: encodings with their lengths and effects, as binutils
 * 2.40 reads them, and sentences on a small library. */
#include "framework/instruction.h"
#include "framework/random.h"
#include "framework/tests/tiny_image.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
    RVA = 0x100000,
    S = 1,  /* stores */
    A = 2,  /* atomic */
    M = 4,  /* has memory */
    N = 8,  /* names its address only */
    R = 16, /* relative to RIP */
};

static const struct {
    const char *bytes; /* without what follows */
    uint8_t length;
    enum itr_instruction_kind kind;
    unsigned flags;
    const char *text;
} samples[] = {
    {"\x90", 1, ITR_INSTRUCTION_OTHER, 0, "nop"},
    {"\xc3", 1, ITR_INSTRUCTION_RETURN, 0, "ret"},
    {"\xf3\xc3", 2, ITR_INSTRUCTION_RETURN, 0, "repz ret"},
    {"\xc2\x08\x00", 3, ITR_INSTRUCTION_RETURN, 0, "ret $8"},
    {"\xe8\x10\x00\x00\x00", 5, ITR_INSTRUCTION_CALL, 0, "call"},
    {"\xff\xd0", 2, ITR_INSTRUCTION_CALL, 0, "call *%rax"},
    {"\x41\xff\xd3", 3, ITR_INSTRUCTION_CALL, 0, "call *%r11"},
    {"\xff\x15\x10\x00\x00\x00", 6, ITR_INSTRUCTION_CALL, M | R, "call *(%rip)"},
    {"\xff\x52\x18", 3, ITR_INSTRUCTION_CALL, M, "call *0x18(%rdx)"},
    {"\xeb\xfe", 2, ITR_INSTRUCTION_JUMP, 0, "jmp ."},
    {"\xe9\x00\x01\x00\x00", 5, ITR_INSTRUCTION_JUMP, 0, "jmp"},
    {"\xff\xe0", 2, ITR_INSTRUCTION_JUMP, 0, "jmp *%rax"},
    {"\x74\x10", 2, ITR_INSTRUCTION_BRANCH, 0, "je"},
    {"\x0f\x86\x10\x00\x00\x00", 6, ITR_INSTRUCTION_BRANCH, 0, "jbe"},
    {"\x0f\x05", 2, ITR_INSTRUCTION_SYSCALL, 0, "syscall"},
    {"\xcc", 1, ITR_INSTRUCTION_TRAP, 0, "int3"},
    {"\xcd\x03", 2, ITR_INSTRUCTION_TRAP, 0, "int 3"},
    {"\x0f\x0b", 2, ITR_INSTRUCTION_TRAP, 0, "ud2"},
    {"\xc6\x05\x44\x33\x22\x01\x01", 7, ITR_INSTRUCTION_OTHER, S | M | R, "movb $1,(%rip)"},
    {"\xc7\x05\x44\x33\x22\x01\x01\x00\x00\x00", 10, ITR_INSTRUCTION_OTHER, S | M | R,
     "movl $1,(%rip)"},
    {"\x66\xc7\x05\x44\x33\x22\x01\x01\x00", 9, ITR_INSTRUCTION_OTHER, S | M | R, "movw $1,(%rip)"},
    {"\x48\xc7\x44\x24\x08\x00\x00\x00\x00", 9, ITR_INSTRUCTION_OTHER, S | M, "movq $0,8(%rsp)"},
    {"\x48\x89\x81\xc0\x00\x00\x00", 7, ITR_INSTRUCTION_OTHER, S | M, "mov %rax,0xc0(%rcx)"},
    {"\x48\x8b\x81\xc0\x00\x00\x00", 7, ITR_INSTRUCTION_OTHER, M, "mov 0xc0(%rcx),%rax"},
    {"\x48\x89\xc8", 3, ITR_INSTRUCTION_OTHER, 0, "mov %rcx,%rax"},
    {"\x4a\x89\x44\xc1\x08", 5, ITR_INSTRUCTION_OTHER, S | M, "mov %rax,8(%rcx,%r8,8)"},
    {"\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 10, ITR_INSTRUCTION_OTHER, 0, "movabs"},
    {"\xb8\x01\x00\x00\x00", 5, ITR_INSTRUCTION_OTHER, 0, "mov $1,%eax"},
    {"\x66\xb8\x01\x00", 4, ITR_INSTRUCTION_OTHER, 0, "mov $1,%ax"},
    {"\x48\xa3\x01\x02\x03\x04\x05\x06\x07\x08", 10, ITR_INSTRUCTION_OTHER, S | M, "movabs %rax,…"},
    {"\x48\x8d\x05\x10\x00\x00\x00", 7, ITR_INSTRUCTION_OTHER, M | N | R, "lea (%rip),%rax"},
    {"\x0f\x1f\x44\x00\x00", 5, ITR_INSTRUCTION_OTHER, M | N, "nopl"},
    {"\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", 10, ITR_INSTRUCTION_OTHER, M | N, "cs nopw"},
    {"\xf0\x0f\xb1\x0d\x10\x00\x00\x00", 8, ITR_INSTRUCTION_OTHER, S | A | M | R, "lock cmpxchg"},
    {"\xf0\xff\x03", 3, ITR_INSTRUCTION_OTHER, S | A | M, "lock incl (%rbx)"},
    {"\x87\x05\x10\x00\x00\x00", 6, ITR_INSTRUCTION_OTHER, S | A | M | R, "xchg %eax,(%rip)"},
    {"\x48\x87\xd8", 3, ITR_INSTRUCTION_OTHER, 0, "xchg %rbx,%rax"},
    {"\x83\x3d\x10\x00\x00\x00\x00", 7, ITR_INSTRUCTION_OTHER, M | R, "cmpl $0,(%rip)"},
    {"\x83\x05\x10\x00\x00\x00\x01", 7, ITR_INSTRUCTION_OTHER, S | M | R, "addl $1,(%rip)"},
    {"\x48\x39\x08", 3, ITR_INSTRUCTION_OTHER, M, "cmp %rcx,(%rax)"},
    {"\x48\x3b\x66\x10", 4, ITR_INSTRUCTION_OTHER, M, "cmp 0x10(%rsi),%rsp"},
    {"\x80\x3b\x00", 3, ITR_INSTRUCTION_OTHER, M, "cmpb $0,(%rbx)"},
    {"\xf6\x00\x01", 3, ITR_INSTRUCTION_OTHER, M, "testb $1,(%rax)"},
    {"\xf7\x18", 2, ITR_INSTRUCTION_OTHER, S | M, "negl (%rax)"},
    {"\xf7\x00\x01\x00\x00\x00", 6, ITR_INSTRUCTION_OTHER, M, "testl $1,(%rax)"},
    {"\x69\x04\x24\x01\x00\x00\x00", 7, ITR_INSTRUCTION_OTHER, M, "imul $1,(%rsp),%eax"},
    {"\xc8\x10\x00\x00", 4, ITR_INSTRUCTION_OTHER, 0, "enter"},
    {"\xff\x33", 2, ITR_INSTRUCTION_OTHER, M, "push (%rbx)"},
    {"\x8f\x03", 2, ITR_INSTRUCTION_OTHER, S | M, "pop (%rbx)"},
    {"\x0f\x94\x00", 3, ITR_INSTRUCTION_OTHER, S | M, "sete (%rax)"},
    {"\x0f\x11\x44\x24\x10", 5, ITR_INSTRUCTION_OTHER, S | M, "movups %xmm0,0x10(%rsp)"},
    {"\x0f\x10\x44\x24\x10", 5, ITR_INSTRUCTION_OTHER, M, "movups 0x10(%rsp),%xmm0"},
    {"\x44\x0f\x11\x7c\x24\x10", 6, ITR_INSTRUCTION_OTHER, S | M, "movups %xmm15,…"},
    {"\xf3\x0f\x7e\x00", 4, ITR_INSTRUCTION_OTHER, M, "movq (%rax),%xmm0"},
    {"\x66\x48\x0f\x7e\x00", 5, ITR_INSTRUCTION_OTHER, S | M, "movq %xmm0,(%rax)"},
    {"\x66\x0f\x3a\x0f\xc1\x08", 6, ITR_INSTRUCTION_OTHER, 0, "palignr"},
    {"\x66\x0f\x38\x00\xc1", 5, ITR_INSTRUCTION_OTHER, 0, "pshufb"},
    {"\xf2\x0f\x38\xf1\x00", 5, ITR_INSTRUCTION_OTHER, M, "crc32l (%rax),%eax"},
    {"\x0f\x38\xf1\x00", 4, ITR_INSTRUCTION_OTHER, S | M, "movbe %eax,(%rax)"},
    {"\xc5\xfe\x7f\x07", 4, ITR_INSTRUCTION_OTHER, S | M, "vmovdqu %ymm0,(%rdi)"},
    {"\xc5\xfe\x6f\x06", 4, ITR_INSTRUCTION_OTHER, M, "vmovdqu (%rsi),%ymm0"},
    {"\xc5\xf8\x77", 3, ITR_INSTRUCTION_OTHER, 0, "vzeroupper"},
    {"\xc4\xe3\x7d\x39\xc1\x01", 6, ITR_INSTRUCTION_OTHER, 0, "vextracti128 $1,%ymm0,%xmm1"},
    {"\xc4\xe3\x7d\x39\x07\x01", 6, ITR_INSTRUCTION_OTHER, S | M, "vextracti128 $1,%ymm0,(%rdi)"},
    {"\xc4\xe1\xf8\x91\x80\x00\x08\x00\x00", 9, ITR_INSTRUCTION_OTHER, S | M,
     "kmovq %k0,0x800(%rax)"},
    {"\x62\xf1\xfe\x48\x7f\x07", 6, ITR_INSTRUCTION_OTHER, S | M, "vmovdqu64 %zmm0,(%rdi)"},
    {"\x62\xf1\xfe\x48\x6f\x46\x01", 7, ITR_INSTRUCTION_OTHER, M, "vmovdqu64 0x40(%rsi),%zmm0"},
    {"\xf3\x48\xab", 3, ITR_INSTRUCTION_OTHER, S | M, "rep stos"},
    {"\xf3\xa4", 2, ITR_INSTRUCTION_OTHER, S | M, "rep movsb"},
    {"\x64\x48\x89\x04\x25\xf8\xff\xff\xff", 9, ITR_INSTRUCTION_OTHER, S | M, "mov %rax,%fs:-8"},
    {"\x64\x48\x8b\x0c\x25\xf8\xff\xff\xff", 9, ITR_INSTRUCTION_OTHER, M, "mov %fs:-8,%rcx"},
    {"\x67\x8b\x00", 3, ITR_INSTRUCTION_OTHER, M, "mov (%eax),%eax"},
    {"\x0f\xae\x38", 3, ITR_INSTRUCTION_OTHER, M, "clflush (%rax)"},
    {"\x0f\xae\xf0", 3, ITR_INSTRUCTION_OTHER, 0, "mfence"},
    {"\x0f\xae\x1c\x24", 4, ITR_INSTRUCTION_OTHER, S | M, "stmxcsr (%rsp)"},
    {"\x0f\xa2", 2, ITR_INSTRUCTION_OTHER, 0, "cpuid"},
    {"\x0f\x31", 2, ITR_INSTRUCTION_OTHER, 0, "rdtsc"},
    {"\x0f\xba\x28\x01", 4, ITR_INSTRUCTION_OTHER, S | M, "btsl $1,(%rax)"},
    {"\x0f\xba\x20\x01", 4, ITR_INSTRUCTION_OTHER, M, "btl $1,(%rax)"},
    {"\xdd\x1c\x24", 3, ITR_INSTRUCTION_OTHER, S | M, "fstpl (%rsp)"},
    {"\xdd\x04\x24", 3, ITR_INSTRUCTION_OTHER, M, "fldl (%rsp)"},
};

static void encodings_have_their_lengths_and_effects(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t bytes[24] = {0};
        struct itr_instruction one;
        unsigned flags;
        memcpy(bytes, samples[i].bytes, samples[i].length);
        if (!itr_instruction_decode(bytes, sizeof bytes, RVA, &one)) {
            fail_msg("%s: not read", samples[i].text);
        }
        flags = (one.stores ? S : 0u) | (one.atomic ? A : 0u) | (one.memory ? M : 0u) |
                (one.address_only ? N : 0u) | (one.rip_relative ? R : 0u);
        if (one.length != samples[i].length || one.kind != samples[i].kind ||
            flags != samples[i].flags) {
            fail_msg("%s: length %u kind %d flags %u", samples[i].text, one.length, (int)one.kind,
                     flags);
        }
        /* One byte less is none. */
        for (size_t count = 0; count < samples[i].length; count++) {
            assert_false(count < samples[i].length &&
                         itr_instruction_decode(bytes, count, RVA, &one) && one.length > count);
        }
        assert_true(itr_instruction_decode(bytes, samples[i].length, RVA, &one));
        if (samples[i].bytes[0] != '\x67') {
            assert_false(itr_instruction_decode(bytes, (size_t)samples[i].length - 1, RVA, &one));
        }
    }
}

static void what_is_not_valid_in_64_bits_is_refused(void **state) {
    static const char *const none[] = {"\x06",
                                       "\x37",
                                       "\x60",
                                       "\x82",
                                       "\x9a",
                                       "\xce",
                                       "\xd4",
                                       "\xea",
                                       "\x0f\x04",
                                       "\x0f\x24",
                                       "\x48\xc5\xf8\x77"};
    struct itr_instruction one = {.length = 99};
    uint8_t prefixes[20];
    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        uint8_t bytes[16] = {0};
        memcpy(bytes, none[i], strlen(none[i]));
        assert_false(itr_instruction_decode(bytes, sizeof bytes, RVA, &one));
    }
    memset(prefixes, 0x66, sizeof prefixes);
    prefixes[15] = 0x90;
    assert_false(itr_instruction_decode(prefixes, sizeof prefixes, RVA, &one));
    prefixes[14] = 0x90;
    assert_int_equal(one.length, 99);
    assert_true(itr_instruction_decode(prefixes, sizeof prefixes, RVA, &one));
    assert_int_equal(one.length, 15);
    assert_false(itr_instruction_decode(prefixes, 0, RVA, &one));
}

static void operands_and_targets_are_read(void **state) {
    struct itr_instruction one;
    (void)state;
    assert_true(itr_instruction_decode((const uint8_t *)"\xe8\xfb\xff\xff\xff", 5, RVA, &one));
    assert_true(one.direct);
    assert_int_equal(one.target, RVA);
    assert_true(itr_instruction_decode((const uint8_t *)"\x74\x80", 2, RVA, &one));
    assert_int_equal(one.target, RVA + 2 - 128);
    assert_true(
        itr_instruction_decode((const uint8_t *)"\xc6\x05\xf9\xff\xff\xff\x01", 7, RVA, &one));
    assert_int_equal(one.address, RVA); /* from the end, behind the immediate */
    assert_true(itr_instruction_decode((const uint8_t *)"\x4b\x89\x44\xe5\xf8", 5, RVA, &one));
    assert_int_equal(one.base, 13);
    assert_int_equal(one.index, 12);
    assert_int_equal(one.scale, 8);
    assert_true(one.displacement == -8);
    assert_true(itr_instruction_decode((const uint8_t *)"\x41\xff\xd3", 3, RVA, &one));
    assert_int_equal(one.base, 11);
    assert_false(one.direct);
    assert_true(itr_instruction_decode((const uint8_t *)"\x64\x48\x89\x04\x25\xf8\xff\xff\xff", 9,
                                       RVA, &one));
    assert_int_equal(one.segment, 'f');
    assert_int_equal(one.base, ITR_REGISTER_NONE);
    assert_int_equal(one.index, ITR_REGISTER_NONE);
    /* MOV from a control register has no memory, whatever its ModRM says. */
    assert_true(itr_instruction_decode((const uint8_t *)"\x0f\x20\x00", 3, RVA, &one));
    assert_false(one.memory);
}

static void random_bytes_never_read_beyond_their_end(void **state) {
    struct itr_random random = itr_random_seed(3);
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        size_t count = (size_t)itr_random_below(&random, 17);
        uint8_t *bytes = malloc(count + 1); /* exact, for AddressSanitizer */
        uint8_t *exact = count > 0 ? realloc(bytes, count) : bytes;
        struct itr_instruction one;
        assert_non_null(exact);
        for (size_t k = 0; k < count; k++) {
            exact[k] = (uint8_t)itr_random_next(&random);
        }
        if (itr_instruction_decode(exact, count, RVA, &one)) {
            assert_true(one.length >= 1 && one.length <= count && one.length <= 15);
            assert_true(!one.stores || one.memory);
            assert_true(!one.atomic || one.memory);
        }
        free(exact);
    }
}

static void sentences_name_what_is_done(void **state) {
    static const struct tiny_symbol symbols[] = {
        {"runtime.mstartm0", 0x1000, 0x80},
        {"runtime.newextram", 0x1100, 0x20},
        {"runtime.signalsOK", 0x1410, 1},
        {"runtime.\x1b[31m", 0x1420, 8},
    };
    static const struct {
        const char *bytes;
        size_t count;
        const char *sentence;
    } cases[] = {
        {"\xe8\xfb\x00\x00\x00", 5, "calls runtime.newextram"},
        {"\xe9\x04\x01\x00\x00", 5, "jumps to runtime.newextram+0x9"},
        {"\x74\x7f", 2, "may jump to 0x1081"},
        {"\xc6\x05\x09\x04\x00\x00\x01", 7, "stores to runtime.signalsOK"},
        {"\x80\x3d\x09\x04\x00\x00\x01", 7, "reads runtime.signalsOK"},
        {"\x87\x05\x1a\x04\x00\x00", 6, "atomically stores to runtime.\\x1b[31m"},
        {"\x48\x89\x81\xc0\x00\x00\x00", 7, "stores to 0xc0(CX)"},
        {"\x4b\x89\x44\xe5\xf8", 5, "stores to -0x8(R13)(R12*8)"},
        {"\x64\x48\x89\x04\x25\x08\x00\x00\x00", 9, "stores to FS:0x8"},
        {"\xff\xd2", 2, "calls what DX points at"},
        {"\xff\x52\x18", 3, "calls what 0x18(DX) holds"},
        {"\x48\x8d\x05\x09\x04\x00\x00", 7, "names the address of runtime.signalsOK"},
        {"\x0f\x05", 2, "enters the system (syscall)"},
        {"\xc3", 1, "returns"},
        {"\xcc", 1, "traps"},
        {"\x90", 1, "works on registers and the stack only"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[80];
        struct itr_image *image =
            tiny_image((const uint8_t *)cases[i].bytes, cases[i].count, symbols, 4);
        assert_true(itr_instruction_describe(image, 0x1000, out, sizeof out));
        assert_string_equal(out, cases[i].sentence);
        assert_true(itr_instruction_describe(image, 0x1000, out, 6));
        assert_int_equal(strlen(out), 5);
        assert_true(itr_instruction_describe(image, 0x1000, out, 1));
        assert_string_equal(out, "");
        itr_image_close(image);
    }
}

static void data_and_what_is_outside_are_no_instructions(void **state) {
    char out[16] = "x";
    struct itr_instruction one;
    struct itr_image *image = tiny_image((const uint8_t *)"\x90", 1, NULL, 0);
    (void)state;
    assert_false(itr_instruction_at(image, TINY_DATA, &one));
    assert_false(itr_instruction_at(image, 0x99999, &one));
    assert_false(itr_instruction_describe(image, TINY_DATA, out, sizeof out));
    assert_string_equal(out, "");
    tiny_file[TINY_DATA - 1] = 0xe8; /* cut off by the end of the text */
    assert_false(itr_instruction_at(image, TINY_DATA - 1, &one));
    tiny_file[TINY_DATA - 1] = 0xc3;
    assert_true(itr_instruction_at(image, TINY_DATA - 1, &one));
    itr_image_close(image);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_have_their_lengths_and_effects),
        cmocka_unit_test(what_is_not_valid_in_64_bits_is_refused),
        cmocka_unit_test(operands_and_targets_are_read),
        cmocka_unit_test(random_bytes_never_read_beyond_their_end),
        cmocka_unit_test(sentences_name_what_is_done),
        cmocka_unit_test(data_and_what_is_outside_are_no_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
