/* The modules of a standing process: what its memory map says is mapped as an image, and what its loader has a list of.
 * Their sizes come from their headers in memory; it opens no file. */
#include "platform/windows/snapshot_windows.h"

#include <psapi.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODULES_MAX = 1024,
    LIST_MS = 1000,
    PATH_CHARS = 1024,
    HEADER_OFFSET_MAX = 0x10000,
};

#define MODULE_BYTES_MAX UINT64_C(0x100000000)

/* ---- the loader's list ---- */

struct list {
    HANDLE process;
    uint64_t bases[MODULES_MAX];
    char *paths[MODULES_MAX];
    size_t count;
};

static void discard_list(void *argument) {
    struct list *list = argument;
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    CloseHandle(list->process);
    free(list);
}

static char *path_of(HANDLE process, HMODULE module) {
    wchar_t wide[PATH_CHARS];
    DWORD length = K32GetModuleFileNameExW(process, module, wide, PATH_CHARS);
    int bytes = 0;
    if (length == 0 || length >= PATH_CHARS ||
        (bytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL)) <= 0) {
        return NULL;
    }
    char *path = malloc((size_t)bytes);
    if (path != NULL) {
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, bytes, NULL, NULL);
    }
    return path;
}

/* The list is the process's own memory, and is read as it is: where a thread stood while it changed it, there may be less
 * than there is. */
static void list_modules(void *argument) {
    struct list *list = argument;
    HMODULE modules[MODULES_MAX];
    DWORD bytes = 0;
    if (!K32EnumProcessModulesEx(list->process, modules, sizeof modules, &bytes,
                                 LIST_MODULES_64BIT)) {
        return;
    }
    size_t count = bytes / sizeof modules[0];
    for (size_t i = 0; i < count && i < MODULES_MAX; i++) {
        char *path = path_of(list->process, modules[i]);
        if (path != NULL) {
            list->bases[list->count] = (uint64_t)(uintptr_t)modules[i];
            list->paths[list->count++] = path;
        }
    }
}

/* NULL if it cannot be had in time. */
static struct list *read_list(const struct itrp_windows_snapshot *snapshot, uint64_t deadline_ns) {
    HANDLE self = GetCurrentProcess();
    struct list *list = calloc(1, sizeof *list);
    if (list == NULL || !DuplicateHandle(self, snapshot->process, self, &list->process, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS)) {
        free(list);
        return NULL;
    }
    return itrp_windows_call(list_modules, discard_list, list,
                             itrp_windows_left_ms(deadline_ns, LIST_MS))
               ? list
               : NULL;
}

/* ---- modules ---- */

/* 0 where no image's header is. */
static uint64_t image_bytes(const struct itrp_windows_snapshot *snapshot, uint64_t base) {
    IMAGE_DOS_HEADER dos;
    IMAGE_NT_HEADERS64 nt;
    const struct itr_target_process *target = &snapshot->shown.target;
    if (!itr_target_read(target, base, &dos, sizeof dos) || dos.e_magic != IMAGE_DOS_SIGNATURE ||
        dos.e_lfanew < 0 || dos.e_lfanew > HEADER_OFFSET_MAX ||
        !itr_target_read(target, base + (uint32_t)dos.e_lfanew, &nt, sizeof nt) ||
        nt.Signature != IMAGE_NT_SIGNATURE ||
        nt.OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC) {
        return 0;
    }
    return nt.OptionalHeader.SizeOfImage;
}

/* Where the loader has a path, that one is a person's; the map's is the file's own. */
static void add(struct itrp_windows_snapshot *snapshot, size_t *count, uint64_t base,
                const char *path) {
    for (size_t i = 0; i < *count; i++) {
        if (snapshot->modules[i].base == base) {
            return;
        }
    }
    uint64_t bytes = *count < MODULES_MAX && base != 0 ? image_bytes(snapshot, base) : 0;
    if (bytes != 0 && bytes < MODULE_BYTES_MAX) {
        snapshot->modules[(*count)++] =
            (struct itr_target_module){.path = path, .base = base, .bytes = bytes};
    }
}

static int by_base(const void *a, const void *b) {
    const struct itr_target_module *x = a;
    const struct itr_target_module *y = b;
    return x->base < y->base ? -1 : x->base > y->base;
}

static void give_ranges(const struct itrp_windows_snapshot *snapshot,
                        struct itr_target_module *module) {
    size_t count = snapshot->map.count;
    size_t first = 0;
    while (first < count && snapshot->mappings[first].begin < module->base) {
        first++;
    }
    size_t end = first;
    while (end < count && snapshot->mappings[end].end <= module->base + module->bytes) {
        end++;
    }
    if (end > first) {
        module->ranges = &snapshot->ranges[first];
        module->range_count = end - first;
    }
}

enum itr_status itrp_windows_find_modules(struct itrp_windows_snapshot *snapshot,
                                          uint64_t deadline_ns, struct itr_error *err) {
    size_t count = 0;
    struct list *list = read_list(snapshot, deadline_ns);
    snapshot->modules = calloc(MODULES_MAX, sizeof *snapshot->modules);
    snapshot->module_paths = calloc(MODULES_MAX, sizeof *snapshot->module_paths);
    if (snapshot->modules == NULL || snapshot->module_paths == NULL) {
        if (list != NULL) {
            discard_list(list);
        }
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's modules");
    }
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        snapshot->module_paths[snapshot->module_path_count++] = list->paths[i];
        add(snapshot, &count, list->bases[i], list->paths[i]);
    }
    if (list != NULL) {
        list->count = 0; /* the paths are the snapshot's */
        discard_list(list);
    }
    for (size_t i = 0; i < snapshot->map.count; i++) {
        const struct itrp_windows_region *region = &snapshot->map.regions[i];
        if (region->type == MEM_IMAGE && region->begin == region->allocation) {
            add(snapshot, &count, region->begin, region->path != NULL ? region->path : "");
        }
    }
    qsort(snapshot->modules, count, sizeof *snapshot->modules, by_base);
    for (size_t i = 0; i < count; i++) {
        struct itr_target_module *module = &snapshot->modules[i];
        if (i + 1 < count && module->base + module->bytes > module[1].base) {
            module->bytes = module[1].base - module->base;
        }
        give_ranges(snapshot, module);
    }
    snapshot->shown.target.modules = snapshot->modules;
    snapshot->shown.target.module_count = count;
    return ITR_OK;
}
