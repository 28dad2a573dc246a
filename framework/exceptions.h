/* What an exception or a fault is called, what the shape of many is, and which module and symbol a PC lies in. Pure. */
#ifndef INITRACE_FRAMEWORK_EXCEPTIONS_H
#define INITRACE_FRAMEWORK_EXCEPTIONS_H

#include "framework/image.h"
#include "framework/ledger.h"
#include "platform/platform.h"

enum { ITR_LOCATION_MAX = 200 };

/* A module a PC may lie in. Borrowed. */
struct itr_module {
    const char *name;              /* file name without folder and suffix */
    const struct itr_image *image; /* NULL: no symbols could be read */
    uint64_t base;                 /* 0: as the ledger says, or not known */
};

struct itr_modules {
    struct itr_module library;
    struct itr_module host;
};

/* "module!symbol" of an exception's PC, with "+0xoffset" if `with_offset`; "module" where there is no symbol, "other-module"
 * or "no-module" where it is neither the library's nor the host's. */
void itr_locate_pc(const struct itr_modules *modules, const struct itr_ledger_reply *reply,
                   const struct itr_exception *exception, bool with_offset, char *out, size_t room);

/* Name of what a debugger saw: "SIGSEGV", "ACCESS_VIOLATION"; static or thread-local storage. */
const char *itr_fault_name(const struct itrp_debug_fault *fault);

/* First recorded exception that is an error or a warning by its code (not a debugger's message), NULL if
 * there is none. */
const struct itr_exception *itr_first_exception(const struct itr_ledger_reply *reply);

/* Shape of all recorded exceptions: "AV+INT3*" is one access violation, then breakpoints without number. */
void itr_exception_shape(const struct itr_ledger_reply *reply, char *out, size_t room);

#endif
