/* Keeps images by the path of their file. */
#include "framework/images.h"

#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void itr_hash_file(const char *path, char *out, size_t room) {
    char buffer[64 * 1024];
    uint64_t hash = ITR_HASH64_START;
    size_t got = 0;
    FILE *file = fopen(path, "rb");
    out[0] = '\0';
    if (file == NULL) {
        return;
    }
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        hash = itr_hash64(hash, buffer, got);
    }
    fclose(file);
    snprintf(out, room, "0x%016" PRIx64, hash);
}

static void free_kept(struct itr_kept_image *kept) {
    if (kept != NULL) {
        itr_image_close(kept->image);
        free(kept->path);
        free(kept);
    }
}

static struct itr_kept_image *read_file(const char *path) {
    struct itr_kept_image *kept = calloc(1, sizeof *kept);
    if (kept == NULL || (kept->path = strdup(path)) == NULL) {
        free(kept);
        return NULL;
    }
    if (itr_image_open(&kept->image, path, &kept->error) == ITR_OK) {
        snprintf(kept->hash, sizeof kept->hash, "0x%016" PRIx64, itr_image_hash(kept->image)); /* of the bytes that were read */
    } else {
        kept->image = NULL;
        if (kept->error.status == ITR_E_NO_MEMORY) { /* that is nothing to be kept */
            free_kept(kept);
            return NULL;
        }
        itr_hash_file(path, kept->hash, sizeof kept->hash);
    }
    return kept;
}

enum itr_status itr_images_get(struct itr_images *images, const char *path, const struct itr_kept_image **kept,
                               struct itr_error *err) {
    *kept = NULL;
    for (size_t i = 0; i < images->count; i++) {
        if (strcmp(images->items[i]->path, path) == 0) {
            *kept = images->items[i];
            return ITR_OK;
        }
    }
    struct itr_kept_image *one = read_file(path);
    struct itr_kept_image **grown = one != NULL ? realloc(images->items, (images->count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free_kept(one);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for the symbols of %s", path);
    }
    images->items = grown;
    images->items[images->count++] = one;
    *kept = one;
    return ITR_OK;
}

void itr_images_release(struct itr_images *images) {
    for (size_t i = 0; i < images->count; i++) {
        free_kept(images->items[i]);
    }
    free(images->items);
    *images = (struct itr_images){0};
}
