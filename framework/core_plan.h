/* What of a standing host's memory a core file is to have, and in which order, where not all of it has room. It reads no
 * memory and writes nothing. */
#ifndef INITRACE_FRAMEWORK_CORE_PLAN_H
#define INITRACE_FRAMEWORK_CORE_PLAN_H

#include "platform/snapshot.h"

#include <stdbool.h>

/* The most worthy first. */
enum itr_core_worth {
    ITR_CORE_STACK,
    ITR_CORE_DATA,       /* of modules, heaps */
    ITR_CORE_MEMORY,     /* any other that has no file */
    ITR_CORE_FIRST_PAGE, /* of a file that can be had: its head tells which one it was */
    ITR_CORE_NOTHING,
};

struct itr_core_part {
    const struct itrp_snapshot_mapping *mapping;
    enum itr_core_worth worth;
    /* the writer's own: */
    uint64_t offset; /* in the file */
    uint64_t begin;  /* first address that goes in */
    uint64_t bytes;  /* so many from there on */
};

/* `{0}` is empty. */
struct itr_core_plan {
    struct itr_core_part *parts;  /* one a mapping, by address */
    struct itr_core_part **order; /* of the same, what is worth most first; of the same worth the smallest first */
    size_t count;
};

/* Of the first `most` mappings. False: out of memory. */
bool itr_core_plan_make(struct itr_core_plan *plan, const struct itrp_snapshot *snapshot, size_t most);
void itr_core_plan_release(struct itr_core_plan *plan);
/* True for memory that is worth nothing but for its size: the reader of the file misses it. */
bool itr_core_is_reserve(const struct itr_core_part *part);

#endif
