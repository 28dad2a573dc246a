/* A library without a runtime whose constructor loads another one, INITRACE_LOAD_INNER, and calls it, for hosts that look
 * at loads within a load. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int load_in_constructor_result = -1;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("INITRACE_LOAD_INNER");
    void *inner = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *address = inner != NULL ? dlsym(inner, "InitraceProbe") : NULL;
    int (*probe)(void) = NULL;
    memcpy(&probe, &address, sizeof probe);
    if (probe != NULL) {
        load_in_constructor_result = probe();
    }
}
