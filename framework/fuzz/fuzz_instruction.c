/* Fuzzes the instruction decoder. Input: code; each place in it is taken for the beginning of an instruction. */
#include "framework/fuzz/fuzz.h"

#include "framework/instruction.h"

enum { PLACES_MAX = 512 };

static void check_instruction(const struct itr_instruction *one, uint64_t rva) {
    bool transfers = one->kind == ITR_INSTRUCTION_CALL || one->kind == ITR_INSTRUCTION_JUMP ||
                     one->kind == ITR_INSTRUCTION_BRANCH;
    FUZZ_CHECK(one->length >= 1 && one->length <= ITR_INSTRUCTION_BYTES_MAX);
    FUZZ_CHECK(!one->direct || transfers);
    FUZZ_CHECK(one->direct || one->target == 0);
    FUZZ_CHECK(!one->direct || one->target - rva - one->length + (UINT64_C(1) << 31) <= UINT32_MAX);
    FUZZ_CHECK(!one->stores || one->memory);
    FUZZ_CHECK(!one->rip_relative || (one->memory && one->base == ITR_REGISTER_NONE));
    FUZZ_CHECK(one->base <= 15 || one->base == ITR_REGISTER_NONE);
    FUZZ_CHECK(one->index == ITR_REGISTER_NONE || (one->index <= 15 && one->index != 4));
    FUZZ_CHECK(one->index == ITR_REGISTER_NONE ||
               one->scale == 1 || one->scale == 2 || one->scale == 4 || one->scale == 8);
    FUZZ_CHECK(one->segment == 0 || one->segment == 'f' || one->segment == 'g');
}

/* It needs its own bytes and no others, and all of them. */
static void check_place(const uint8_t *bytes, size_t count, uint64_t rva) {
    struct itr_instruction one;
    struct itr_instruction again;
    memset(&one, 0, sizeof one);
    memset(&again, 0, sizeof again);
    if (!itr_instruction_decode(bytes, count, rva, &one)) {
        return;
    }
    check_instruction(&one, rva);
    FUZZ_CHECK(one.length <= count);
    uint8_t *alone = fuzz_copy(bytes, one.length);
    FUZZ_CHECK(itr_instruction_decode(alone, one.length, rva, &again));
    FUZZ_CHECK(again.length == one.length && again.kind == one.kind && again.target == one.target &&
               again.stores == one.stores && again.address == one.address && again.displacement == one.displacement);
    FUZZ_CHECK(!itr_instruction_decode(alone, one.length - 1u, rva, &again));
    free(alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *bytes = fuzz_copy(data, size);
    for (size_t i = 0; i < size && i < PLACES_MAX; i++) {
        check_place(bytes + i, size - i, i * UINT64_C(0x0123456789abcdef));
    }
    free(bytes);
    return 0;
}
