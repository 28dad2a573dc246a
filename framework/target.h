/* A process that stands still, as the files that read it see it: a way to read its memory, the modules in it,
 * its threads with their registers. Filled by whoever holds the process (a debugger, a snapshot, a core file);
 * it stops nothing, reads nothing by itself and knows no operating system's own structures.
 *
 * x86-64 only. Everything in it is borrowed: the filler keeps it until the last reader is done. */
#ifndef INITRACE_FRAMEWORK_TARGET_H
#define INITRACE_FRAMEWORK_TARGET_H

#include "framework/event.h"
#include "framework/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers in the order of their encoding (as in framework/instruction.h), then what has none. */
#define ITR_REGISTER_MAP(X) \
    X(RAX, "rax")           \
    X(RCX, "rcx")           \
    X(RDX, "rdx")           \
    X(RBX, "rbx")           \
    X(RSP, "rsp")           \
    X(RBP, "rbp")           \
    X(RSI, "rsi")           \
    X(RDI, "rdi")           \
    X(R8, "r8")             \
    X(R9, "r9")             \
    X(R10, "r10")           \
    X(R11, "r11")           \
    X(R12, "r12")           \
    X(R13, "r13")           \
    X(R14, "r14")           \
    X(R15, "r15")           \
    X(RIP, "rip")           \
    X(RFLAGS, "rflags")     \
    X(FS_BASE, "fs_base")   \
    X(GS_BASE, "gs_base")

enum itr_register {
#define ITR_REGISTER_ENUM(id, name) ITR_REGISTER_##id,
    ITR_REGISTER_MAP(ITR_REGISTER_ENUM)
#undef ITR_REGISTER_ENUM
        ITR_REGISTER_COUNT
};

/* What the process runs on: decides where a thread keeps its current goroutine and what a signal's frame looks
 * like. Wine is Windows here. */
enum itr_target_system { ITR_TARGET_LINUX, ITR_TARGET_WINDOWS };

/* Reads up to `bytes` bytes at `address` into `into` and returns how many were read from the beginning on: fewer
 * where the mapping ends, 0 where there is none. Any address may be asked for. */
typedef size_t itr_target_read_fn(void *context, uint64_t address, void *into, size_t bytes);

/* A stretch of address space. */
struct itr_target_range {
    uint64_t begin;
    uint64_t end; /* the first address behind it */
    bool readable;
    bool writable;
    bool executable;
};

/* One mapped program or library. */
struct itr_target_module {
    const char *path;                      /* as the system reports it; never NULL */
    uint64_t base;                         /* address of rva 0, as framework/image.h counts */
    uint64_t bytes;                        /* from `base` to the end of its last range */
    const struct itr_target_range *ranges; /* by address; may be NULL: ask the image */
    size_t range_count;
    const struct itr_image *image; /* NULL: could not be opened, or is no file */
};

/* One thread, stopped. */
struct itr_target_thread {
    uint64_t id;
    const char *name;   /* the system's name for it; NULL: none */
    enum itr_role role; /* by its part in the load; ITR_ROLE_ANY: neither main nor init */
    const char
        *role_name; /* a finer word where the holder has one ("event thread"); NULL: `role`'s own */
    bool
        has_registers; /* false: it could not be read, e.g. it is ending; `registers` are then all 0 */
    bool
        at_fault; /* it stands at the instruction that faulted, or at the call that raised a signal */
    uint64_t registers[ITR_REGISTER_COUNT];
};

/* `{0}` is a process in which nothing can be read. */
struct itr_target_process {
    enum itr_target_system system;
    uint64_t id;
    itr_target_read_fn *read;                /* NULL: nothing can be read */
    void *context;                           /* of `read` */
    const struct itr_target_module *modules; /* by base; their memory does not overlap */
    size_t module_count;
    const struct itr_target_thread *threads;
    size_t thread_count;
};

/* "rax"; "unknown" for one outside the set. Static storage. */
const char *itr_register_name(unsigned number);

/* Reads exactly `bytes`; false (and what `into` has then is not specified) when not all of it is there. */
bool itr_target_read(const struct itr_target_process *process, uint64_t address, void *into,
                     size_t bytes);
/* Little-endian numbers; false leaves `*value` untouched. */
bool itr_target_read_u8(const struct itr_target_process *process, uint64_t address, uint8_t *value);
bool itr_target_read_u32(const struct itr_target_process *process, uint64_t address,
                         uint32_t *value);
bool itr_target_read_u64(const struct itr_target_process *process, uint64_t address,
                         uint64_t *value);
/* A string of at most `room` - 1 bytes up to its NUL, always NUL-terminated; false when nothing could be read, or no
 * NUL came in `room` bytes (`out` has the beginning then). Not escaped. */
bool itr_target_read_string(const struct itr_target_process *process, uint64_t address, char *out,
                            size_t room);

/* The module that `address` is in, or NULL. */
const struct itr_target_module *itr_target_module_at(const struct itr_target_process *process,
                                                     uint64_t address);
/* Whether code can be at `address`: executable by its module's ranges, else by its image's sections. False for what
 * is in no module. */
bool itr_target_is_code(const struct itr_target_process *process, uint64_t address);
/* File name of a module's path, behind the last '/' or '\\'. Borrowed from it. */
const char *itr_target_module_name(const struct itr_target_module *module);

/* Fills `out` (NUL-terminated, escaped for a terminal) with "module!symbol+0x1c", "module+0x1234" where no table
 * names it, "0x7f…" where there is no module. `symbol_of` is the address whose symbol is wanted: for a return address
 * the byte before it; the offset counts to `address` all the same. */
void itr_target_describe(const struct itr_target_process *process, uint64_t address,
                         uint64_t symbol_of, char *out, size_t room);

#endif
