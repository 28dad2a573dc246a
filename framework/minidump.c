/* Puts a minidump together: the head with its streams, then as much of the memory as has room, most worthy first. What is in
 * a stream is minidump_streams.c's, what is worth what core_plan.c's. */
#include "framework/minidump.h"

#include "framework/core_plan.h"
#include "framework/minidump_parts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define PAGE_BYTES UINT64_C(4096)
/* Places in the file have 32 bits. */
#define REACH_BYTES UINT64_C(0xffffffff)

enum {
    CHUNK_BYTES = 65536,
    STACK_SHOWN_MAX = 1 << 20, /* of a thread's, from its stack pointer on: a goroutine's is a part of the heap */
};

struct writer {
    const struct itrp_snapshot *snapshot;
    struct itrp_core_result *result;
    struct itr_minidump_head head;
    struct itr_core_plan plan;
    uint64_t end; /* of the file */
    uv_file file;
    int code; /* libuv's, of a write that failed */
};

/* ---- what goes in ---- */

/* A thread's stack counts from its stack pointer on; what lies below is of calls that are over. */
static uint64_t begin_of(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    uint64_t begin = mapping->end;
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        uint64_t sp = snapshot->target.threads[i].registers[ITR_REGISTER_RSP] & ~(PAGE_BYTES - 1);
        if (snapshot->target.threads[i].has_registers && sp >= mapping->begin && sp < begin) {
            begin = sp;
        }
    }
    return begin < mapping->end ? begin : mapping->begin;
}

/* Gives each part as much as is left when it is its turn. */
static void share_room(struct writer *writer, uint64_t room) {
    for (size_t i = 0; i < writer->plan.count; i++) {
        struct itr_core_part *part = writer->plan.order[i];
        bool is_stack = part->worth == ITR_CORE_STACK && strcmp(part->mapping->path, "[stack]") == 0;
        part->begin = is_stack ? begin_of(writer->snapshot, part->mapping) : part->mapping->begin;
        uint64_t wanted = part->mapping->end - part->begin;
        if (part->worth == ITR_CORE_NOTHING && !itr_core_is_reserve(part)) {
            continue;
        }
        wanted = part->worth == ITR_CORE_FIRST_PAGE && wanted > PAGE_BYTES ? PAGE_BYTES : wanted;
        part->bytes = part->worth == ITR_CORE_NOTHING ? 0 : wanted < room ? wanted : room & ~(PAGE_BYTES - 1);
        room -= part->bytes;
        if (part->bytes < wanted) {
            writer->result->left_out_bytes += wanted - part->bytes;
            writer->result->left_out_ranges++;
        }
    }
}

/* Every part one behind the other, by address. */
static void place(struct writer *writer, uint64_t first) {
    writer->end = first;
    for (size_t i = 0; i < writer->plan.count; i++) {
        writer->plan.parts[i].offset = writer->end;
        writer->end += writer->plan.parts[i].bytes;
    }
}

/* ---- the file ---- */

static void put(struct writer *writer, const void *bytes, size_t count, uint64_t offset) {
    size_t done = 0;
    while (done < count && writer->code == 0) {
        uv_fs_t request;
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes + done, (unsigned)(count - done));
        int wrote = uv_fs_write(NULL, &request, writer->file, &buffer, 1, (int64_t)(offset + done), NULL);
        uv_fs_req_cleanup(&request);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else {
            writer->code = wrote < 0 ? wrote : UV_EIO;
        }
    }
}

/* A part ends where its memory cannot be read. */
static void put_part(struct writer *writer, struct itr_core_part *part, uint8_t *chunk) {
    uint64_t done = 0;
    while (done < part->bytes && writer->code == 0) {
        uint64_t left = part->bytes - done;
        size_t wanted = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        size_t got = writer->snapshot->target.read(writer->snapshot->target.context, part->begin + done, chunk, wanted);
        put(writer, chunk, got, part->offset + done);
        done += got;
        if (got < wanted) {
            break;
        }
    }
    part->bytes = done;
    writer->result->memory_bytes += done;
}

static void put_memory(struct writer *writer) {
    uint8_t *chunk = malloc(CHUNK_BYTES);
    size_t count = 0;
    if (chunk == NULL) {
        writer->code = UV_ENOMEM;
        return;
    }
    for (size_t i = 0; i < writer->plan.count && writer->code == 0; i++) {
        struct itr_core_part *part = &writer->plan.parts[i];
        put_part(writer, part, chunk);
        if (part->bytes > 0) {
            itr_minidump_set_range(&writer->head, count++, part->begin, part->bytes, part->offset);
        }
    }
    itr_minidump_set_range_count(&writer->head, count);
    free(chunk);
}

/* The part that the address is in; NULL: it is not in the file. */
static const struct itr_core_part *part_at(const struct itr_core_plan *plan, uint64_t address) {
    size_t low = 0;
    size_t high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->parts[middle].mapping->end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct itr_core_part *part = low < plan->count ? &plan->parts[low] : NULL;
    return part != NULL && address >= part->begin && address - part->begin < part->bytes ? part : NULL;
}

static void set_stacks(struct writer *writer) {
    for (size_t i = 0; i < writer->snapshot->target.thread_count; i++) {
        const struct itr_target_thread *thread = &writer->snapshot->target.threads[i];
        uint64_t sp = thread->registers[ITR_REGISTER_RSP] & ~UINT64_C(7);
        const struct itr_core_part *part = thread->has_registers ? part_at(&writer->plan, sp) : NULL;
        if (part != NULL) {
            uint64_t from = sp - part->begin;
            uint64_t bytes = part->bytes - from;
            bytes = bytes < STACK_SHOWN_MAX ? bytes : STACK_SHOWN_MAX;
            itr_minidump_set_stack(&writer->head, i, sp, bytes, part->offset + from);
        }
    }
}

static void put_file(struct writer *writer) {
    uv_fs_t request;
    put_memory(writer);
    set_stacks(writer);
    put(writer, writer->head.bytes, writer->head.count, 0);
    if (writer->code == 0) { /* also where the last part could not be read to its end */
        writer->code = uv_fs_ftruncate(NULL, &request, writer->file, (int64_t)writer->end, NULL);
        uv_fs_req_cleanup(&request);
    }
    writer->result->bytes = writer->end;
}

/* ---- the whole ---- */

static enum itr_status make_head(struct writer *writer, const struct itr_minidump_request *request, struct itr_error *err) {
    struct itr_minidump_head *head = &writer->head;
    size_t candidates = 0;
    for (size_t i = 0; i < writer->plan.count; i++) {
        candidates += writer->plan.parts[i].worth != ITR_CORE_NOTHING ? 1 : 0;
    }
    itr_minidump_put_header(head);
    itr_minidump_put_system(head, &request->system);
    itr_minidump_put_process(head, writer->snapshot);
    itr_minidump_put_threads(head, writer->snapshot);
    itr_minidump_put_exception(head, writer->snapshot);
    itr_minidump_put_names(head, writer->snapshot);
    itr_minidump_put_modules(head, writer->snapshot);
    if (request->regions != NULL) {
        itr_minidump_put_regions(head, writer->snapshot, request->regions);
    }
    itr_minidump_put_memory(head, candidates);
    itr_minidump_align(head, 16);
    if (head->no_memory) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a minidump");
    }
    return head->count <= request->limit_bytes
               ? ITR_OK
               : itr_fail(err, ITR_E_LIMIT, 0, "%" PRIu64 " bytes have no room for the registers", request->limit_bytes);
}

static enum itr_status write_file(struct writer *writer, const char *path, struct itr_error *err) {
    uv_fs_t request;
    writer->file = uv_fs_open(NULL, &request, path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC, 0600, NULL);
    uv_fs_req_cleanup(&request);
    writer->code = writer->file < 0 ? writer->file : 0;
    if (writer->file >= 0) {
        put_file(writer);
        uv_fs_close(NULL, &request, writer->file, NULL);
        uv_fs_req_cleanup(&request);
    }
    return writer->code == 0 ? ITR_OK
                             : itr_fail(err, writer->code == UV_ENOMEM ? ITR_E_NO_MEMORY : ITR_E_SYSTEM, writer->code,
                                        "cannot write %s: %s", path, uv_strerror(writer->code));
}

enum itr_status itr_minidump_write(const struct itrp_snapshot *snapshot, const struct itr_minidump_request *request,
                                   struct itrp_core_result *result, struct itr_error *err) {
    struct writer writer = {.snapshot = snapshot, .result = result};
    *result = (struct itrp_core_result){0};
    if (!itr_core_plan_make(&writer.plan, snapshot, ITRP_SNAPSHOT_MAPPINGS_MAX)) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a minidump");
    }
    enum itr_status status = make_head(&writer, request, err);
    if (status == ITR_OK) {
        uint64_t limit = request->limit_bytes < REACH_BYTES ? request->limit_bytes : REACH_BYTES;
        share_room(&writer, limit - writer.head.count);
        place(&writer, writer.head.count);
        status = write_file(&writer, request->path, err);
    }
    if (status != ITR_OK) { /* nor is an earlier one left */
        uv_fs_t remove;
        uv_fs_unlink(NULL, &remove, request->path, NULL);
        uv_fs_req_cleanup(&remove);
    }
    itr_core_plan_release(&writer.plan);
    free(writer.head.bytes);
    return status;
}
