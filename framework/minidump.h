/* Writes a standing host as a minidump, the core file of Windows: registers, modules, memory map and exception as streams,
 * memory by what it is worth (framework/core_plan.h), of bounded size. It runs no code of the system's for that, so that
 * nothing in it can hang or fault; the memory is read through the snapshot. It stops nobody and reads no symbols.
 *
 * x86-64. The memory is a MemoryListStream, as in what debuggers call a minidump with private memory: what is in a
 * file is left to that file, which they open by the module's path, size and time stamp. It reaches 4 GiB. */
#ifndef INITRACE_FRAMEWORK_MINIDUMP_H
#define INITRACE_FRAMEWORK_MINIDUMP_H

#include "framework/error.h"
#include "platform/snapshot.h"

/* What the machine is, for SystemInfoStream. */
struct itr_minidump_system {
    uint32_t major;
    uint32_t minor;
    uint32_t build;
    uint16_t processor_level; /* as the system numbers them */
    uint16_t processor_revision;
    uint8_t processors;
    uint64_t features[2]; /* a bit for each PF_ number that is present */
};

/* What a mapping is by the system's own numbers, for MemoryInfoListStream. */
struct itr_minidump_region {
    uint64_t allocation; /* begin of what it was made as a part of */
    uint32_t allocation_protect;
    uint32_t state;
    uint32_t protect;
    uint32_t type;
};

struct itr_minidump_request {
    const char *path;
    uint64_t limit_bytes;
    struct itr_minidump_system system;
    const struct itr_minidump_region *regions; /* one a mapping of the snapshot; NULL: no such stream */
};

/* As itrp_snapshot_write_core(). */
enum itr_status itr_minidump_write(const struct itrp_snapshot *snapshot, const struct itr_minidump_request *request,
                                   struct itrp_core_result *result, struct itr_error *err) ITR_MUST_USE;

#endif
