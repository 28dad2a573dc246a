/* Finds and ends descendants through /proc. It does not know what a host or a trial is. */
#include "platform/unix/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t itrp_tree_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static int children_file = -1;

static void open_children_file(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    children_file = open(path, O_RDONLY | O_CLOEXEC);
}

static long parse_ids(const char *text, pid_t *ids, size_t max) {
    long count = 0;
    while (*text != '\0') {
        char *end = NULL;
        long id = strtol(text, &end, 10);
        if (end == text) {
            break;
        }
        if ((size_t)count < max) {
            ids[count] = (pid_t)id;
        }
        count++;
        text = end;
        while (*text == ' ' || *text == '\n') {
            text++;
        }
    }
    return count;
}

long itrp_tree_adopted(pid_t *children, size_t max) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[4096];
    pthread_once(&once, open_children_file);
    if (children_file < 0) {
        return -1;
    }
    ssize_t got = pread(children_file, text, sizeof text - 1, 0);
    if (got < 0) {
        return -1;
    }
    if ((size_t)got == sizeof text - 1) {
        while (got > 0 && text[got - 1] != ' ') { /* a cut id is not an id */
            got--;
        }
    }
    text[got] = '\0';
    return parse_ids(text, children, max);
}

static ssize_t read_small(const char *path, char *buffer, size_t bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t got = 0;
    if (file < 0) {
        return -1;
    }
    while (have < bytes - 1 && (got = read(file, buffer + have, bytes - 1 - have)) > 0) {
        have += (size_t)got;
    }
    close(file);
    buffer[have] = '\0';
    return got < 0 ? -1 : (ssize_t)have;
}

bool itrp_tree_has_variable(pid_t process, const char *name, const char *value) {
    char path[64];
    char wanted[128];
    static const size_t environment_max = 256 * 1024;
    bool found = false;
    char *environment = malloc(environment_max);

    if (environment == NULL) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)process);
    snprintf(wanted, sizeof wanted, "%s=%s", name, value);
    ssize_t bytes = read_small(path, environment, environment_max);
    for (ssize_t at = 0; at < bytes && !found; at += (ssize_t)strlen(environment + at) + 1) {
        found = strcmp(environment + at, wanted) == 0;
    }
    free(environment);
    return found;
}

/* Of the flags in /proc/PID/stat (proc(5)): it is on its way to being a zombie. PF_EXITING of the kernel. */
enum { FLAG_EXITING = 0x4 };

char itrp_tree_state(pid_t process) {
    char path[64];
    char stat[512];
    char state = 0;
    unsigned long flags = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
    if (read_small(path, stat, sizeof stat) <= 0) {
        return 0;
    }
    const char *after_name = strrchr(stat, ')');
    if (after_name == NULL || sscanf(after_name + 1, " %c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2) {
        return 0;
    }
    return (flags & FLAG_EXITING) != 0 && state != 'Z' ? 'X' : state;
}

size_t itrp_tree_children(pid_t process, pid_t *children, size_t max) {
    char path[300];
    size_t count = 0;
    struct dirent *entry = NULL;
    snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    DIR *threads = opendir(path);
    while (threads != NULL && count < max && (entry = readdir(threads)) != NULL) {
        char text[4096];
        snprintf(path, sizeof path, "/proc/%ld/task/%.20s/children", (long)process, entry->d_name);
        if (entry->d_name[0] == '.' || read_small(path, text, sizeof text) <= 0) {
            continue;
        }
        long more = parse_ids(text, children + count, max - count);
        count = (size_t)more < max - count ? count + (size_t)more : max;
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return count;
}

/* ---- who is spared ---- */

enum { SPARED_MAX = 256 };

static volatile pid_t *spared; /* 0: no entry */

static void open_spared(void) {
    void *memory =
        mmap(NULL, SPARED_MAX * sizeof *spared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    spared = memory != MAP_FAILED ? memory : NULL;
}

bool itrp_tree_can_spare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_spared);
    return spared != NULL;
}

/* Puts `process` in the place of `old`. */
static bool replace_spared(pid_t old, pid_t process) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    bool done = false;
    if (!itrp_tree_can_spare()) {
        return false;
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SPARED_MAX && !done; i++) {
        done = spared[i] == old;
        if (done) {
            spared[i] = process;
        }
    }
    pthread_mutex_unlock(&lock);
    return done;
}

bool itrp_tree_spare(pid_t process) {
    return replace_spared(0, process);
}

void itrp_tree_spare_no_more(pid_t process) {
    (void)replace_spared(process, 0);
}

/* A child's number is its own until it is reaped, so the number alone will do. */
static bool is_spared(pid_t process) {
    bool found = false;
    for (size_t i = 0; spared != NULL && i < SPARED_MAX && !found; i++) {
        found = spared[i] == process;
    }
    return found;
}

/* ---- the end of all ---- */

/* Kills the children that any thread of this process has, but for those that are spared. Returns how many it saw. */
static size_t kill_children_of_all_threads(void) {
    pid_t children[512];
    size_t seen = itrp_tree_children(getpid(), children, sizeof children / sizeof children[0]);
    size_t left = 0;
    for (size_t i = 0; i < seen; i++) {
        if (!is_spared(children[i])) {
            kill(children[i], SIGKILL);
            left++;
        }
    }
    return left;
}

bool itrp_tree_end_descendants(uint32_t timeout_ms) {
    uint64_t deadline_ms = itrp_tree_now_ms() + timeout_ms;
    do {
        size_t seen = kill_children_of_all_threads();
        int status = 0;
        while (waitpid(-1, &status, WNOHANG) > 0) {
        }
        if (seen == 0) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    } while (itrp_tree_now_ms() < deadline_ms);
    return false;
}
