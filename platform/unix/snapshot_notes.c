/* Puts what a snapshot knows into the notes that debuggers look for in a core file. It writes no file. */
#include "platform/unix/snapshot_notes.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif

enum { AUXILIARY_BYTES_MAX = 4096, SMALL = 4096 };

static bool grow(struct itrp_unix_notes *notes, size_t more) {
    if (notes->room - notes->count >= more) {
        return true;
    }
    size_t room = notes->room == 0 ? 16384 : notes->room;
    while (room - notes->count < more) {
        room *= 2;
    }
    uint8_t *bytes = realloc(notes->bytes, room);
    if (bytes == NULL) {
        return false;
    }
    notes->bytes = bytes;
    notes->room = room;
    return true;
}

static bool append(struct itrp_unix_notes *notes, const void *bytes, size_t count) {
    size_t padded = (count + 3) & ~(size_t)3;
    if (!grow(notes, padded)) {
        return false;
    }
    memset(notes->bytes + notes->count, 0, padded);
    memcpy(notes->bytes + notes->count, bytes, count);
    notes->count += padded;
    return true;
}

static bool add_note(struct itrp_unix_notes *notes, uint32_t type, const void *bytes, size_t count) {
    Elf64_Nhdr header = {.n_namesz = sizeof "CORE", .n_descsz = (uint32_t)count, .n_type = type};
    return append(notes, &header, sizeof header) && append(notes, "CORE", sizeof "CORE") && append(notes, bytes, count);
}

/* ---- threads ---- */

static void give_registers(struct user_regs_struct *to, const struct itr_target_thread *target,
                           const struct itrp_snapshot_thread *thread) {
    const uint64_t *from = target->registers;
    *to = (struct user_regs_struct){
        .rax = from[ITR_REGISTER_RAX],         .rcx = from[ITR_REGISTER_RCX],
        .rdx = from[ITR_REGISTER_RDX],         .rbx = from[ITR_REGISTER_RBX],
        .rsp = from[ITR_REGISTER_RSP],         .rbp = from[ITR_REGISTER_RBP],
        .rsi = from[ITR_REGISTER_RSI],         .rdi = from[ITR_REGISTER_RDI],
        .r8 = from[ITR_REGISTER_R8],           .r9 = from[ITR_REGISTER_R9],
        .r10 = from[ITR_REGISTER_R10],         .r11 = from[ITR_REGISTER_R11],
        .r12 = from[ITR_REGISTER_R12],         .r13 = from[ITR_REGISTER_R13],
        .r14 = from[ITR_REGISTER_R14],         .r15 = from[ITR_REGISTER_R15],
        .rip = from[ITR_REGISTER_RIP],         .eflags = from[ITR_REGISTER_RFLAGS],
        .fs_base = from[ITR_REGISTER_FS_BASE], .gs_base = from[ITR_REGISTER_GS_BASE],
        .orig_rax = thread->call_or_fault,     .cs = thread->segments[0],
        .ss = thread->segments[1],             .ds = thread->segments[2],
        .es = thread->segments[3],             .fs = thread->segments[4],
        .gs = thread->segments[5],
    };
}

/* `first` is the thread that got the signal of which the process would die, if any did: all notes tell of that signal, as
 * in a core of the kernel's, since debuggers take it from any of them. */
static bool add_thread(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot, size_t index, size_t first) {
    const struct itr_target_thread *target = &snapshot->target.threads[index];
    const struct itrp_snapshot_thread *thread = &snapshot->threads[index];
    const struct itrp_snapshot_thread *cause = &snapshot->threads[first];
    struct elf_prstatus status = {.pr_pid = (pid_t)target->id, .pr_fpvalid = thread->has_floating};
    struct user_regs_struct registers;
    if (!target->has_registers) {
        return true;
    }
    status.pr_info.si_signo = cause->has_signal ? cause->signal : 0;
    status.pr_info.si_code = cause->has_signal ? cause->signal_code : 0;
    status.pr_cursig = (short)status.pr_info.si_signo;
    status.pr_sigpend = thread->pending;
    status.pr_sighold = thread->blocked;
    give_registers(&registers, target, thread);
    _Static_assert(sizeof registers == sizeof status.pr_reg, "the same registers");
    memcpy(&status.pr_reg, &registers, sizeof registers);
    return add_note(notes, NT_PRSTATUS, &status, sizeof status) &&
           (!thread->has_floating || add_note(notes, NT_FPREGSET, thread->floating, sizeof thread->floating));
}

static bool add_signal(struct itrp_unix_notes *notes, const struct itrp_snapshot_thread *thread) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = thread->signal;
    info.si_code = thread->signal_code;
    info.si_errno = thread->signal_errno;
    if (thread->signal_code > 0) {
        info.si_addr = (void *)(uintptr_t)thread->signal_address;
    } else {
        info.si_pid = (pid_t)thread->signal_sender;
    }
    return add_note(notes, NT_SIGINFO, &info, sizeof info);
}

/* ---- the process ---- */

static size_t read_whole(const struct itrp_snapshot *snapshot, const char *name, void *bytes, size_t room) {
    char path[64];
    size_t have = 0;
    ssize_t got = 0;
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)snapshot->target.id, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    while (file >= 0 && have < room && (got = read(file, (char *)bytes + have, room - have)) > 0) {
        have += (size_t)got;
    }
    if (file >= 0) {
        close(file);
    }
    return have;
}

static bool add_process(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot) {
    struct elf_prpsinfo about = {.pr_sname = 'R', .pr_pid = (pid_t)snapshot->target.id};
    char words[SMALL];
    char name[SMALL];
    size_t count = read_whole(snapshot, "cmdline", words, sizeof words - 1);
    size_t length = read_whole(snapshot, "comm", name, sizeof name - 1);
    name[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    for (size_t i = 0; i < count; i++) {
        words[i] = words[i] == '\0' ? ' ' : words[i];
    }
    words[count] = '\0';
    snprintf(about.pr_fname, sizeof about.pr_fname, "%.*s", (int)sizeof about.pr_fname - 1, name);
    snprintf(about.pr_psargs, sizeof about.pr_psargs, "%.*s", (int)sizeof about.pr_psargs - 1, words);
    return add_note(notes, NT_PRPSINFO, &about, sizeof about);
}

static bool add_auxiliary(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot) {
    uint64_t words[AUXILIARY_BYTES_MAX / sizeof(uint64_t)];
    size_t count = read_whole(snapshot, "auxv", words, sizeof words);
    return count == 0 || add_note(notes, NT_AUXV, words, count);
}

/* Count, size of a page; begin, end and offset in pages of each; then the names. */
static bool add_files(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot) {
    struct itrp_unix_notes list = {0};
    uint64_t head[2] = {0, 4096};
    bool all = append(&list, head, sizeof head);
    for (size_t i = 0; i < snapshot->mapping_count && all; i++) {
        const struct itrp_snapshot_mapping *one = &snapshot->mappings[i];
        const uint64_t words[3] = {one->begin, one->end, one->offset / 4096};
        if (one->is_file) {
            head[0]++;
            all = append(&list, words, sizeof words);
        }
    }
    for (size_t i = 0; i < snapshot->mapping_count && all; i++) {
        size_t bytes = strlen(snapshot->mappings[i].path) + 1;
        if (snapshot->mappings[i].is_file && (all = grow(&list, bytes))) {
            memcpy(list.bytes + list.count, snapshot->mappings[i].path, bytes);
            list.count += bytes;
        }
    }
    if (all) {
        memcpy(list.bytes, head, sizeof head);
        all = add_note(notes, NT_FILE, list.bytes, list.count);
    }
    itrp_unix_notes_release(&list);
    return all;
}

bool itrp_unix_notes_make(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot) {
    size_t count = snapshot->target.thread_count;
    size_t first = 0;
    while (first < count && !snapshot->target.threads[first].at_fault) {
        first++;
    }
    first = first < count ? first : 0;
    bool all = count == 0 || add_thread(notes, snapshot, first, first);
    all = all && add_process(notes, snapshot);
    if (all && count > 0 && snapshot->threads[first].has_signal) {
        all = add_signal(notes, &snapshot->threads[first]);
    }
    all = all && add_auxiliary(notes, snapshot) && add_files(notes, snapshot);
    for (size_t i = 0; i < count && all; i++) {
        all = i == first || add_thread(notes, snapshot, i, first);
    }
    return all;
}

void itrp_unix_notes_release(struct itrp_unix_notes *notes) {
    free(notes->bytes);
    *notes = (struct itrp_unix_notes){0};
}
