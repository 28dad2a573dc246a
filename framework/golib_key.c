/* The key of built libraries: a hash of what goes into them. What of a GOROOT is in it is golib_listing.c's. */
#include "framework/golib_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FORMAT = 1 };

static enum itr_status hash_file(const char *folder, const char *name, uint64_t *hash, struct itr_error *err) {
    char path[1500];
    char buffer[16 * 1024];
    size_t got = 0;
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    *hash = itr_golib_hash_text(*hash, name);
    while (file != NULL && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        *hash = itr_hash64(*hash, buffer, got);
        bytes += got;
    }
    *hash = itr_golib_hash_number(*hash, bytes);
    bool good = file != NULL && ferror(file) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return good ? ITR_OK : itr_fail(err, ITR_E_SYSTEM, 0, "%s cannot be read", path);
}

static enum itr_status hash_sources(const struct itr_golib_inputs *inputs, uint64_t *hash, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < inputs->names.count; i++) {
        const struct itr_golib_sources *sources = &inputs->sources[i];
        if (!sources->for_system) {
            continue;
        }
        *hash = itr_golib_hash_text(*hash, inputs->names.items[i]);
        *hash = itr_golib_hash_text(*hash, sources->flags);
        *hash = itr_golib_hash_number(*hash, sources->count);
        for (size_t k = 0; k < sources->count && status == ITR_OK; k++) {
            status = hash_file(sources->folder, sources->files[k], hash, err);
        }
    }
    return status;
}

const char *itr_golib_c_compiler(const char *system) {
    const char *compiler = strcmp(system, "windows") != 0 ? getenv("CC") : NULL;
    return compiler != NULL ? compiler : "";
}

enum itr_status itr_golib_key(const struct itr_golib_inputs *inputs, uint64_t *key, struct itr_error *err) {
    struct itr_golib_listing listing = {0};
    uint64_t hash = itr_golib_hash_number(ITR_HASH64_START, KEY_FORMAT);
    hash = itr_golib_hash_text(hash, inputs->version);
    hash = itr_golib_hash_text(hash, inputs->system);
    hash = itr_golib_hash_number(hash, inputs->arm->flags.count);
    for (size_t i = 0; i < inputs->arm->flags.count; i++) {
        hash = itr_golib_hash_text(hash, inputs->arm->flags.items[i]);
    }
    hash = itr_golib_hash_number(hash, itr_changes_hash(inputs->changes));
    if (itr_golib_c_compiler(inputs->system)[0] != '\0') {
        hash = itr_golib_hash_text(hash, itr_golib_c_compiler(inputs->system));
    }
    enum itr_status status = hash_sources(inputs, &hash, err);
    if (status == ITR_OK) {
        status = itr_golib_list(inputs->root, &listing, err);
    }
    hash = itr_golib_hash_number(hash, listing.files);
    *key = itr_golib_hash_number(hash, listing.sum);
    return status;
}
