/* Says what an address of a standing host points into. It reads no memory. */
#include "framework/pointee.h"

#include <string.h>

#define NULL_PAGE_BYTES UINT64_C(0x10000)
#define USER_END UINT64_C(0x800000000000)
/* The kernel keeps a megabyte below the main thread's stack free; a thread's guard is smaller, and mapped. A big frame
 * steps over either: so far below is still the stack's overflow. */
#define GUARD_BYTES (UINT64_C(1) << 20)
/* Where Go maps its first arena on 64-bit systems, and how far its hints go on from there. */
#define GO_HEAP_BEGIN UINT64_C(0x00c000000000)
#define GO_HEAP_END UINT64_C(0x00e000000000)

const char *itr_pointee_name(enum itr_pointee pointee) {
    static const char *const names[] = {
#define ITR_POINTEE_NAME(id, name) name,
        ITR_POINTEE_MAP(ITR_POINTEE_NAME)
#undef ITR_POINTEE_NAME
    };
    return (unsigned)pointee < sizeof names / sizeof names[0] ? names[pointee] : "unknown";
}

/* Index of the first mapping that ends behind `address`; mapping_count if there is none. */
static size_t first_behind(const struct itrp_snapshot *snapshot, uint64_t address) {
    size_t low = 0;
    size_t high = snapshot->mapping_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->mappings[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct itrp_snapshot_mapping *itr_mapping_at(const struct itrp_snapshot *snapshot, uint64_t address) {
    size_t at = first_behind(snapshot, address);
    return at < snapshot->mapping_count && snapshot->mappings[at].begin <= address ? &snapshot->mappings[at] : NULL;
}

/* The stack that the thread runs on: the writable mapping that its stack pointer is in, or has just left downwards. */
static const struct itrp_snapshot_mapping *stack_of(const struct itrp_snapshot *snapshot, size_t thread) {
    const struct itr_target_thread *target = &snapshot->target.threads[thread];
    uint64_t sp = target->registers[ITR_REGISTER_RSP];
    if (!target->has_registers || sp == 0 || sp >= USER_END) {
        return NULL;
    }
    for (size_t at = first_behind(snapshot, sp); at < snapshot->mapping_count; at++) {
        const struct itrp_snapshot_mapping *mapping = &snapshot->mappings[at];
        if (mapping->begin > sp && mapping->begin - sp > GUARD_BYTES) {
            return NULL;
        }
        if (mapping->writable && mapping->readable) {
            return mapping;
        }
    }
    return NULL;
}

/* Below a stack, in a mapping that is not to be touched, or in none. */
static bool is_guard(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *stack, uint64_t address) {
    const struct itrp_snapshot_mapping *at = itr_mapping_at(snapshot, address);
    if (address >= stack->begin || (at != NULL && (at->readable || at->writable || at->executable))) {
        return false;
    }
    return stack->begin - address <= GUARD_BYTES || (at != NULL && at->end == stack->begin);
}

size_t itr_pointee_thread(const struct itrp_snapshot *snapshot, uint64_t address) {
    /* Windows has stacks just above the null page, which is nobody's guard. */
    for (size_t i = 0; i < snapshot->target.thread_count && address >= NULL_PAGE_BYTES; i++) {
        const struct itrp_snapshot_mapping *stack = stack_of(snapshot, i);
        if (stack != NULL && !stack->is_file &&
            ((address >= stack->begin && address < stack->end) || is_guard(snapshot, stack, address))) {
            return i;
        }
    }
    return snapshot->target.thread_count;
}

static bool is_in_module(const struct itrp_snapshot *snapshot, uint64_t address) {
    return itr_target_module_at(&snapshot->target, address) != NULL;
}

enum itr_pointee itr_pointee_of(const struct itrp_snapshot *snapshot, uint64_t address) {
    const struct itrp_snapshot_mapping *mapping = itr_mapping_at(snapshot, address);
    if (address < NULL_PAGE_BYTES) {
        return ITR_POINTEE_NULL_PAGE;
    }
    if (address >= USER_END) {
        return ITR_POINTEE_NON_CANONICAL;
    }
    size_t thread = itr_pointee_thread(snapshot, address);
    if (thread < snapshot->target.thread_count && (mapping == NULL || !mapping->readable)) {
        return ITR_POINTEE_STACK_GUARD;
    }
    if (mapping == NULL) {
        return ITR_POINTEE_UNMAPPED;
    }
    if (!mapping->readable && !mapping->writable && !mapping->executable) {
        return ITR_POINTEE_NO_ACCESS;
    }
    if (is_in_module(snapshot, address)) {
        return mapping->executable ? ITR_POINTEE_TEXT : mapping->writable ? ITR_POINTEE_DATA : ITR_POINTEE_READ_ONLY;
    }
    if (strcmp(mapping->path, "[heap]") == 0) {
        return ITR_POINTEE_HEAP;
    }
    if (!mapping->is_file && address >= GO_HEAP_BEGIN && address < GO_HEAP_END) {
        return ITR_POINTEE_GO_HEAP;
    }
    if (strncmp(mapping->path, "[stack", 6) == 0 || thread < snapshot->target.thread_count) {
        return ITR_POINTEE_STACK;
    }
    return mapping->executable ? ITR_POINTEE_CODE : mapping->is_file ? ITR_POINTEE_READ_ONLY : ITR_POINTEE_ANONYMOUS;
}
