/* Says what mappings are worth to whoever opens a core file, and puts them in that order. */
#include "framework/core_plan.h"

#include <stdlib.h>
#include <string.h>

/* A mapping that is larger is somebody's reserve, and is left out whatever the limit: an address sanitizer's shadow, say. */
#define MAPPING_MAX_BYTES (UINT64_C(1) << 30)

static bool holds_stack(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        const struct itr_target_thread *thread = &snapshot->target.threads[i];
        uint64_t sp = thread->registers[ITR_REGISTER_RSP];
        if (thread->has_registers && sp >= mapping->begin && sp < mapping->end) {
            return true;
        }
    }
    return false;
}

/* What a loader wrote and then protected, where debuggers find the list of ELF libraries: it lies before the same file's
 * writable part. */
static bool is_relocated(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    const struct itrp_snapshot_mapping *next = mapping + 1;
    return next < snapshot->mappings + snapshot->mapping_count && mapping->offset != 0 && !mapping->executable &&
           !mapping->shared && next->begin == mapping->end && next->writable && strcmp(next->path, mapping->path) == 0;
}

static enum itr_core_worth worth_of(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    size_t length = strlen(mapping->path);
    bool deleted = length > 10 && strcmp(mapping->path + length - 10, " (deleted)") == 0;
    if (!mapping->readable || strcmp(mapping->path, "[vvar]") == 0 || strcmp(mapping->path, "[vsyscall]") == 0) {
        return ITR_CORE_NOTHING;
    }
    if (mapping->is_file && !mapping->writable && !deleted && !is_relocated(snapshot, mapping)) {
        return mapping->offset == 0 ? ITR_CORE_FIRST_PAGE : ITR_CORE_NOTHING;
    }
    if (mapping->end - mapping->begin > MAPPING_MAX_BYTES) {
        return ITR_CORE_NOTHING;
    }
    if (mapping->is_file && mapping->shared && !deleted) {
        return ITR_CORE_NOTHING; /* somebody else's memory too, and in its file */
    }
    if (holds_stack(snapshot, mapping)) {
        return ITR_CORE_STACK;
    }
    return mapping->is_file || mapping->path[0] == '[' || itr_target_module_at(&snapshot->target, mapping->begin) != NULL
               ? ITR_CORE_DATA
               : ITR_CORE_MEMORY;
}

bool itr_core_is_reserve(const struct itr_core_part *part) {
    const struct itrp_snapshot_mapping *mapping = part->mapping;
    return mapping->readable && !mapping->is_file && mapping->end - mapping->begin > MAPPING_MAX_BYTES;
}

static int by_worth(const void *a, const void *b) {
    const struct itr_core_part *x = *(const struct itr_core_part *const *)a;
    const struct itr_core_part *y = *(const struct itr_core_part *const *)b;
    uint64_t x_bytes = x->mapping->end - x->mapping->begin;
    uint64_t y_bytes = y->mapping->end - y->mapping->begin;
    if (x->worth != y->worth) {
        return x->worth < y->worth ? -1 : 1;
    }
    if (x_bytes != y_bytes) {
        return x_bytes < y_bytes ? -1 : 1;
    }
    return x->mapping->begin < y->mapping->begin ? -1 : x->mapping->begin > y->mapping->begin ? 1 : 0;
}

bool itr_core_plan_make(struct itr_core_plan *plan, const struct itrp_snapshot *snapshot, size_t most) {
    size_t count = snapshot->mapping_count < most ? snapshot->mapping_count : most;
    *plan = (struct itr_core_plan){.parts = calloc(count + 1, sizeof *plan->parts),
                                   .order = calloc(count + 1, sizeof(struct itr_core_part *))};
    if (plan->parts == NULL || plan->order == NULL) {
        itr_core_plan_release(plan);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        plan->parts[i] = (struct itr_core_part){.mapping = &snapshot->mappings[i],
                                                .worth = worth_of(snapshot, &snapshot->mappings[i]),
                                                .begin = snapshot->mappings[i].begin};
        plan->order[i] = &plan->parts[i];
    }
    plan->count = count;
    qsort(plan->order, count, sizeof(struct itr_core_part *), by_worth);
    return true;
}

void itr_core_plan_release(struct itr_core_plan *plan) {
    free(plan->parts);
    free(plan->order);
    *plan = (struct itr_core_plan){0};
}
