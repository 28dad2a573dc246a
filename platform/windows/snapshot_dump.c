/* The core file of Windows: what framework/minidump.c cannot know by itself, the machine and the memory map by the system's
 * own numbers. dbghelp's MiniDumpWriteDump is not asked: it asks the dying process anew, and reads every module's debug
 * information, in which Wine 8's faults where that is Go's. */
#include "framework/minidump.h"
#include "platform/windows/snapshot_windows.h"

#include <stdlib.h>

typedef LONG(WINAPI *get_version_fn)(OSVERSIONINFOW *version);

static struct itr_minidump_system describe_system(void) {
    get_version_fn get_version =
        (get_version_fn)(uintptr_t)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion");
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    SYSTEM_INFO machine;
    GetNativeSystemInfo(&machine);
    if (get_version != NULL) {
        (void)get_version(&version);
    }
    struct itr_minidump_system system = {
        .major = version.dwMajorVersion,
        .minor = version.dwMinorVersion,
        .build = version.dwBuildNumber,
        .processor_level = machine.wProcessorLevel,
        .processor_revision = machine.wProcessorRevision,
        .processors = (uint8_t)(machine.dwNumberOfProcessors < UINT8_MAX ? machine.dwNumberOfProcessors : UINT8_MAX),
    };
    for (DWORD feature = 0; feature < 64; feature++) {
        system.features[0] |= (uint64_t)(IsProcessorFeaturePresent(feature) != 0) << feature;
    }
    return system;
}

/* One a mapping; NULL when memory is out. */
static struct itr_minidump_region *describe_memory(const struct itrp_windows_map *map) {
    struct itr_minidump_region *regions = calloc(map->count + 1, sizeof *regions);
    for (size_t i = 0; i < map->count && regions != NULL; i++) {
        const struct itrp_windows_region *from = &map->regions[i];
        regions[i] = (struct itr_minidump_region){.allocation = from->allocation,
                                                  .allocation_protect = from->allocation_protect,
                                                  .state = from->state,
                                                  .protect = from->protect,
                                                  .type = from->type};
    }
    return regions;
}

const char *itrp_core_file_name(void) {
    return "host.dmp";
}

enum itr_status itrp_snapshot_write_core(const struct itrp_snapshot *snapshot, const char *path,
                                         uint64_t limit_bytes, struct itrp_core_result *result,
                                         struct itr_error *err) {
    const struct itrp_windows_snapshot *whole = snapshot->target.context;
    struct itr_minidump_region *regions = describe_memory(&whole->map);
    const struct itr_minidump_request request = {.path = path,
                                                 .limit_bytes = limit_bytes,
                                                 .system = describe_system(),
                                                 .regions = regions};
    enum itr_status status = itr_minidump_write(snapshot, &request, result, err);
    free(regions);
    return status;
}
