/* A library without any runtime, for controls: the exports of the Go library "life", as far as there is
 * something of them to do without Go, and nothing that starts when it is loaded. */
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef int (*life_function)(void *argument);

EXPORT int32_t InitraceProbe(void);
EXPORT int32_t LifeAdd(int32_t a, int32_t b);
EXPORT int32_t LifeWork(int32_t depth);
EXPORT int32_t LifeCall(life_function f, void *argument);
EXPORT int32_t LifeCallElsewhere(life_function f, void *argument);
EXPORT int32_t LifeFault(void);
EXPORT int32_t LifeProfile(int32_t on);
EXPORT int32_t LifeChurn(int32_t count);
EXPORT int32_t LifeCollect(void);

int32_t InitraceProbe(void) {
    return 42;
}

int32_t LifeAdd(int32_t a, int32_t b) {
    return a + b;
}

int32_t LifeWork(int32_t depth) {
    volatile int32_t result = 0;
    for (int32_t i = 0; i < depth; i++) {
        result = result + 1;
    }
    return result;
}

int32_t LifeCall(life_function f, void *argument) {
    return f(argument);
}

int32_t LifeCallElsewhere(life_function f, void *argument) {
    return f(argument);
}

int32_t LifeFault(void) {
    return 1;
}

int32_t LifeProfile(int32_t on) {
    (void)on;
    return 0;
}

int32_t LifeChurn(int32_t count) {
    return count;
}

int32_t LifeCollect(void) {
    return 0;
}
