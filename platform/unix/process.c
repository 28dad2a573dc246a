/* Starts, watches and ends hosts on Linux: vfork and execve, a pidfd in the loop, a process group and
 * a subreaper for the tree. It does not read what a host wrote; hosts under a debugger are started, waited for
 * and reaped by debug.c. */
#include "platform/platform.h"
#include "framework/ledger.h"
#include "platform/unix/process_unix.h"
#include "platform/unix/recorder_unix.h"
#include "platform/unix/snapshot_unix.h"
#include "platform/unix/tree.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEDGER_DESCRIPTOR 3
/* Marks every process of a trial, however it detaches itself. */
#define TRIAL_VARIABLE "INITRACE_TRIAL"
#define PROCESSES_MAX 256
#define ADOPTED_MAX 512
/* Of a recorded host's tree, more are not looked at. */
#define RECORDED_MAX 64

extern char **environ;

struct itrp_process {
    pid_t id;
    int pidfd;
    bool ended;
    bool handle_open;
    bool closing;
    bool recorder; /* the process is a recorder, its host a child of it */
    bool kept;     /* it is a person's: its entry in the registry stays, too */
    uv_poll_t watch;
    itrp_exit_fn on_exit;
    void *context;
    struct itrp_exit exit;
    int registered; /* index in the registry */
    char nonce[20];
    struct itrp_debugger *debugger; /* NULL: the host runs free */
    struct itrp_unix_snapshot *attached; /* of a host that ran free; NULL: it is not stopped */
};

/* Hosts that run now, so that a stray is never mistaken for a neighbour's process. Values of their own:
 * what lies in struct itrp_process belongs to its slot's thread. */
struct registered {
    bool taken;
    pid_t id; /* 0: about to be started */
    char nonce[20];
};

static struct {
    pthread_mutex_t lock;
    struct registered entries[PROCESSES_MAX];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Index of a new entry, -1 if there is no room. */
static int registry_take(const char *nonce) {
    int index = -1;
    pthread_mutex_lock(&registry.lock);
    for (int i = 0; i < PROCESSES_MAX && index < 0; i++) {
        if (!registry.entries[i].taken) {
            index = i;
            registry.entries[i] = (struct registered){.taken = true};
            snprintf(registry.entries[i].nonce, sizeof registry.entries[i].nonce, "%s", nonce);
        }
    }
    pthread_mutex_unlock(&registry.lock);
    return index;
}

static void registry_set_id(int index, pid_t id) {
    pthread_mutex_lock(&registry.lock);
    registry.entries[index].id = id;
    pthread_mutex_unlock(&registry.lock);
}

static void registry_release(int index) {
    pthread_mutex_lock(&registry.lock);
    registry.entries[index] = (struct registered){0};
    pthread_mutex_unlock(&registry.lock);
}

/* True if `id` is a running host, or belongs to the tree of one other than `mine`. */
static bool belongs_to_neighbour(pid_t id, const struct itrp_process *mine) {
    bool result = false;
    pthread_mutex_lock(&registry.lock);
    for (int i = 0; i < PROCESSES_MAX && !result; i++) {
        const struct registered *other = &registry.entries[i];
        result = other->taken && i != mine->registered &&
                 (other->id == id || itrp_tree_has_variable(id, TRIAL_VARIABLE, other->nonce));
    }
    pthread_mutex_unlock(&registry.lock);
    return result;
}

/* ---- environment ---- */

static bool same_name(const char *a, const char *b) {
    const char *equals = strchr(a, '=');
    return equals != NULL && strncmp(a, b, (size_t)(equals - a) + 1) == 0;
}

static void put_variable(char **list, size_t *count, char *variable) {
    for (size_t i = 0; i < *count; i++) {
        if (same_name(list[i], variable)) {
            list[i] = variable;
            return;
        }
    }
    list[(*count)++] = variable;
}

/* The runner's environment with `extra` over it. Borrowed strings; free the array only. */
static char **make_environment(const char *const *extra, char *ledger, char *trial) {
    size_t count = 0;
    size_t room = 4;
    for (char **at = environ; *at != NULL; at++) {
        room++;
    }
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        room++;
    }
    char **list = calloc(room, sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    for (char **at = environ; *at != NULL; at++) {
        list[count++] = *at;
    }
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        put_variable(list, &count, (char *)(uintptr_t)extra[i]);
    }
    if (ledger != NULL) {
        put_variable(list, &count, ledger);
    }
    put_variable(list, &count, trial);
    return list;
}

/* ---- start ---- */

/* As the kernel's rt_sigaction() takes it. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

ITRP_UNIX_BARE static bool becomes(long descriptor, long number) {
    return syscall(SYS_dup2, descriptor, number) >= 0;
}

ITRP_UNIX_BARE _Noreturn void itrp_unix_become_host(const struct itrp_unix_start *start) {
    static const struct kernel_action default_action; /* SIG_DFL is 0 */
    static const uint64_t none;
    const struct rlimit core = {start->spec->core_limit_bytes, start->spec->core_limit_bytes};

    for (long number = 1; number < NSIG; number++) {
        syscall(SYS_rt_sigaction, number, &default_action, NULL, sizeof default_action.mask);
    }
    syscall(SYS_setpgid, 0L, 0L);
    syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, (long)SIGKILL);
    syscall(SYS_setrlimit, (long)RLIMIT_CORE, &core);
    if (syscall(SYS_getppid) == start->runner && becomes(start->null_device, STDIN_FILENO) &&
        becomes(start->spec->output, STDOUT_FILENO) && becomes(start->spec->error, STDERR_FILENO) &&
        (start->ledger < 0 || becomes(start->ledger, LEDGER_DESCRIPTOR)) &&
        (start->spec->directory == NULL || syscall(SYS_chdir, start->spec->directory) == 0)) {
        syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &none, NULL, sizeof none);
        syscall(SYS_execve, start->arguments[0], start->arguments, start->environment);
    }
    start->words->error = errno != 0 ? errno : EINVAL;
    for (;;) {
        syscall(SYS_exit_group, 127L);
    }
}

/* Words for each entry of the registry, shared with children also where they have a copy of the memory. */
static struct itrp_unix_start_words *start_words(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct itrp_unix_start_words *words;
    pthread_mutex_lock(&lock);
    if (words == NULL) {
        void *memory = mmap(NULL, PROCESSES_MAX * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        words = memory != MAP_FAILED ? memory : NULL;
    }
    pthread_mutex_unlock(&lock);
    return words;
}

static int null_device(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int descriptor = -1;
    pthread_mutex_lock(&lock);
    if (descriptor < 0) {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    pthread_mutex_unlock(&lock);
    return descriptor;
}

/* The child runs while this thread waits for its execve or end, so that group and death signal are set
 * and errors are known when this goes on. No function of its own may hold the call: a vforked child must
 * not return from where it was made. */
#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer would make a plain fork of vfork. */
#define FORK_AND_WAIT_FOR_EXEC() ((pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL))
#else
#define FORK_AND_WAIT_FOR_EXEC() vfork()
#endif

static pid_t start_host(const struct itrp_unix_start *start) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t id = FORK_AND_WAIT_FOR_EXEC();
    if (id == 0) {
        itrp_unix_become_host(start);
    }
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return id;
}

static void read_exit(struct itrp_process *process) {
    int status = 0;
    pid_t got = process->id;
    if (process->debugger != NULL) {
        status = itrp_debugger_join(process->debugger);
    } else {
        do {
            got = waitpid(process->id, &status, 0);
        } while (got < 0 && errno == EINTR);
    }
    process->exit.signaled = got == process->id && WIFSIGNALED(status);
    if (process->exit.signaled) {
        process->exit.signal = WTERMSIG(status);
        process->exit.core_dumped = WCOREDUMP(status);
    } else {
        process->exit.code = (uint32_t)WEXITSTATUS(status);
    }
}

static void tell_exit(struct itrp_process *process) {
    read_exit(process);
    process->ended = true;
    if (process->on_exit != NULL) {
        process->on_exit(process, process->context);
    }
}

static void on_pidfd(uv_poll_t *watch, int status, int events) {
    struct itrp_process *process = watch->data;
    (void)status;
    (void)events;
    if (process->ended) {
        return;
    }
    uv_poll_stop(watch);
    tell_exit(process);
}

static void on_debugged_end(void *context) {
    struct itrp_process *process = context;
    if (!process->ended) {
        tell_exit(process);
    }
}

static enum itr_status watch_host(struct itrp_process *process, uv_loop_t *loop, struct itr_error *err) {
    process->pidfd = (int)syscall(SYS_pidfd_open, process->id, 0);
    if (process->pidfd < 0) {
        return itr_fail(err, ITR_E_UNSUPPORTED, errno, "pidfd_open: %s: Linux 5.3 or newer is needed",
                        strerror(errno));
    }
    int result = uv_poll_init(loop, &process->watch, process->pidfd);
    if (result == 0) {
        process->handle_open = true;
        process->watch.data = process;
        result = uv_poll_start(&process->watch, UV_READABLE, on_pidfd);
    }
    return result == 0 ? ITR_OK
                       : itr_fail(err, ITR_E_SYSTEM, result, "cannot watch the host: %s", uv_strerror(result));
}

/* A recorder's words come first, and the host's own path and words after them. */
static char **make_arguments(const struct itrp_process_spec *spec) {
    const char *before[ITRP_UNIX_RECORDER_WORDS_MAX];
    size_t first = spec->record_to != NULL ? itrp_unix_recorder_words(spec->record_to, before) : 0;
    size_t count = 0;
    while (spec->arguments != NULL && spec->arguments[count] != NULL) {
        count++;
    }
    char **list = calloc(first + count + 2, sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < first; i++) {
        list[i] = (char *)(uintptr_t)before[i];
    }
    list[first] = (char *)(uintptr_t)spec->program;
    for (size_t i = 0; i < count; i++) {
        list[first + i + 1] = (char *)(uintptr_t)spec->arguments[i];
    }
    return list;
}

static enum itr_status start_failed(const struct itrp_process_spec *spec, int code, struct itr_error *err) {
    return itr_fail(err, code == ENOENT ? ITR_E_NOT_FOUND : ITR_E_SYSTEM, code, "cannot start %s: %s", spec->program,
                    strerror(code));
}

static enum itr_status start_free(struct itrp_process *process, const struct itrp_unix_start *start,
                                  struct itr_error *err) {
    process->id = start_host(start);
    int code = process->id < 0 ? errno : start->words->error;
    if (code == 0) {
        return ITR_OK;
    }
    if (process->id > 0) {
        waitpid(process->id, NULL, 0);
    }
    process->id = 0;
    return start_failed(start->spec, code, err);
}

static enum itr_status start_debugged(struct itrp_process *process, const struct itrp_unix_start *start,
                                      uv_loop_t *loop, struct itr_error *err) {
    int code = 0;
    enum itr_status status =
        itrp_debugger_start(&process->debugger, start, loop, on_debugged_end, process, &code, err);
    if (status == ITR_OK) {
        process->id = itrp_debugger_host(process->debugger);
    }
    return code != 0 ? start_failed(start->spec, code, err) : status;
}

static enum itr_status run_start(struct itrp_process *process, const struct itrp_process_spec *spec, uv_loop_t *loop,
                                 struct itr_error *err) {
    char ledger[] = ITR_LEDGER_VARIABLE "=fd:3";
    char trial[sizeof TRIAL_VARIABLE + sizeof process->nonce];
    struct itrp_unix_start start = {.spec = spec, .null_device = null_device(), .runner = getpid(), .ledger = -1};
    struct itrp_unix_start_words *words = start_words();
    enum itr_status status = ITR_OK;

    if (words == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory starting a host");
    }
    start.words = &words[process->registered];
    *start.words = (struct itrp_unix_start_words){0};
    snprintf(trial, sizeof trial, "%s=%s", TRIAL_VARIABLE, process->nonce);
    if (spec->ledger != NULL) {
        start.ledger = (int)spec->ledger->handle;
    }
    start.arguments = make_arguments(spec);
    start.environment = make_environment(spec->environment, spec->ledger ? ledger : NULL, trial);
    if (start.arguments == NULL || start.environment == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory starting a host");
    } else if (spec->debug != NULL) {
        status = start_debugged(process, &start, loop, err);
    } else {
        status = start_free(process, &start, err);
    }
    free(start.arguments);
    free(start.environment);
    return status;
}

enum itr_status itrp_process_start(struct itrp_process **out, uv_loop_t *loop,
                                   const struct itrp_process_spec *spec, itrp_exit_fn on_exit,
                                   void *context, struct itr_error *err) {
    struct itrp_process *process = calloc(1, sizeof *process);
    if (process == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory starting a host");
    }
    process->pidfd = -1;
    process->on_exit = on_exit;
    process->context = context;
    process->recorder = spec->record_to != NULL;
    snprintf(process->nonce, sizeof process->nonce, "%016" PRIx64, spec->nonce);
    process->registered = registry_take(process->nonce);
    if (process->registered < 0) {
        free(process);
        return itr_fail(err, ITR_E_LIMIT, 0, "more than %d hosts at once", PROCESSES_MAX);
    }
    enum itr_status status = run_start(process, spec, loop, err);
    if (status == ITR_OK) {
        registry_set_id(process->registered, process->id);
        status = spec->debug == NULL ? watch_host(process, loop, err) : ITR_OK;
    }
    if (status != ITR_OK) {
        itrp_process_close(process);
        return status;
    }
    *out = process;
    return ITR_OK;
}

uint32_t itrp_process_id(const struct itrp_process *process) {
    return (uint32_t)process->id;
}

const struct itrp_exit *itrp_process_exit(const struct itrp_process *process) {
    return &process->exit;
}

const struct itrp_debug_report *itrp_process_debug_report(const struct itrp_process *process) {
    return process->debugger != NULL ? itrp_debugger_report(process->debugger) : NULL;
}

bool itrp_process_is_paused(const struct itrp_process *process) {
    return process->debugger != NULL && itrp_debugger_has_paused(process->debugger);
}

/* ---- standing still ---- */

const struct itrp_snapshot *itrp_process_snapshot(struct itrp_process *process) {
    if (process->debugger != NULL) {
        return itrp_debugger_snapshot(process->debugger);
    }
    return process->attached != NULL ? &process->attached->shown : NULL;
}

enum itr_status itrp_process_stop(struct itrp_process *process, uint32_t timeout_ms, struct itr_error *err) {
    if (process->recorder) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "a recorded host belongs to its recorder");
    }
    if (process->ended) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended");
    }
    if (process->debugger != NULL) {
        return itrp_debugger_stop(process->debugger, timeout_ms, err);
    }
    if (process->attached != NULL) {
        return ITR_OK;
    }
    return itrp_unix_attach(process->id, uv_hrtime() + (uint64_t)timeout_ms * 1000000u, &process->attached, err);
}

void itrp_process_go_on(struct itrp_process *process) {
    if (process->debugger != NULL) {
        itrp_debugger_go_on(process->debugger);
    } else if (process->attached != NULL) {
        itrp_unix_detach(process->attached);
        itrp_unix_snapshot_free(process->attached);
        process->attached = NULL;
    }
}

enum itr_status itrp_process_keep(struct itrp_process *process, const struct itrp_keep *keep, struct itr_error *err) {
    pid_t reader = 0;
    if (process->recorder || process->debugger != NULL || process->attached == NULL || process->ended) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "a host that is debugged or recorded, or does not stand, cannot be kept");
    }
    int index = registry_take(process->nonce); /* no other slot takes the reader for a stray */
    if (index < 0) {
        return itr_fail(err, ITR_E_LIMIT, 0, "more than %d hosts at once", PROCESSES_MAX);
    }
    enum itr_status status = itrp_unix_keep(process->attached, keep, &reader, err);
    if (status != ITR_OK) {
        registry_release(index);
        return status;
    }
    registry_set_id(index, reader);
    process->kept = true;
    itrp_process_go_on(process);
    return ITR_OK;
}

/* ---- end ---- */

void itrp_process_kill(struct itrp_process *process) {
    struct itrp_unix_snapshot *attached = process->attached;
    if (process->ended || process->id <= 0 || process->kept) {
        return;
    }
    if (attached != NULL) { /* what is attached dies only when its tracer has heard of it */
        itrp_unix_detach(attached);
    }
    kill(-process->id, SIGKILL);
    kill(process->id, SIGKILL);
    if (attached != NULL) {
        itrp_unix_reap_threads(attached);
        itrp_unix_snapshot_free(attached);
        process->attached = NULL;
    } else {
        itrp_process_go_on(process);
    }
}

bool itrp_process_end_recorded(struct itrp_process *process) {
    pid_t children[RECORDED_MAX];
    bool any = !process->recorder;
    size_t count = process->recorder && !process->ended && process->id > 0
                       ? itrp_tree_children(process->id, children, RECORDED_MAX)
                       : 0;
    for (size_t i = 0; i < count; i++) {
        char what = itrp_tree_state(children[i]);
        if (what != 'Z' && what != 'X' && what != 0) {
            any = true;
            kill(children[i], SIGKILL);
        }
    }
    if (count == 0 || !any) {
        itrp_process_kill(process);
    }
    return any;
}

/* Kills and reaps what has been adopted from this host's tree. Returns how many are left to wait for;
 * `*alive` counts those that were living when found, each once. */
static long end_adopted(const struct itrp_process *process, uint32_t *alive) {
    pid_t adopted[ADOPTED_MAX];
    long left = 0;
    long count = itrp_tree_adopted(adopted, ADOPTED_MAX);
    for (long i = 0; i < count && i < ADOPTED_MAX; i++) {
        if (belongs_to_neighbour(adopted[i], process)) {
            continue;
        }
        /* Only now: one that ends has no environment any more to tell whose it is, and a neighbour may be ending his. */
        char what = itrp_tree_state(adopted[i]);
        if (what == 0) {
            continue; /* ended and reaped meanwhile */
        }
        *alive += what != 'Z' && what != 'X' ? 1 : 0;
        kill(adopted[i], SIGKILL); /* a zombie too: threads may outlive the one that leads them */
        left++;
    }
    return left;
}

static void reap_adopted(const struct itrp_process *process) {
    pid_t adopted[ADOPTED_MAX];
    long count = itrp_tree_adopted(adopted, ADOPTED_MAX);
    for (long i = 0; i < count && i < ADOPTED_MAX; i++) {
        if (itrp_tree_state(adopted[i]) == 'Z' && !belongs_to_neighbour(adopted[i], process)) {
            waitpid(adopted[i], NULL, WNOHANG);
        }
    }
}

/* The kernel's list of children leaves some out while others of them are reaped, as a neighbour's are: proc(5), "children". */
enum { LOOKS_IN_VAIN = 3 };

enum itr_status itrp_process_end_tree(struct itrp_process *process, uint32_t timeout_ms, uint32_t *strays,
                                      struct itr_error *err) {
    uint64_t deadline_ms = itrp_tree_now_ms() + timeout_ms;
    uint32_t round_alive = 0;
    uint32_t looks_in_vain = 0;
    *strays = 0;
    if (!process->ended) {
        ITR_BUG("end_tree before the exit of process %ld", (long)process->id);
    }
    while (looks_in_vain < LOOKS_IN_VAIN) {
        if (end_adopted(process, &round_alive) == 0) {
            looks_in_vain++;
            continue;
        }
        looks_in_vain = 0;
        *strays = round_alive > *strays ? round_alive : *strays;
        round_alive = 0;
        reap_adopted(process);
        if (itrp_tree_now_ms() >= deadline_ms) {
            return itr_fail(err, ITR_E_TIMEOUT, 0,
                            "the host's tree (process group %ld) could not be ended in %u ms",
                            (long)process->id, timeout_ms);
        }
        usleep(50);
    }
    return ITR_OK;
}

static void on_debugger_closed(void *context) {
    free(context);
}

static void on_closed(uv_handle_t *handle) {
    struct itrp_process *process = handle->data;
    close(process->pidfd);
    free(process);
}

void itrp_process_close(struct itrp_process *process) {
    uint32_t strays = 0;
    if (process == NULL || process->closing) {
        return;
    }
    process->closing = true;
    if (process->id > 0 && !process->ended && !process->kept) {
        itrp_process_kill(process);
        read_exit(process);
        process->ended = true;
        if (itrp_process_end_tree(process, 1000, &strays, NULL) != ITR_OK) {
            strays++; /* nothing more can be done here: the guard ends what is left */
        }
    }
    if (!process->kept) {
        registry_release(process->registered);
    }
    if (process->debugger != NULL) {
        itrp_debugger_close(process->debugger, on_debugger_closed, process);
        return;
    }
    if (process->handle_open) {
        uv_close((uv_handle_t *)&process->watch, on_closed);
        return;
    }
    if (process->pidfd >= 0) {
        close(process->pidfd);
    }
    free(process);
}

/* ---- activity ---- */

static bool read_line_value(const char *text, const char *name, uint64_t *value) {
    const char *at = strstr(text, name);
    return at != NULL && sscanf(at + strlen(name), "%" SCNx64, value) == 1;
}

static bool read_task_status(pid_t id, const char *task, char *text, size_t bytes) {
    char path[320];
    snprintf(path, sizeof path, "/proc/%ld/task/%s/status", (long)id, task);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t got = read(file, text, bytes - 1);
    close(file);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static void add_task(pid_t id, const char *task, struct itrp_activity *activity) {
    char text[4096];
    uint64_t value = 0;

    if (!read_task_status(id, task, text, sizeof text)) {
        return;
    }
    const char *line = strstr(text, "\nState:\t");
    if (line == NULL || strchr("SIZX", line[8]) == NULL) {
        activity->asleep = false;
    }
    if (line != NULL && (line[8] == 'R' || line[8] == 'D')) {
        activity->ready = true;
    }
    if ((read_line_value(text, "\nSigPnd:\t", &value) && value != 0) ||
        (read_line_value(text, "\nShdPnd:\t", &value) && value != 0)) {
        activity->pending = true;
    }
}

static enum itr_status look_at_tasks(pid_t id, struct itrp_activity *activity, struct itr_error *err) {
    char path[64];
    struct dirent *entry = NULL;

    snprintf(path, sizeof path, "/proc/%ld/task", (long)id);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "cannot read %s: %s", path, strerror(errno));
    }
    activity->thorough = true;
    activity->asleep = true;
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.') {
            add_task(id, entry->d_name, activity);
        }
    }
    closedir(tasks);
    return ITR_OK;
}

/* Adds what one process is doing. */
static enum itr_status look_at(pid_t id, bool thorough, struct itrp_activity *activity, struct itr_error *err) {
    clockid_t clock = 0;
    struct timespec used;
    enum itr_status status = thorough ? look_at_tasks(id, activity, err) : ITR_OK;
    if (status == ITR_OK && (clock_getcpuclockid(id, &clock) != 0 || clock_gettime(clock, &used) != 0)) {
        status = itr_fail(err, ITR_E_SYSTEM, errno, "cannot read the processor time of process %ld", (long)id);
    }
    if (status == ITR_OK) {
        activity->cpu_ns += (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    }
    return status;
}

/* Adds the descendants of a recorder; one that ends meanwhile is passed over. */
static void look_at_recorded(pid_t recorder, bool thorough, struct itrp_activity *activity) {
    pid_t found[RECORDED_MAX];
    size_t count = itrp_tree_children(recorder, found, RECORDED_MAX);
    for (size_t i = 0; i < count; i++) {
        if (look_at(found[i], thorough, activity, NULL) == ITR_OK) {
            count += itrp_tree_children(found[i], found + count, RECORDED_MAX - count);
        }
    }
}

enum itr_status itrp_process_activity(const struct itrp_process *process, bool thorough,
                                      struct itrp_activity *activity, struct itr_error *err) {
    *activity = (struct itrp_activity){0};
    enum itr_status status = look_at(process->id, thorough, activity, err);
    if (status == ITR_OK && process->recorder) {
        look_at_recorded(process->id, thorough, activity);
        activity->asleep = false;
    }
    return status;
}
