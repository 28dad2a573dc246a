/* A library that fails at random: its call ends the process with exit code 3 in about INITRACE_PLANTED_RATE of 10,000 calls,
 * by the host's environment. Where INITRACE_PLANTED_LINE is set, it is printed first, on standard error. For tests of what measures rates; nothing of it can be repeated by a seed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((visibility("default"))) int InitraceProbe(void);

/* The finest clock there is, and where the stack lies: two calls of one moment are in two processes. */
static uint64_t noise(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t value = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    value ^= (uint64_t)(uintptr_t)&now * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

int InitraceProbe(void) {
    const char *text = getenv("INITRACE_PLANTED_RATE");
    const char *line = getenv("INITRACE_PLANTED_LINE");
    if (line != NULL) {
        fprintf(stderr, "%s\n", line);
    }
    long rate = text != NULL ? strtol(text, NULL, 10) : 0;
    if ((long)(noise() % 10000) < rate) {
        exit(3);
    }
    return 42;
}
