/* Reads a library file (ELF64 or PE32+, x86-64): its sections, its symbols, and Go's own table of
 * functions and lines (pclntab), so that an address becomes a name and a name an address. It loads
 * nothing, runs nothing and reads no DWARF.
 *
 * Files are not trusted: whatever is in them, nothing outside them is read. A table that does not
 * hold together is left out and itr_image_damage() says so.
 *
 * An rva is an address relative to the base the system reports for the loaded module: for ELF the
 * page of the lowest PT_LOAD, for PE the image base. */
#ifndef INITRACE_FRAMEWORK_IMAGE_H
#define INITRACE_FRAMEWORK_IMAGE_H

#include "framework/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_IMAGE_FILE_MAX = 1 << 29,    /* bytes; larger files are refused with ITR_E_LIMIT */
    ITR_IMAGE_SYMBOLS_MAX = 1 << 21, /* further symbols are left out, and reported as damage */
    ITR_IMAGE_SECTIONS_MAX = 4096,
    ITR_SECTION_NAME_MAX = 64,
};

enum itr_image_format { ITR_IMAGE_ELF, ITR_IMAGE_PE };

struct itr_section {
    char name[ITR_SECTION_NAME_MAX];
    uint64_t rva;
    uint64_t bytes; /* in memory */
    bool executable;
    bool writable;
};

enum itr_symbol_kind { ITR_SYMBOL_FUNCTION, ITR_SYMBOL_DATA };

/* Where a symbol's name comes from. */
enum itr_symbol_source {
    ITR_SYMBOL_SYMTAB,  /* ELF .symtab or COFF symbol table */
    ITR_SYMBOL_DYNAMIC, /* ELF .dynsym or PE exports */
    ITR_SYMBOL_PCLNTAB, /* Go's own table */
};

struct itr_symbol {
    const char *name; /* borrowed from the image */
    uint64_t rva;
    uint64_t bytes; /* to its end, or to where the next one begins when the file does not say; 0:
                       a mere mark in the text, such as runtime.text */
    enum itr_symbol_kind kind;
    enum itr_symbol_source source;
    bool global;
};

struct itr_image;

/* Reads the file at `path`. On success `*image` is the caller's, to be closed. ITR_E_NOT_FOUND,
 * ITR_E_SYSTEM, ITR_E_LIMIT; ITR_E_FORMAT when it is neither ELF nor PE; ITR_E_UNSUPPORTED when it
 * is for another processor. */
ITR_MUST_USE enum itr_status itr_image_open(struct itr_image **image, const char *path,
                                            struct itr_error *err);

/* The same for bytes in memory, which are borrowed: they stay as they are until the close.
 * `reallocate` is for tests of the failing path; NULL: realloc(). */
ITR_MUST_USE enum itr_status itr_image_open_bytes(struct itr_image **image, const void *bytes,
                                                  size_t count, void *(*reallocate)(void *, size_t),
                                                  struct itr_error *err);

/* NULL is fine. All names that came from the image end with it. */
void itr_image_close(struct itr_image *image);

enum itr_image_format itr_image_format(const struct itr_image *image);

/* Bytes of address space from the base to the end of the last section. */
uint64_t itr_image_bytes(const struct itr_image *image);

/* Base address that the file itself asks for (0 for nearly all ELF libraries). */
uint64_t itr_image_preferred_base(const struct itr_image *image);

/* FNV-1a over the whole file. */
uint64_t itr_image_hash(const struct itr_image *image);

/* GNU build id in hexadecimal, else Go's build id, else "". */
const char *itr_image_build_id(const struct itr_image *image);

/* "go1.26.10" from Go's build information; "" when there is none. */
const char *itr_image_go_version(const struct itr_image *image);

/* One line on what was left out because it did not hold together; "" when all is well. */
const char *itr_image_damage(const struct itr_image *image);

/* Sections by address (those that are loaded; the segments where the file has no sections). */
size_t itr_image_section_count(const struct itr_image *image);
const struct itr_section *itr_image_section(const struct itr_image *image, size_t index);
/* The one that holds `rva`, or NULL. */
const struct itr_section *itr_image_section_at(const struct itr_image *image, uint64_t rva);

/* Functions by address, one for each address (of several names the most telling). */
size_t itr_image_function_count(const struct itr_image *image);
const struct itr_symbol *itr_image_function(const struct itr_image *image, size_t index);

/* The symbol that holds `rva`, or NULL: in a PLT, in code that no table names, outside. The padding
 * of up to 31 bytes between two functions counts to the first. */
const struct itr_symbol *itr_image_symbol(const struct itr_image *image, uint64_t rva);

/* The same as name and distance from its beginning. False leaves both untouched. */
bool itr_image_symbol_at(const struct itr_image *image, uint64_t rva, const char **name,
                         uint64_t *offset);

/* Source file and line (from 1) of the instruction at `rva`, Go code only; of inlined code its own.
 * For a return address ask for the byte before. False leaves both untouched. */
bool itr_image_line_at(const struct itr_image *image, uint64_t rva, const char **file,
                       uint32_t *line);

/* How a Go function's stack frame looks at one of its instructions. */
struct itr_go_frame {
    const char *name; /* borrowed from the image; "" when damaged */
    uint64_t entry;   /* rva of its first instruction */
    uint64_t end;     /* rva behind its last one */
    uint64_t bytes;   /* from the stack pointer up to the return address */
    bool top;         /* the function nothing calls: goexit, mstart, … */
    bool assembly;
    bool moves_stack; /* it sets the stack pointer in ways that `bytes` does not follow */
};

/* From Go's own table; false, `frame` untouched, where that does not know the instruction at `rva`.
 * For a return address ask for the byte before. */
bool itr_image_go_frame_at(const struct itr_image *image, uint64_t rva, struct itr_go_frame *frame);

/* The ELF section .eh_frame_hdr or the PE exception table, whatever the file's sections are called.
 * False, both untouched, where there is none. All of it is in the file. */
bool itr_image_unwind_table(const struct itr_image *image, uint64_t *rva, uint64_t *bytes);

/* True when the image has a Go pclntab that could be used; its functions and lines are known then,
 * stripped or not. */
bool itr_image_has_go_lines(const struct itr_image *image);

/* Finds a symbol by `name|alternative|prefix*`: the first alternative that exists. A name stands
 * for itself, else for its `.abi0` twin, else (when it ends so) for the name without `.abi0`; a
 * star at the end that is not part of a name means any continuation, of which the lowest address is
 * taken, functions before data. Returns false, `symbol` untouched, when there is none. */
bool itr_image_lookup(const struct itr_image *image, const char *pattern,
                      struct itr_symbol *symbol);

/* All of the first alternative that has any, functions by address, then data by address: calls
 * `each` until it returns false. Returns the number of calls. */
size_t itr_image_lookup_all(const struct itr_image *image, const char *pattern,
                            bool (*each)(void *context, const struct itr_symbol *symbol),
                            void *context);

/* The file's own bytes for [rva, rva + count), or NULL when they are not all in the file (bss,
 * outside). Relocations are not applied. Borrowed. */
const uint8_t *itr_image_bytes_at(const struct itr_image *image, uint64_t rva, size_t count);

/* The same from `rva` to the end of what the file has there: `*count` bytes, NULL for none. */
const uint8_t *itr_image_rest_at(const struct itr_image *image, uint64_t rva, size_t *count);

/* A section of debug information; `{0}` is none. */
struct itr_debug_section {
    const uint8_t *bytes;
    size_t count;
    uint8_t *owned; /* NULL: the bytes are the image's own */
};

enum { ITR_DEBUG_SECTION_MAX = 1 << 28 }; /* bytes, inflated */

/* The section of that name (".debug_info"), inflated where the file has it compressed by zlib: ELF's compressed
 * sections and the older ".zdebug_info". ITR_E_NOT_FOUND; ITR_E_FORMAT; ITR_E_LIMIT; ITR_E_UNSUPPORTED for other ways
 * to compress. On success the caller releases it. */
ITR_MUST_USE enum itr_status itr_image_debug_section(const struct itr_image *image, const char *name,
                                                     struct itr_debug_section *section,
                                                     struct itr_error *err);
void itr_debug_section_release(struct itr_debug_section *section);

#endif
