/* Fuzzes the runner's end of the ledger: a host scribbles over the block, what is read back is checked, and whatever
 * stands there then decides when to stop waiting, becomes an outcome, and a record that can be read again.
 * Input: the request (four bytes), the exit (two bytes), steps of scribbling, then what the host printed. */
#include "framework/fuzz/fuzz.h"

#include "framework/classify.h"
#include "framework/record.h"
#include "framework/settle.h"

#define BEGIN_NS UINT64_C(1000000000)
#define END_NS UINT64_C(3000000000)
#define NONCE UINT64_C(0x0123456789abcdef)
#define LIBRARY_BASE UINT64_C(0x7f0000000000)

enum { STEPS_MAX = 128, LOOKS = 6 };

static void make_request(struct fuzz_input *in, struct itr_ledger_request *request) {
    *request = (struct itr_ledger_request){.flags = (uint32_t)fuzz_number(in, 1) & 15,
                                           .shot_count = (uint32_t)fuzz_number(in, 1) % (ITR_SHOTS_MAX + 1)};
    uint32_t event = (uint32_t)fuzz_number(in, 1) % ITR_EVENT_COUNT;
    uint32_t where = (uint32_t)fuzz_number(in, 1) % (ITR_WHERE_GATE + 1);
    request->handler_count = 1;
    request->handlers[0] = event;
    for (uint32_t i = 0; i < request->shot_count; i++) {
        request->shots[i] = (struct itr_shot_request){
            .event = event, .delivery = i % ITR_DELIVERY_COUNT, .target = i % ITR_TARGET_COUNT, .where = where, .nth = 1};
    }
}

/* As a sound host would: times within the trial, small numbers, phases one after the other. */
static void scribble_step(struct fuzz_input *in, struct itr_ledger *ledger, uint64_t what) {
    unsigned char *block = (unsigned char *)ledger;
    size_t place = fuzz_number(in, 2);
    uint64_t value = 0;
    switch (what % 6) {
    case 0: /* a time */
        value = BEGIN_NS + fuzz_number(in, 4) % (END_NS - BEGIN_NS);
        memcpy(block + place % (ITR_LEDGER_BYTES / 8) * 8, &value, 8);
        break;
    case 1: /* a small number */
        value = fuzz_number(in, 1);
        memcpy(block + place % (ITR_LEDGER_BYTES / 4) * 4, &value, 4);
        break;
    case 2: /* anything */
        value = fuzz_number(in, 8);
        memcpy(block + place % (ITR_LEDGER_BYTES - 8), &value, 8);
        break;
    case 3: /* phases up to one */
        for (uint32_t i = 0; i < place % (ITR_PHASE_COUNT + 1); i++) {
            ledger->reply.phase_ns[i] = BEGIN_NS + (i + 1) * UINT64_C(1000000);
        }
        break;
    case 4: /* a handler's entry, or an exception */
        if (place % 2 == 0) {
            uint32_t index = ledger->reply.handled_count++;
            ledger->reply.handled[index % ITR_HANDLED_MAX] = (struct itr_handled){
                .entered_ns = BEGIN_NS + 50000000, .event = (uint32_t)fuzz_number(in, 1) % ITR_EVENT_COUNT, .thread = 7};
        } else {
            static const uint32_t codes[] = {0xC0000005, 0x80000003, 0x40010005, 0xC00000FD, 0xE06D7363};
            uint32_t index = ledger->reply.exception_count++;
            struct itr_exception exception = {.time_ns = BEGIN_NS + 60000000,
                                              .pc = LIBRARY_BASE + 16,
                                              .module_base = LIBRARY_BASE,
                                              .code = codes[fuzz_number(in, 1) % 5]};
            ledger->reply.exceptions[index % ITR_EXCEPTIONS_MAX] = exception;
            ledger->reply.last_exception = exception;
        }
        break;
    default: /* a shot that was fired */
        ledger->reply.shots[place % ITR_SHOTS_MAX].fired_ns = BEGIN_NS + 40000000;
        ledger->reply.shots[place % ITR_SHOTS_MAX].sent_ns = BEGIN_NS + 40000000 + fuzz_number(in, 1);
        ledger->reply.library_base = LIBRARY_BASE;
        break;
    }
}

static void scribble(struct fuzz_input *in, struct itr_ledger *ledger) {
    for (int i = 0; i < STEPS_MAX && in->count > 0; i++) {
        uint64_t what = fuzz_number(in, 1);
        if (what >= 0xf0) {
            return;
        }
        scribble_step(in, ledger, what);
    }
}

static void check_sound(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < ITR_SHOTS_MAX; i++) {
        FUZZ_CHECK(reply->shots[i].gate_role < ITR_ROLE_COUNT);
        FUZZ_CHECK(i < request->shot_count || reply->shots[i].fired_ns == 0);
    }
    for (uint32_t i = 0; i < ITR_HANDLED_MAX; i++) {
        FUZZ_CHECK(reply->handled[i].event < ITR_EVENT_COUNT);
        FUZZ_CHECK(i >= reply->handled_count || reply->handled[i].entered_ns != 0);
    }
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        FUZZ_CHECK(reply->phase_ns[i] <= END_NS + BEGIN_NS);
    }
}

/* The looks of a runner, which comes to an end or waits on; whatever the host wrote. */
static void settle(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply, uint64_t seed) {
    struct itr_settle settle = {0};
    uint64_t now_ns = BEGIN_NS + seed % (END_NS - BEGIN_NS);
    for (int i = 0; i < LOOKS; i++) {
        struct itrp_activity activity = {.cpu_ns = seed >> (8 + i) & 1,
                                         .thorough = (seed >> 16 & 1) != 0,
                                         .asleep = (seed >> 17 & 1) != 0,
                                         .ready = (seed >> 18 & 1) != 0,
                                         .pending = (seed >> 19 & 1) != 0};
        (void)itr_settle_wants_look(request, reply, now_ns);
        enum itr_settled settled = itr_settle_look(&settle, request, reply, &activity, now_ns, UINT64_C(300000000));
        FUZZ_CHECK(settled <= ITR_SETTLED_STUCK && (i > 0 || settled != ITR_SETTLED_STUCK));
        (void)itr_settle_wants_thorough(&settle);
        now_ns += (seed >> 24 & 0xff) * UINT64_C(3000000);
    }
}

static void check_record(const struct itr_record *record) {
    struct itr_row row;
    uint64_t cell = 0;
    uint64_t number = 0;
    uint64_t seed = 0;
    json_t *json = itr_record_to_json(record);
    FUZZ_CHECK(json != NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    FUZZ_CHECK(text != NULL && strchr(text, '\n') == NULL);
    json_decref(json);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json != NULL);
    FUZZ_CHECK(itr_record_read(json, &cell, &row, NULL) == ITR_OK);
    FUZZ_CHECK(cell == record->cell && row.outcome == record->classification->outcome);
    FUZZ_CHECK(strcmp(row.signature, record->classification->signature) == 0);
    FUZZ_CHECK(itr_record_read_plan(json, &number, &seed, NULL) == ITR_OK && seed == record->seed);
    json_decref(json);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct itr_plan plan = {.unit = -1, .sweep_index = -1};
    struct itr_capture output = {0};
    struct itr_capture error_output = {0};
    struct itr_modules modules = {.library = {.name = "lib", .base = LIBRARY_BASE}, .host = {.name = "host"}};
    struct itr_classification result;
    struct itr_ledger *ledger = malloc(ITR_LEDGER_BYTES);
    FUZZ_CHECK(ledger != NULL);
    make_request(&in, &plan.request);
    struct itr_observation seen = {.begin_ns = BEGIN_NS,
                                   .end_ns = END_NS,
                                   .end = (enum itr_end)(fuzz_number(&in, 1) % ITR_END_COUNT),
                                   .exit = {.code = (uint32_t)fuzz_number(&in, 1)},
                                   .output = &output,
                                   .error_output = &error_output};
    itr_ledger_prepare(ledger, &plan.request, NONCE);
    FUZZ_CHECK(itr_ledger_read(ledger, &plan.request, NONCE, BEGIN_NS, END_NS, &seen.ledger, seen.ledger_damage,
                               sizeof seen.ledger_damage));
    scribble(&in, ledger);
    seen.ledger_sound = itr_ledger_read(ledger, &plan.request, NONCE, BEGIN_NS, END_NS, &seen.ledger,
                                        seen.ledger_damage, sizeof seen.ledger_damage);
    FUZZ_CHECK(memchr(seen.ledger.host_error, '\0', sizeof seen.ledger.host_error) != NULL);
    FUZZ_CHECK(seen.ledger_sound == (seen.ledger_damage[0] == '\0'));
    if (seen.ledger_sound) {
        check_sound(&plan.request, &seen.ledger);
    }
    settle(&plan.request, &seen.ledger, itr_hash64(ITR_HASH64_START, data, size));
    itr_capture_feed(&error_output, in.bytes, in.count);
    itr_classify(&plan, &seen, &modules, &result);
    FUZZ_CHECK(result.outcome < ITR_OUTCOME_COUNT);
    bool well = result.outcome == ITR_OUTCOME_DELIVERED || result.outcome == ITR_OUTCOME_PASSED;
    FUZZ_CHECK(well == (result.signature[0] == '\0'));
    FUZZ_CHECK(seen.ledger_sound || result.outcome == ITR_OUTCOME_LEDGER_DAMAGED);
    fuzz_check_clean(result.signature, strlen(result.signature), "\t");
    fuzz_check_clean(result.detail, strlen(result.detail), "\t");
    struct itr_record record = {.cell = 3,
                                .trial = 12,
                                .seed = NONCE,
                                .case_name = "planted",
                                .at = "time",
                                .plan = &plan,
                                .seen = &seen,
                                .modules = &modules,
                                .classification = &result};
    check_record(&record);
    itr_capture_release(&output);
    itr_capture_release(&error_output);
    free(ledger);
    return 0;
}
