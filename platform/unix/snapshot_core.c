/* Writes a snapshot as an ELF core file, of bounded size: registers and process as notes (snapshot_notes.c), memory by
 * what it is worth. Pages that were never written to are holes. It stops nobody and reads no symbols. */
#include "platform/unix/snapshot_unix.h"
#include "platform/unix/snapshot_notes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES UINT64_C(4096)
/* A mapping that is larger is somebody's reserve, and is left out whatever the limit: an address sanitizer's shadow, say. */
#define MAPPING_MAX_BYTES (UINT64_C(1) << 30)
/* Address space whose pages are looked at altogether. */
#define LOOKED_AT_MAX_BYTES (UINT64_C(16) << 30)

enum {
    SEGMENTS_MAX = 60000, /* a core file counts them with 16 bits */
    CHUNK_PAGES = 64,
};

/* What a mapping is worth. */
enum worth { STACK, DATA, MEMORY, FIRST_PAGE, NOTHING };

struct segment {
    const struct itrp_snapshot_mapping *mapping;
    enum worth worth;
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* so many from the beginning on are in it */
};

struct writer {
    const struct itrp_snapshot *snapshot;
    int file;
    int page_map;
    uint64_t end;    /* of the file, holes counted */
    uint64_t stored; /* memory bytes that take room */
    uint64_t limit;  /* of those */
    uint64_t looked_at;
    struct itrp_core_result *result;
    int code; /* errno of a write that failed */
};

/* ---- what is worth what ---- */

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

/* What the dynamic linker wrote and then protected (RELRO), where debuggers find the list of libraries: it lies before
 * the same file's writable part. */
static bool is_relocated(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    const struct itrp_snapshot_mapping *next = mapping + 1;
    return next < snapshot->mappings + snapshot->mapping_count && mapping->offset != 0 && !mapping->executable &&
           !mapping->shared && next->begin == mapping->end && next->writable && strcmp(next->path, mapping->path) == 0;
}

static enum worth worth_of(const struct itrp_snapshot *snapshot, const struct itrp_snapshot_mapping *mapping) {
    size_t length = strlen(mapping->path);
    bool deleted = length > 10 && strcmp(mapping->path + length - 10, " (deleted)") == 0;
    if (!mapping->readable || strcmp(mapping->path, "[vvar]") == 0 || strcmp(mapping->path, "[vsyscall]") == 0) {
        return NOTHING;
    }
    if (mapping->is_file && !mapping->writable && !deleted && !is_relocated(snapshot, mapping)) {
        return mapping->offset == 0 ? FIRST_PAGE : NOTHING;
    }
    if (mapping->end - mapping->begin > MAPPING_MAX_BYTES) {
        return NOTHING;
    }
    if (mapping->is_file && mapping->shared && !deleted) {
        return NOTHING; /* somebody else's memory too, and in its file */
    }
    if (holds_stack(snapshot, mapping)) {
        return STACK;
    }
    return mapping->is_file || mapping->path[0] == '[' ||
                   itr_target_module_at(&snapshot->target, mapping->begin) != NULL
               ? DATA
               : MEMORY;
}

static uint64_t size_of(const struct segment *segment) {
    return segment->mapping->end - segment->mapping->begin;
}

static int by_worth(const void *a, const void *b) {
    const struct segment *x = *(const struct segment *const *)a;
    const struct segment *y = *(const struct segment *const *)b;
    if (x->worth != y->worth) {
        return x->worth < y->worth ? -1 : 1;
    }
    if (size_of(x) != size_of(y)) {
        return size_of(x) < size_of(y) ? -1 : 1;
    }
    return x->mapping->begin < y->mapping->begin ? -1 : x->mapping->begin > y->mapping->begin ? 1 : 0;
}

/* ---- memory ---- */

static bool put(struct writer *writer, const void *bytes, size_t count, uint64_t offset) {
    size_t done = 0;
    while (done < count && writer->code == 0) {
        ssize_t wrote = pwrite(writer->file, (const char *)bytes + done, count - done, (off_t)(offset + done));
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote == 0 || errno != EINTR) {
            writer->code = wrote == 0 ? EIO : errno;
        }
    }
    return writer->code == 0;
}

/* For each of `count` pages whether it was ever there; all, where the kernel does not say. */
static void pages_there(const struct writer *writer, uint64_t address, size_t count, bool *there) {
    uint64_t words[CHUNK_PAGES];
    ssize_t bytes = (ssize_t)(count * sizeof words[0]);
    bool told = writer->page_map >= 0 &&
                pread(writer->page_map, words, (size_t)bytes, (off_t)(address / PAGE_BYTES * sizeof words[0])) == bytes;
    for (size_t i = 0; i < count; i++) {
        there[i] = !told || words[i] >> 62 != 0; /* present, or swapped out */
    }
}

static bool is_zero(const uint8_t *page) {
    return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* One page; false if it does not fit any more. */
static bool put_page(struct writer *writer, uint64_t address, uint64_t offset) {
    uint8_t page[PAGE_BYTES];
    size_t got = writer->snapshot->target.read(writer->snapshot->target.context, address, page, sizeof page);
    if (got < sizeof page || is_zero(page)) {
        return true; /* a hole reads as zeroes */
    }
    if (writer->stored + PAGE_BYTES > writer->limit) {
        return false;
    }
    writer->stored += PAGE_BYTES;
    return put(writer, page, sizeof page, offset);
}

static void put_segment(struct writer *writer, struct segment *segment) {
    uint64_t bytes = segment->worth == FIRST_PAGE ? PAGE_BYTES : size_of(segment);
    bool there[CHUNK_PAGES];
    bool fits = writer->looked_at + bytes <= LOOKED_AT_MAX_BYTES;
    writer->looked_at += fits ? bytes : 0;
    segment->offset = writer->end;
    while (fits && segment->bytes < bytes && writer->code == 0) {
        uint64_t at = segment->mapping->begin + segment->bytes;
        uint64_t left = (bytes - segment->bytes) / PAGE_BYTES;
        size_t count = left < CHUNK_PAGES ? (size_t)left : CHUNK_PAGES;
        pages_there(writer, at, count, there);
        for (size_t i = 0; i < count && fits; i++) {
            fits = !there[i] || put_page(writer, at + i * PAGE_BYTES, segment->offset + segment->bytes);
            segment->bytes += fits ? PAGE_BYTES : 0;
        }
    }
    writer->end += segment->bytes;
    writer->result->memory_bytes += segment->bytes;
    if (segment->bytes < bytes) {
        writer->result->left_out_bytes += bytes - segment->bytes;
        writer->result->left_out_ranges++;
    }
}

/* ---- the file ---- */

static bool put_headers(struct writer *writer, const struct segment *segments, size_t count, const struct itrp_unix_notes *notes,
                        uint64_t notes_offset) {
    Elf64_Ehdr header = {.e_type = ET_CORE,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = (uint16_t)(count + 1)};
    Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes_offset, .p_filesz = notes->count, .p_align = 4};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    bool put_all = put(writer, &header, sizeof header, 0) && put(writer, &note, sizeof note, sizeof header) &&
                   put(writer, notes->bytes, notes->count, notes_offset);
    for (size_t i = 0; i < count && put_all; i++) {
        const struct segment *segment = &segments[i];
        Elf64_Phdr load = {.p_type = PT_LOAD,
                           .p_flags = (segment->mapping->readable ? PF_R : 0u) | (segment->mapping->writable ? PF_W : 0u) |
                                      (segment->mapping->executable ? PF_X : 0u),
                           .p_offset = segment->offset,
                           .p_vaddr = segment->mapping->begin,
                           .p_filesz = segment->bytes,
                           .p_memsz = size_of(segment),
                           .p_align = PAGE_BYTES};
        put_all = put(writer, &load, sizeof load, sizeof header + (i + 1) * sizeof load);
    }
    return put_all;
}

static void note_left_out(struct writer *writer, const struct segment *segment) {
    const struct itrp_snapshot_mapping *mapping = segment->mapping;
    if (mapping->readable && !mapping->is_file && size_of(segment) > MAPPING_MAX_BYTES) {
        writer->result->left_out_bytes += size_of(segment);
        writer->result->left_out_ranges++;
    }
}

static void put_memory(struct writer *writer, struct segment *segments, struct segment **order, size_t count) {
    for (size_t i = 0; i < count; i++) {
        segments[i] = (struct segment){.mapping = &writer->snapshot->mappings[i],
                                       .worth = worth_of(writer->snapshot, &writer->snapshot->mappings[i])};
        order[i] = &segments[i];
    }
    qsort(order, count, sizeof *order, by_worth);
    for (size_t i = 0; i < count && writer->code == 0; i++) {
        if (order[i]->worth != NOTHING) {
            put_segment(writer, order[i]);
        } else {
            note_left_out(writer, order[i]);
        }
    }
}

/* 0, or an errno. */
static int write_all(struct writer *writer, const struct itrp_unix_notes *notes, uint64_t limit_bytes) {
    size_t count = writer->snapshot->mapping_count < SEGMENTS_MAX ? writer->snapshot->mapping_count : SEGMENTS_MAX;
    struct segment *segments = calloc(count + 1, sizeof *segments);
    struct segment **order = calloc(count + 1, sizeof *order);
    uint64_t notes_offset = sizeof(Elf64_Ehdr) + (count + 1) * sizeof(Elf64_Phdr);
    uint64_t first = (notes_offset + notes->count + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    if (segments == NULL || order == NULL) {
        writer->code = ENOMEM;
    } else if (first > limit_bytes) {
        writer->code = EFBIG;
    } else {
        writer->end = first;
        writer->limit = limit_bytes - first;
        put_memory(writer, segments, order, count);
        if (put_headers(writer, segments, count, notes, notes_offset) && ftruncate(writer->file, (off_t)writer->end) != 0) {
            writer->code = errno;
        }
    }
    free(segments);
    free(order);
    return writer->code;
}

const char *itrp_core_file_name(void) {
    return "core";
}

enum itr_status itrp_snapshot_write_core(const struct itrp_snapshot *snapshot, const char *path, uint64_t limit_bytes,
                                         struct itrp_core_result *result, struct itr_error *err) {
    char map[64];
    struct stat about;
    struct itrp_unix_notes notes = {0};
    struct writer writer = {.snapshot = snapshot, .result = result};
    *result = (struct itrp_core_result){0};
    if (!itrp_unix_notes_make(&notes, snapshot)) {
        itrp_unix_notes_release(&notes);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a core file");
    }
    writer.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (writer.file < 0) {
        int code = errno;
        itrp_unix_notes_release(&notes);
        return itr_fail(err, ITR_E_SYSTEM, code, "%s: %s", path, strerror(code));
    }
    snprintf(map, sizeof map, "/proc/%ld/pagemap", (long)snapshot->target.id);
    writer.page_map = open(map, O_RDONLY | O_CLOEXEC);
    int code = write_all(&writer, &notes, limit_bytes);
    if (code == 0 && fstat(writer.file, &about) == 0) {
        result->bytes = (uint64_t)about.st_blocks * 512;
    }
    if (writer.page_map >= 0) {
        close(writer.page_map);
    }
    close(writer.file);
    itrp_unix_notes_release(&notes);
    if (code != 0) {
        unlink(path);
    }
    return code == 0       ? ITR_OK
           : code == EFBIG ? itr_fail(err, ITR_E_LIMIT, 0, "%llu bytes have no room for the registers",
                                      (unsigned long long)limit_bytes)
                           : itr_fail(err, code == ENOMEM ? ITR_E_NO_MEMORY : ITR_E_SYSTEM, code, "%s: %s", path,
                                      strerror(code));
}
