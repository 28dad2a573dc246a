/* A host with a SIGSEGV handler of its own, which makes a guarded page writable when it is written to, as collectors and
 * checkpointers do. It writes there from every kind of thread and depth of call that there is around a Go library, and
 * has the library recover from a nil dereference: each of its own faults must come to its handler once, each of the
 * library's must stay the library's.
 *
 *   INITRACE_FAULT_HANDLER  before (installed before the load), after (after it, the library's being forgotten), chained
 *                           (after it, with what is not ours passed on to the library's, as os/signal asks for),
 *                           resethand (before the load, with SA_RESETHAND, and it mends nothing: the one fault that is
 *                           made then must come to it once and then end the host by the default action)
 *   INITRACE_FAULT_ROUNDS   30; 0: no fault is made
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum handler { HANDLER_BEFORE, HANDLER_AFTER, HANDLER_CHAINED, HANDLER_RESETHAND };

static const char *const handler_words[] = {"before", "after", "chained", "resethand", NULL};

static struct {
    struct itrh_host host;
    struct life life;
    enum handler handler;
    struct sigaction previous; /* the library's, when ours came after it */
    char *page;
    size_t page_bytes;
    uint32_t handled; /* faults at the page */
} fault;

static bool is_ours(const siginfo_t *info) {
    const char *address = info->si_addr;
    return info->si_code > 0 && address >= fault.page && address < fault.page + fault.page_bytes;
}

/* Mends nothing the first time. There must be no second time; if there is one, the host goes on to tell of it. */
static void on_fault_once(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    (void)context;
    if (__atomic_add_fetch(&fault.handled, 1, __ATOMIC_ACQ_REL) > 1) {
        mprotect(fault.page, fault.page_bytes, PROT_READ | PROT_WRITE);
    }
}

static void on_fault(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    if (is_ours(info)) {
        __atomic_fetch_add(&fault.handled, 1, __ATOMIC_ACQ_REL);
        mprotect(fault.page, fault.page_bytes, PROT_READ | PROT_WRITE);
    } else if (fault.handler == HANDLER_CHAINED && (fault.previous.sa_flags & SA_SIGINFO) != 0) {
        fault.previous.sa_sigaction(number, info, context);
    } else {
        signal(number, SIG_DFL); /* nobody's: it comes again, and ends us */
    }
    errno = saved_errno;
}

static bool install(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (fault.handler == HANDLER_RESETHAND) {
        action.sa_sigaction = on_fault_once;
        action.sa_flags |= (int)SA_RESETHAND;
    }
    if (sigaction(SIGSEGV, &action, &fault.previous) != 0) {
        itrh_fail(&fault.host, errno, "sigaction");
        return false;
    }
    return true;
}

/* ---- places to fault in ---- */

static int write_to_page(void *argument) {
    (void)argument;
    *(volatile char *)fault.page = 1;
    return 1;
}

static void *thread_that_never_called(void *argument) {
    write_to_page(argument);
    return NULL;
}

static void *thread_that_called(void *argument) {
    (void)fault.life.add(1, 1);
    write_to_page(argument);
    return NULL;
}

static bool on_thread(void *(*start)(void *)) {
    pthread_t thread;
    return life_start(&fault.host, &thread, start, NULL) && pthread_join(thread, NULL) == 0;
}

/* Guards the page; whatever `where` does after this must come to our handler once. */
static uint32_t guard(void) {
    mprotect(fault.page, fault.page_bytes, PROT_NONE);
    return __atomic_load_n(&fault.handled, __ATOMIC_ACQUIRE);
}

static void check_fault(uint32_t before, const char *name) {
    uint32_t handled = __atomic_load_n(&fault.handled, __ATOMIC_ACQUIRE) - before;
    itrh_check(&fault.host, handled == 1, name, "one fault came to the host's handler %u times", handled);
}

static bool fault_once(void) {
    uint32_t before = guard();
    if (!on_thread(thread_that_never_called)) {
        return false;
    }
    itrh_check(&fault.host, false, "sa-resethand-is-kept", "its handler was entered %u times and the host lives",
               fault.handled - before);
    return true;
}

static bool fault_everywhere(void) {
    struct itrh_host *host = &fault.host;
    uint32_t before = guard();
    if (!on_thread(thread_that_never_called)) {
        return false;
    }
    check_fault(before, "fault-on-a-thread-that-never-called");
    before = guard();
    if (!on_thread(thread_that_called)) {
        return false;
    }
    check_fault(before, "fault-on-a-thread-that-called");
    before = guard();
    (void)write_to_page(NULL);
    check_fault(before, "fault-on-the-main-thread");
    before = guard();
    int32_t returned = fault.life.call(write_to_page, NULL);
    check_fault(before, "fault-in-c-called-by-go");
    itrh_check(host, returned == 1, "c-called-by-go-returns", "it returned %d", (int)returned);
    before = guard();
    returned = fault.life.call_elsewhere(write_to_page, NULL);
    check_fault(before, "fault-on-a-go-thread");
    itrh_check(host, returned == 1, "c-called-by-a-goroutine-returns", "it returned %d", (int)returned);
    if (fault.handler != HANDLER_AFTER) {
        before = __atomic_load_n(&fault.handled, __ATOMIC_ACQUIRE);
        returned = fault.life.fault();
        itrh_check(host, returned == 1, "nil-dereference-in-go-is-a-panic", "LifeFault returned %d", (int)returned);
        itrh_check(host, fault.handled == before, "go-faults-stay-with-go", "one came to the host's handler");
    }
    return true;
}

static bool is_late(void) {
    return fault.handler == HANDLER_AFTER || fault.handler == HANDLER_CHAINED;
}

static bool set_up(void) {
    int handler = life_word(&fault.host, "INITRACE_FAULT_HANDLER", handler_words);
    fault.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    fault.page = mmap(NULL, fault.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (handler < 0 || fault.page == MAP_FAILED) {
        itrh_fail(&fault.host, errno, "cannot set up");
        return false;
    }
    fault.handler = (enum handler)handler;
    return is_late() || install();
}

int main(int argc, char **argv) {
    struct itrh_host *host = &fault.host;
    uint32_t rounds = life_number("INITRACE_FAULT_ROUNDS", 30);
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe") || !set_up()) {
        return ITRH_EXIT_SETUP;
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY); /* those that are to be there before the load */
    if (!itrh_arm(host) || !itrh_load(host) || !itrh_call(host) || !life_find(host, host->library, &fault.life) ||
        (is_late() && !install())) {
        return ITRH_EXIT_SETUP;
    }
    itrh_check(host, host->ledger->reply.call_result == 42, "first-call-returns", "it returned something else");
    for (uint32_t i = 0; i < rounds; i++) {
        if (!(fault.handler == HANDLER_RESETHAND ? fault_once() : fault_everywhere())) {
            return ITRH_EXIT_SETUP;
        }
    }
    itrh_wait(host);
    return itrh_finish(host);
}
