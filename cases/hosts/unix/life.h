/* What the hosts of a library's later life share: the exports of the libraries "life" and "plain_life", settings from
 * the environment, threads. No scenario, and no check, is here. */
#ifndef INITRACE_CASES_HOSTS_UNIX_LIFE_H
#define INITRACE_CASES_HOSTS_UNIX_LIFE_H

#include "platform/host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef int (*life_function)(void *argument);

/* See cases/golibs/life/life.go. */
struct life {
    int32_t (*probe)(void);
    int32_t (*add)(int32_t a, int32_t b);
    int32_t (*work)(int32_t depth);
    int32_t (*call)(life_function f, void *argument);
    int32_t (*call_elsewhere)(life_function f, void *argument);
    int32_t (*fault)(void);
    int32_t (*profile)(int32_t on);
    int32_t (*churn)(int32_t count);
    int32_t (*collect)(void);
};

/* A setting: one of the words of `words` (NULL at the end), the first when the variable is not set. The index; -1 with the
 * host's failure in the ledger for any other word. */
static inline int life_word(struct itrh_host *host, const char *variable, const char *const *words) {
    const char *value = getenv(variable);
    int found = value == NULL ? 0 : -1;
    for (int i = 0; found < 0 && words[i] != NULL; i++) {
        found = strcmp(value, words[i]) == 0 ? i : -1;
    }
    if (found < 0) {
        itrh_fail(host, 0, variable);
    }
    return found;
}

/* A setting: a number; `otherwise` when the variable is not set or is none. */
static inline uint32_t life_number(const char *variable, uint32_t otherwise) {
    const char *value = getenv(variable);
    char *end = NULL;
    unsigned long number = value != NULL ? strtoul(value, &end, 10) : 0;
    return value != NULL && end != value && *end == '\0' && number <= UINT32_MAX ? (uint32_t)number : otherwise;
}

/* The exports of the library of that handle. False, with the host's failure in the ledger, when one is missing. */
static inline bool life_find(struct itrh_host *host, void *library, struct life *life) {
    const struct {
        const char *name;
        void *place;
    } exports[] = {
        {"InitraceProbe", &life->probe},
        {"LifeAdd", &life->add},
        {"LifeWork", &life->work},
        {"LifeCall", &life->call},
        {"LifeCallElsewhere", &life->call_elsewhere},
        {"LifeFault", &life->fault},
        {"LifeProfile", &life->profile},
        {"LifeChurn", &life->churn},
        {"LifeCollect", &life->collect},
    };
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
        void *address = library != NULL ? dlsym(library, exports[i].name) : NULL;
        if (address == NULL) {
            itrh_fail(host, 0, "the library lacks an export of \"life\"");
            return false;
        }
        memcpy(exports[i].place, &address, sizeof address);
    }
    return true;
}

static inline bool life_start(struct itrh_host *host, pthread_t *thread, void *(*start)(void *), void *argument) {
    int error = pthread_create(thread, NULL, start, argument);
    if (error != 0) {
        itrh_fail(host, error, "cannot start a thread");
    }
    return error == 0;
}

#endif
