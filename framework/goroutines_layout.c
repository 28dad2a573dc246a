/* Where Go's runtime keeps what is read of goroutines and threads: asked of the library's DWARF, else looked up in a
 * table. The table has the versions whose layout was read out of their own DWARF or of what the compiler itself says of the runtime
 * (go tool compile -asmhdr), and no other. */
#include "framework/goroutines.h"

#include "framework/dwarf.h"

#include <stdio.h>
#include <string.h>

enum { OFFSET_MAX = 4096 - 8, COUNT = 22 };

#define ABSENT UINT32_MAX

/* In the order of ITR_GO_LAYOUT_MAP. */
struct known {
    unsigned minor; /* of go1.N */
    enum itr_image_format format;
    uint32_t offsets[COUNT];
};

/* clang-format off */
static const struct known table[] = {
    /*       stack | gobuf   | g: stack m sched syscallsp pc status id wait lockedm gopc startpc parent | m: g0 procid curg id alllink */
    {19, ITR_IMAGE_ELF, {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 144, 152, 176, 232, 296, 312, ABSENT, 0, 72, 192, 232, 336}},
    {19, ITR_IMAGE_PE,  {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 144, 152, 176, 232, 296, 312, ABSENT, 0, 72, 144, 184, 288}},
    {22, ITR_IMAGE_ELF, {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 144, 152, 176, 208, 280, 296, 272,    0, 72, 192, 232, 328}},
    {22, ITR_IMAGE_PE,  {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 144, 152, 176, 208, 280, 296, 272,    0, 72, 144, 184, 280}},
    {23, ITR_IMAGE_ELF, {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 152, 160, 184, 216, 288, 304, 280,    0, 72, 192, 232, 328}},
    {23, ITR_IMAGE_PE,  {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 152, 160, 184, 216, 288, 304, 280,    0, 72, 144, 184, 280}},
    {24, ITR_IMAGE_ELF, {0, 8, 0, 8, 48, 0, 48, 56, 112, 120, 152, 160, 184, 216, 288, 304, 280,    0, 72, 192, 232, 328}},
    {25, ITR_IMAGE_ELF, {0, 8, 0, 8, 40, 0, 48, 56, 104, 112, 144, 152, 176, 208, 280, 296, 272,    0, 64, 184, 224, 344}},
    {26, ITR_IMAGE_ELF, {0, 8, 0, 8, 40, 0, 48, 56, 104, 112, 144, 152, 176, 208, 288, 304, 280,    0, 64, 184, 232, 352}},
    {27, ITR_IMAGE_ELF, {0, 8, 0, 8, 40, 0, 48, 56, 104, 112, 144, 152, 176, 208, 288, 304, 280,    0, 64, 184, 232, 352}},
};
/* clang-format on */

/* N of "go1.N", "go1.N.M"; 0 for anything else: a version in the making ("devel", "rc") may be laid out in any way. */
static unsigned minor_of(const char *version) {
    unsigned minor = 0;
    const char *p = version + 4;
    if (strncmp(version, "go1.", 4) != 0) {
        return 0;
    }
    for (; *p >= '0' && *p <= '9' && minor < 1000; p++) {
        minor = minor * 10 + (unsigned)(*p - '0');
    }
    if (*p == '.') {
        p++;
        while (*p >= '0' && *p <= '9') {
            p++;
        }
    }
    /* Distributions put more behind a blank; experiments may change structures. */
    return *p == '\0' || (*p == ' ' && strstr(p, "X:") == NULL) ? minor : 0;
}

static bool from_table(const struct itr_image *image, uint32_t offsets[COUNT]) {
    unsigned minor = minor_of(itr_image_go_version(image));
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].minor == minor && table[i].format == itr_image_format(image)) {
            memcpy(offsets, table[i].offsets, sizeof table[i].offsets);
            return true;
        }
    }
    return false;
}

/* False: something that is needed is missing, or cannot be. */
static bool from_dwarf(const struct itr_image *image, uint32_t offsets[COUNT]) {
    static const bool needed[] = {
#define LAYOUT_NEEDED(field, structure, member, is_needed) is_needed,
        ITR_GO_LAYOUT_MAP(LAYOUT_NEEDED)
#undef LAYOUT_NEEDED
    };
    struct itr_dwarf_member members[] = {
#define LAYOUT_MEMBER(field, structure_name, member_name, is_needed)                                                   \
    {.structure = structure_name, .member = member_name},
        ITR_GO_LAYOUT_MAP(LAYOUT_MEMBER)
#undef LAYOUT_MEMBER
    };
    struct itr_error ignored = {0}; /* the table is asked then */
    (void)!itr_dwarf_find_members(image, members, COUNT, &ignored);
    for (size_t i = 0; i < COUNT; i++) {
        if (members[i].found && members[i].offset <= OFFSET_MAX) {
            offsets[i] = (uint32_t)members[i].offset;
        } else if (needed[i]) {
            return false;
        } else {
            offsets[i] = ABSENT;
        }
    }
    return true;
}

static void raise(uint32_t *bytes, uint64_t end) {
    if (end > *bytes) {
        *bytes = (uint32_t)end;
    }
}

enum itr_status itr_go_layout_of(const struct itr_image *image, struct itr_go_layout *layout, struct itr_error *err) {
    uint32_t offsets[COUNT];
    bool dwarf = from_dwarf(image, offsets);
    if (!dwarf && !from_table(image, offsets)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0,
                        "goroutines of %s: no debug information says how its runtime keeps them, and that version is "
                        "not in the table of those that were checked",
                        itr_image_go_version(image));
    }
    struct itr_go_layout read = {.from_table = !dwarf};
    size_t i = 0;
#define LAYOUT_FILL(field, structure, member, needed) read.field = offsets[i++];
    ITR_GO_LAYOUT_MAP(LAYOUT_FILL)
#undef LAYOUT_FILL
    read.has_parent = read.g_parent != ABSENT;
    const uint32_t fields[] = {read.g_m,           read.g_status,     read.g_id,    read.g_wait_reason, read.g_locked_m,
                               read.g_created_at,  read.g_entry,      read.g_syscallsp, read.g_syscallpc,
                               read.has_parent ? read.g_parent : 0};
    for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
        raise(&read.g_bytes, (uint64_t)fields[j] + 8);
    }
    raise(&read.g_bytes, (uint64_t)read.g_stack + read.stack_lo + 8);
    raise(&read.g_bytes, (uint64_t)read.g_stack + read.stack_hi + 8);
    raise(&read.g_bytes, (uint64_t)read.g_sched + read.gobuf_sp + 8);
    raise(&read.g_bytes, (uint64_t)read.g_sched + read.gobuf_pc + 8);
    raise(&read.g_bytes, (uint64_t)read.g_sched + read.gobuf_bp + 8);
    if (read.g_bytes > OFFSET_MAX + 8) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "goroutines of %s: its runtime.g is larger than any that is known",
                        itr_image_go_version(image));
    }
    *layout = read;
    return ITR_OK;
}
