/* The benchmark of triage: garbage of several kinds and goroutine dumps, made here from a seed, read on one core. Rates
 * are of processor time: other programs may run beside it. */
#include "framework/bench/bench_triage.h"

#include "framework/text.h"
#include "framework/triage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { SAMPLE_BYTES = 8 * 1024 * 1024, PIECE_BYTES = 256 * 1024 };

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void make_random(struct itr_text *out) {
    uint64_t state = 1;
    while (out->length + sizeof state <= SAMPLE_BYTES) {
        uint64_t word = next(&state);
        itr_text_append(out, &word, sizeof word);
    }
}

static void make_zeros(struct itr_text *out) {
    static const char zeros[4096];
    while (out->length + sizeof zeros <= SAMPLE_BYTES) {
        itr_text_append(out, zeros, sizeof zeros);
    }
}

/* What a broken length prints: a program's image, which has the heads of all crash texts in it. */
static void make_image(struct itr_text *out) {
    char path[4096];
    char piece[4096];
    size_t length = sizeof path;
    FILE *file = uv_exepath(path, &length) == 0 ? fopen(path, "rb") : NULL;
    size_t count = 0;
    while (file != NULL && out->length < SAMPLE_BYTES && (count = fread(piece, 1, sizeof piece, file)) > 0) {
        size_t room = SAMPLE_BYTES - out->length;
        itr_text_append(out, piece, count < room ? count : room);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void make_base64(struct itr_text *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t state = 2;
    while (out->length + 77 <= SAMPLE_BYTES) {
        char line[77];
        for (int i = 0; i < 76; i++) {
            line[i] = digits[next(&state) & 63];
        }
        line[76] = '\n';
        itr_text_append(out, line, sizeof line);
    }
}

static void make_endless_line(struct itr_text *out) {
    while (out->length + 8 <= SAMPLE_BYTES) {
        itr_text_append(out, "no end, ", 8);
    }
}

static void make_log(struct itr_text *out) {
    for (uint64_t i = 0; out->length + 200 < SAMPLE_BYTES; i++) {
        itr_text_printf(out, "2026-01-13T12:31:02.%03" PRIu64 "Z level=info msg=\"request served\" id=%" PRIu64 " status=200\n",
                        i % 1000, i);
    }
}

static void make_dump(struct itr_text *out, uint64_t different) {
    for (uint64_t i = 1; out->length + 1000 < SAMPLE_BYTES; i++) {
        itr_text_printf(out,
                        "goroutine %" PRIu64 " [chan receive, %" PRIu64 " minutes]:\n"
                        "example.org/app/queue.(*Queue).Pop%" PRIu64 "(0xc0000%05" PRIx64 ", {0x7a2b60, 0x1})\n"
                        "\t/src/app/queue/queue.go:88 +0x4e fp=0xc000051fe0 sp=0xc000051f50 pc=0x18003e5c5\n"
                        "main.(*worker).run(0xc0000%05" PRIx64 ")\n\t/src/app/worker.go:41 +0x1c7\n"
                        "created by main.main in goroutine 1\n\t/src/app/main.go:17 +0x85\n\n",
                        i, i % 90, i % different, i & 0xfffff, i & 0xfffff);
    }
}

static void make_equal_dump(struct itr_text *out) {
    make_dump(out, 1);
}

static void make_different_dump(struct itr_text *out) {
    make_dump(out, UINT64_MAX);
}

static uint64_t processor_ns(void) {
    uv_rusage_t usage;
    if (uv_getrusage(&usage) != 0) {
        return 0;
    }
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * UINT64_C(1000000000) +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static enum itr_status measure(const char *name, void (*make)(struct itr_text *), uint64_t mib, struct itr_error *err) {
    struct itr_text sample = {.ceiling = SAMPLE_BYTES};
    const struct itr_crash *crash = NULL;
    uint64_t left = mib << 20;
    uint64_t at = 0;
    struct itr_triage *triage = itr_triage_new(NULL);
    make(&sample);
    if (triage == NULL || sample.no_memory) {
        itr_triage_free(triage);
        itr_text_release(&sample);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    uint64_t begin_ns = processor_ns();
    uint64_t begin_wall_ns = uv_hrtime();
    while (left > 0 && sample.length > 0) {
        uint64_t piece = sample.length - at < PIECE_BYTES ? sample.length - at : PIECE_BYTES;
        piece = piece < left ? piece : left;
        itr_triage_feed(triage, sample.data + at, (size_t)piece);
        left -= piece;
        at = at + piece == sample.length ? 0 : at + piece;
    }
    enum itr_status status = itr_triage_answer(triage, &crash, err);
    double seconds = (double)(processor_ns() - begin_ns) / 1e9;
    double wall_seconds = (double)(uv_hrtime() - begin_wall_ns) / 1e9;
    double megabytes = (double)((mib << 20) - left) / 1e6;
    uv_rusage_t usage;
    if (status == ITR_OK && uv_getrusage(&usage) == 0) {
        printf("%-22s %6.0f MB/s of processor time (%.0f by the clock), %" PRIu64 " lines looked at, %zu different stacks of "
               "%" PRIu64 "; most memory so far %" PRIu64 " MB\n",
               name, megabytes / seconds, megabytes / wall_seconds, crash->lines, crash->stack_count, crash->goroutines,
               (uint64_t)usage.ru_maxrss / 1024);
    }
    itr_triage_free(triage);
    itr_text_release(&sample);
    return status;
}

enum itr_status itr_bench_triage(uint64_t mib, struct itr_error *err) {
    static const struct {
        const char *name;
        void (*make)(struct itr_text *);
    } kinds[] = {
        {"random bytes", make_random},         {"zeros", make_zeros},
        {"a program's image", make_image},     {"base64", make_base64},
        {"one endless line", make_endless_line},
        {"a log", make_log},                   {"equal goroutines", make_equal_dump},
        {"different goroutines", make_different_dump},
    };
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == ITR_OK; i++) {
        status = measure(kinds[i].name, kinds[i].make, mib, err);
    }
    return status;
}
