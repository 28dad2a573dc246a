/* For Windows hosts without hooks: says that calls cannot be counted. It touches no code of the
 * process. */
#include "platform/host.h"

bool itrh_hooks_install(struct itrh_host *host, enum itr_call call) {
    (void)host;
    (void)call;
    return false;
}
