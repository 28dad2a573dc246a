/* Puts a snapshot of a process together whose threads it suspends, and lets them go again. When a process is to stand is
 * debug_evidence.c's and process.c's business. */
#include "platform/windows/snapshot_windows.h"

#include <stdlib.h>
#include <uv.h>

enum { PAGE = 4096, CHUNK = 1024 * 1024 };

/* ---- memory ---- */

/* Where not all of a chunk is there, its beginning is read page by page. */
static size_t read_memory(void *context, uint64_t address, void *into, size_t bytes) {
    const struct itrp_windows_snapshot *snapshot = context;
    size_t have = 0;
    size_t step = CHUNK;
    while (have < bytes) {
        uint64_t at = address + have;
        size_t wanted = step - (size_t)(at % step);
        wanted = wanted < bytes - have ? wanted : bytes - have;
        SIZE_T got = 0;
        if (ReadProcessMemory(snapshot->process, (const void *)(uintptr_t)at, (char *)into + have,
                              wanted, &got) &&
            got == wanted) {
            have += wanted;
        } else if (step == CHUNK) {
            step = PAGE;
        } else {
            break;
        }
    }
    return have;
}

/* ---- the whole ---- */

static struct itrp_windows_snapshot *make(const struct itrp_windows_snapshot_request *request) {
    HANDLE self = GetCurrentProcess();
    struct itrp_windows_snapshot *snapshot = malloc(sizeof *snapshot);
    if (snapshot == NULL) {
        return NULL;
    }
    *snapshot = (struct itrp_windows_snapshot){
        .shown = {.reason = request->reason,
                  .time_ns = uv_hrtime(),
                  .exit_status = request->exit_status,
                  .target = {.system = ITR_TARGET_WINDOWS,
                             .id = request->id,
                             .read = read_memory,
                             .context = snapshot}}};
    if (!DuplicateHandle(self, request->process, self, &snapshot->process, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        free(snapshot);
        return NULL;
    }
    return snapshot;
}

struct itrp_windows_snapshot *itrp_windows_snapshot_take(
    const struct itrp_windows_snapshot_request *request, struct itr_error *err) {
    struct itrp_windows_snapshot *snapshot = make(request);
    if (snapshot == NULL) {
        itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a snapshot");
        return NULL;
    }
    enum itr_status status = itrp_windows_stop_threads(snapshot, request, err);
    snapshot->shown.threads = snapshot->threads;
    snapshot->shown.target.threads = snapshot->targets;
    snapshot->shown.target.thread_count = snapshot->thread_count;
    if (status == ITR_OK) {
        itrp_windows_read_map(snapshot, request->deadline_ns);
        status = itrp_windows_find_mappings(snapshot, err);
    }
    if (status == ITR_OK) {
        status = itrp_windows_find_modules(snapshot, request->deadline_ns, err);
    }
    if (status == ITR_OK) {
        status = itrp_windows_read_handles(snapshot, request->deadline_ns, err);
    }
    if (status != ITR_OK) {
        itrp_windows_snapshot_free(snapshot);
        return NULL;
    }
    return snapshot;
}

void itrp_windows_snapshot_let_go(struct itrp_windows_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->thread_count && !snapshot->let_go; i++) {
        ResumeThread(snapshot->handles[i]);
    }
    snapshot->let_go = true;
}

void itrp_windows_snapshot_free(struct itrp_windows_snapshot *snapshot) {
    if (snapshot == NULL) {
        return;
    }
    itrp_windows_snapshot_let_go(snapshot);
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        CloseHandle(snapshot->handles[i]);
    }
    CloseHandle(snapshot->process);
    for (size_t i = 0; i < snapshot->module_path_count; i++) {
        free(snapshot->module_paths[i]);
    }
    itrp_windows_map_release(&snapshot->map);
    free(snapshot->targets);
    free(snapshot->threads);
    free(snapshot->handles);
    free(snapshot->blocks);
    free(snapshot->mappings);
    free(snapshot->ranges);
    free(snapshot->modules);
    free(snapshot->module_paths);
    free(snapshot->descriptors);
    free(snapshot);
}

/* ---- names ---- */

const char *itrp_snapshot_reason_name(enum itrp_snapshot_reason reason) {
    static const char *const names[] = {
#define ITRP_SNAPSHOT_REASON_NAME(id, name) name,
        ITRP_SNAPSHOT_REASON_MAP(ITRP_SNAPSHOT_REASON_NAME)
#undef ITRP_SNAPSHOT_REASON_NAME
    };
    return (unsigned)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

/* Windows has no numbers of either kind. */
const char *itrp_system_call_name(int64_t number) {
    (void)number;
    return NULL;
}

const char *itrp_signal_code_name(int signal, int32_t code) {
    (void)signal;
    (void)code;
    return NULL;
}
