/* The symbols of files, each read once however many cells of a campaign load it. There is one image for each file as long as
 * the campaign is open, and none of a file that nobody asked for. It does not say what a cell needs (work.h does). */
#ifndef INITRACE_FRAMEWORK_IMAGES_H
#define INITRACE_FRAMEWORK_IMAGES_H

#include "framework/image.h"

/* A file as it was when it was first asked for. */
struct itr_kept_image {
    char *path;
    struct itr_image *image; /* NULL: it has no symbols that can be read: */
    struct itr_error error;  /* why */
    char hash[20];           /* as of itr_hash_file() */
};

/* `{0}` is empty. For one thread at a time; the images may be asked by several. */
struct itr_images {
    struct itr_kept_image **items;
    size_t count;
};

/* The file's; it stays where it is until the release. ITR_E_NO_MEMORY: there is no room to keep it. */
enum itr_status itr_images_get(struct itr_images *images, const char *path, const struct itr_kept_image **kept,
                               struct itr_error *err) ITR_MUST_USE;
void itr_images_release(struct itr_images *images);

/* FNV-1a of a file as "0x" and 16 hex digits; "" if it cannot be read. */
void itr_hash_file(const char *path, char *out, size_t room);

#endif
