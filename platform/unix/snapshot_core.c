/* Writes a snapshot as an ELF core file, of bounded size: registers and process as notes (snapshot_notes.c), memory as
 * framework/core_plan.h has it. Pages that were never written to are holes. It stops nobody and reads no symbols. */
#include "framework/core_plan.h"
#include "platform/unix/snapshot_unix.h"
#include "platform/unix/snapshot_notes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES UINT64_C(4096)
/* Address space whose pages are looked at altogether. */
#define LOOKED_AT_MAX_BYTES (UINT64_C(16) << 30)

enum {
    SEGMENTS_MAX = 60000, /* a core file counts them with 16 bits */
    CHUNK_PAGES = 64,
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

static uint64_t size_of(const struct itr_core_part *part) {
    return part->mapping->end - part->mapping->begin;
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

static void put_segment(struct writer *writer, struct itr_core_part *segment) {
    uint64_t bytes = segment->worth == ITR_CORE_FIRST_PAGE ? PAGE_BYTES : size_of(segment);
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

static bool put_headers(struct writer *writer, const struct itr_core_part *segments, size_t count, const struct itrp_unix_notes *notes,
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
        const struct itr_core_part *segment = &segments[i];
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

static void note_left_out(struct writer *writer, const struct itr_core_part *segment) {
    if (itr_core_is_reserve(segment)) {
        writer->result->left_out_bytes += size_of(segment);
        writer->result->left_out_ranges++;
    }
}

/* What is not there lies behind all that is: at the beginning of the file, say, readers would find its ELF header, take
 * it for a mapped file's and read the notes over again. */
static void put_memory(struct writer *writer, const struct itr_core_plan *plan) {
    for (size_t i = 0; i < plan->count && writer->code == 0; i++) {
        if (plan->order[i]->worth != ITR_CORE_NOTHING) {
            put_segment(writer, plan->order[i]);
        } else {
            note_left_out(writer, plan->order[i]);
        }
    }
    for (size_t i = 0; i < plan->count; i++) {
        plan->order[i]->offset = plan->order[i]->bytes > 0 ? plan->order[i]->offset : writer->end;
    }
}

/* 0, or an errno. */
static int write_all(struct writer *writer, const struct itrp_unix_notes *notes, uint64_t limit_bytes) {
    struct itr_core_plan plan;
    if (!itr_core_plan_make(&plan, writer->snapshot, SEGMENTS_MAX)) {
        return ENOMEM;
    }
    uint64_t notes_offset = sizeof(Elf64_Ehdr) + (plan.count + 1) * sizeof(Elf64_Phdr);
    uint64_t first = (notes_offset + notes->count + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    if (first > limit_bytes) {
        writer->code = EFBIG;
    } else {
        writer->end = first;
        writer->limit = limit_bytes - first;
        put_memory(writer, &plan);
        if (put_headers(writer, plan.parts, plan.count, notes, notes_offset) &&
            ftruncate(writer->file, (off_t)writer->end) != 0) {
            writer->code = errno;
        }
    }
    itr_core_plan_release(&plan);
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
