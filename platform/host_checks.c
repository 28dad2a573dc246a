/* The host's own checks, on every system: what it saw of a promise goes into the ledger. It judges nothing: which promises
 * there are is each host's to say, and what a broken one means is the runner's. */
#include "platform/host.h"

#include <stdarg.h>
#include <stdio.h>

/* Only the first one that was broken gets here. */
static void tell(struct itrh_host *host, const char *name, const char *format, va_list args) {
    struct itr_checks *checks = &host->ledger->reply.checks;
    snprintf(checks->name, sizeof checks->name, "%s", name);
    vsnprintf(checks->text, sizeof checks->text, format, args);
    __atomic_store_n(&checks->broken_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    if (!host->attached) {
        fprintf(stderr, "host: check %s failed: %s\n", checks->name, checks->text);
    }
}

bool itrh_check(struct itrh_host *host, bool kept, const char *name, const char *format, ...) {
    struct itr_checks *checks = &host->ledger->reply.checks;
    __atomic_fetch_add(&checks->made, 1, __ATOMIC_ACQ_REL);
    if (!kept && __atomic_fetch_add(&checks->broken, 1, __ATOMIC_ACQ_REL) == 0) {
        va_list args;
        va_start(args, format);
        tell(host, name, format, args);
        va_end(args);
    }
    return kept;
}
