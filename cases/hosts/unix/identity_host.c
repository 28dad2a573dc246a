/* A host that changes its group id again and again, which the C library does on every thread by a signal of its own,
 * while threads start, call the library and end, and the library's own threads do: each change must succeed, come to
 * an end, and hold on all threads.
 *
 *   INITRACE_IDENTITY_CHANGES  300; 0: none is made
 */
#include "cases/hosts/unix/life.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

enum { SPAWNERS = 2, LEAST_ROUNDS = 30, LOOK_EVERY = 20, LOOKS = 20, BETWEEN_LOOKS_US = 5000 };

static struct {
    struct itrh_host host;
    struct life life;
    uint32_t over;
    uint32_t wrong;
    uint32_t refused;
} identity;

/* ---- threads that come and go ---- */

static void *call_and_end(void *argument) {
    (void)argument;
    if (identity.life.add(59, 1) != 60 || identity.life.work(60) != 60) {
        __atomic_fetch_add(&identity.wrong, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void *spawn_in_a_loop(void *argument) {
    (void)argument;
    for (uint32_t i = 0; i < LEAST_ROUNDS || __atomic_load_n(&identity.over, __ATOMIC_ACQUIRE) == 0; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, call_and_end, NULL) != 0) {
            __atomic_fetch_add(&identity.refused, 1, __ATOMIC_RELAXED);
            continue;
        }
        pthread_join(thread, NULL);
        if (i % 4 == 0 && identity.life.churn(2) != 2) {
            __atomic_fetch_add(&identity.wrong, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

/* ---- what the kernel says of each thread ---- */

/* The effective group id of a thread; -1 when it has ended meanwhile. */
static long group_of(const char *thread) {
    char path[64];
    char line[256];
    long real = -1;
    long effective = -1;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/status", thread);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Gid: %ld %ld", &real, &effective) == 2) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return effective;
}

static uint32_t look_for_others(long group) {
    uint32_t others = 0;
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry = NULL;
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        long effective = entry->d_name[0] != '.' ? group_of(entry->d_name) : -1;
        others += effective >= 0 && effective != group ? 1u : 0u;
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return others;
}

/* How many threads have another group id than `group`, and keep it. The C library leaves out threads that are about to end; those
 * are soon gone. */
static uint32_t count_others(long group) {
    uint32_t others = look_for_others(group);
    for (int i = 1; i < LOOKS && others > 0; i++) {
        usleep(BETWEEN_LOOKS_US);
        others = look_for_others(group);
    }
    return others;
}

/* ---- the changes ---- */

static void change(uint32_t changes) {
    struct itrh_host *host = &identity.host;
    gid_t own = getegid();
    bool may = geteuid() == 0; /* else only to what it is */
    uint32_t failed = 0;
    uint32_t others = 0;
    for (uint32_t i = 0; i < changes; i++) {
        gid_t next = may && i % 2 == 0 ? own + 1 : own;
        failed += setresgid((gid_t)-1, next, (gid_t)-1) != 0 ? 1u : 0u;
        if (i % LOOK_EVERY < 2) {
            others += count_others((long)next);
        }
    }
    if (changes % 2 != 0) {
        failed += setresgid((gid_t)-1, own, (gid_t)-1) != 0 ? 1u : 0u;
    }
    itrh_check(host, failed == 0, "every-change-succeeds", "%u of %u failed", failed, changes);
    itrh_check(host, others == 0, "changes-hold-on-all-threads", "%u threads had another group id", others);
}

int main(int argc, char **argv) {
    struct itrh_host *host = &identity.host;
    pthread_t spawners[SPAWNERS];
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(host) || !itrh_load(host) || !itrh_call(host) || !life_find(host, host->library, &identity.life)) {
        return ITRH_EXIT_SETUP;
    }
    for (int i = 0; i < SPAWNERS; i++) {
        if (!life_start(host, &spawners[i], spawn_in_a_loop, NULL)) {
            return ITRH_EXIT_SETUP;
        }
    }
    change(life_number("INITRACE_IDENTITY_CHANGES", 300));
    __atomic_store_n(&identity.over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < SPAWNERS; i++) {
        pthread_join(spawners[i], NULL);
    }
    itrh_check(host, identity.wrong == 0, "calls-return-their-value", "%u threads' calls did not", identity.wrong);
    itrh_check(host, identity.refused == 0, "threads-start", "%u could not be started", identity.refused);
    itrh_wait(host);
    return itrh_finish(host);
}
