/* Snapshots of hosts on Windows: there are none yet, and every call says so. */
#include "platform/platform.h"
#include "platform/snapshot.h"

static enum itr_status refuse(struct itr_error *err) {
    return itr_fail(err, ITR_E_UNSUPPORTED, 0, "hosts cannot be stopped for evidence on Windows yet");
}

const struct itrp_snapshot *itrp_process_snapshot(struct itrp_process *process) {
    (void)process;
    return NULL;
}

enum itr_status itrp_process_stop(struct itrp_process *process, uint32_t timeout_ms, struct itr_error *err) {
    (void)process;
    (void)timeout_ms;
    return refuse(err);
}

void itrp_process_go_on(struct itrp_process *process) {
    (void)process;
}

enum itr_status itrp_snapshot_write_core(const struct itrp_snapshot *snapshot, const char *path, uint64_t limit_bytes,
                                         struct itrp_core_result *result, struct itr_error *err) {
    (void)snapshot;
    (void)path;
    (void)limit_bytes;
    *result = (struct itrp_core_result){0};
    return refuse(err);
}

const char *itrp_snapshot_reason_name(enum itrp_snapshot_reason reason) {
    static const char *const names[] = {
#define ITRP_SNAPSHOT_REASON_NAME(id, name) name,
        ITRP_SNAPSHOT_REASON_MAP(ITRP_SNAPSHOT_REASON_NAME)
#undef ITRP_SNAPSHOT_REASON_NAME
    };
    return (unsigned)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

const char *itrp_system_call_name(int64_t number) {
    (void)number;
    return NULL;
}

const char *itrp_signal_code_name(int signal, int32_t code) {
    (void)signal;
    (void)code;
    return NULL;
}
