/* Hooks of a Linux host: the program exports its own pthread_create, which the dynamic linker binds
 * the library's calls to (link with -rdynamic); it counts them and fires the shots. Nothing else is
 * hooked. */
#include "platform/host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

extern char __executable_start[];
extern char _end[];

typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static create_fn real_create;
static struct itrh_host *hooked_host;

static create_fn find_real(void) {
    create_fn found = __atomic_load_n(&real_create, __ATOMIC_ACQUIRE);
    if (found == NULL) {
        void *address = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&found, &address, sizeof found);
        __atomic_store_n(&real_create, found, __ATOMIC_RELEASE);
    }
    return found;
}

/* A starting Go runtime makes a thread more when a woken thread runs before the one that woke it has gone to sleep, and
 * the Nth call is then another one. Under SCHED_BATCH Linux does not let a woken thread displace its waker (sched(7));
 * threads inherit it. Where it is refused the count is as steady as the machine, and the trial's record says so. */
static void steady_the_count(struct itr_ledger_reply *reply) {
    const struct sched_param none = {.sched_priority = 0};
    bool granted = sched_setscheduler(0, SCHED_BATCH, &none) == 0;
    reply->scheduling = granted ? ITR_SCHEDULING_BATCH : ITR_SCHEDULING_REFUSED;
}

bool itrh_hooks_install(struct itrh_host *host, enum itr_call call) {
    if (call != ITR_CALL_PTHREAD_CREATE || find_real() == NULL) {
        return false;
    }
    steady_the_count(&host->ledger->reply);
    hooked_host = host;
    return true;
}

static void count_call(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    uint32_t nth = __atomic_add_fetch(&host->ledger->reply.calls_counted, 1, __ATOMIC_ACQ_REL);
    uint32_t thread = itrh_thread_id();
    if (thread != host->ledger->reply.main_thread) {
        uint32_t none = 0;
        (void)__atomic_compare_exchange_n(&host->ledger->reply.init_thread, &none, thread, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED);
    }
    for (uint32_t i = 0; i < request->shot_count; i++) {
        const struct itr_shot_request *shot = &request->shots[i];
        if (shot->where == ITR_WHERE_CALL && shot->call == ITR_CALL_PTHREAD_CREATE && shot->nth == nth) {
            itrh_fire(host, i);
        }
    }
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attributes,
                                                          void *(*start)(void *), void *argument) {
    const char *caller = __builtin_return_address(0);
    bool by_host = caller >= __executable_start && caller < _end;
    if (hooked_host != NULL && !by_host) {
        count_call(hooked_host);
    }
    return find_real()(thread, attributes, start, argument);
}
