/* What an address of a standing host points into: a module's code or data, a stack, the guard below one, a heap, nothing.
 * Pure: from the mappings and registers of a snapshot. */
#ifndef INITRACE_FRAMEWORK_POINTEE_H
#define INITRACE_FRAMEWORK_POINTEE_H

#include "platform/snapshot.h"

/* clang-format off */
#define ITR_POINTEE_MAP(X)                                                                         \
    X(UNMAPPED, "unmapped")         /* nothing is there */                                         \
    X(NULL_PAGE, "null-page")       /* the first 64 KiB */                                         \
    X(NON_CANONICAL, "non-canonical") /* no address of a program's at all */                       \
    X(TEXT, "text")                 /* code of a module */                                         \
    X(READ_ONLY, "read-only-data")  /* of a module */                                              \
    X(DATA, "data")                 /* writable, of a module */                                    \
    X(STACK, "stack")               /* of a thread */                                              \
    X(STACK_GUARD, "stack-guard")   /* just below one */                                           \
    X(HEAP, "heap")                 /* of the C library: where brk() moves */                      \
    X(GO_HEAP, "go-heap")           /* where Go's allocator begins on 64-bit systems */            \
    X(CODE, "code")                 /* executable, of no module */                                 \
    X(ANONYMOUS, "anonymous")       /* readable memory without a name */                           \
    X(NO_ACCESS, "no-access")       /* mapped, but not to be touched */
/* clang-format on */

enum itr_pointee {
#define ITR_POINTEE_ENUM(id, name) ITR_POINTEE_##id,
    ITR_POINTEE_MAP(ITR_POINTEE_ENUM)
#undef ITR_POINTEE_ENUM
};

/* "null-page"; static. */
const char *itr_pointee_name(enum itr_pointee pointee);

enum itr_pointee itr_pointee_of(const struct itrp_snapshot *snapshot, uint64_t address);

/* The thread whose stack, or guard below it, the address is in: an index into target.threads; thread_count if none. */
size_t itr_pointee_thread(const struct itrp_snapshot *snapshot, uint64_t address);

/* The mapping that holds `address`, NULL if there is none. */
const struct itrp_snapshot_mapping *itr_mapping_at(const struct itrp_snapshot *snapshot, uint64_t address);

#endif
