/* A host that does one thing wrong on purpose, for tests of the runner: INITRACE_MISDEED names it, and
 * without that variable the host behaves. It loads no library, and knows what it does, not how the
 * runner should call it: that is said by the cases of cases/selftest. */
#include "platform/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_NO_SUCH_MISDEED = 87,
    BLOCK_BYTES = 64 * 1024,
    GARBAGE_BLOCKS = 50,
};

/* More than any ceiling of the runner's (cmake/hosts.cmake says where it is less). */
#ifndef FLOOD_BYTES
#define FLOOD_BYTES (UINT64_C(1) << 30)
#endif

static void say(const char *text) {
    (void)itrh_write_error_stream(text, strlen(text));
}

/* ---- misdeeds in front of the wait, before the event is heard ---- */

static void crash(struct itrh_host *host) {
    (void)host;
    itrh_crash();
}

static void sleep_deaf(struct itrh_host *host) {
    (void)host;
    itrh_ignore_everything();
    for (;;) {
        itrh_sleep_ns(UINT64_C(1000000000));
    }
}

static void spin_deaf(struct itrh_host *host) {
    (void)host;
    itrh_ignore_everything();
    for (volatile uint64_t turns = 0;; turns = turns + 1) {
    }
}

static void turn_deaf(struct itrh_host *host) {
    (void)host;
    itrh_ignore_everything();
}

static void exit_early(struct itrh_host *host) {
    (void)host;
    itrh_exit_now(0);
}

/* What a runtime prints when it gives up; then its exit code. */
static void give_up(struct itrh_host *host) {
    (void)host;
    say("fatal error: planted by a self-test\n\n"
        "runtime stack:\nruntime.throw({0x7f0000001000?, 0x0?})\n\t/src/runtime/panic.go:1023 +0x5c\n\n"
        "goroutine 1 [running]:\nmain.main()\n\t/src/planted.go:7 +0x1d\n");
    itrh_exit_now(2);
}

static void complain(struct itrh_host *host) {
    (void)host;
    say("fatal error: all is well, this is only text\n");
}

static void make_wine_noise(struct itrh_host *host) {
    (void)host;
    say("wine client error:2c8: sendmsg: Bad file descriptor\n"
        "0024:err:ntoskrnl:ZwLoadDriver failed to create driver L\"planted\": c0000003\n"
        "0024:fixme:planted:stub (0000000000000000): stub!\n"
        "it looks like wine32 is missing, you should install it.\n");
}

/* One message and bytes that are none of it, again and again, as a runtime prints its own image. */
static void print_garbage(struct itrh_host *host) {
    static unsigned char block[BLOCK_BYTES];
    uint32_t state = 1;
    (void)host;
    for (size_t i = 0; i < sizeof block; i++) {
        state = state * 1664525u + 1013904223u;
        block[i] = (unsigned char)(state >> 24);
    }
    for (int i = 0; i < GARBAGE_BLOCKS; i++) {
        say("runtime: signal received on thread not created by Go.\n");
        (void)itrh_write_error_stream(block, sizeof block);
    }
}

/* A gigabyte of lines, each with its number. */
static void flood(struct itrh_host *host) {
    static char block[BLOCK_BYTES];
    unsigned long line = 0;
    (void)host;
    for (uint64_t written = 0; written < FLOOD_BYTES;) {
        size_t used = 0;
        while (used + 64 < sizeof block) {
            used += (size_t)snprintf(block + used, sizeof block - used, "line %lu of a flood that means nothing\n",
                                     line++);
        }
        if (!itrh_write_error_stream(block, used)) {
            return;
        }
        written += used;
    }
}

static void keep_child(struct itrh_host *host) {
    if (itrh_spawn_child(false) == 0) {
        exit(itrh_fail(host, 0, "cannot start a child"));
    }
}

static void detach_child(struct itrh_host *host) {
    if (itrh_spawn_child(true) == 0) {
        exit(itrh_fail(host, 0, "cannot start a detached child"));
    }
}

static void close_descriptors(struct itrh_host *host) {
    (void)host;
    itrh_close_descriptors();
}

/* No misdeeds: all promises are kept, and all but one. */
static void keep_promises(struct itrh_host *host) {
    for (int i = 0; i < 3; i++) {
        (void)itrh_check(host, true, "planted-promise", "%d", i);
    }
}

static void break_promise(struct itrh_host *host) {
    keep_promises(host);
    (void)itrh_check(host, false, "planted-promise", "broken by a self-test");
    (void)itrh_check(host, false, "another-one", "a later one is not the one to be told");
}

/* ---- misdeeds at the very end, when the ledger says that all went well ---- */

static void scribble_head(struct itrh_host *host) {
    host->ledger->nonce ^= 1;
}

static void scribble_request(struct itrh_host *host) {
    host->ledger->request.shot_count ^= 4;
}

static void scribble_guard(struct itrh_host *host) {
    host->ledger->guard_before_reply = 0;
}

static void scribble_times(struct itrh_host *host) {
    host->ledger->reply.phase_ns[ITR_PHASE_INIT_DONE] = UINT64_MAX;
}

static void scribble_order(struct itrh_host *host) {
    uint64_t *phase_ns = host->ledger->reply.phase_ns;
    uint64_t began_ns = phase_ns[ITR_PHASE_HOST_STARTED];
    phase_ns[ITR_PHASE_HOST_STARTED] = phase_ns[ITR_PHASE_FINISHED];
    phase_ns[ITR_PHASE_FINISHED] = began_ns;
}

static void scribble_tail(struct itrh_host *host) {
    if (!host->attached) {
        return; /* the block of a host that runs alone ends with the struct */
    }
    ((unsigned char *)host->ledger)[ITR_LEDGER_BYTES - 1] = 1;
}

static void scribble_all(struct itrh_host *host) {
    memset(host->ledger, 0xff, host->attached ? ITR_LEDGER_BYTES : sizeof *host->ledger);
}

static void exit_2(struct itrh_host *host) {
    (void)host;
    itrh_exit_now(2);
}

/* What a shell says of a SIGSEGV, without one. */
static void exit_139(struct itrh_host *host) {
    (void)host;
    itrh_exit_now(139);
}

/* What Windows says of an access violation, without one. */
static void exit_access_violation(struct itrh_host *host) {
    (void)host;
    itrh_exit_now(0xC0000005u);
}

struct misdeed {
    const char *name;
    void (*before_wait)(struct itrh_host *host);
    void (*at_end)(struct itrh_host *host);
};

static const struct misdeed misdeeds[] = {
    {"crash", crash, NULL},
    {"sleep-deaf", sleep_deaf, NULL},
    {"spin-deaf", spin_deaf, NULL},
    {"turn-deaf", turn_deaf, NULL},
    {"exit-early", exit_early, NULL},
    {"give-up", give_up, NULL},
    {"complain", complain, NULL},
    {"wine-noise", make_wine_noise, NULL},
    {"garbage", print_garbage, NULL},
    {"flood", flood, NULL},
    {"keep-child", keep_child, NULL},
    {"detach-child", detach_child, NULL},
    {"close-descriptors", close_descriptors, NULL},
    {"keep-promises", keep_promises, NULL},
    {"break-promise", break_promise, NULL},
    {"scribble-head", NULL, scribble_head},
    {"scribble-request", NULL, scribble_request},
    {"scribble-guard", NULL, scribble_guard},
    {"scribble-times", NULL, scribble_times},
    {"scribble-order", NULL, scribble_order},
    {"scribble-tail", NULL, scribble_tail},
    {"scribble-all", NULL, scribble_all},
    {"exit-2", NULL, exit_2},
    {"exit-139", NULL, exit_139},
    {"exit-access-violation", NULL, exit_access_violation},
};

/* NULL: no such misdeed. */
static const struct misdeed *find_misdeed(const char *name) {
    static const struct misdeed none = {"none", NULL, NULL};
    if (name == NULL || name[0] == '\0' || strcmp(name, none.name) == 0) {
        return &none;
    }
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        if (strcmp(misdeeds[i].name, name) == 0) {
            return &misdeeds[i];
        }
    }
    return NULL;
}

int main(void) {
    struct itrh_host host = {0};
    const char *name = getenv("INITRACE_MISDEED");
    if (name != NULL && strcmp(name, "no-ledger") == 0) {
        return 0;
    }
    const struct misdeed *misdeed = find_misdeed(name);
    if (misdeed == NULL) {
        fprintf(stderr, "misbehave: INITRACE_MISDEED=%s: no such misdeed\n", name);
        return EXIT_NO_SUCH_MISDEED;
    }
    if (!itrh_open(&host, NULL, NULL) || !itrh_install_handlers(&host) || !itrh_arm(&host) ||
        !itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    if (misdeed->before_wait != NULL) {
        misdeed->before_wait(&host);
    }
    if (!itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(&host);
    int code = itrh_finish(&host);
    if (misdeed->at_end != NULL) {
        misdeed->at_end(&host);
    }
    return code;
}
