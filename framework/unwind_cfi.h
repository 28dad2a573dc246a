/* The rules of .eh_frame for one instruction of an ELF image: where the caller's registers are. It reads no memory
 * and follows no stack. */
#ifndef INITRACE_FRAMEWORK_UNWIND_CFI_H
#define INITRACE_FRAMEWORK_UNWIND_CFI_H

#include "framework/image.h"

enum { ITR_CFI_COLUMNS = 17 }; /* DWARF's numbers; the last is the return address */

enum itr_cfi_kind {
    ITR_CFI_UNSPECIFIED, /* as the calling convention has it */
    ITR_CFI_UNDEFINED,
    ITR_CFI_SAME,
    ITR_CFI_OFFSET,         /* saved at CFA + value */
    ITR_CFI_VALUE_OFFSET,   /* is CFA + value */
    ITR_CFI_REGISTER,       /* is in another column */
    ITR_CFI_EXPRESSION,     /* saved where an expression says */
    ITR_CFI_VALUE_EXPRESSION,
};

struct itr_cfi_rule {
    enum itr_cfi_kind kind;
    int64_t value;              /* offset, or column */
    const uint8_t *expression;  /* borrowed from the image */
    size_t bytes;
};

struct itr_cfi_row {
    struct itr_cfi_rule cfa; /* REGISTER: `value` is the column, `offset` is added; or EXPRESSION */
    int64_t offset;
    struct itr_cfi_rule columns[ITR_CFI_COLUMNS];
    unsigned return_column;
    bool signal; /* the frame is one that a signal's handler returns to */
};

/* Finds the row for the instruction at `rva`. False: no table, or none that holds together, covers it. */
bool itr_cfi_row_at(const struct itr_image *image, uint64_t rva, struct itr_cfi_row *row);

/* A stretch of bytes that is read from the front. `broken` once something was asked for that is not there. */
struct itr_cfi_reader {
    const uint8_t *p;
    size_t left;
    bool broken;
};

uint64_t itr_cfi_number(struct itr_cfi_reader *reader, unsigned bytes);
uint64_t itr_cfi_uleb(struct itr_cfi_reader *reader);
int64_t itr_cfi_sleb(struct itr_cfi_reader *reader);

#endif
