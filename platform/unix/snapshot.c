/* Puts a snapshot of a standing process together: threads with registers by ptrace, the process by /proc, its modules
 * from the mappings. It stops nobody (debug_evidence.c and snapshot_attach.c do) and frees what it made. */
#include "platform/unix/snapshot_unix.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAM_HEADERS_MAX = 64 };

/* What the kernel leaves in RAX while a system call is interrupted: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND,
 * ERESTART_RESTARTBLOCK. */
enum { RESTART_FIRST = 512, RESTART_LAST = 516 };

/* ---- memory ---- */

static size_t read_memory(void *context, uint64_t address, void *into, size_t bytes) {
    const struct itrp_unix_snapshot *snapshot = context;
    size_t have = 0;
    if (address > INT64_MAX) {
        return 0;
    }
    while (have < bytes) {
        ssize_t got = pread(snapshot->memory, (char *)into + have, bytes - have, (off_t)(address + have));
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
    return have;
}

/* ---- threads ---- */

static struct itrp_snapshot_thread *new_thread(struct itrp_unix_snapshot *snapshot, pid_t id) {
    if (snapshot->thread_count == ITRP_SNAPSHOT_THREADS_MAX) {
        snapshot->shown.threads_cut = true;
        return NULL;
    }
    if (snapshot->thread_count == snapshot->thread_room) {
        size_t room = snapshot->thread_room == 0 ? 16 : snapshot->thread_room * 2;
        struct itr_target_thread *targets = realloc(snapshot->targets, room * sizeof *targets);
        snapshot->targets = targets != NULL ? targets : snapshot->targets;
        struct itrp_snapshot_thread *threads = realloc(snapshot->threads, room * sizeof *threads);
        snapshot->threads = threads != NULL ? threads : snapshot->threads;
        if (targets == NULL || threads == NULL) {
            snapshot->shown.threads_cut = true;
            return NULL;
        }
        snapshot->thread_room = room;
    }
    size_t index = snapshot->thread_count++;
    snapshot->targets[index] = (struct itr_target_thread){
        .id = (uint64_t)id, .role = id == snapshot->process ? ITR_ROLE_MAIN : ITR_ROLE_ANY};
    snapshot->threads[index] = (struct itrp_snapshot_thread){.state = '\0'};
    return &snapshot->threads[index];
}

/* Index of a thread, `thread_count` if it is not there. */
static size_t find_thread(const struct itrp_unix_snapshot *snapshot, pid_t id) {
    size_t at = 0;
    while (at < snapshot->thread_count && snapshot->targets[at].id != (uint64_t)id) {
        at++;
    }
    return at;
}

static void take_registers(struct itr_target_thread *target, struct itrp_snapshot_thread *thread,
                           const struct user_regs_struct *from) {
    const uint64_t values[ITR_REGISTER_COUNT] = {
        [ITR_REGISTER_RAX] = from->rax,         [ITR_REGISTER_RCX] = from->rcx,
        [ITR_REGISTER_RDX] = from->rdx,         [ITR_REGISTER_RBX] = from->rbx,
        [ITR_REGISTER_RSP] = from->rsp,         [ITR_REGISTER_RBP] = from->rbp,
        [ITR_REGISTER_RSI] = from->rsi,         [ITR_REGISTER_RDI] = from->rdi,
        [ITR_REGISTER_R8] = from->r8,           [ITR_REGISTER_R9] = from->r9,
        [ITR_REGISTER_R10] = from->r10,         [ITR_REGISTER_R11] = from->r11,
        [ITR_REGISTER_R12] = from->r12,         [ITR_REGISTER_R13] = from->r13,
        [ITR_REGISTER_R14] = from->r14,         [ITR_REGISTER_R15] = from->r15,
        [ITR_REGISTER_RIP] = from->rip,         [ITR_REGISTER_RFLAGS] = from->eflags,
        [ITR_REGISTER_FS_BASE] = from->fs_base, [ITR_REGISTER_GS_BASE] = from->gs_base,
    };
    const uint64_t segments[6] = {from->cs, from->ss, from->ds, from->es, from->fs, from->gs};
    memcpy(target->registers, values, sizeof values);
    memcpy(thread->segments, segments, sizeof segments);
    target->has_registers = true;
    thread->call_or_fault = from->orig_rax;
    uint64_t result = 0 - from->rax;
    if ((int64_t)from->orig_rax >= 0 &&
        ((result >= RESTART_FIRST && result <= RESTART_LAST) || result == EINTR || result == ENOSYS)) {
        const uint64_t arguments[6] = {from->rdi, from->rsi, from->rdx, from->r10, from->r8, from->r9};
        thread->in_system_call = true;
        thread->system_call = (int64_t)from->orig_rax;
        memcpy(thread->arguments, arguments, sizeof arguments);
    }
}

static void take_signal(struct itrp_snapshot_thread *thread, const siginfo_t *info) {
    bool raised = info->si_code > 0;
    thread->has_signal = true;
    thread->signal = info->si_signo;
    thread->signal_code = info->si_code;
    thread->signal_errno = info->si_errno;
    thread->signal_address = raised ? (uint64_t)(uintptr_t)info->si_addr : 0;
    thread->signal_sender = raised ? 0 : (uint32_t)info->si_pid;
}

void itrp_unix_snapshot_add(struct itrp_unix_snapshot *snapshot, pid_t id, enum itr_role role, bool at_fault) {
    struct user_regs_struct registers;
    struct user_fpregs_struct floating;
    siginfo_t info;
    size_t index = find_thread(snapshot, id);
    if (index == snapshot->thread_count) {
        struct itrp_snapshot_thread *born = new_thread(snapshot, id);
        if (born == NULL || !itrp_unix_read_thread(snapshot->process, id, born)) {
            return;
        }
        born->state = '\0'; /* it is stopped already */
        born->wait_channel[0] = '\0';
    }
    struct itr_target_thread *target = &snapshot->targets[index];
    struct itrp_snapshot_thread *thread = &snapshot->threads[index];
    target->role = role != ITR_ROLE_ANY ? role : target->role;
    target->at_fault = at_fault;
    if (ptrace(PTRACE_GETREGS, id, NULL, &registers) != 0) {
        return;
    }
    take_registers(target, thread, &registers);
    if (ptrace(PTRACE_GETFPREGS, id, NULL, &floating) == 0) {
        _Static_assert(sizeof floating == ITRP_SNAPSHOT_FLOATING_BYTES, "what FXSAVE writes");
        memcpy(thread->floating, &floating, sizeof floating);
        thread->has_floating = true;
    }
    itrp_unix_read_signals(snapshot->process, id, thread, NULL);
    if (ptrace(PTRACE_GETSIGINFO, id, NULL, &info) == 0 && info.si_code >> 8 <= 0) { /* above that: an event's stop */
        take_signal(thread, &info);
    }
}

/* ---- modules ---- */

/* Bytes from the lowest to the highest address that the program headers of the file at `base` name; 0 where there is no
 * such file in memory. */
static uint64_t extent_of(struct itrp_unix_snapshot *snapshot, uint64_t base) {
    Elf64_Ehdr header;
    Elf64_Phdr headers[PROGRAM_HEADERS_MAX];
    uint64_t lowest = UINT64_MAX;
    uint64_t end = 0;
    if (read_memory(snapshot, base, &header, sizeof header) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof headers[0] || header.e_phnum > PROGRAM_HEADERS_MAX || header.e_phoff > UINT32_MAX) {
        return 0;
    }
    size_t bytes = header.e_phnum * sizeof headers[0];
    if (read_memory(snapshot, base + header.e_phoff, headers, bytes) != bytes) {
        return 0;
    }
    for (size_t i = 0; i < header.e_phnum; i++) {
        uint64_t last = headers[i].p_vaddr + headers[i].p_memsz;
        if (headers[i].p_type == PT_LOAD && last >= headers[i].p_vaddr) {
            uint64_t page = headers[i].p_vaddr & ~UINT64_C(4095);
            lowest = page < lowest ? page : lowest;
            end = last > end ? last : end;
        }
    }
    return lowest < end && end - lowest < UINT64_C(1) << 46 ? end - lowest : 0;
}

/* A file's first page makes a module, which reaches as far as the file says, not into the next file that is mapped as
 * one. */
static enum itr_status find_modules(struct itrp_unix_snapshot *snapshot, struct itr_error *err) {
    size_t mapped = snapshot->shown.mapping_count;
    size_t count = 0;
    snapshot->modules = calloc(mapped + 1, sizeof *snapshot->modules);
    snapshot->ranges = calloc(mapped + 1, sizeof *snapshot->ranges);
    if (snapshot->modules == NULL || snapshot->ranges == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's modules");
    }
    for (size_t i = 0; i < mapped; i++) {
        const struct itrp_snapshot_mapping *at = &snapshot->mappings[i];
        snapshot->ranges[i] = (struct itr_target_range){.begin = at->begin,
                                                        .end = at->end,
                                                        .readable = at->readable,
                                                        .writable = at->writable,
                                                        .executable = at->executable};
        struct itr_target_module *last = count > 0 ? &snapshot->modules[count - 1] : NULL;
        bool inside = last != NULL && at->begin - last->base < last->bytes;
        bool begins = (at->is_file || strcmp(at->path, "[vdso]") == 0) && at->offset == 0 && at->readable;
        uint64_t bytes = begins && !(inside && strcmp(last->path, at->path) == 0) ? extent_of(snapshot, at->begin) : 0;
        if (bytes != 0) {
            if (inside) {
                last->bytes = at->begin - last->base;
            }
            snapshot->modules[count++] = (struct itr_target_module){
                .path = at->path, .base = at->begin, .bytes = bytes, .ranges = &snapshot->ranges[i], .range_count = 1};
        } else if (inside) {
            last->range_count++;
        }
    }
    snapshot->shown.target.modules = snapshot->modules;
    snapshot->shown.target.module_count = count;
    return ITR_OK;
}

/* ---- the whole ---- */

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct itrp_unix_snapshot *itrp_unix_snapshot_begin(pid_t process, struct itr_error *err) {
    pid_t threads[ITRP_SNAPSHOT_THREADS_MAX];
    char path[64];
    struct itrp_unix_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a snapshot");
        return NULL;
    }
    snapshot->process = process;
    snapshot->shown.time_ns = now_ns();
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)process);
    snapshot->memory = open(path, O_RDONLY | O_CLOEXEC);
    if (snapshot->memory < 0) {
        itr_fail(err, errno == ENOENT || errno == ESRCH ? ITR_E_NOT_FOUND : ITR_E_UNSUPPORTED, errno, "%s: %s", path,
                 strerror(errno));
        itrp_unix_snapshot_free(snapshot);
        return NULL;
    }
    size_t count = itrp_unix_list_threads(process, threads, ITRP_SNAPSHOT_THREADS_MAX);
    for (size_t i = 0; i < count && i < ITRP_SNAPSHOT_THREADS_MAX; i++) {
        struct itrp_snapshot_thread *thread = new_thread(snapshot, threads[i]);
        if (thread != NULL && !itrp_unix_read_thread(process, threads[i], thread)) {
            snapshot->thread_count--; /* it has ended meanwhile */
        }
    }
    snapshot->shown.threads_cut = snapshot->shown.threads_cut || count > ITRP_SNAPSHOT_THREADS_MAX;
    return snapshot;
}

enum itr_status itrp_unix_snapshot_finish(struct itrp_unix_snapshot *snapshot, enum itrp_snapshot_reason reason,
                                          struct itr_error *err) {
    struct itrp_snapshot *shown = &snapshot->shown;
    enum itr_status status = itrp_unix_read_mappings(snapshot, err);
    if (status == ITR_OK) {
        status = itrp_unix_read_descriptors(snapshot, err);
    }
    if (status == ITR_OK) {
        status = find_modules(snapshot, err);
    }
    if (status != ITR_OK) {
        itrp_unix_snapshot_free(snapshot);
        return status;
    }
    itrp_unix_read_signals(snapshot->process, snapshot->process, NULL, shown);
    shown->reason = reason;
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        snapshot->targets[i].name = snapshot->threads[i].name;
        shown->not_stopped += snapshot->targets[i].has_registers ? 0 : 1;
    }
    shown->threads = snapshot->threads;
    shown->target.system = ITR_TARGET_LINUX;
    shown->target.id = (uint64_t)snapshot->process;
    shown->target.read = read_memory;
    shown->target.context = snapshot;
    shown->target.threads = snapshot->targets;
    shown->target.thread_count = snapshot->thread_count;
    return ITR_OK;
}

void itrp_unix_snapshot_free(struct itrp_unix_snapshot *snapshot) {
    if (snapshot == NULL) {
        return;
    }
    if (snapshot->memory >= 0) {
        close(snapshot->memory);
    }
    for (size_t i = 0; i < snapshot->path_count; i++) {
        free(snapshot->paths[i]);
    }
    free(snapshot->paths);
    free(snapshot->targets);
    free(snapshot->threads);
    free(snapshot->mappings);
    free(snapshot->ranges);
    free(snapshot->modules);
    free(snapshot->descriptors);
    free(snapshot);
}
