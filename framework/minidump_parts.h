/* What the parts of the minidump writer share: the head of the file while it grows, and one function for each stream. For
 * minidump*.c only. */
#ifndef INITRACE_FRAMEWORK_MINIDUMP_PARTS_H
#define INITRACE_FRAMEWORK_MINIDUMP_PARTS_H

#include "framework/core_plan.h"
#include "framework/minidump.h"

#include <stdbool.h>

enum { ITR_MINIDUMP_STREAMS_MAX = 8 };

/* The head: header, directory, streams; offsets are from the beginning of the file. */
struct itr_minidump_head {
    uint8_t *bytes;
    size_t count;
    size_t room;
    bool no_memory; /* nothing more goes in */
    uint32_t stream_count;
    size_t stacks;  /* offset of the first thread's place, */
    size_t memory;  /* and of the first range's: where they lie in the file is known when the head is whole */
};

void itr_minidump_put(struct itr_minidump_head *head, unsigned width, uint64_t value);
/* Over what is there. */
void itr_minidump_set(struct itr_minidump_head *head, size_t offset, unsigned width, uint64_t value);
void itr_minidump_put_bytes(struct itr_minidump_head *head, const void *bytes, size_t count); /* NULL: zeroes */
void itr_minidump_align(struct itr_minidump_head *head, size_t to);

/* ---- minidump_streams.c: each puts its own behind what is there, in the directory too ---- */

/* Header and room for the directory: the first of all. */
void itr_minidump_put_header(struct itr_minidump_head *head);
void itr_minidump_put_system(struct itr_minidump_head *head, const struct itr_minidump_system *system);
void itr_minidump_put_process(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot);
void itr_minidump_put_threads(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot);
void itr_minidump_put_names(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot);
void itr_minidump_put_modules(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot);
void itr_minidump_put_regions(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot,
                              const struct itr_minidump_region *regions);
/* Of the thread that the host was stopped for, where it has raised one. After the threads. */
void itr_minidump_put_exception(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot);
/* Room for `count` ranges. The last of all. */
void itr_minidump_put_memory(struct itr_minidump_head *head, size_t count);

/* Says where a thread's stack lies in the file. */
void itr_minidump_set_stack(struct itr_minidump_head *head, size_t thread, uint64_t begin, uint64_t bytes, uint64_t offset);
/* The same of a range of the memory list; `count` ranges of those that there was room for are there. */
void itr_minidump_set_range(struct itr_minidump_head *head, size_t range, uint64_t begin, uint64_t bytes, uint64_t offset);
void itr_minidump_set_range_count(struct itr_minidump_head *head, size_t count);

#endif
