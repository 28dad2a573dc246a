/* The open handles of a process: how many, and of each its number, type and, where that can be told, its name. It changes
 * none of them. */
#include "platform/windows/snapshot_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    HANDLES_MS = 1000,
    LIST_BYTES_MAX = 64 * 1024 * 1024,
    OBJECT_BYTES = 4096,
    EXTENDED_HANDLES = 64,
    OBJECT_NAME = 1,
    OBJECT_TYPE = 2,
};

#define STATUS_TOO_SHORT ((LONG)0xC0000004)

struct entry {
    void *object;
    ULONG_PTR process;
    ULONG_PTR handle;
    ULONG access;
    USHORT creator;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
};

struct entries {
    ULONG_PTR count;
    ULONG_PTR reserved;
    struct entry first[];
};

typedef LONG(NTAPI *query_system_fn)(ULONG information_class, PVOID information, ULONG bytes,
                                     PULONG returned);
typedef LONG(NTAPI *query_object_fn)(HANDLE object, ULONG information_class, PVOID information,
                                     ULONG bytes, PULONG returned);

struct look {
    HANDLE process;
    DWORD id;
    uint32_t count;
    struct itrp_snapshot_descriptor found[ITRP_SNAPSHOT_DESCRIPTORS_MAX];
    size_t found_count;
    bool failed;
};

static void discard_look(void *argument) {
    struct look *look = argument;
    CloseHandle(look->process);
    free(look);
}

static FARPROC ntdll_export(const char *name) {
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name);
}

/* All handles of the system; the caller frees. */
static struct entries *list_handles(void) {
    query_system_fn query = (query_system_fn)(uintptr_t)ntdll_export("NtQuerySystemInformation");
    for (ULONG bytes = 256 * 1024; bytes <= LIST_BYTES_MAX; bytes *= 2) {
        struct entries *list = malloc(bytes);
        ULONG returned = 0;
        if (list == NULL) {
            return NULL;
        }
        LONG status = query(EXTENDED_HANDLES, list, bytes, &returned);
        if (status == 0) {
            return list;
        }
        free(list);
        if (status != STATUS_TOO_SHORT) {
            return NULL;
        }
    }
    return NULL;
}

/* A name as the system's objects give theirs, UTF-8, cut where it is too long. */
static void object_text(HANDLE object, ULONG information_class, char *out, size_t room) {
    union {
        UNICODE_STRING text; /* types and names both begin with one */
        char room[OBJECT_BYTES];
    } information;
    query_object_fn query = (query_object_fn)(uintptr_t)ntdll_export("NtQueryObject");
    memset(&information, 0, sizeof information);
    out[0] = '\0';
    if (query(object, information_class, &information, sizeof information, NULL) != 0 ||
        information.text.Buffer == NULL) {
        return;
    }
    int chars = information.text.Length / (int)sizeof(wchar_t);
    char whole[OBJECT_BYTES * 2];
    int bytes = WideCharToMultiByte(CP_UTF8, 0, information.text.Buffer, chars, whole,
                                    sizeof whole - 1, NULL, NULL);
    whole[bytes > 0 ? bytes : 0] = '\0';
    snprintf(out, room, "%.*s", (int)room - 1, whole);
}

/* Where a pipe is read by another thread, its name is answered when that read ends: it is never asked for. */
static void describe_file(HANDLE file, char *name, size_t room) {
    switch (GetFileType(file)) {
    case FILE_TYPE_DISK: object_text(file, OBJECT_NAME, name, room); return;
    case FILE_TYPE_CHAR: snprintf(name, room, "character device"); return;
    case FILE_TYPE_PIPE: snprintf(name, room, "pipe"); return;
    default: name[0] = '\0'; return;
    }
}

static void describe(const struct look *look, HANDLE handle,
                     struct itrp_snapshot_descriptor *descriptor) {
    char type[64] = "";
    char name[ITRP_SNAPSHOT_TARGET_MAX - sizeof type] = "";
    HANDLE copy = NULL;
    if (!DuplicateHandle(look->process, handle, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        return;
    }
    object_text(copy, OBJECT_TYPE, type, sizeof type);
    if (strcmp(type, "File") == 0) {
        describe_file(copy, name, sizeof name);
    } else if (strcmp(type, "Thread") == 0) {
        snprintf(name, sizeof name, "%lu", GetThreadId(copy));
    } else if (strcmp(type, "Process") == 0) {
        snprintf(name, sizeof name, "%lu", GetProcessId(copy));
    } else {
        object_text(copy, OBJECT_NAME, name, sizeof name);
    }
    CloseHandle(copy);
    snprintf(descriptor->target, sizeof descriptor->target, "%s%s%s", type,
             name[0] != '\0' ? " " : "", name);
}

static int by_number(const void *a, const void *b) {
    uint32_t x = ((const struct itrp_snapshot_descriptor *)a)->number;
    uint32_t y = ((const struct itrp_snapshot_descriptor *)b)->number;
    return x < y ? -1 : x > y;
}

static void look_at_handles(void *argument) {
    struct look *look = argument;
    struct entries *list = list_handles();
    DWORD count = 0;
    look->failed = list == NULL;
    for (ULONG_PTR i = 0; list != NULL && i < list->count; i++) {
        if (list->first[i].process != look->id) {
            continue;
        }
        if (look->found_count == ITRP_SNAPSHOT_DESCRIPTORS_MAX) {
            look->failed = true;
            break;
        }
        struct itrp_snapshot_descriptor *descriptor = &look->found[look->found_count++];
        descriptor->number = (uint32_t)list->first[i].handle;
        describe(look, (HANDLE)list->first[i].handle, descriptor);
    }
    free(list);
    /* Wine (8) counts none. */
    look->count = GetProcessHandleCount(look->process, &count) ? count : 0;
    if (look->count < look->found_count) {
        look->count = (uint32_t)look->found_count;
    }
    qsort(look->found, look->found_count, sizeof look->found[0], by_number);
}

enum itr_status itrp_windows_read_handles(struct itrp_windows_snapshot *snapshot,
                                          uint64_t deadline_ns, struct itr_error *err) {
    HANDLE self = GetCurrentProcess();
    struct look *look = calloc(1, sizeof *look);
    snapshot->shown.descriptors_cut = true;
    if (look == NULL || !DuplicateHandle(self, snapshot->process, self, &look->process, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS)) {
        free(look);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's handles");
    }
    look->id = (DWORD)snapshot->shown.target.id;
    if (!itrp_windows_call(look_at_handles, discard_look, look,
                           itrp_windows_left_ms(deadline_ns, HANDLES_MS))) {
        return ITR_OK; /* cut */
    }
    size_t bytes = look->found_count * sizeof look->found[0];
    snapshot->descriptors = malloc(bytes + 1);
    if (snapshot->descriptors != NULL) {
        memcpy(snapshot->descriptors, look->found, bytes);
        snapshot->shown.descriptors = snapshot->descriptors;
        snapshot->shown.descriptor_count = look->found_count;
        snapshot->shown.descriptors_cut = look->failed;
    }
    snapshot->shown.handle_count = look->count;
    discard_look(look);
    return ITR_OK;
}
