/* Stands in for host_hooks.c in hosts without hooks, so that such a host runs nothing of ours in the
 * library's calls. */
#include "platform/host.h"

bool itrh_hooks_install(struct itrh_host *host, enum itr_call call) {
    (void)host;
    (void)call;
    return false;
}
