/* Suspends all threads of a process and reads what each has: registers, where it began, its name, its part in the load.
 * It reads no memory of the process. */
#include "platform/windows/runner_windows.h"
#include "platform/windows/snapshot_windows.h"

#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>
#include <uv.h>
#include <winternl.h>

enum {
    ROUNDS_MAX = 16,    /* of looking for threads that were not there before */
    THREAD_MS = 500,    /* longest wait for one thread's registers */
    BASIC_INFORMATION = 0,
    START_ADDRESS = 9,
};

struct basic_information {
    LONG exit_status;
    void *block;
    void *process_id;
    void *thread_id;
    ULONG_PTR affinity;
    LONG priority;
    LONG base_priority;
};

typedef LONG(NTAPI *query_thread_fn)(HANDLE thread, ULONG information_class, PVOID information,
                                     ULONG bytes, PULONG returned);
typedef HRESULT(WINAPI *get_description_fn)(HANDLE thread, PWSTR *text);

/* ---- who is there ---- */

/* Calls `each` for every thread of the process; false when the system does not tell. */
static bool list_threads(DWORD process, void (*each)(struct itrp_windows_snapshot *, DWORD),
                         struct itrp_windows_snapshot *snapshot) {
    THREADENTRY32 entry = {.dwSize = sizeof entry};
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    if (list == INVALID_HANDLE_VALUE) {
        return false;
    }
    for (BOOL more = Thread32First(list, &entry); more; more = Thread32Next(list, &entry)) {
        if (entry.th32OwnerProcessID == process) {
            each(snapshot, entry.th32ThreadID);
        }
    }
    CloseHandle(list);
    return true;
}

static bool is_known(const struct itrp_windows_snapshot *snapshot, DWORD id) {
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        if (snapshot->targets[i].id == id) {
            return true;
        }
    }
    return false;
}

static bool make_room(struct itrp_windows_snapshot *snapshot) {
    if (snapshot->thread_count < snapshot->thread_room) {
        return true;
    }
    size_t room = snapshot->thread_room == 0 ? 16 : 2 * snapshot->thread_room;
    if (room > ITRP_SNAPSHOT_THREADS_MAX) {
        return false;
    }
    struct itr_target_thread *targets = realloc(snapshot->targets, room * sizeof *targets);
    snapshot->targets = targets != NULL ? targets : snapshot->targets;
    struct itrp_snapshot_thread *threads = realloc(snapshot->threads, room * sizeof *threads);
    snapshot->threads = threads != NULL ? threads : snapshot->threads;
    HANDLE *handles = realloc(snapshot->handles, room * sizeof *handles);
    snapshot->handles = handles != NULL ? handles : snapshot->handles;
    uint64_t *blocks = realloc(snapshot->blocks, room * sizeof *blocks);
    snapshot->blocks = blocks != NULL ? blocks : snapshot->blocks;
    if (targets == NULL || threads == NULL || handles == NULL || blocks == NULL) {
        return false;
    }
    snapshot->thread_room = room;
    return true;
}

static void suspend(struct itrp_windows_snapshot *snapshot, DWORD id) {
    if (is_known(snapshot, id)) {
        return;
    }
    if (!make_room(snapshot)) {
        snapshot->shown.threads_cut = true;
        return;
    }
    HANDLE handle =
        OpenThread(THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT | THREAD_QUERY_INFORMATION, FALSE, id);
    if (handle == NULL) {
        return; /* it has ended meanwhile */
    }
    if (SuspendThread(handle) == (DWORD)-1) {
        CloseHandle(handle);
        return; /* it is ending */
    }
    size_t index = snapshot->thread_count++;
    snapshot->targets[index] = (struct itr_target_thread){.id = id};
    snapshot->threads[index] = (struct itrp_snapshot_thread){.state = '\0'};
    snapshot->handles[index] = handle;
    snapshot->blocks[index] = 0;
}

/* ---- registers ---- */

struct look {
    HANDLE thread;
    CONTEXT context;
    bool done;
};

/* A suspended thread gives its registers when it has come out of what must not be interrupted. */
static void get_context(void *argument) {
    struct look *look = argument;
    look->done = GetThreadContext(look->thread, &look->context) != 0;
}

static bool read_context(HANDLE thread, uint64_t deadline_ns, CONTEXT *context) {
    struct look *look = _aligned_malloc(sizeof *look, 16);
    if (look == NULL) {
        return false;
    }
    memset(look, 0, sizeof *look);
    look->thread = thread;
    look->context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    if (!itrp_windows_call(get_context, _aligned_free, look,
                           itrp_windows_left_ms(deadline_ns, THREAD_MS))) {
        return false;
    }
    bool done = look->done;
    *context = look->context;
    _aligned_free(look);
    return done;
}

static void take_registers(struct itr_target_thread *target, struct itrp_snapshot_thread *thread,
                           const CONTEXT *from) {
    const uint64_t values[ITR_REGISTER_COUNT] = {
        [ITR_REGISTER_RAX] = from->Rax,       [ITR_REGISTER_RCX] = from->Rcx,
        [ITR_REGISTER_RDX] = from->Rdx,       [ITR_REGISTER_RBX] = from->Rbx,
        [ITR_REGISTER_RSP] = from->Rsp,       [ITR_REGISTER_RBP] = from->Rbp,
        [ITR_REGISTER_RSI] = from->Rsi,       [ITR_REGISTER_RDI] = from->Rdi,
        [ITR_REGISTER_R8] = from->R8,         [ITR_REGISTER_R9] = from->R9,
        [ITR_REGISTER_R10] = from->R10,       [ITR_REGISTER_R11] = from->R11,
        [ITR_REGISTER_R12] = from->R12,       [ITR_REGISTER_R13] = from->R13,
        [ITR_REGISTER_R14] = from->R14,       [ITR_REGISTER_R15] = from->R15,
        [ITR_REGISTER_RIP] = from->Rip,       [ITR_REGISTER_RFLAGS] = from->EFlags,
    };
    const uint64_t segments[6] = {from->SegCs, from->SegSs, from->SegDs,
                                  from->SegEs, from->SegFs, from->SegGs};
    _Static_assert(sizeof from->FltSave == ITRP_SNAPSHOT_FLOATING_BYTES, "what FXSAVE writes");
    memcpy(target->registers, values, sizeof values);
    memcpy(thread->segments, segments, sizeof segments);
    memcpy(thread->floating, &from->FltSave, sizeof thread->floating);
    thread->has_floating = true;
    target->has_registers = true;
}

/* ---- what else the system knows of a thread ---- */

static void read_name(HANDLE handle, struct itrp_snapshot_thread *thread) {
    HMODULE base = GetModuleHandleW(L"kernelbase.dll");
    get_description_fn get = NULL;
    PWSTR text = NULL;
    if (base != NULL) {
        get = (get_description_fn)(uintptr_t)GetProcAddress(base, "GetThreadDescription");
    }
    if (get == NULL || FAILED(get(handle, &text)) || text == NULL) {
        return;
    }
    if (WideCharToMultiByte(CP_UTF8, 0, text, -1, thread->name, sizeof thread->name - 1, NULL,
                            NULL) == 0) {
        thread->name[0] = '\0'; /* longer than there is room for */
    }
    LocalFree(text);
}

static void read_thread(struct itrp_windows_snapshot *snapshot, size_t index, uint64_t deadline_ns) {
    query_thread_fn query = (query_thread_fn)(uintptr_t)GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationThread");
    struct itr_target_thread *target = &snapshot->targets[index];
    struct itrp_snapshot_thread *thread = &snapshot->threads[index];
    HANDLE handle = snapshot->handles[index];
    struct basic_information basic = {0};
    void *start = NULL;
    CONTEXT context;
    if (read_context(handle, deadline_ns, &context)) {
        take_registers(target, thread, &context);
    }
    if (query(handle, BASIC_INFORMATION, &basic, sizeof basic, NULL) == 0) {
        snapshot->blocks[index] = (uint64_t)(uintptr_t)basic.block;
        target->registers[ITR_REGISTER_GS_BASE] = target->has_registers ? snapshot->blocks[index] : 0;
    }
    if (query(handle, START_ADDRESS, &start, sizeof start, NULL) == 0) {
        thread->start = (uint64_t)(uintptr_t)start;
    }
    read_name(handle, thread);
}

/* ---- parts ---- */

static uint64_t find_ctrl_routine(void) {
    uint64_t address = itrp_capabilities()->ctrl_routine_address;
    HMODULE base = GetModuleHandleW(L"kernelbase.dll");
    return address != 0 || base == NULL ? address
                                        : (uint64_t)(uintptr_t)GetProcAddress(base, "CtrlRoutine");
}

/* The host's own word, a process's event thread as the shots' rows name it. A host may have written anything there: a
 * wrong id names nobody. */
static bool is_event_thread(const struct itr_ledger *ledger, DWORD id) {
    for (uint32_t i = 0; ledger != NULL && i < ITR_SHOTS_MAX; i++) {
        if (__atomic_load_n(&ledger->reply.shots[i].event_thread, __ATOMIC_RELAXED) == id) {
            return true;
        }
    }
    return false;
}

static enum itr_role role_of(const struct itrp_windows_snapshot_request *request, DWORD id) {
    for (size_t i = 0; i < request->known_count; i++) {
        if (request->known[i].id == id) {
            return request->known[i].role;
        }
    }
    if (request->ledger == NULL) {
        return ITR_ROLE_ANY;
    }
    if (__atomic_load_n(&request->ledger->reply.main_thread, __ATOMIC_RELAXED) == id) {
        return ITR_ROLE_MAIN;
    }
    return __atomic_load_n(&request->ledger->reply.init_thread, __ATOMIC_RELAXED) == id
               ? ITR_ROLE_INIT
               : ITR_ROLE_ANY;
}

static void give_part(struct itrp_windows_snapshot *snapshot, size_t index,
                      const struct itrp_windows_snapshot_request *request) {
    struct itr_target_thread *target = &snapshot->targets[index];
    uint64_t routine = find_ctrl_routine();
    bool started_there = routine != 0 && snapshot->threads[index].start == routine;
    if (started_there || is_event_thread(request->ledger, (DWORD)target->id)) {
        target->role = ITR_ROLE_ANY;
        target->role_name = "event thread";
    } else {
        target->role = role_of(request, (DWORD)target->id);
    }
}

static void take_exception(struct itrp_snapshot_thread *thread,
                           const struct itrp_windows_snapshot_request *request) {
    const EXCEPTION_RECORD *from = request->exception;
    bool access = from->NumberParameters >= 2 && (from->ExceptionCode == EXCEPTION_ACCESS_VIOLATION ||
                                                  from->ExceptionCode == EXCEPTION_IN_PAGE_ERROR);
    thread->has_exception = true;
    thread->exception = (struct itrp_snapshot_exception){
        .first_chance = request->first_chance,
        .code = from->ExceptionCode,
        .flags = from->ExceptionFlags,
        .access = access ? (uint32_t)from->ExceptionInformation[0] : 0,
        .pc = (uint64_t)(uintptr_t)from->ExceptionAddress,
        .address = access ? from->ExceptionInformation[1] : 0,
    };
}

enum itr_status itrp_windows_stop_threads(struct itrp_windows_snapshot *snapshot,
                                          const struct itrp_windows_snapshot_request *request,
                                          struct itr_error *err) {
    size_t before = 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        before = snapshot->thread_count;
        if (!list_threads(request->id, suspend, snapshot)) {
            return itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(),
                                     "cannot list the host's threads");
        }
        if (snapshot->thread_count == before || uv_hrtime() > request->deadline_ns) {
            break;
        }
    }
    if (snapshot->thread_count == 0) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended");
    }
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        struct itr_target_thread *target = &snapshot->targets[i];
        struct itrp_snapshot_thread *thread = &snapshot->threads[i];
        target->at_fault = request->about != 0 && target->id == request->about;
        read_thread(snapshot, i, request->deadline_ns);
        give_part(snapshot, i, request);
        if (target->at_fault && request->exception != NULL) {
            take_exception(thread, request);
        }
        target->name = thread->name[0] != '\0' ? thread->name : NULL;
        snapshot->shown.not_stopped += target->has_registers ? 0 : 1;
    }
    return ITR_OK;
}
