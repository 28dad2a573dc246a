/* The memory of a standing process: its regions with the files behind them, then mappings that say which are stacks and
 * heaps. Modules are snapshot_modules.c's. */
#include "platform/windows/runner_windows.h"
#include "platform/windows/snapshot_windows.h"

#include <psapi.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    MAP_MS = 3000,
    HEAPS_MAX = 256,
    PATH_CHARS = 2048,
    /* In a TEB and a PEB, the same in every 64-bit Windows: */
    BLOCK_STACK_BASE = 0x8,
    BLOCK_STACK_ALLOCATION = 0x1478,
    PEB_HEAP_COUNT = 0xe8,
    PEB_HEAPS = 0xf0,
};

/* ---- file names ---- */

static char *narrow(const wchar_t *wide) {
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = bytes > 0 ? malloc((size_t)bytes) : NULL;
    if (text != NULL) {
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, bytes, NULL, NULL);
    }
    return text;
}

/* "\Device\HarddiskVolume1\x" as "C:\x". What no drive stands for stays as it is. */
static char *with_drive(const wchar_t *path) {
    wchar_t device[PATH_CHARS];
    wchar_t found[PATH_CHARS + 3];
    if (wcsncmp(path, L"\\??\\", 4) == 0 || wcsncmp(path, L"\\\\?\\", 4) == 0) {
        return narrow(path + 4);
    }
    DWORD drives = GetLogicalDrives();
    for (wchar_t letter = L'A'; letter <= L'Z'; letter++) {
        const wchar_t drive[3] = {letter, L':', L'\0'};
        if ((drives >> (letter - L'A') & 1) == 0 || QueryDosDeviceW(drive, device, PATH_CHARS) == 0) {
            continue;
        }
        size_t length = wcslen(device);
        if (length > 0 && _wcsnicmp(path, device, length) == 0 && path[length] == L'\\' &&
            wcslen(path + length) < PATH_CHARS) {
            found[0] = letter;
            found[1] = L':';
            wcscpy(found + 2, path + length);
            return narrow(found);
        }
    }
    return narrow(path);
}

/* ---- regions ---- */

struct walk {
    HANDLE process;
    struct itrp_windows_map map;
};

static void discard_walk(void *argument) {
    struct walk *walk = argument;
    itrp_windows_map_release(&walk->map);
    CloseHandle(walk->process);
    free(walk);
}

void itrp_windows_map_release(struct itrp_windows_map *map) {
    for (size_t i = 0; i < map->path_count; i++) {
        free(map->paths[i]);
    }
    free(map->paths);
    free(map->regions);
    *map = (struct itrp_windows_map){0};
}

/* Path of the file that is mapped at the region; the one before shares it where both are parts of one mapping. */
static const char *path_of(struct walk *walk, const struct itrp_windows_region *region) {
    struct itrp_windows_map *map = &walk->map;
    const struct itrp_windows_region *last = map->count > 0 ? &map->regions[map->count - 1] : NULL;
    wchar_t wide[PATH_CHARS];
    if (region->type != MEM_IMAGE && region->type != MEM_MAPPED) {
        return NULL;
    }
    if (last != NULL && last->allocation == region->allocation) {
        return last->path;
    }
    const void *address = (const void *)(uintptr_t)region->begin;
    if (K32GetMappedFileNameW(walk->process, (void *)(uintptr_t)address, wide, PATH_CHARS) == 0) {
        return NULL; /* memory without a file that is shared */
    }
    if ((map->path_count & (map->path_count - 1)) == 0) { /* room doubles */
        size_t room = map->path_count == 0 ? 1 : 2 * map->path_count;
        char **paths = realloc(map->paths, room * sizeof *paths);
        if (paths == NULL) {
            return NULL;
        }
        map->paths = paths;
    }
    char *path = with_drive(wide);
    if (path != NULL) {
        map->paths[map->path_count++] = path;
    }
    return path;
}

static bool add_region(struct walk *walk, const MEMORY_BASIC_INFORMATION *info) {
    struct itrp_windows_map *map = &walk->map;
    if (map->count == map->room) {
        size_t room = map->room == 0 ? 256 : 2 * map->room;
        struct itrp_windows_region *regions = NULL;
        if (map->count < ITRP_SNAPSHOT_MAPPINGS_MAX) {
            regions = realloc(map->regions, room * sizeof *regions);
        }
        if (regions == NULL) {
            return false;
        }
        map->regions = regions;
        map->room = room;
    }
    struct itrp_windows_region region = {
        .begin = (uint64_t)(uintptr_t)info->BaseAddress,
        .bytes = info->RegionSize,
        .allocation = (uint64_t)(uintptr_t)info->AllocationBase,
        .allocation_protect = info->AllocationProtect,
        .state = info->State,
        .protect = info->Protect,
        .type = info->Type,
    };
    region.path = path_of(walk, &region);
    map->regions[map->count++] = region;
    return true;
}

static void walk_memory(void *argument) {
    struct walk *walk = argument;
    MEMORY_BASIC_INFORMATION info;
    uint64_t address = 0;
    while (VirtualQueryEx(walk->process, (const void *)(uintptr_t)address, &info, sizeof info) ==
           sizeof info) {
        uint64_t next = (uint64_t)(uintptr_t)info.BaseAddress + info.RegionSize;
        if (next <= address) {
            return;
        }
        if (info.State != MEM_FREE && !add_region(walk, &info)) {
            walk->map.cut = true;
            return;
        }
        address = next;
    }
}

void itrp_windows_read_map(struct itrp_windows_snapshot *snapshot, uint64_t deadline_ns) {
    HANDLE self = GetCurrentProcess();
    struct walk *walk = calloc(1, sizeof *walk);
    snapshot->map.cut = true;
    if (walk == NULL || !DuplicateHandle(self, snapshot->process, self, &walk->process, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS)) {
        free(walk);
        return;
    }
    if (!itrp_windows_call(walk_memory, discard_walk, walk,
                           itrp_windows_left_ms(deadline_ns, MAP_MS))) {
        return;
    }
    snapshot->map = walk->map;
    walk->map = (struct itrp_windows_map){0};
    discard_walk(walk);
}

/* ---- mappings ---- */

static bool read_word(const struct itrp_windows_snapshot *snapshot, uint64_t address,
                      uint64_t *value) {
    return itr_target_read_u64(&snapshot->shown.target, address, value);
}

/* Marks the mappings between two addresses with a name. By address: the first one that can be meant is looked up. */
static void name_range(struct itrp_windows_snapshot *snapshot, uint64_t begin, uint64_t end,
                       const char *name) {
    size_t low = 0;
    size_t high = snapshot->map.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->mappings[middle].end <= begin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < snapshot->map.count && snapshot->mappings[low].begin < end; low++) {
        if (!snapshot->mappings[low].is_file) {
            snapshot->mappings[low].path = name;
        }
    }
}

static void name_stacks(struct itrp_windows_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        uint64_t base = 0;
        uint64_t allocation = 0;
        uint64_t block = snapshot->blocks[i];
        if (block != 0 && read_word(snapshot, block + BLOCK_STACK_BASE, &base) &&
            read_word(snapshot, block + BLOCK_STACK_ALLOCATION, &allocation) && allocation < base) {
            name_range(snapshot, allocation, base, "[stack]");
        }
    }
}

static uint64_t environment_block(HANDLE process) {
    PROCESS_BASIC_INFORMATION basic = {0};
    typedef LONG(NTAPI * query_fn)(HANDLE, ULONG, PVOID, ULONG, PULONG);
    query_fn query = (query_fn)(uintptr_t)GetProcAddress(GetModuleHandleW(L"ntdll.dll"),
                                                         "NtQueryInformationProcess");
    return query(process, ProcessBasicInformation, &basic, sizeof basic, NULL) == 0
               ? (uint64_t)(uintptr_t)basic.PebBaseAddress
               : 0;
}

/* Of a heap only what was made with it is known to be one: further segments stay without a name. */
static void name_heaps(struct itrp_windows_snapshot *snapshot) {
    uint64_t block = environment_block(snapshot->process);
    uint32_t count = 0;
    uint64_t heaps = 0;
    if (block == 0 || !itr_target_read_u32(&snapshot->shown.target, block + PEB_HEAP_COUNT, &count) ||
        !read_word(snapshot, block + PEB_HEAPS, &heaps)) {
        return;
    }
    for (uint32_t i = 0; i < count && i < HEAPS_MAX; i++) {
        uint64_t heap = 0;
        if (!read_word(snapshot, heaps + 8u * i, &heap)) {
            return;
        }
        for (size_t k = 0; k < snapshot->map.count; k++) {
            if (snapshot->map.regions[k].allocation == heap && heap != 0 &&
                !snapshot->mappings[k].is_file) {
                snapshot->mappings[k].path = "[heap]";
            }
        }
    }
}

static struct itrp_snapshot_mapping mapping_of(const struct itrp_windows_region *region) {
    const DWORD readable = PAGE_READONLY | PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READ |
                           PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    const DWORD writable =
        PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    const DWORD executable =
        PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    bool usable = region->state == MEM_COMMIT && (region->protect & PAGE_GUARD) == 0;
    return (struct itrp_snapshot_mapping){
        .begin = region->begin,
        .end = region->begin + region->bytes,
        .offset = region->path != NULL ? region->begin - region->allocation : 0,
        .readable = usable && (region->protect & readable) != 0,
        .writable = usable && (region->protect & writable) != 0,
        .executable = usable && (region->protect & executable) != 0,
        .shared = region->type == MEM_MAPPED && (region->protect & PAGE_READWRITE) != 0,
        .is_file = region->path != NULL,
        .path = region->path != NULL ? region->path : "",
    };
}

enum itr_status itrp_windows_find_mappings(struct itrp_windows_snapshot *snapshot,
                                           struct itr_error *err) {
    size_t count = snapshot->map.count;
    snapshot->mappings = calloc(count + 1, sizeof *snapshot->mappings);
    snapshot->ranges = calloc(count + 1, sizeof *snapshot->ranges);
    if (snapshot->mappings == NULL || snapshot->ranges == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's mappings");
    }
    for (size_t i = 0; i < count; i++) {
        struct itrp_snapshot_mapping *mapping = &snapshot->mappings[i];
        *mapping = mapping_of(&snapshot->map.regions[i]);
        snapshot->ranges[i] = (struct itr_target_range){.begin = mapping->begin,
                                                        .end = mapping->end,
                                                        .readable = mapping->readable,
                                                        .writable = mapping->writable,
                                                        .executable = mapping->executable};
    }
    name_stacks(snapshot);
    name_heaps(snapshot);
    snapshot->shown.mappings = snapshot->mappings;
    snapshot->shown.mapping_count = count;
    snapshot->shown.mappings_cut = snapshot->map.cut;
    return ITR_OK;
}
