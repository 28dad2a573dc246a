/* What the parts of the image reader share: the image itself, safe reads, and the tables that the
 * formats fill. For image*.c only. */
#ifndef INITRACE_FRAMEWORK_IMAGE_PARTS_H
#define INITRACE_FRAMEWORK_IMAGE_PARTS_H

#include "framework/image.h"

/* A stretch of address space and the bytes of the file it is filled from. */
struct itr_image_range {
    uint64_t rva;
    uint64_t bytes;      /* in memory */
    uint64_t offset;     /* in the file */
    uint64_t file_bytes; /* <= bytes; all within the file */
    bool executable;
};

/* Go's table of functions and lines, checked when `found`. Offsets are from its header on. */
struct itr_image_pclntab {
    bool found;
    bool usable; /* where its text begins is known too */
    const uint8_t *bytes;
    size_t count;
    uint64_t rva;
    uint64_t text; /* rva of the text its functions count from */
    uint32_t functions;
    uint64_t names;
    uint64_t units;
    uint64_t files;
    uint64_t values;
    uint64_t table;
};

struct itr_image {
    const uint8_t *bytes;
    size_t count;
    uint8_t *owned; /* NULL: the bytes are borrowed */
    void *(*reallocate)(void *, size_t);
    bool no_memory;
    enum itr_image_format format;
    uint64_t base;
    uint64_t size;

    struct itr_section *sections;
    size_t section_count, section_room;
    struct itr_image_range *ranges;
    size_t range_count, range_room;
    uint64_t ranges_file_bytes; /* of all of them */
    struct itr_symbol *symbols; /* by rva, then the most telling first */
    size_t symbol_count, symbol_room;
    uint32_t *places; /* indices of one symbol for each address, by rva */
    size_t place_count;
    uint32_t *functions; /* those of them that are functions */
    size_t function_count;
    char *names; /* copies of names that the file holds without an end */
    size_t names_used, names_room;

    struct itr_image_pclntab go;
    uint64_t unwind_table; /* rva and size of .eh_frame_hdr or the exception table */
    uint64_t unwind_table_bytes;
    uint64_t relocations; /* ELF: file offset and number of RELA entries */
    uint64_t relocation_count;
    uint64_t hash;
    char build_id[160];
    char go_version[64];
    char damage[160];
};

/* Little-endian number at `p`. */
uint16_t itr_image_u16(const uint8_t *p);
uint32_t itr_image_u32(const uint8_t *p);
uint64_t itr_image_u64(const uint8_t *p);

/* `count` bytes of the file at `offset`, NULL when they are not all there. */
const uint8_t *itr_image_file(const struct itr_image *image, uint64_t offset, uint64_t count);

/* The NUL-terminated string at `offset` of a table of `count` bytes; NULL when it does not end in
 * it. */
const char *itr_image_string(const uint8_t *table, uint64_t count, uint64_t offset);

/* Notes damage: the first note stays. */
void itr_image_note(struct itr_image *image, const char *text);

/* Each puts one more into its table; false when memory was refused (`no_memory`). What is over the
 * ceiling is noted as damage and left out. */
bool itr_image_add_section(struct itr_image *image, const struct itr_section *section);
bool itr_image_add_range(struct itr_image *image, const struct itr_image_range *range);
bool itr_image_add_symbol(struct itr_image *image, const struct itr_symbol *symbol);

/* Room for `count` symbols at once, so that tables do not grow by steps. */
bool itr_image_reserve_symbols(struct itr_image *image, uint64_t count);

/* Sorts the sections by address. */
void itr_image_order_sections(struct itr_image *image);

/* Sorts the symbols by address, drops doubles, chooses one for each address and gives an end to those that have none;
 * false when memory was refused. After the sections, and once. */
bool itr_image_order_symbols(struct itr_image *image);

/* Fills sections, ranges, symbols and what the format knows of the build. ITR_E_FORMAT and
 * ITR_E_UNSUPPORTED as itr_image_open(); memory refused shows in `no_memory`. */
enum itr_status itr_image_read_elf(struct itr_image *image, struct itr_error *err);
enum itr_status itr_image_read_pe(struct itr_image *image, struct itr_error *err);

/* Finds and checks Go's table and adds its functions to the symbols; false when memory was refused.
 * Symbols are in no order before and after. */
bool itr_image_read_pclntab(struct itr_image *image);

/* Whether [rva, rva+count) lies in executable memory. */
bool itr_image_is_executable(const struct itr_image *image, uint64_t rva, uint64_t count);

/* The bytes of a section by its name, loaded or not; `*compressed` as an ELF file marks it. NULL: none, or not all in
 * the file. */
const uint8_t *itr_image_elf_section(const struct itr_image *image, const char *name, uint64_t *count,
                                     bool *compressed);

#endif
