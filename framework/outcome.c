/* Spellings of outcomes and of exception codes. It decides no outcome. */
#include "framework/outcome.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const outcome_names[] = {
#define ITR_OUTCOME_NAME(id, name) name,
    ITR_OUTCOME_MAP(ITR_OUTCOME_NAME)
#undef ITR_OUTCOME_NAME
};

const char *itr_outcome_name(uint32_t outcome) {
    return outcome < ITR_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

int itr_outcome_of(const char *name) {
    for (int i = 0; i < ITR_OUTCOME_COUNT; i++) {
        if (strcmp(outcome_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *itr_exception_name(uint32_t code) {
    static const struct {
        uint32_t code;
        const char *name;
    } names[] = {
        {0x40010005, "DBG_CONTROL_C"},
        {0x40010006, "DBG_PRINTEXCEPTION_C"},
        {0x40010008, "DBG_CONTROL_BREAK"},
        {0x4001000A, "DBG_PRINTEXCEPTION_WIDE_C"},
        {0x406D1388, "MS_VC_THREADNAME"},
        {0x80000001, "GUARD_PAGE"},
        {0x80000002, "DATATYPE_MISALIGNMENT"},
        {0x80000003, "BREAKPOINT"},
        {0x80000004, "SINGLE_STEP"},
        {0xC0000005, "ACCESS_VIOLATION"},
        {0xC0000006, "IN_PAGE_ERROR"},
        {0xC0000008, "INVALID_HANDLE"},
        {0xC0000017, "NO_MEMORY"},
        {0xC000001D, "ILLEGAL_INSTRUCTION"},
        {0xC0000025, "NONCONTINUABLE_EXCEPTION"},
        {0xC0000026, "INVALID_DISPOSITION"},
        {0xC000008C, "ARRAY_BOUNDS_EXCEEDED"},
        {0xC000008E, "FLOAT_DIVIDE_BY_ZERO"},
        {0xC0000094, "INTEGER_DIVIDE_BY_ZERO"},
        {0xC0000095, "INTEGER_OVERFLOW"},
        {0xC0000096, "PRIVILEGED_INSTRUCTION"},
        {0xC00000FD, "STACK_OVERFLOW"},
        {0xC0000135, "DLL_NOT_FOUND"},
        {0xC0000139, "ENTRYPOINT_NOT_FOUND"},
        {0xC000013A, "CONTROL_C_EXIT"},
        {0xC0000142, "DLL_INIT_FAILED"},
        {0xC0000194, "POSSIBLE_DEADLOCK"},
        {0xC0000374, "HEAP_CORRUPTION"},
        {0xC0000409, "STACK_BUFFER_OVERRUN"},
        {0xC0000420, "ASSERTION_FAILURE"},
        {0xC0000602, "FAIL_FAST_EXCEPTION"},
        {0xE06D7363, "CPP_EXCEPTION"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return NULL;
}

void itr_exception_short_name(uint32_t code, char *out, size_t room) {
    const char *name = itr_exception_name(code);
    if (code == 0xC0000005) {
        name = "AV";
    } else if (code == 0x80000003) {
        name = "INT3";
    }
    if (name != NULL) {
        snprintf(out, room, "%s", name);
    } else {
        snprintf(out, room, "0x%08" PRIX32, code);
    }
}

const char *itr_address_class(uint64_t address) {
    return address < 0x10000 ? "null-page" : address >= UINT64_C(0xffff800000000000) ? "non-canonical-or-kernel"
                                                                                     : "elsewhere";
}
