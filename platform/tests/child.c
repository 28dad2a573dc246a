/* The program that the contract tests start: does what its first argument says, with the words that
 * every host has. It tests nothing itself. */
#include "platform/host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_BAD_WORD 99

static struct itrh_host host;

static int print_arguments(int argc, char **argv) {
    for (int i = 2; i < argc; i++) {
        printf("[%s]\n", argv[i]);
    }
    return 0;
}

static int print_environment(int argc, char **argv) {
    for (int i = 2; i < argc; i++) {
        const char *value = getenv(argv[i]);
        printf("%s=%s\n", argv[i], value != NULL ? value : "(unset)");
    }
    return 0;
}

static int print_both(void) {
    fprintf(stdout, "to output\n");
    fflush(stdout);
    fprintf(stderr, "to error\n");
    fflush(stderr);
    return 0;
}

static int write_ledger(void) {
    host.ledger->reply.call_result = host.ledger->nonce;
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    return itrh_finish(&host);
}

/* Leaves one child with this process's streams and one without; their ids go into the ledger. */
static int spawn_two(bool stay) {
    uint64_t attached = itrh_spawn_child(false);
    uint64_t detached = itrh_spawn_child(true);
    if (attached == 0 || detached == 0) {
        return itrh_fail(&host, 0, "cannot start a child");
    }
    host.ledger->reply.call_result = attached << 32 | detached;
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    while (stay) {
        itrh_sleep_ns(UINT64_C(1000000000));
    }
    return 5;
}

static _Noreturn void sleep_for_ever(void) {
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    for (;;) {
        itrh_sleep_ns(UINT64_C(1000000000));
    }
}

static _Noreturn void spin_for_ever(void) {
    static volatile uint64_t turns;
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    for (;;) {
        turns++;
    }
}

static _Noreturn void be_deaf(void) {
    itrh_ignore_everything();
    itrh_close_descriptors();
    sleep_for_ever();
}

static int hear_events(void) {
    if (!itrh_install_handlers(&host) || !itrh_arm(&host) || !itrh_load(&host) ||
        !itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(&host);
    return itrh_finish(&host);
}

static uint64_t handler_ns;

/* Marks its beginning as handlers-ready and its end as waiting. */
static void handle_slowly(int number) {
    (void)number;
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    itrh_sleep_ns(handler_ns);
    itrh_mark(&host, ITR_PHASE_WAITING);
}

/* Has a handler for SIGINT (Windows: CTRL_C) that takes `ms`, and stays until it has run. */
static int hear_slowly(const char *ms) {
    handler_ns = strtoull(ms, NULL, 0) * 1000000u;
    if (signal(SIGINT, handle_slowly) == SIG_ERR || !itrh_arm(&host) || !itrh_load(&host) || !itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    while (__atomic_load_n(&host.ledger->reply.phase_ns[ITR_PHASE_WAITING], __ATOMIC_ACQUIRE) == 0) {
        itrh_sleep_ns(1000000);
    }
    return itrh_finish(&host);
}

static int open_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 1;
    }
    fclose(file);
    return 0;
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    const char *argument = argc > 2 ? argv[2] : "";
    if (!itrh_open(&host, NULL, NULL)) {
        return ITRH_EXIT_SETUP;
    }
    if (strcmp(word, "exit") == 0) {
        itrh_exit_now((uint32_t)strtoul(argument, NULL, 0));
    } else if (strcmp(word, "crash") == 0) {
        itrh_crash();
    } else if (strcmp(word, "arguments") == 0) {
        return print_arguments(argc, argv);
    } else if (strcmp(word, "environment") == 0) {
        return print_environment(argc, argv);
    } else if (strcmp(word, "output") == 0) {
        return print_both();
    } else if (strcmp(word, "input") == 0) {
        return getchar() == EOF ? 0 : 1;
    } else if (strcmp(word, "open") == 0) {
        return open_file(argument);
    } else if (strcmp(word, "ledger") == 0) {
        return write_ledger();
    } else if (strcmp(word, "leave") == 0) {
        return spawn_two(false);
    } else if (strcmp(word, "tree") == 0) {
        return spawn_two(true);
    } else if (strcmp(word, "sleep") == 0) {
        sleep_for_ever();
    } else if (strcmp(word, "spin") == 0) {
        spin_for_ever();
    } else if (strcmp(word, "deaf") == 0) {
        be_deaf();
    } else if (strcmp(word, "hear") == 0) {
        return hear_events();
    } else if (strcmp(word, "hear-slowly") == 0) {
        return hear_slowly(argument);
    }
    return EXIT_BAD_WORD;
}
