/* Leaves a host to a person: gives it the last handle of its own job, and starts this program again as the reader of its
 * output. It neither stops the host nor lets it go. */
#include "platform/windows/runner_windows.h"

#include <stdlib.h>

enum { READ_BYTES = 16 * 1024, HANDLES = 4, COMMAND_MAX = 160 };

/* What stands in the reader's command line where a program's name does. */
#define READER L"initrace-output"

/* ---- the reader of its output ---- */

struct stream {
    HANDLE from;
    HANDLE to;
    uint64_t left; /* that still goes to the file */
};

/* How many bytes came; the pipe's end: false. The runner's end is overlapped, and its completion port stays with the pipe:
 * the lowest bit of the event keeps what is read here away from that. Where an end is not overlapped the call waits. */
static bool read_some(const struct stream *stream, HANDLE event, unsigned char *bytes, DWORD *got) {
    OVERLAPPED request = {.hEvent = (HANDLE)((uintptr_t)event | 1u)};
    if (!ReadFile(stream->from, bytes, READ_BYTES, NULL, &request) && GetLastError() != ERROR_IO_PENDING) {
        return false;
    }
    if (!HasOverlappedIoCompleted(&request)) {
        WaitForSingleObject(event, INFINITE);
    }
    return GetOverlappedResult(stream->from, &request, got, FALSE);
}

static DWORD WINAPI read_on(void *context) {
    unsigned char bytes[READ_BYTES];
    struct stream *stream = context;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    DWORD got = 0;
    while (event != NULL && read_some(stream, event, bytes, &got)) {
        DWORD wanted = got < stream->left ? got : (DWORD)stream->left;
        DWORD put = 0;
        if (wanted > 0 && (!WriteFile(stream->to, bytes, wanted, &put, NULL) || put < wanted)) {
            stream->left = 0; /* the disk is full */
        } else {
            stream->left -= wanted;
        }
    }
    return 0;
}

/* The next number of the command line. */
static uint64_t take_number(const wchar_t **at) {
    wchar_t *end = NULL;
    uint64_t number = wcstoull(*at, &end, 10);
    *at = end;
    return number;
}

void itrp_help_if_asked(void) {
    static const wchar_t name[] = READER L" ";
    const wchar_t *at = GetCommandLineW();
    if (wcsncmp(at, name, wcslen(name)) != 0) {
        return;
    }
    at += wcslen(name);
    struct stream streams[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        streams[i].from = (HANDLE)(uintptr_t)take_number(&at);
        streams[i].to = (HANDLE)(uintptr_t)take_number(&at);
    }
    streams[0].left = streams[1].left = take_number(&at);
    HANDLE other = CreateThread(NULL, 0, read_on, &streams[1], 0, NULL);
    read_on(&streams[0]);
    if (other != NULL) {
        WaitForSingleObject(other, INFINITE);
    }
    ExitProcess(0);
}

static HANDLE create_file(const char *path) {
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    wchar_t *wide = itrp_windows_wide(path);
    HANDLE file = wide != NULL ? CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ, &inherited, CREATE_ALWAYS,
                                             FILE_ATTRIBUTE_NORMAL, NULL)
                               : INVALID_HANDLE_VALUE;
    free(wide);
    return file != INVALID_HANDLE_VALUE ? file : NULL;
}

/* In the system's folder: it is nobody's to remove. */
static DWORD launch_reader(HANDLE handles[HANDLES], uint64_t limit_bytes, HANDLE *reader) {
    wchar_t program[4 * MAX_PATH];
    wchar_t directory[MAX_PATH];
    wchar_t command[COMMAND_MAX];
    PROCESS_INFORMATION created = {0};
    struct itrp_windows_launch launch = {.program = program,
                                         .directory = directory,
                                         .command_line = command,
                                         .inherited = handles,
                                         .inherited_count = HANDLES};
    DWORD length = GetModuleFileNameW(NULL, program, sizeof program / sizeof *program);
    if (length == 0 || length >= sizeof program / sizeof *program ||
        GetSystemDirectoryW(directory, MAX_PATH) == 0) {
        return GetLastError() != 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE;
    }
    swprintf(command, COMMAND_MAX, READER L" %llu %llu %llu %llu %llu", (unsigned long long)(uintptr_t)handles[0],
             (unsigned long long)(uintptr_t)handles[1], (unsigned long long)(uintptr_t)handles[2],
             (unsigned long long)(uintptr_t)handles[3], (unsigned long long)limit_bytes);
    DWORD error = itrp_windows_launch(&launch, &created);
    if (error == 0) {
        CloseHandle(created.hThread);
        *reader = created.hProcess;
    }
    return error;
}

static enum itr_status start_reading(const struct itrp_keep *keep, HANDLE *reader, struct itr_error *err) {
    const char *const paths[2] = {keep->output_path, keep->error_path};
    HANDLE handles[HANDLES] = {itrp_windows_inheritable_copy(keep->output), NULL,
                               itrp_windows_inheritable_copy(keep->error), NULL};
    enum itr_status status = ITR_OK;
    if (handles[0] == NULL || handles[2] == NULL) {
        status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot hand over the host's output");
    }
    for (int i = 0; i < 2 && status == ITR_OK; i++) {
        handles[2 * i + 1] = create_file(paths[i]);
        if (handles[2 * i + 1] == NULL) {
            status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot write %s", paths[i]);
        }
    }
    if (status == ITR_OK) {
        DWORD error = launch_reader(handles, keep->limit_bytes, reader);
        if (error != 0) {
            status = itrp_windows_fail(err, ITR_E_SYSTEM, error, "cannot start a reader of the host's output");
        }
    }
    for (int i = 0; i < HANDLES; i++) {
        if (handles[i] != NULL) {
            CloseHandle(handles[i]);
        }
    }
    return status;
}

/* ---- the host ---- */

/* The host's own handle of its job is the last one once the runner's is closed: the job, with what the host has started,
 * ends when the host does. Nothing is to be undone after a failure: as long as the runner's own job guards, that handle
 * keeps nobody alive. The runner's job must let all go, as no process can leave it; every host is still guarded by its own
 * job, which nobody else has open. */
enum itr_status itrp_windows_keep(HANDLE process, HANDLE job, const struct itrp_keep *keep, struct itr_error *err) {
    HANDLE reader = NULL;
    HANDLE theirs = NULL;
    enum itr_status status = start_reading(keep, &reader, err);
    if (status != ITR_OK) {
        return status;
    }
    if (!DuplicateHandle(GetCurrentProcess(), job, process, &theirs, JOB_OBJECT_QUERY, FALSE, 0) ||
        !itrp_windows_guard_let_go()) {
        status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "the host would end with the runner");
        TerminateProcess(reader, 0);
    }
    CloseHandle(reader);
    return status;
}
