/* A minidump of a standing process, written by the system's dbghelp.dll, at most as large as is allowed: with all memory
 * where that fits, else with less. It decides neither where it goes nor how many are kept.
 *
 * dbghelp works for one caller at a time, and may never come back from a process that is dying: the dump is written by a
 * thread of its own that closes and removes its file itself when nobody waits for it any more. */
#include "platform/windows/runner_windows.h"
#include "platform/windows/snapshot_windows.h"

#include <dbghelp.h>
#include <stdlib.h>
#include <uv.h>

enum { DUMP_MS = 60000 };

/* From the most to the least that is in it. */
static const struct kind {
    MINIDUMP_TYPE type;
    bool everything; /* all memory that can be read */
} kinds[] = {
    {MiniDumpWithFullMemory | MiniDumpWithFullMemoryInfo | MiniDumpWithHandleData |
         MiniDumpWithThreadInfo | MiniDumpWithUnloadedModules,
     true},
    {MiniDumpWithPrivateReadWriteMemory | MiniDumpWithDataSegs | MiniDumpWithFullMemoryInfo |
         MiniDumpWithHandleData | MiniDumpWithThreadInfo | MiniDumpWithUnloadedModules,
     false},
    {MiniDumpWithDataSegs | MiniDumpWithIndirectlyReferencedMemory | MiniDumpWithThreadInfo, false},
    {MiniDumpNormal, false},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef BOOL(WINAPI *write_dump_fn)(HANDLE process, DWORD id, HANDLE file, MINIDUMP_TYPE type,
                                    const MINIDUMP_EXCEPTION_INFORMATION *exception,
                                    const MINIDUMP_USER_STREAM_INFORMATION *streams,
                                    const MINIDUMP_CALLBACK_INFORMATION *callback);

/* ---- dbghelp ---- */

static INIT_ONCE found_once = INIT_ONCE_STATIC_INIT;
static write_dump_fn write_dump;
static HANDLE one_at_a_time; /* mutex */

static BOOL CALLBACK find_dbghelp(PINIT_ONCE once, PVOID parameter, PVOID *context) {
    (void)once;
    (void)parameter;
    (void)context;
    HMODULE dbghelp = LoadLibraryExW(L"dbghelp.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (dbghelp != NULL) {
        write_dump = (write_dump_fn)(uintptr_t)GetProcAddress(dbghelp, "MiniDumpWriteDump");
    }
    one_at_a_time = CreateMutexW(NULL, FALSE, NULL);
    return TRUE;
}

/* ---- one dump ---- */

struct dump {
    EXCEPTION_RECORD record;
    CONTEXT context;
    MINIDUMP_EXCEPTION_INFORMATION exception;
    EXCEPTION_POINTERS pointers;
    bool has_exception;
    HANDLE process;
    DWORD id;
    HANDLE file;
    wchar_t *path;
    MINIDUMP_TYPE type;
    uint64_t until_ns;
    bool done;
    DWORD error;
};

static void discard_dump(void *argument) {
    struct dump *dump = argument;
    if (dump->file != INVALID_HANDLE_VALUE) {
        CloseHandle(dump->file);
        if (!dump->done) {
            DeleteFileW(dump->path);
        }
    }
    if (dump->process != NULL) {
        CloseHandle(dump->process);
    }
    free(dump->path);
    _aligned_free(dump);
}

/* Nobody waits for it: a dump that came too late is none. */
static void discard_late(void *argument) {
    ((struct dump *)argument)->done = false;
    discard_dump(argument);
}

static void write_one(void *argument) {
    struct dump *dump = argument;
    DWORD wait = WaitForSingleObject(one_at_a_time, itrp_windows_left_ms(dump->until_ns, DUMP_MS));
    if (wait != WAIT_OBJECT_0 && wait != WAIT_ABANDONED) {
        dump->error = ERROR_TIMEOUT;
        return;
    }
    dump->done = write_dump(dump->process, dump->id, dump->file, dump->type,
                            dump->has_exception ? &dump->exception : NULL, NULL, NULL) != 0;
    dump->error = dump->done ? 0 : GetLastError();
    ReleaseMutex(one_at_a_time);
}

/* `id`: thread that has raised it. */
static void take_exception(struct dump *dump, const struct itrp_windows_snapshot *snapshot) {
    if (!snapshot->has_exception || !snapshot->has_context) {
        return;
    }
    dump->record = snapshot->exception;
    dump->context = snapshot->context;
    dump->pointers = (EXCEPTION_POINTERS){.ExceptionRecord = &dump->record,
                                          .ContextRecord = &dump->context};
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        if (snapshot->targets[i].at_fault) {
            dump->exception.ThreadId = (DWORD)snapshot->targets[i].id;
            dump->has_exception = true;
        }
    }
    dump->exception.ExceptionPointers = &dump->pointers;
    dump->exception.ClientPointers = FALSE;
}

static struct dump *make_dump(const struct itrp_windows_snapshot *snapshot, const char *path,
                              const struct kind *kind, struct itr_error *err) {
    HANDLE self = GetCurrentProcess();
    struct dump *dump = _aligned_malloc(sizeof *dump, 16);
    if (dump == NULL) {
        itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a minidump");
        return NULL;
    }
    *dump = (struct dump){.id = (DWORD)snapshot->shown.target.id,
                          .file = INVALID_HANDLE_VALUE,
                          .path = itrp_windows_wide(path),
                          .type = kind->type,
                          .until_ns = uv_hrtime() + DUMP_MS * UINT64_C(1000000)};
    if (dump->path == NULL || !DuplicateHandle(self, snapshot->process, self, &dump->process, 0,
                                               FALSE, DUPLICATE_SAME_ACCESS)) {
        itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a minidump");
        discard_dump(dump);
        return NULL;
    }
    take_exception(dump, snapshot);
    dump->file = CreateFileW(dump->path, GENERIC_READ | GENERIC_WRITE,
                             FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_ALWAYS,
                             FILE_ATTRIBUTE_NORMAL, NULL);
    if (dump->file == INVALID_HANDLE_VALUE) {
        itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot write %s", path);
        discard_dump(dump);
        return NULL;
    }
    return dump;
}

/* Writes the file, or leaves none. ITR_E_LIMIT if it is longer than allowed. */
static enum itr_status dump_as(const struct itrp_windows_snapshot *snapshot, const char *path,
                               const struct kind *kind, uint64_t limit_bytes, uint64_t *bytes,
                               struct itr_error *err) {
    LARGE_INTEGER size = {.QuadPart = 0};
    struct dump *dump = make_dump(snapshot, path, kind, err);
    if (dump == NULL) {
        return err != NULL ? err->status : ITR_E_SYSTEM;
    }
    if (!itrp_windows_call(write_one, discard_late, dump, DUMP_MS)) {
        return itr_fail(err, ITR_E_TIMEOUT, 0, "the minidump was not written in %d s",
                        DUMP_MS / 1000);
    }
    enum itr_status status = ITR_OK;
    if (!dump->done) {
        status = itrp_windows_fail(err, dump->error == ERROR_TIMEOUT ? ITR_E_TIMEOUT : ITR_E_SYSTEM,
                                   dump->error, "cannot write the minidump");
    } else if (!GetFileSizeEx(dump->file, &size)) {
        status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot write %s", path);
    } else if ((uint64_t)size.QuadPart > limit_bytes) {
        status = itr_fail(err, ITR_E_LIMIT, 0, "not even a small minidump fits into %llu bytes",
                          (unsigned long long)limit_bytes);
    }
    *bytes = (uint64_t)size.QuadPart;
    dump->done = status == ITR_OK;
    discard_dump(dump);
    return status;
}

/* ---- all kinds ---- */

const char *itrp_core_file_name(void) {
    return "host.dmp";
}

static uint64_t readable_bytes(const struct itrp_snapshot *snapshot) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < snapshot->mapping_count; i++) {
        const struct itrp_snapshot_mapping *mapping = &snapshot->mappings[i];
        bytes += mapping->readable ? mapping->end - mapping->begin : 0;
    }
    return bytes;
}

enum itr_status itrp_snapshot_write_core(const struct itrp_snapshot *snapshot, const char *path,
                                         uint64_t limit_bytes, struct itrp_core_result *result,
                                         struct itr_error *err) {
    const struct itrp_windows_snapshot *whole = snapshot->target.context;
    uint64_t readable = readable_bytes(snapshot);
    uint64_t bytes = 0;
    struct itr_error error = {0};
    enum itr_status status = ITR_E_LIMIT;
    *result = (struct itrp_core_result){0};
    InitOnceExecuteOnce(&found_once, find_dbghelp, NULL, NULL);
    if (write_dump == NULL || one_at_a_time == NULL) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "dbghelp.dll, which writes minidumps, is not here");
    }
    /* A kind that this system's dbghelp cannot write is passed over like one that is too long. */
    for (size_t i = 0; i < KINDS && status != ITR_OK && status != ITR_E_TIMEOUT; i++) {
        if (kinds[i].everything && (readable > limit_bytes || snapshot->mappings_cut)) {
            continue;
        }
        status = dump_as(whole, path, &kinds[i], limit_bytes, &bytes, &error);
        if (status == ITR_OK) {
            uint64_t memory = kinds[i].everything ? readable : bytes;
            result->bytes = bytes;
            result->memory_bytes = memory < readable ? memory : readable;
            result->left_out_bytes = readable - result->memory_bytes;
        }
    }
    if (status != ITR_OK && err != NULL) {
        *err = error;
    }
    return status;
}
