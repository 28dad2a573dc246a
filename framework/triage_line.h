/* What one line of a crash text is: a pure recogniser for the dialects of Go's runtime since 1.0, of gdb, rr,
 * Delve, coredumpctl and Wine. It knows no line before or after. */
#ifndef INITRACE_FRAMEWORK_TRIAGE_LINE_H
#define INITRACE_FRAMEWORK_TRIAGE_LINE_H

#include "framework/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of somebody else. */
struct itr_slice {
    const char *data;
    size_t length;
};

enum itr_line_kind {
    ITR_LINE_OTHER,
    ITR_LINE_BLANK,
    ITR_LINE_MESSAGE,        /* see message.h: "fatal error: …", "panic: …", "runtime: …" */
    ITR_LINE_SIGNAL,         /* "SIGSEGV: segmentation violation" */
    ITR_LINE_SIGNAL_PANIC,   /* "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x…]" */
    ITR_LINE_PC,             /* "PC=0x… m=0 sigcode=1 addr=0x0" */
    ITR_LINE_EXCEPTION,      /* "Exception 0xc0000005 0x0 0x30 0x…", and Wine's lines */
    ITR_LINE_GOROUTINE,      /* "goroutine 1 [running]:" */
    ITR_LINE_RUNTIME_STACK,  /* "runtime stack:" */
    ITR_LINE_FUNCTION,       /* "main.f(0x1)" */
    ITR_LINE_BARE,           /* "cfunc": a function if a location comes next */
    ITR_LINE_LOCATION,       /* "\t/tmp/x.go:5 +0x1d", "\tpc=0x…" */
    ITR_LINE_CREATED_BY,     /* "created by main.main in goroutine 1" */
    ITR_LINE_CREATOR_NEXT,   /* "----- goroutine created by -----" */
    ITR_LINE_ELIDED,         /* "...additional frames elided..." */
    ITR_LINE_SEGMENT,        /* "----- stack segment boundary -----" */
    ITR_LINE_UNAVAILABLE,    /* "goroutine running on other thread; stack unavailable" */
    ITR_LINE_ANCESTOR,       /* "[originating from goroutine 1]:" */
    ITR_LINE_REGISTER,       /* "rip    0x…" */
    ITR_LINE_MOREBUF,        /* "morebuf={pc:0x… sp:0x… lr:0x…}" */
    ITR_LINE_FRAME,          /* a debugger's: "#0  0x… in f () at x.c:3", "0  0x… in f", "#0  0x… f (lib + 0x…)" */
    ITR_LINE_FRAME_LOCATION, /* Delve's "at /tmp/x.go:5" */
    ITR_LINE_THREAD,         /* "Thread 2 (LWP 5):", "Stack trace of thread 5:" */
    ITR_LINE_RECEIVED,       /* "Thread 1 received signal SIGSEGV, Segmentation fault." */
    ITR_LINE_SWITCHING,      /* "[Switching to Thread 0x… (LWP 5)]" */
    ITR_LINE_STOPPED,        /* Delve's "> main.f() ./x.go:5 (PC: 0x…)" */
    ITR_LINE_PANIC_VALUE,    /* Delve's "runtime.curg._panic.arg: interface {}(string) "boom"": `name` is what is quoted */
    ITR_LINE_CORE_SIGNAL,    /* "Signal: 11 (SEGV)" */
    ITR_LINE_RACE,           /* "WARNING: DATA RACE" */
    ITR_LINE_RACE_ACCESS,    /* "Previous write at 0x… by goroutine 7:" */
    ITR_LINE_RACE_CREATED,   /* "Goroutine 7 (running) created at:" */
    ITR_LINE_LISTED,         /* Delve's "* Goroutine 1 - User: ./x.go:5 main.f (0x…) [chan receive]" */
    ITR_LINE_TESTS,          /* "running tests:": their names come next */
    ITR_LINE_TEST,           /* "--- FAIL: TestX (0.01s)": `name` */
    ITR_LINE_PACKAGE,        /* "FAIL\tpkg\t0.01s": `name` */
};

/* Which of the numbers were there. */
enum {
    ITR_HAS_NUMBER = 1 << 0,
    ITR_HAS_PC = 1 << 1,
    ITR_HAS_ADDRESS = 1 << 2,
    ITR_HAS_CODE = 1 << 3,
    ITR_HAS_M = 1 << 4,
    ITR_HAS_OFFSET = 1 << 5,
    ITR_HAS_MINUTES = 1 << 6,
    ITR_HAS_LINE = 1 << 7,
    ITR_HAS_EXCEPTION = 1 << 8,
};

/* Whose words the line is in. */
enum itr_dialect {
    ITR_DIALECT_GO = 1 << 0,
    ITR_DIALECT_GDB = 1 << 1,
    ITR_DIALECT_RR = 1 << 2,
    ITR_DIALECT_DELVE = 1 << 3,
    ITR_DIALECT_COREDUMPCTL = 1 << 4,
    ITR_DIALECT_WINE = 1 << 5,
    ITR_DIALECT_RACE = 1 << 6,
};

/* All slices point into the line. */
struct itr_line {
    enum itr_line_kind kind;
    enum itr_message_kind message;
    unsigned has;
    unsigned dialect;
    struct itr_slice name;   /* function, signal, register, test, thread's name */
    struct itr_slice state;  /* of a goroutine; "read" or "write" of an access */
    struct itr_slice file;   /* of a location */
    struct itr_slice module; /* of a debugger's frame */
    struct itr_slice rest;   /* behind a register: another one */
    uint64_t number;         /* goroutine, thread, frame; register's value */
    uint64_t pc;
    uint64_t address;
    uint64_t code; /* sigcode, code= */
    uint64_t offset;
    uint64_t minutes;
    uint64_t m; /* of a goroutine or a failure; of a thread gdb's own number */
    uint32_t exception; /* code */
    uint32_t line;
    bool locked;
    bool current; /* the one that a debugger looks at */
};

/* Recognises `count` bytes without a line's end and without white space before or after them. The kind comes
 * back in `line` too. */
enum itr_line_kind itr_line_parse(const char *text, size_t count, struct itr_line *line);

/* How many bytes around its first blank decide whether a head is one. */
enum { ITR_HEAD_REACH = 64 };

/* Offset of the first place in `bytes` at which a line of a crash text seems to begin, even in the middle of
 * garbage or behind a log's prefix; `count` if there is none. Finds only lines that can stand at the head of
 * something: no Go frame, no register. Looks only at heads whose first blank is at `from` or behind and before `to`;
 * bytes around are read. Costs one search for blanks. */
size_t itr_find_head(const char *bytes, size_t from, size_t to, size_t count);
/* The first of all. */
size_t itr_find_report(const char *bytes, size_t count);

/* A byte that no text has. */
bool itr_is_hard(unsigned char byte);

#endif
