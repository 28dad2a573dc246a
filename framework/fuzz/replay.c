/* Runs a fuzz target once for each file that is named, and each file in the folders that are named: the corpus without
 * a fuzzer, with any compiler. It changes no input. */
#include "framework/fuzz/fuzz.h"

#include <uv.h>

enum { INPUT_BYTES_MAX = 1 << 20, PATH_BYTES_MAX = 4096 };

static unsigned long inputs;

static bool run_file(const char *path) {
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    bool good = bytes != NULL && file != NULL;
    if (good) {
        size_t count = fread(bytes, 1, INPUT_BYTES_MAX, file);
        uint8_t *input = fuzz_copy(bytes, count);
        good = ferror(file) == 0;
        printf("%s\n", path); /* what was last named is what failed */
        fflush(stdout);
        LLVMFuzzerTestOneInput(input, count);
        free(input);
        inputs++;
    }
    if (!good) {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(bytes);
    return good;
}

static bool run_path(const char *path) {
    uv_fs_t request;
    uv_dirent_t entry;
    bool good = true;
    if (uv_fs_scandir(NULL, &request, path, 0, NULL) < 0) {
        uv_fs_req_cleanup(&request);
        return run_file(path);
    }
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        char child[PATH_BYTES_MAX];
        snprintf(child, sizeof child, "%s/%s", path, entry.name);
        good = (entry.type == UV_DIRENT_DIR || run_file(child)) && good;
    }
    uv_fs_req_cleanup(&request);
    return good;
}

int main(int argc, char **argv) {
    bool good = true;
    for (int i = 1; i < argc; i++) {
        good = run_path(argv[i]) && good;
    }
    printf("%lu inputs\n", inputs);
    return good && inputs > 0 ? 0 : 1;
}
