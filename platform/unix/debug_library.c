/* Finds the library in the host before its constructors run: from the exec to the program's first instruction,
 * from there with the dynamic linker's own reports to debuggers. It arms nothing itself and does not see
 * namespaces of dlmopen(). */
#include "platform/unix/debug_unix.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    PROGRAM_HEADERS_MAX = 64,
    DYNAMIC_MAX = 256,
    LIBRARIES_MAX = 4096, /* a list that is longer goes in a circle */
};

#define PAGE_BYTES UINT64_C(4096)

static void set_stage(struct itrp_debugger *debugger, enum itrp_debug_stage stage) {
    debugger->stage = stage;
    itrp_debug_break_changed(debugger);
}

/* ---- the program ---- */

static bool wants_library(const struct itrp_debug_plan *plan) {
    return plan->library != NULL && plan->library[0] != '\0' &&
           (plan->has_point || plan->watch_count > 0 || plan->trace);
}

static bool read_auxiliary(struct itrp_debugger *debugger) {
    char path[64];
    Elf64_auxv_t entries[64];
    snprintf(path, sizeof path, "/proc/%ld/auxv", (long)debugger->host);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read(file, entries, sizeof entries) : -1;
    int code = errno;
    if (file >= 0) {
        close(file);
    }
    for (ssize_t i = 0; got > 0 && i < got / (ssize_t)sizeof entries[0]; i++) {
        uint64_t value = entries[i].a_un.a_val;
        if (entries[i].a_type == AT_ENTRY) {
            debugger->entry = value;
        } else if (entries[i].a_type == AT_PHDR) {
            debugger->program_headers = value;
        } else if (entries[i].a_type == AT_PHNUM) {
            debugger->program_header_count = value;
        }
    }
    if (debugger->entry == 0 || debugger->program_headers == 0) {
        itrp_debug_fail(debugger, ITR_E_SYSTEM, got < 0 ? code : 0, "%s does not tell where the program begins", path);
        return false;
    }
    return true;
}

void itrp_debug_library_begin(struct itrp_debugger *debugger) {
    if (wants_library(debugger->plan) && read_auxiliary(debugger)) {
        itrp_debug_code_open(debugger);
        set_stage(debugger, ITRP_DEBUG_STAGE_ENTRY);
    }
}

/* Address of the dynamic linker's struct r_debug; 0 in a program that has none. */
static uint64_t find_loader_state(struct itrp_debugger *debugger) {
    Elf64_Phdr headers[PROGRAM_HEADERS_MAX];
    Elf64_Dyn dynamic[DYNAMIC_MAX] = {{0}};
    uint64_t count = debugger->program_header_count < PROGRAM_HEADERS_MAX ? debugger->program_header_count
                                                                          : PROGRAM_HEADERS_MAX;
    uint64_t bias = 0;
    uint64_t address = 0;
    uint64_t bytes = 0;

    if (!itrp_debug_read(debugger, debugger->program_headers, headers, count * sizeof headers[0])) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_PHDR) {
            bias = debugger->program_headers - headers[i].p_vaddr;
        } else if (headers[i].p_type == PT_DYNAMIC) {
            address = headers[i].p_vaddr;
            bytes = headers[i].p_memsz < sizeof dynamic ? headers[i].p_memsz : sizeof dynamic;
        }
    }
    if (address == 0 || !itrp_debug_read(debugger, bias + address, dynamic, bytes)) {
        return 0;
    }
    for (size_t i = 0; i < bytes / sizeof dynamic[0] && dynamic[i].d_tag != DT_NULL; i++) {
        if (dynamic[i].d_tag == DT_DEBUG) {
            return dynamic[i].d_un.d_ptr;
        }
    }
    return 0;
}

/* ---- the dynamic linker's list ---- */

/* A text of the host's, cut at `room`; pages are read one by one, as the next may not be there. */
static bool read_text(struct itrp_debugger *debugger, uint64_t address, char *text, size_t room) {
    size_t have = 0;
    while (have < room - 1) {
        size_t count = (size_t)(PAGE_BYTES - (address + have) % PAGE_BYTES);
        count = count < room - 1 - have ? count : room - 1 - have;
        if (!itrp_debug_read(debugger, address + have, text + have, count)) {
            return false;
        }
        if (memchr(text + have, '\0', count) != NULL) {
            return true;
        }
        have += count;
    }
    text[have] = '\0';
    return true;
}

static bool same_file(struct itrp_debugger *debugger, const char *name, const struct stat *wanted) {
    char path[PATH_MAX + 64];
    struct stat other;
    if (name[0] == '/') {
        snprintf(path, sizeof path, "%s", name);
    } else {
        snprintf(path, sizeof path, "/proc/%ld/cwd/%s", (long)debugger->host, name);
    }
    return stat(path, &other) == 0 && other.st_dev == wanted->st_dev && other.st_ino == wanted->st_ino;
}

/* True with the library's load bias if the list has it. */
static bool find_in_list(struct itrp_debugger *debugger, uint64_t first, uint64_t *bias) {
    struct stat wanted;
    char name[PATH_MAX];
    bool have_file = stat(debugger->plan->library, &wanted) == 0;
    uint64_t at = first;
    for (int i = 0; i < LIBRARIES_MAX && at != 0; i++) {
        struct link_map map;
        if (!itrp_debug_read(debugger, at, &map, sizeof map)) {
            return false;
        }
        if (read_text(debugger, (uint64_t)(uintptr_t)map.l_name, name, sizeof name) && name[0] != '\0' &&
            (strcmp(name, debugger->plan->library) == 0 || (have_file && same_file(debugger, name, &wanted)))) {
            *bias = map.l_addr;
            return true;
        }
        at = (uint64_t)(uintptr_t)map.l_next;
    }
    return false;
}

/* Lowest page and size in memory, as the library's file has it. */
static bool read_extent(const char *path, uint64_t *lowest, uint64_t *bytes) {
    Elf64_Ehdr header;
    Elf64_Phdr headers[PROGRAM_HEADERS_MAX];
    uint64_t end = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool sound = file >= 0 && read(file, &header, sizeof header) == sizeof header &&
                 header.e_phentsize == sizeof headers[0] && header.e_phnum <= PROGRAM_HEADERS_MAX;
    size_t count = sound ? header.e_phnum : 0;
    sound = sound && pread(file, headers, count * sizeof headers[0], (off_t)header.e_phoff) ==
                         (ssize_t)(count * sizeof headers[0]);
    *lowest = UINT64_MAX;
    for (size_t i = 0; sound && i < count; i++) {
        if (headers[i].p_type == PT_LOAD) {
            uint64_t page = headers[i].p_vaddr & ~(PAGE_BYTES - 1);
            *lowest = page < *lowest ? page : *lowest;
            end = headers[i].p_vaddr + headers[i].p_memsz > end ? headers[i].p_vaddr + headers[i].p_memsz : end;
        }
    }
    if (file >= 0) {
        close(file);
    }
    *bytes = end - *lowest;
    return sound && *lowest < end;
}

/* ---- stages ---- */

static bool somebody_is_missing(const struct itrp_debugger *debugger) {
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (itrp_debug_registers_missing(debugger, &debugger->tracees[i])) {
            return true;
        }
    }
    return false;
}

static void library_is_mapped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, uint64_t bias) {
    uint64_t lowest = 0;
    if (!read_extent(debugger->plan->library, &lowest, &debugger->library_bytes)) {
        itrp_debug_fail(debugger, ITR_E_FORMAT, 0, "%s cannot be read as a library", debugger->plan->library);
        return;
    }
    debugger->report.library_mapped = true;
    debugger->report.library_base = bias + lowest;
    set_stage(debugger, ITRP_DEBUG_STAGE_MAPPED);
    debugger->tracing = debugger->plan->trace;
    itrp_debug_registers_arm(debugger);
    debugger->mapper = tracee->id;
    itrp_debug_registers_sync(debugger, tracee);
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        struct itrp_debug_tracee *other = &debugger->tracees[i];
        bool steps = debugger->tracing && itrp_debug_is_traced(debugger, other);
        if (other->id != tracee->id && !other->stopped && (steps || itrp_debug_registers_missing(debugger, other))) {
            itrp_debug_interrupt(other);
        }
    }
}

void itrp_debug_library_look(struct itrp_debugger *debugger) {
    if (debugger->mapper == 0 || somebody_is_missing(debugger)) {
        return;
    }
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, debugger->mapper);
    debugger->mapper = 0;
    debugger->report.armed = debugger->plan->has_point;
    if (tracee != NULL) {
        itrp_debug_resume(debugger, tracee, 0);
    }
}

void itrp_debug_library_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    struct r_debug state;
    uint64_t bias = 0;
    if (debugger->stage == ITRP_DEBUG_STAGE_ENTRY) {
        debugger->loader_state = find_loader_state(debugger);
    }
    if (debugger->loader_state == 0 || !itrp_debug_read(debugger, debugger->loader_state, &state, sizeof state) ||
        state.r_brk == 0) {
        set_stage(debugger, ITRP_DEBUG_STAGE_IDLE); /* a static program: nothing will ever be mapped */
        return;
    }
    if (state.r_state == RT_CONSISTENT && find_in_list(debugger, (uint64_t)(uintptr_t)state.r_map, &bias)) {
        library_is_mapped(debugger, tracee, bias);
    } else if (debugger->stage == ITRP_DEBUG_STAGE_ENTRY) {
        debugger->loader_break = state.r_brk;
        set_stage(debugger, ITRP_DEBUG_STAGE_LOADER);
    }
}

bool itrp_debug_library_seen(struct itrp_debugger *debugger) {
    const struct itrp_debug_plan *plan = debugger->plan;
    char name[64];
    char *line = NULL;
    size_t room = 0;
    struct stat wanted;
    if (!plan->evidence || debugger->report.library_mapped || wants_library(plan) || plan->library == NULL ||
        plan->library[0] == '\0' || stat(plan->library, &wanted) != 0) {
        return false;
    }
    snprintf(name, sizeof name, "/proc/%ld/maps", (long)debugger->host);
    FILE *maps = fopen(name, "re");
    while (maps != NULL && !debugger->report.library_mapped && getline(&line, &room, maps) > 0) {
        uint64_t begin = 0;
        unsigned long inode = 0;
        unsigned high = 0;
        unsigned low = 0;
        if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %x:%x %lu", &begin, &high, &low, &inode) == 4 &&
            inode == wanted.st_ino && makedev(high, low) == wanted.st_dev) {
            debugger->report.library_mapped = true;
            debugger->report.library_base = begin;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    free(line);
    return debugger->report.library_mapped;
}
