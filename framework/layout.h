/* Where hosts, libraries and cases lie, seen from the program itself: the same in a build tree and in an
 * installation. It opens none of them. */
#ifndef INITRACE_FRAMEWORK_LAYOUT_H
#define INITRACE_FRAMEWORK_LAYOUT_H

#include "framework/casefile.h"
#include "framework/error.h"
#include "framework/path.h"

/* Absolute folders, found from the place of the program (PREFIX/bin/initrace). */
struct itr_layout {
    char prefix[1024];
    char cases[1100];     /* PREFIX/share/initrace/cases */
    char known[1100];     /* PREFIX/share/initrace/known: known failures */
    char recipes[1100];   /* PREFIX/share/initrace/recipes: edit recipes */
    char hosts[1100];     /* PREFIX/libexec/initrace */
    char libraries[1100]; /* PREFIX/lib/initrace: a folder for each Go version, and `c` */
};

/* The same for another prefix; whether there is one is not looked at. */
void itr_layout_of(struct itr_layout *layout, const char *prefix);
enum itr_status itr_layout_find(struct itr_layout *layout, struct itr_error *err) ITR_MUST_USE;

/* Names of the folders in `folder`, sorted (versions as numbers); release with itr_layout_release(). */
enum itr_status itr_layout_folders(const char *folder, struct itr_strings *names, struct itr_error *err) ITR_MUST_USE;
/* Names of the files in `folder` that end with `suffix`, without it, sorted and released likewise. */
enum itr_status itr_layout_files(const char *folder, const char *suffix, struct itr_strings *names,
                                 struct itr_error *err) ITR_MUST_USE;
/* The Go versions libraries were built with ("go1.19.8", …), oldest first. */
enum itr_status itr_layout_go_versions(const struct itr_layout *layout, struct itr_strings *versions,
                                       struct itr_error *err) ITR_MUST_USE;
void itr_layout_release(struct itr_strings *names);

/* Path of a host program; `hooked` picks the one linked with hooks. ITR_E_NOT_FOUND if it is not there. */
enum itr_status itr_layout_host(const struct itr_layout *layout, const char *name, bool hooked, char *path,
                                size_t room, struct itr_error *err) ITR_MUST_USE;
/* True if a library of that name is a plain C one, the same for every Go version. */
bool itr_layout_is_plain(const struct itr_layout *layout, const char *name);
/* Path of a library; `go` may be NULL for a plain one. */
enum itr_status itr_layout_library(const struct itr_layout *layout, const char *name, const char *go, char *path,
                                   size_t room, struct itr_error *err) ITR_MUST_USE;

/* Version of the Go distribution at `root` ("go1.26.10", "go1.27-devel_0123"), from its file VERSION; one built from a
 * repository has VERSION.cache. */
enum itr_status itr_goroot_version(const char *root, char *version, size_t room, struct itr_error *err) ITR_MUST_USE;

#endif
