/* Unit tests of the recogniser of single lines, and of the search for heads among other bytes. */
#include "framework/triage_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PC ITR_HAS_PC
#define ADDRESS ITR_HAS_ADDRESS
#define CODE ITR_HAS_CODE
#define NUMBER ITR_HAS_NUMBER
#define OFFSET ITR_HAS_OFFSET
#define PLACE ITR_HAS_LINE
#define EXCEPTION ITR_HAS_EXCEPTION

/* One line of each kind and dialect, and all that is to be read in it. */
static const struct {
    const char *text;
    enum itr_line_kind kind;
    unsigned has;
    const char *name, *state, *file, *module;
    uint64_t number, pc, address, code, offset, minutes, m;
    uint32_t exception, line;
    bool locked;
} samples[] = {
    {.text = "goroutine 1 [running]:", .kind = ITR_LINE_GOROUTINE, .has = NUMBER, .state = "running", .number = 1},
    {.text = "goroutine 17 gp=0xc0000061c0 m=nil mp=nil [chan receive (nil chan), 5 minutes, locked to thread]:",
     .kind = ITR_LINE_GOROUTINE, .has = NUMBER | ITR_HAS_MINUTES, .state = "chan receive (nil chan)", .number = 17,
     .minutes = 5, .locked = true},
    {.text = "goroutine 0 gp=0x52d0a0 m=3 mp=0x52dda0 [idle]:", .kind = ITR_LINE_GOROUTINE, .has = NUMBER | ITR_HAS_M,
     .state = "idle", .m = 3},
    {.text = "goroutine 18446744073709551616 [3]:", .kind = ITR_LINE_GOROUTINE, .has = NUMBER, .state = "3",
     .number = UINT64_MAX},
    {.text = "goroutine 5 [sleep (durable), synctest bubble 4]:", .kind = ITR_LINE_GOROUTINE, .has = NUMBER,
     .state = "sleep (durable)", .number = 5},
    {.text = "runtime stack:", .kind = ITR_LINE_RUNTIME_STACK},
    {.text = "main.(*T).f(0x1, {0x2, 0x3}, ...)", .kind = ITR_LINE_FUNCTION, .name = "main.(*T).f"},
    {.text = "main.f[...](...)", .kind = ITR_LINE_FUNCTION, .name = "main.f[...]"},
    {.text = "panic({0x51a780?, 0x524b00?})", .kind = ITR_LINE_FUNCTION, .name = "panic"},
    {.text = "main.func\xc2\xb7" "001()", .kind = ITR_LINE_FUNCTION, .name = "main.func\xc2\xb7" "001"},
    {.text = "[fp=0x7f0a1b2c3d40] runtime.throw(0x60a1b0)", .kind = ITR_LINE_FUNCTION, .name = "runtime.throw"},
    {.text = "/src/app/main.go:5 +0x1d", .kind = ITR_LINE_LOCATION, .has = PLACE | OFFSET, .file = "/src/app/main.go",
     .line = 5, .offset = 0x1d},
    {.text = "C:/a b/main.go:50 +0x1d fp=0xc1 sp=0xc0 pc=0x47db03", .kind = ITR_LINE_LOCATION, .has = PLACE | OFFSET | PC,
     .file = "C:/a b/main.go", .line = 50, .offset = 0x1d, .pc = 0x47db03},
    {.text = "/go/src/pkg/runtime/proc.c:159 fp=0x7fff", .kind = ITR_LINE_LOCATION, .has = PLACE,
     .file = "/go/src/pkg/runtime/proc.c", .line = 159},
    {.text = "??:0 +0x5a", .kind = ITR_LINE_LOCATION, .has = PLACE | OFFSET, .file = "??", .offset = 0x5a},
    {.text = "created by net/http.(*Server).Serve in goroutine 34", .kind = ITR_LINE_CREATED_BY, .has = NUMBER,
     .name = "net/http.(*Server).Serve", .number = 34},
    {.text = "created by main.main", .kind = ITR_LINE_CREATED_BY, .name = "main.main"},
    {.text = "...additional frames elided...", .kind = ITR_LINE_ELIDED},
    {.text = "...42 frames elided...", .kind = ITR_LINE_ELIDED},
    {.text = "----- stack segment boundary -----", .kind = ITR_LINE_SEGMENT},
    {.text = "----- goroutine created by -----", .kind = ITR_LINE_CREATOR_NEXT},
    {.text = "goroutine running on other thread; stack unavailable", .kind = ITR_LINE_UNAVAILABLE},
    {.text = "[originating from goroutine 7]:", .kind = ITR_LINE_ANCESTOR},
    {.text = "SIGSEGV: segmentation violation", .kind = ITR_LINE_SIGNAL, .name = "SIGSEGV"},
    {.text = "PC=0x46c1b1 m=4 sigcode=18446744073709551610", .kind = ITR_LINE_PC, .has = PC | ITR_HAS_M | CODE,
     .pc = 0x46c1b1, .m = 4, .code = UINT64_MAX - 5},
    {.text = "PC=0x46c1b1 m=0 sigcode=1 addr=0x30", .kind = ITR_LINE_PC, .has = PC | ITR_HAS_M | CODE | ADDRESS,
     .pc = 0x46c1b1, .code = 1, .address = 0x30},
    {.text = "PC=0x46c1b1", .kind = ITR_LINE_PC, .has = PC, .pc = 0x46c1b1},
    {.text = "[signal SIGBUS: bus error code=0x2 addr=0x10 pc=0x20]", .kind = ITR_LINE_SIGNAL_PANIC,
     .has = CODE | ADDRESS | PC, .name = "SIGBUS", .code = 2, .address = 0x10, .pc = 0x20},
    {.text = "[signal 0xb code=0x1 addr=0x0 pc=0x400c02]", .kind = ITR_LINE_SIGNAL_PANIC,
     .has = NUMBER | CODE | ADDRESS | PC, .number = 11, .code = 1, .pc = 0x400c02},
    {.text = "[signal 0xc0000005 code=0x0 addr=0x30 pc=0x18006d2ac]", .kind = ITR_LINE_SIGNAL_PANIC,
     .has = NUMBER | CODE | ADDRESS | PC | EXCEPTION, .number = 0xc0000005, .address = 0x30, .pc = 0x18006d2ac,
     .exception = 0xc0000005},
    /* gccgo of GCC 8: what the others write with 0x is decimal there */
    {.text = "[signal SIGSEGV: segmentation violation code=1 addr=8 pc=43850201]", .kind = ITR_LINE_SIGNAL_PANIC,
     .has = CODE | ADDRESS | PC, .name = "SIGSEGV", .code = 1, .address = 8, .pc = 43850201},
    {.text = "[signal 11 code=128 addr=0 pc=4294967296]", .kind = ITR_LINE_SIGNAL_PANIC, .has = NUMBER | CODE | ADDRESS | PC,
     .number = 11, .code = 128, .pc = 4294967296},
    {.text = "PC=43850201 m=4 sigcode=1", .kind = ITR_LINE_PC, .has = PC | ITR_HAS_M | CODE, .pc = 43850201, .m = 4, .code = 1},
    {.text = "PC=43ab m=4", .kind = ITR_LINE_OTHER},
    {.text = "/src/app/main.go:5 +331", .kind = ITR_LINE_LOCATION, .has = PLACE | OFFSET, .file = "/src/app/main.go", .line = 5,
     .offset = 331},
    {.text = "/src/app/main.go:5 +331 more", .kind = ITR_LINE_OTHER},
    {.text = "goroutine in C code; stack unavailable", .kind = ITR_LINE_UNAVAILABLE},
    {.text = "Exception 0xc0000005 0x8 0x30 0x18006d2ac", .kind = ITR_LINE_EXCEPTION, .has = EXCEPTION | CODE | ADDRESS | PC,
     .exception = 0xc0000005, .code = 8, .address = 0x30, .pc = 0x18006d2ac},
    {.text = "rip    0x47e592", .kind = ITR_LINE_REGISTER, .has = NUMBER, .name = "rip", .number = 0x47e592},
    {.text = "morebuf={pc:0x40d2f1 sp:0x7fff5fbff5e8 lr:0x0}", .kind = ITR_LINE_MOREBUF, .has = PC, .pc = 0x40d2f1},
    {.text = "fatal error: all goroutines are asleep - deadlock!", .kind = ITR_LINE_MESSAGE},
    {.text = "throw: all goroutines are asleep - deadlock!", .kind = ITR_LINE_MESSAGE},
    {.text = "signal arrived during cgo execution", .kind = ITR_LINE_MESSAGE},
    {.text = "==12640==ERROR: ThreadSanitizer failed to allocate 0x1f10000 (32571392) bytes at address 11fffedb30000 (errno: 12)",
     .kind = ITR_LINE_MESSAGE},
    {.text = "FATAL: ThreadSanitizer: unexpected memory mapping 0x55e0a7e2c000-0x55e0a7e9a000", .kind = ITR_LINE_MESSAGE},
    {.text = "#0  0x00007f3f1c0a1b2c in runtime.needm (x=1) at /go/src/runtime/proc.go:2090", .kind = ITR_LINE_FRAME,
     .has = NUMBER | PC | PLACE, .name = "runtime.needm", .file = "/go/src/runtime/proc.go", .line = 2090,
     .pc = 0x7f3f1c0a1b2c},
    {.text = "#12 main.(*T).f (t=0x0) at ./x.go:3", .kind = ITR_LINE_FRAME, .has = NUMBER | PLACE, .name = "main.(*T).f",
     .file = "./x.go", .line = 3, .number = 12},
    {.text = "#4  0x00007f3f1c5d2ea7 in start_thread () from /lib/libpthread.so.0", .kind = ITR_LINE_FRAME,
     .has = NUMBER | PC, .name = "start_thread", .module = "/lib/libpthread.so.0", .number = 4, .pc = 0x7f3f1c5d2ea7},
    {.text = "#1  <signal handler called>", .kind = ITR_LINE_FRAME, .has = NUMBER, .name = "<signal handler called>",
     .number = 1},
    {.text = "#0  0x00007f2a9c07e2ac runtime.needm (/opt/minimal.so + 0x7e2ac)", .kind = ITR_LINE_FRAME,
     .has = NUMBER | PC | OFFSET, .name = "runtime.needm", .module = "/opt/minimal.so", .pc = 0x7f2a9c07e2ac,
     .offset = 0x7e2ac},
    {.text = "3  0x00000000004641f6 in main.pick", .kind = ITR_LINE_FRAME, .has = NUMBER | PC, .name = "main.pick",
     .number = 3, .pc = 0x4641f6},
    {.text = "at ./main.go:8", .kind = ITR_LINE_FRAME_LOCATION, .has = PLACE, .file = "./main.go", .line = 8},
    {.text = "=>0 0x0000018006d2ac runtime.stdcall1+0x2c [C:/go/x.go:1037] in minimal (0x0000000021f9f0)",
     .kind = ITR_LINE_FRAME, .has = NUMBER | PC | OFFSET | PLACE, .name = "runtime.stdcall1", .module = "minimal",
     .file = "C:/go/x.go", .line = 1037, .pc = 0x18006d2ac, .offset = 0x2c},
    {.text = "2 0x0000018006a4cf in minimal (+0x6a4cf) (0x0000000021fa80)", .kind = ITR_LINE_FRAME, .has = NUMBER | PC,
     .module = "minimal", .number = 2, .pc = 0x18006a4cf},
    {.text = "> [unrecovered-panic] runtime.fatalpanic() /go/panic.go:1217 (hits goroutine(1):1 total:1) (PC: 0x4376e4)",
     .kind = ITR_LINE_STOPPED, .has = NUMBER | PC | PLACE, .name = "runtime.fatalpanic", .state = "unrecovered-panic",
     .file = "/go/panic.go", .number = 1, .line = 1217, .pc = 0x4376e4},
    {.text = "#6  0x0000000000427210", .kind = ITR_LINE_FRAME, .has = NUMBER | PC, .number = 6, .pc = 0x427210},
    {.text = "runtime.curg._panic.arg: interface {}(string) \"boom\"", .kind = ITR_LINE_PANIC_VALUE, .name = "boom"},
    {.text = "Thread 4 \"host\" received signal SIGSEGV, Segmentation fault.", .kind = ITR_LINE_RECEIVED, .has = NUMBER,
     .name = "SIGSEGV", .number = 4},
    {.text = "Program terminated with signal SIGABRT, Aborted.", .kind = ITR_LINE_RECEIVED, .name = "SIGABRT"},
    {.text = "Thread 2 (Thread 0x7f5c3effd6c0 (LWP 31415) \"x\"):", .kind = ITR_LINE_THREAD, .has = NUMBER | ITR_HAS_M, .number = 31415,
     .m = 2},
    {.text = "TID 8205:", .kind = ITR_LINE_THREAD, .has = NUMBER, .number = 8205},
    {.text = "Stack trace of thread 4713:", .kind = ITR_LINE_THREAD, .has = NUMBER, .number = 4713},
    {.text = "[Switching to Thread 2214.2217]", .kind = ITR_LINE_SWITCHING, .has = NUMBER, .number = 2217},
    {.text = "[Current thread is 1 (Thread 0x7f5c3e7fc6c0 (LWP 31416))]", .kind = ITR_LINE_SWITCHING, .has = NUMBER,
     .number = 31416},
    {.text = "Signal: 11 (SEGV)", .kind = ITR_LINE_CORE_SIGNAL, .has = NUMBER, .name = "SEGV", .number = 11},
    {.text = "wine: Unhandled page fault on write access to 0000000000000030 at address 000000018006D2AC (thread 0124), "
             "starting debugger...",
     .kind = ITR_LINE_EXCEPTION, .has = EXCEPTION | CODE | ADDRESS | PC | NUMBER, .exception = 0xc0000005, .code = 1,
     .address = 0x30, .pc = 0x18006d2ac, .number = 0x124},
    {.text = "wine: Unhandled exception 0xc0000602 in thread 124 at address 000000007B012456 (thread 0124), starting…",
     .kind = ITR_LINE_EXCEPTION, .has = EXCEPTION | PC | NUMBER, .exception = 0xc0000602, .pc = 0x7b012456,
     .number = 0x124},
    {.text = "Unhandled exception: page fault on read access to 0x0000000000000030 in 64-bit code (0x0000018006d2ac).",
     .kind = ITR_LINE_EXCEPTION, .has = EXCEPTION | CODE | ADDRESS | PC, .exception = 0xc0000005, .address = 0x30,
     .pc = 0x18006d2ac},
    {.text = "WARNING: DATA RACE", .kind = ITR_LINE_RACE},
    {.text = "Write by goroutine 56:", .kind = ITR_LINE_RACE_ACCESS, .has = NUMBER, .state = "write", .number = 56},
    {.text = "[failed to restore the stack]", .kind = ITR_LINE_UNAVAILABLE},
    {.text = "runtime.gopanic (0x42f181)", .kind = ITR_LINE_FUNCTION, .has = PC, .name = "runtime.gopanic", .pc = 0x42f181},
    {.text = "non-Go function", .kind = ITR_LINE_BARE, .name = "non-Go function"},
    {.text = "non-Go function at pc=0x4a51c7", .kind = ITR_LINE_FUNCTION, .has = PC, .name = "non-Go function", .pc = 0x4a51c7},
    {.text = "pc=0x4a51c7", .kind = ITR_LINE_LOCATION, .has = PC, .pc = 0x4a51c7},
    {.text = "runtime_mcall", .kind = ITR_LINE_BARE, .name = "runtime_mcall"},
    {.text = "r0   0x1\tr1   0x7f", .kind = ITR_LINE_REGISTER, .has = NUMBER, .name = "r0", .number = 1},
    {.text = "rip            0x46c1b1            0x46c1b1 <main.f+17>", .kind = ITR_LINE_REGISTER, .has = NUMBER, .name = "rip",
     .number = 0x46c1b1},
    {.text = "* Goroutine 18 - User: ./x.go:21 main.wait (0x49c4d1) (thread 7) [chan receive 173416238]", .kind = ITR_LINE_LISTED,
     .has = NUMBER | PC | PLACE, .name = "main.wait", .state = "chan receive", .file = "./x.go", .number = 18, .pc = 0x49c4d1, .line = 21},
    {.text = "#6  0x000000000044cea4 runtime.raise", .kind = ITR_LINE_FRAME, .has = NUMBER | PC, .name = "runtime.raise", .number = 6,
     .pc = 0x44cea4},
    {.text = "#1 start(int) /src/x.c:22:7 (host+0x4450f1)", .kind = ITR_LINE_FRAME, .has = NUMBER | PLACE | OFFSET,
     .name = "start(int)", .file = "/src/x.c", .module = "host", .number = 1, .line = 22, .offset = 0x4450f1},
    {.text = "rip:000000018006d2ac rsp:00000000005ffb00 eflags:00010246 (  R- --  I  Z- -P- )", .kind = ITR_LINE_REGISTER,
     .has = NUMBER, .name = "rip", .number = 0x18006d2ac},
    {.text = "r15:0000000000000007", .kind = ITR_LINE_REGISTER, .has = NUMBER, .name = "r15", .number = 7},
    {.text = "running tests:", .kind = ITR_LINE_TESTS},
    {.text = "Previous atomic write of size 8 at 0x00c000122010 by goroutine 8:", .kind = ITR_LINE_RACE_ACCESS,
     .has = ADDRESS | NUMBER, .state = "write", .address = 0xc000122010, .number = 8},
    {.text = "Read at 0x0000006512d8 by main goroutine:", .kind = ITR_LINE_RACE_ACCESS, .has = ADDRESS | NUMBER,
     .state = "read", .address = 0x6512d8, .number = 1},
    {.text = "Goroutine 8 (finished) created at:", .kind = ITR_LINE_RACE_CREATED, .has = NUMBER, .number = 8},
    {.text = "--- FAIL: TestX/sub (0.01s)", .kind = ITR_LINE_TEST, .name = "TestX/sub"},
    {.text = "FAIL\texample.org/p\t0.012s", .kind = ITR_LINE_PACKAGE, .name = "example.org/p"},
    {.text = "", .kind = ITR_LINE_BLANK},
    {.text = "exit status 2", .kind = ITR_LINE_OTHER},
    {.text = "0024:fixme:ntdll:x y", .kind = ITR_LINE_OTHER},
    {.text = "goroutine 1 running", .kind = ITR_LINE_OTHER},
    {.text = "some words (here)", .kind = ITR_LINE_OTHER},
    {.text = "#0 is a number", .kind = ITR_LINE_OTHER},
    {.text = "#0  <w", .kind = ITR_LINE_OTHER},
    {.text = "[fp=0x1]", .kind = ITR_LINE_OTHER},
    {.text = "id:0001abcd", .kind = ITR_LINE_OTHER},
};

static void same_slice(struct itr_slice is, const char *should) {
    size_t length = should != NULL ? strlen(should) : 0;
    if (is.length != length || (length > 0 && memcmp(is.data, should, length) != 0)) {
        fail_msg("is \"%.*s\", should be \"%s\"", (int)is.length, is.data != NULL ? is.data : "", should);
    }
}

static void every_kind_of_line_is_read_in_full(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct itr_line line;
        enum itr_line_kind kind = itr_line_parse(samples[i].text, strlen(samples[i].text), &line);
        if (kind != samples[i].kind || line.has != samples[i].has) {
            fail_msg("%s: kind %d, has %u; should be %d, %u", samples[i].text, (int)kind, line.has, (int)samples[i].kind,
                     samples[i].has);
        }
        if (kind == ITR_LINE_OTHER) {
            continue;
        }
        same_slice(line.name, samples[i].name);
        same_slice(line.state, samples[i].state);
        same_slice(line.file, samples[i].file);
        same_slice(line.module, samples[i].module);
        assert_int_equal(line.number, samples[i].number);
        assert_int_equal(line.pc, samples[i].pc);
        assert_int_equal(line.address, samples[i].address);
        assert_int_equal(line.code, samples[i].code);
        assert_int_equal(line.offset, samples[i].offset);
        assert_int_equal(line.minutes, samples[i].minutes);
        assert_int_equal(line.m, samples[i].m);
        assert_int_equal(line.exception, samples[i].exception);
        assert_int_equal(line.line, samples[i].line);
        assert_int_equal(line.locked, samples[i].locked);
    }
}

/* Each prefix of each line in an array of exactly that size: a reader beyond the end is caught by the address
 * sanitizer. */
static void lines_that_end_early_are_not_read_beyond(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        size_t length = strlen(samples[i].text);
        for (size_t cut = 0; cut <= length; cut++) {
            struct itr_line line;
            char *exact = malloc(cut > 0 ? cut : 1);
            assert_non_null(exact);
            memcpy(exact, samples[i].text, cut);
            (void)itr_line_parse(exact, cut, &line);
            assert_true(itr_find_report(exact, cut) <= cut);
            free(exact);
        }
    }
}

/* Lines that can stand at the head of something, as opposed to frames and registers. */
static bool is_head(enum itr_line_kind kind) {
    switch (kind) {
    case ITR_LINE_SIGNAL:
    case ITR_LINE_SIGNAL_PANIC:
    case ITR_LINE_EXCEPTION:
    case ITR_LINE_GOROUTINE:
    case ITR_LINE_RUNTIME_STACK:
    case ITR_LINE_CREATED_BY:
    case ITR_LINE_MESSAGE:
    case ITR_LINE_THREAD:
    case ITR_LINE_RECEIVED:
    case ITR_LINE_CORE_SIGNAL:
    case ITR_LINE_RACE:
    case ITR_LINE_RACE_CREATED:
    case ITR_LINE_STOPPED:
    case ITR_LINE_TEST: return true;
    default: return false;
    }
}

static void heads_are_found_behind_anything(void **state) {
    static const char *const before[] = {"", "\x01\xff)", "x y  z: ", "12:00:01 host | ", "    a_test.go:7: ", "# [a] "};
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (size_t k = 0; k < sizeof before / sizeof before[0] && is_head(samples[i].kind); k++) {
            char text[512];
            int length = snprintf(text, sizeof text, "%s%s\n", before[k], samples[i].text);
            size_t found = itr_find_report(text, (size_t)length);
            if (found != strlen(before[k])) {
                fail_msg("\"%s\": found at %zu", text, found);
            }
        }
    }
}

static void other_bytes_have_no_head(void **state) {
    static const char *const texts[] = {"", " ", "a b c d", "level=info msg: x 1 2 #", "(1 + 2) 3: 4 5", "goroutine one",
                                        "Threads 3 x", "0 0x 0 in ", "SIG: x", "xSIG: ", "=1==ERROR: ThreadSanitizer x",
                                        "ERROR: ThreadSanitizer", "==1==ERROR: Thread"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(itr_find_report(texts[i], strlen(texts[i])), strlen(texts[i]));
    }
}

/* What is searched in blocks is found wherever the blocks begin and end, and whichever way the search is cut. */
static void the_same_head_is_found_at_any_alignment(void **state) {
    enum { ROOM = 512 };
    uint32_t seed = 7;
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char text[ROOM + 64];
        size_t length = strlen(samples[i].text);
        for (size_t k = 0; k < ROOM; k++) { /* letters, and a blank now and then, which is no head's */
            seed = seed * 1664525u + 1013904223u;
            text[k] = seed >> 24 < 20 ? ' ' : (char)('H' + (seed >> 16) % 5);
        }
        text[200] = '|';
        memcpy(text + 201, samples[i].text, length < 200 ? length : 200);
        size_t whole = itr_find_report(text, ROOM);
        for (size_t from = 0; from < 64; from++) {
            size_t found = itr_find_report(text + from, ROOM - from);
            assert_int_equal(found + from, whole);
        }
        for (size_t cut = 1; cut < ROOM; cut++) {
            size_t found = itr_find_head(text, 0, cut, ROOM);
            assert_int_equal(found < ROOM ? found : itr_find_head(text, cut, ROOM, ROOM), whole);
        }
    }
}

static void hard_bytes_are_counted_as_one_by_one(void **state) {
    unsigned char bytes[1024];
    uint32_t seed = 3;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = i < 256 ? (unsigned char)i : (unsigned char)(seed >> 24);
    }
    for (size_t from = 0; from < 300; from++) {
        size_t count = sizeof bytes - from - from % 7;
        size_t hard = 0;
        size_t first = count;
        for (size_t i = 0; i < count; i++) {
            unsigned char c = bytes[from + i];
            bool is = c == 0x7f || (c < 0x20 && c != '\a' && c != '\b' && c != '\t' && c != '\n' && c != '\v' && c != '\f' &&
                                    c != '\r' && c != 0x1b);
            first = is && first == count ? i : first;
            hard += is ? 1 : 0;
        }
        assert_int_equal(itr_count_hard((const char *)bytes + from, count), hard);
        assert_int_equal(itr_first_hard((const char *)bytes + from, count), first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_line_is_read_in_full),
        cmocka_unit_test(lines_that_end_early_are_not_read_beyond),
        cmocka_unit_test(heads_are_found_behind_anything),
        cmocka_unit_test(other_bytes_have_no_head),
        cmocka_unit_test(the_same_head_is_found_at_any_alignment),
        cmocka_unit_test(hard_bytes_are_counted_as_one_by_one),
    };
    return cmocka_run_group_tests_name("triage-line", tests, NULL, NULL);
}
