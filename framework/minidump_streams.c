/* The streams of a minidump, byte by byte as Microsoft's minidumpapiset.h lays them out. It reads no memory but the
 * modules' heads, and writes no file. */
#include "framework/minidump_parts.h"

#include "framework/text.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SIGNATURE      0x504d444du /* "MDMP" */
#define VERSION        0xa793u
#define AMD64          9u
#define SYSTEM_NT      2u
#define WORKSTATION    1u
#define HAS_PROCESS_ID 1u
/* CONTEXT_AMD64 with control, integer and segment registers; and with those of floating point. */
#define CONTEXT_GENERAL  0x100007u
#define CONTEXT_FLOATING 0x8u
/* Memory that is written to, modules' data, the memory map. */
#define FLAGS (0x200u | 0x1u | 0x800u)

enum stream { THREADS = 3, MODULES = 4, MEMORY = 5, EXCEPTION = 6, SYSTEM = 7, MISC = 15, REGIONS = 16, NAMES = 24 };

enum {
    HEADER_BYTES = 32,
    DIRECTORY_BYTES = 12,
    THREAD_BYTES = 48,
    THREAD_STACK = 24, /* in it */
    THREAD_CONTEXT = 40,
    CONTEXT_BYTES = 1232,
    FLOATING_MXCSR = 24, /* in what FXSAVE writes */
    MODULE_BYTES = 108,
    MODULE_NAME = 20,
    RANGE_BYTES = 16,
    PARAMETERS = 15,
    NAME_CHARS_MAX = 4096,
    PE_HEAD_AT = 0x3c,
    PE_TIME_STAMP = 8, /* from its signature */
    PE_KIND = 20,      /* in the upper half: what it is */
    PE_CHECK_SUM = 88,
    PE_HEAD_MAX = 0x10000,
};

#define PE_IS_LIBRARY (UINT32_C(0x2000) << 16)

#define ACCESS_VIOLATION UINT32_C(0xC0000005)
#define IN_PAGE_ERROR    UINT32_C(0xC0000006)
#define HEAD_MAX_BYTES   (UINT64_C(256) << 20)

/* ---- the head ---- */

static bool make_room(struct itr_minidump_head *head, size_t more) {
    if (head->no_memory || more > HEAD_MAX_BYTES - head->count) {
        head->no_memory = true;
        return false;
    }
    if (head->count + more > head->room) {
        size_t room = head->room == 0 ? 16384 : head->room;
        while (room < head->count + more) {
            room *= 2;
        }
        uint8_t *bytes = realloc(head->bytes, room);
        if (bytes == NULL) {
            head->no_memory = true;
            return false;
        }
        head->bytes = bytes;
        head->room = room;
    }
    return true;
}

static void store(uint8_t *to, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

void itr_minidump_put(struct itr_minidump_head *head, unsigned width, uint64_t value) {
    if (make_room(head, width)) {
        store(head->bytes + head->count, width, value);
        head->count += width;
    }
}

void itr_minidump_set(struct itr_minidump_head *head, size_t offset, unsigned width, uint64_t value) {
    if (!head->no_memory && offset <= head->count && width <= head->count - offset) {
        store(head->bytes + offset, width, value);
    }
}

void itr_minidump_put_bytes(struct itr_minidump_head *head, const void *bytes, size_t count) {
    if (make_room(head, count)) {
        if (bytes != NULL) {
            memcpy(head->bytes + head->count, bytes, count);
        } else {
            memset(head->bytes + head->count, 0, count);
        }
        head->count += count;
    }
}

void itr_minidump_align(struct itr_minidump_head *head, size_t to) {
    itr_minidump_put_bytes(head, NULL, (to - head->count % to) % to);
}

/* A stream of `bytes` bytes follows, and what it refers to behind that. */
static void begin_stream(struct itr_minidump_head *head, enum stream stream, size_t bytes) {
    size_t entry = HEADER_BYTES + (size_t)head->stream_count * DIRECTORY_BYTES;
    if (head->stream_count == ITR_MINIDUMP_STREAMS_MAX) {
        ITR_BUG("a minidump with more streams than its directory has room for");
    }
    itr_minidump_align(head, 8);
    itr_minidump_set(head, entry, 4, stream);
    itr_minidump_set(head, entry + 4, 4, bytes);
    itr_minidump_set(head, entry + 8, 4, head->count);
    itr_minidump_set(head, 8, 4, ++head->stream_count);
}

/* A string as minidumps have it, UTF-16; returns its offset. */
static size_t put_string(struct itr_minidump_head *head, const char *text) {
    itr_minidump_align(head, 8);
    size_t offset = head->count;
    size_t left = strlen(text);
    uint64_t units = 0;
    itr_minidump_put(head, 4, 0);
    while (left > 0 && units < NAME_CHARS_MAX) {
        uint32_t code = 0xfffd;
        size_t length = itr_utf8_length(text, left, &code);
        length = length == 0 ? 1 : length;
        if (code > 0xffff) {
            itr_minidump_put(head, 2, 0xd800 + ((code - 0x10000) >> 10));
            itr_minidump_put(head, 2, 0xdc00 + ((code - 0x10000) & 0x3ff));
        } else {
            itr_minidump_put(head, 2, code);
        }
        units += code > 0xffff ? 2 : 1;
        text += length;
        left -= length;
    }
    itr_minidump_put(head, 2, 0);
    itr_minidump_set(head, offset, 4, 2 * units);
    return offset;
}

/* ---- what it is a dump of ---- */

void itr_minidump_put_header(struct itr_minidump_head *head) {
    uv_timeval64_t now = {0};
    (void)uv_gettimeofday(&now);
    itr_minidump_put(head, 4, SIGNATURE);
    itr_minidump_put(head, 4, VERSION);
    itr_minidump_put(head, 4, 0); /* streams */
    itr_minidump_put(head, 4, HEADER_BYTES);
    itr_minidump_put(head, 4, 0); /* check sum: none */
    itr_minidump_put(head, 4, (uint32_t)now.tv_sec);
    itr_minidump_put(head, 8, FLAGS);
    itr_minidump_put_bytes(head, NULL, ITR_MINIDUMP_STREAMS_MAX * DIRECTORY_BYTES);
}

void itr_minidump_put_system(struct itr_minidump_head *head, const struct itr_minidump_system *system) {
    begin_stream(head, SYSTEM, 56);
    itr_minidump_put(head, 2, AMD64);
    itr_minidump_put(head, 2, system->processor_level);
    itr_minidump_put(head, 2, system->processor_revision);
    itr_minidump_put(head, 1, system->processors);
    itr_minidump_put(head, 1, WORKSTATION);
    itr_minidump_put(head, 4, system->major);
    itr_minidump_put(head, 4, system->minor);
    itr_minidump_put(head, 4, system->build);
    itr_minidump_put(head, 4, SYSTEM_NT);
    size_t service_pack = head->count;
    itr_minidump_put(head, 4, 0);
    itr_minidump_put(head, 4, 0);
    itr_minidump_put(head, 8, system->features[0]);
    itr_minidump_put(head, 8, system->features[1]);
    itr_minidump_put(head, 8, 0); /* of the processors of other kinds */
    itr_minidump_set(head, service_pack, 4, put_string(head, ""));
}

void itr_minidump_put_process(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot) {
    begin_stream(head, MISC, 24);
    itr_minidump_put(head, 4, 24);
    itr_minidump_put(head, 4, HAS_PROCESS_ID);
    itr_minidump_put(head, 4, snapshot->target.id);
    itr_minidump_put_bytes(head, NULL, 12); /* times */
}

/* ---- threads ---- */

static void put_context(struct itr_minidump_head *head, const struct itr_target_thread *target,
                        const struct itrp_snapshot_thread *thread) {
    static const unsigned order[] = {0, 2, 3, 4, 5, 1}; /* cs, ds, es, fs, gs, ss in the snapshot's */
    const uint8_t *mxcsr = thread->floating + FLOATING_MXCSR;
    itr_minidump_put_bytes(head, NULL, 48); /* home of parameters */
    itr_minidump_put(head, 4, CONTEXT_GENERAL | (thread->has_floating ? CONTEXT_FLOATING : 0));
    itr_minidump_put_bytes(head, thread->has_floating ? mxcsr : NULL, 4);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        itr_minidump_put(head, 2, thread->segments[order[i]]);
    }
    itr_minidump_put(head, 4, target->registers[ITR_REGISTER_RFLAGS]);
    itr_minidump_put_bytes(head, NULL, 48); /* debug registers */
    for (unsigned i = ITR_REGISTER_RAX; i <= ITR_REGISTER_RIP; i++) {
        itr_minidump_put(head, 8, target->registers[i]);
    }
    itr_minidump_put_bytes(head, thread->has_floating ? thread->floating : NULL, sizeof thread->floating);
    itr_minidump_put_bytes(head, NULL, 26 * 16 + 6 * 8); /* wide vectors, last branches */
}

void itr_minidump_put_threads(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot) {
    size_t count = snapshot->target.thread_count;
    begin_stream(head, THREADS, 4 + count * THREAD_BYTES);
    itr_minidump_put(head, 4, count);
    head->stacks = head->count;
    for (size_t i = 0; i < count; i++) {
        itr_minidump_put(head, 4, snapshot->target.threads[i].id);
        itr_minidump_put_bytes(head, NULL, 12); /* counts of suspensions, priorities */
        itr_minidump_put(head, 8, snapshot->target.threads[i].registers[ITR_REGISTER_GS_BASE]);
        itr_minidump_put_bytes(head, NULL, THREAD_BYTES - THREAD_STACK); /* stack, context */
    }
    for (size_t i = 0; i < count; i++) {
        size_t entry = head->stacks + i * THREAD_BYTES + THREAD_CONTEXT;
        if (snapshot->target.threads[i].has_registers) {
            itr_minidump_align(head, 16);
            itr_minidump_set(head, entry, 4, CONTEXT_BYTES);
            itr_minidump_set(head, entry + 4, 4, head->count);
            put_context(head, &snapshot->target.threads[i], &snapshot->threads[i]);
        }
    }
}

void itr_minidump_set_stack(struct itr_minidump_head *head, size_t thread, uint64_t begin, uint64_t bytes, uint64_t offset) {
    size_t entry = head->stacks + thread * THREAD_BYTES + THREAD_STACK;
    itr_minidump_set(head, entry, 8, begin);
    itr_minidump_set(head, entry + 8, 4, bytes);
    itr_minidump_set(head, entry + 12, 4, offset);
}

static size_t count_names(const struct itrp_snapshot *snapshot) {
    size_t count = 0;
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        count += snapshot->threads[i].name[0] != '\0' ? 1 : 0;
    }
    return count;
}

void itr_minidump_put_names(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot) {
    size_t count = count_names(snapshot);
    if (count == 0) {
        return;
    }
    begin_stream(head, NAMES, 4 + count * 12);
    itr_minidump_put(head, 4, count);
    size_t entry = head->count;
    itr_minidump_put_bytes(head, NULL, count * 12);
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        if (snapshot->threads[i].name[0] != '\0') {
            itr_minidump_set(head, entry, 4, snapshot->target.threads[i].id);
            itr_minidump_set(head, entry + 4, 8, put_string(head, snapshot->threads[i].name));
            entry += 12;
        }
    }
}

void itr_minidump_put_exception(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot) {
    size_t at = 0;
    while (at < snapshot->target.thread_count &&
           !(snapshot->target.threads[at].at_fault && snapshot->threads[at].has_exception)) {
        at++;
    }
    if (at == snapshot->target.thread_count) {
        return;
    }
    const struct itrp_snapshot_exception *raised = &snapshot->threads[at].exception;
    bool access = raised->code == ACCESS_VIOLATION || raised->code == IN_PAGE_ERROR;
    begin_stream(head, EXCEPTION, 168);
    itr_minidump_put(head, 4, snapshot->target.threads[at].id);
    itr_minidump_put(head, 4, 0);
    itr_minidump_put(head, 4, raised->code);
    itr_minidump_put(head, 4, raised->flags);
    itr_minidump_put(head, 8, 0); /* it came of no other */
    itr_minidump_put(head, 8, raised->pc);
    itr_minidump_put(head, 4, access ? 2 : 0);
    itr_minidump_put(head, 4, 0);
    itr_minidump_put(head, 8, access ? raised->access : 0);
    itr_minidump_put(head, 8, access ? raised->address : 0);
    itr_minidump_put_bytes(head, NULL, (PARAMETERS - 2) * 8);
    /* The thread's own registers are those that it was raised with. */
    itr_minidump_put_bytes(head, NULL, 8);
    if (!head->no_memory) {
        memcpy(head->bytes + head->count - 8, head->bytes + head->stacks + at * THREAD_BYTES + THREAD_CONTEXT, 8);
    }
}

/* ---- modules ---- */

/* A word of the module's head, 0 where that cannot be read. */
static uint32_t head_word(const struct itr_target_process *target, const struct itr_target_module *module, uint32_t offset) {
    uint32_t head = 0;
    uint32_t word = 0;
    if (itr_target_read_u32(target, module->base + PE_HEAD_AT, &head) && head > 0 && head <= PE_HEAD_MAX) {
        (void)itr_target_read_u32(target, module->base + head + offset, &word);
    }
    return word;
}

/* Index of the program, the one module that is no library; 0 where none is known to be. */
static size_t find_program(const struct itr_target_process *target) {
    for (size_t i = 0; i < target->module_count; i++) {
        uint32_t kind = head_word(target, &target->modules[i], PE_KIND);
        if (kind != 0 && (kind & PE_IS_LIBRARY) == 0) {
            return i;
        }
    }
    return 0;
}

/* Debuggers take the first one for the program. */
void itr_minidump_put_modules(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot) {
    const struct itr_target_process *target = &snapshot->target;
    size_t count = target->module_count;
    size_t program = find_program(target);
    begin_stream(head, MODULES, 4 + count * MODULE_BYTES);
    itr_minidump_put(head, 4, count);
    size_t first = head->count;
    for (size_t i = 0; i < count; i++) {
        const struct itr_target_module *module = &target->modules[i == 0 ? program : i <= program ? i - 1 : i];
        itr_minidump_put(head, 8, module->base);
        itr_minidump_put(head, 4, module->bytes);
        itr_minidump_put(head, 4, head_word(target, module, PE_CHECK_SUM));
        itr_minidump_put(head, 4, head_word(target, module, PE_TIME_STAMP));
        itr_minidump_put(head, 4, 0);                                       /* name */
        itr_minidump_put_bytes(head, NULL, MODULE_BYTES - MODULE_NAME - 4); /* versions, symbols of other kinds */
    }
    for (size_t i = 0; i < count; i++) {
        size_t name = put_string(head, target->modules[i == 0 ? program : i <= program ? i - 1 : i].path);
        itr_minidump_set(head, first + i * MODULE_BYTES + MODULE_NAME, 4, name);
    }
}

/* ---- memory ---- */

void itr_minidump_put_regions(struct itr_minidump_head *head, const struct itrp_snapshot *snapshot,
                              const struct itr_minidump_region *regions) {
    size_t count = snapshot->mapping_count;
    begin_stream(head, REGIONS, 16 + count * 48);
    itr_minidump_put(head, 4, 16);
    itr_minidump_put(head, 4, 48);
    itr_minidump_put(head, 8, count);
    for (size_t i = 0; i < count; i++) {
        itr_minidump_put(head, 8, snapshot->mappings[i].begin);
        itr_minidump_put(head, 8, regions[i].allocation);
        itr_minidump_put(head, 8, regions[i].allocation_protect);
        itr_minidump_put(head, 8, snapshot->mappings[i].end - snapshot->mappings[i].begin);
        itr_minidump_put(head, 4, regions[i].state);
        itr_minidump_put(head, 4, regions[i].protect);
        itr_minidump_put(head, 8, regions[i].type);
    }
}

void itr_minidump_put_memory(struct itr_minidump_head *head, size_t count) {
    begin_stream(head, MEMORY, 4 + count * RANGE_BYTES);
    itr_minidump_put(head, 4, count);
    head->memory = head->count;
    itr_minidump_put_bytes(head, NULL, count * RANGE_BYTES);
}

void itr_minidump_set_range(struct itr_minidump_head *head, size_t range, uint64_t begin, uint64_t bytes, uint64_t offset) {
    size_t entry = head->memory + range * RANGE_BYTES;
    itr_minidump_set(head, entry, 8, begin);
    itr_minidump_set(head, entry + 8, 4, bytes);
    itr_minidump_set(head, entry + 12, 4, offset);
}

void itr_minidump_set_range_count(struct itr_minidump_head *head, size_t count) {
    size_t entry = HEADER_BYTES + ((size_t)head->stream_count - 1) * DIRECTORY_BYTES;
    itr_minidump_set(head, head->memory - 4, 4, count);
    itr_minidump_set(head, entry + 4, 4, 4 + count * RANGE_BYTES);
}
