/* Known failures as data: files that say how a failure reads in a crash text and where it is discussed. A new
 * failure is a new file and nothing else. */
#ifndef INITRACE_FRAMEWORK_KNOWN_H
#define INITRACE_FRAMEWORK_KNOWN_H

#include "framework/casefile.h"
#include "framework/triage.h"

#include <jansson.h>

enum { ITR_KNOWN_FORMAT = 1, ITR_KNOWN_FILES_MAX = 1024, ITR_KNOWN_FILE_BYTES_MAX = 1 << 20 };

/* All that is given must hold. Texts are patterns in which `*` stands for anything. */
struct itr_known_match {
    char *signature;
    char *message;   /* of any message, as in signatures */
    struct itr_strings functions; /* all in one stack */
    char *signal;    /* "SIGSEGV" */
    char *exception; /* "AV", "0xC0000602": the first one */
    char *address;   /* "null-page" */
};

struct itr_known_failure {
    char *name; /* of the file, without its suffix */
    char *summary;
    char *printed_by; /* function or program; NULL */
    char *go;         /* versions it is known of, NULL: not said */
    char *system;     /* linux, windows; NULL: any */
    char *note;
    bool finding; /* false: the machine is at fault, or it only remarks on something */
    struct itr_strings threads;
    struct itr_known_match *matches; /* any of them */
    size_t match_count;
};

/* `{0}` is empty. The owner calls itr_known_release(). */
struct itr_known_list {
    struct itr_known_failure *items; /* by name */
    size_t count;
};

/* Reads every *.json of the folder. A mistake in one is an error that names file, key and what was expected;
 * ITR_E_LIMIT: too many of them, or one that is too large. */
enum itr_status itr_known_read(const char *folder, struct itr_known_list *list, struct itr_error *err) ITR_MUST_USE;
void itr_known_release(struct itr_known_list *list);

/* The failure that the crash is; where several fit, the one with most conditions, of which the signature's own message counts three times, then the first by name. NULL: none. */
const struct itr_known_failure *itr_known_find(const struct itr_known_list *list, const struct itr_crash *crash);

#endif
