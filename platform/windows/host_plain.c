/* For Windows hosts without hooks: says that calls cannot be counted and gates not written. It touches
 * no code of the process. */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

bool itrh_hooks_install(struct itrh_host *host, enum itr_call call) {
    (void)host;
    (void)call;
    return false;
}

bool itrh_windows_gate_arm(struct itrh_host *host, uint32_t index) {
    (void)index;
    itrh_fail(host, 0, "this host was linked without hooks, and so without gates");
    return false;
}

void itrh_windows_gate_write(uintptr_t begin, uintptr_t end) {
    (void)begin;
    (void)end;
}
