/* Makes sure that nothing outlives the runner on Linux: a guard process above the worker, both of
 * them subreapers, each cleaning up when the other dies. It starts nothing itself. */
#include "platform/platform.h"
#include "platform/unix/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLEAN_UP_MS 10000

/* Helpers are forked here: none begins in main(). */
void itrp_help_if_asked(void) {
}

/* Descriptors 0 to 3 must be taken, so that none of the runner's own ever lies where a host's
 * standard streams and ledger go. */
static bool reserve_low_descriptors(void) {
    int descriptor = -1;
    do {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (descriptor >= 0 && descriptor <= 3);
    if (descriptor < 0) {
        return false;
    }
    close(descriptor);
    return true;
}

/* A thread that gets this signal never goes on: what it was about to do is not done, and not recorded. */
#define PARK_SIGNAL (SIGRTMIN + 5)

static void park(int number) {
    (void)number;
    for (;;) {
        pause();
    }
}

/* Stops the slots before their hosts are killed, so that no trial is recorded that the tool itself broke. */
static void park_other_threads(void) {
    struct dirent *entry = NULL;
    DIR *threads = opendir("/proc/self/task");
    long self = syscall(SYS_gettid);
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        long thread = strtol(entry->d_name, NULL, 10);
        if (thread > 0 && thread != self) {
            syscall(SYS_tgkill, getpid(), thread, PARK_SIGNAL);
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
}

/* Sleeps until the guard is gone (its end of the pipe closes), then ends everything. */
static void *watch_guard(void *argument) {
    int pipe_end = (int)(intptr_t)argument;
    char byte = 0;
    ssize_t got = 0;
    do {
        got = read(pipe_end, &byte, 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    park_other_threads();
    itrp_tree_end_descendants(CLEAN_UP_MS);
    _exit(137);
}

static void forward(pid_t worker, const siginfo_t *info) {
    /* From the terminal a signal reaches the whole foreground group, the worker included; a hang-up only the
     * session's leader, which the guard may be. */
    if (info->si_code <= 0 || info->si_signo == SIGHUP) {
        kill(worker, info->si_signo);
    }
}

static _Noreturn void end_like(int status) {
    if (WIFSIGNALED(status)) {
        struct rlimit none = {0, 0};
        sigset_t all;
        setrlimit(RLIMIT_CORE, &none);
        signal(WTERMSIG(status), SIG_DFL);
        sigfillset(&all);
        raise(WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        _exit(128 + WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

static _Noreturn void be_the_guard(pid_t worker, const sigset_t *watched) {
    for (;;) {
        siginfo_t info;
        int status = 0;
        int number = sigwaitinfo(watched, &info);
        if (number > 0 && number != SIGCHLD) {
            forward(worker, &info);
        }
        if (waitpid(worker, &status, WNOHANG) == worker) {
            itrp_tree_end_descendants(CLEAN_UP_MS);
            end_like(status);
        }
    }
}

enum itr_status itrp_guard_enter(struct itr_error *err) {
    static const int watched_signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    int alive[2];
    sigset_t watched;
    sigset_t before;
    pthread_t watcher;

    if (!reserve_low_descriptors() || !itrp_tree_can_spare() || pipe2(alive, O_CLOEXEC) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "cannot set up the guard process: %s", strerror(errno));
    }
    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof watched_signals / sizeof watched_signals[0]; i++) {
        sigaddset(&watched, watched_signals[i]);
    }
    /* An ignored SIGCHLD, inherited from a careless parent, would reap hosts unseen. */
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &watched, &before);
    pid_t worker = fork();
    if (worker < 0) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "cannot start the worker process: %s", strerror(errno));
    }
    if (worker > 0) {
        close(alive[0]);
        be_the_guard(worker, &watched);
    }
    close(alive[1]);
    signal(PARK_SIGNAL, park);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* not inherited by fork */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* the watcher takes no signals */
    int result = pthread_create(&watcher, NULL, watch_guard, (void *)(intptr_t)alive[0]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        return itr_fail(err, ITR_E_SYSTEM, result, "cannot watch the guard process: %s", strerror(result));
    }
    pthread_detach(watcher);
    return ITR_OK;
}
