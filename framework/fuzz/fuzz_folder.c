/* Fuzzes the reading of a campaign's folder. Input: how it is left (a byte: which files are there), campaign.json, a NUL,
 * trials.jsonl, a NUL, summary.json. */
#include "framework/fuzz/summary_checks.h"

#include "framework/folder.h"

#include <uv.h>

static char folder[1024];

static void remove_folder(void) {
    itr_folder_remove(folder);
}

/* One folder for the whole process; each input writes its files anew. */
static void make_folder(void) {
    char temporary[900];
    size_t length = sizeof temporary;
    uv_fs_t request;
    FUZZ_CHECK(uv_os_tmpdir(temporary, &length) == 0);
    snprintf(folder, sizeof folder, "%s/initrace-fuzz-XXXXXX", temporary);
    FUZZ_CHECK(uv_fs_mkdtemp(NULL, &request, folder, NULL) == 0);
    snprintf(folder, sizeof folder, "%s", request.path);
    uv_fs_req_cleanup(&request);
    FUZZ_CHECK(atexit(remove_folder) == 0);
}

static void write_file(const char *name, bool there, struct fuzz_input *in) {
    const uint8_t *end = in->count > 0 ? memchr(in->bytes, '\0', in->count) : NULL;
    size_t count = end != NULL ? (size_t)(end - in->bytes) : in->count;
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (there) {
        FILE *file = fopen(path, "wb");
        FUZZ_CHECK(file != NULL);
        FUZZ_CHECK(count == 0 || fwrite(in->bytes, 1, count, file) == count);
        FUZZ_CHECK(fclose(file) == 0);
    } else {
        (void)remove(path);
    }
    in->bytes += end != NULL ? count + 1 : count;
    in->count -= end != NULL ? count + 1 : count;
}

/* A campaign that was cut short goes on after the last whole line. */
static void check_continued(void) {
    struct itr_folder continued;
    struct itr_trials trials;
    json_t *trial = NULL;
    enum itr_status status = ITR_OK;
    FUZZ_CHECK(itr_folder_continue(&continued, folder, NULL) == ITR_OK);
    itr_folder_close(&continued);
    FUZZ_CHECK(itr_trials_open(&trials, folder, NULL) == ITR_OK);
    while ((status = itr_trials_next(&trials, &trial, NULL)) == ITR_OK && trial != NULL) {
        json_decref(trial);
    }
    FUZZ_CHECK(status != ITR_OK || !trials.cut);
    itr_trials_close(&trials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct itr_summary summary;
    struct itr_error err = {0};
    if (folder[0] == '\0') {
        make_folder();
    }
    unsigned missing = (unsigned)fuzz_number(&in, 1) & 7;
    write_file("campaign.json", (missing & 1) == 0, &in);
    write_file("trials.jsonl", (missing & 2) == 0, &in);
    write_file("summary.json", (missing & 4) == 0, &in);
    enum itr_status status = itr_folder_load(folder, &summary, &err);
    FUZZ_CHECK(status == err.status);
    if (status == ITR_OK) {
        fuzz_check_reports(&summary);
        itr_summary_release(&summary);
    } else {
        FUZZ_CHECK(status == ITR_E_FORMAT || status == ITR_E_NOT_FOUND);
        FUZZ_CHECK(strstr(err.text, folder) != NULL);
    }
    if ((missing & 2) == 0) {
        check_continued();
    }
    return 0;
}
