/* Unit tests of casefile.c: everything a case may say is read, and everything it may not say is refused with
 * the file, the key and what was expected. */
#include "framework/casefile.h"
#include "framework/ledger.h"
#include "framework/tests/scratch.h"

#include <jansson.h>

static char scratch[SCRATCH_PATH_MAX];
static char folder[SCRATCH_PATH_MAX + 16]; /* SCRATCH/planted */

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(folder, sizeof folder, "%s/planted", scratch);
    scratch_folder(scratch, "planted");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

static enum itr_status read_text(const char *text, struct itr_case *c, struct itr_error *err) {
    scratch_write(folder, "case.json", text, strlen(text));
    return itr_case_read(folder, c, err);
}

static void read_good(const char *text, struct itr_case *c) {
    struct itr_error err = {0};
    if (read_text(text, c, &err) != ITR_OK) {
        fail_msg("refused: %s", err.text);
    }
    assert_int_equal(err.status, ITR_OK);
}

/* ---- what a case may say ---- */

static const char full[] =
    "{\"format\": 1, \"summary\": \"All there is.\", \"threads\": [\"https://x/1\", "
    "\"https://x/2\"],"
    " \"os\": [\"linux\", \"windows\"], \"labels\": [\"signal\"], \"deadline\": \"20s\", "
    "\"quiet\": \"150ms\","
    " \"host\": \"some_host\", \"library\": \"minimal\", \"function\": \"Probe\", \"event\": "
    "\"SIGURG\","
    " \"delivery\": \"tgkill\", \"target\": \"main\", \"at\": \"P\", \"hold\": \"60ms\","
    " \"handler\": [\"nodefer\", \"resethand\"], \"flags\": [\"no-handlers\", \"own-console\"],"
    " \"env\": {\"GOMAXPROCS\": \"2\", \"GODEBUG\": \"a=1,b=2\"}, \"expect\": \"lost\","
    " \"points\": {\"P\": \"pthread_create#2\","
    "              \"Q\": {\"at\": \"load-returned+200us\", \"delivery\": \"kill\", \"target\": "
    "\"process\"}},"
    " \"controls\": {\"same\": {},"
    "                \"none\": {\"event\": null, \"library\": null, \"function\": null, "
    "\"expect\": \"not-fired\"},"
    "                \"other\": {\"host\": \"other_host\", \"env\": {\"A\": \"\"}, \"at\": \"Q\", "
    "\"flags\": [],"
    "                            \"handler\": [\"onstack\"], \"hold\": \"1ms\"}},"
    " \"known\": [{\"go\": \">=1.20 <1.23\", \"system\": \"wine\", \"at\": [\"P\", \"init-done\"],"
    "              \"controls\": [\"same\"], \"outcome\": \"crash\", \"signature\": \"crash AV*\","
    "              \"rate\": [0.5, 1], \"thread\": \"https://x/3\", \"note\": \"n\"},"
    "             {\"outcome\": \"hang\"}],"
    " \"group\": \"hangs\", \"axes\": {\"way\": {\"usual\": {}, \"other\": {\"function\": null}}},"
    " \"ctest\": {\"count\": 5}}";

static void everything_is_read(void **state) {
    struct itr_case c;
    (void)state;
    read_good(full, &c);
    assert_string_equal(c.name, "planted");
    assert_string_equal(c.folder, folder);
    assert_string_equal(c.summary, "All there is.");
    assert_int_equal(c.threads.count, 2);
    assert_string_equal(c.threads.items[1], "https://x/2");
    assert_int_equal(c.labels.count, 1);
    assert_true(c.on_linux && c.on_windows);
    assert_int_equal(c.deadline_ns, UINT64_C(20000000000));
    assert_int_equal(c.quiet_ns, 150000000);
    assert_null(c.base.name);
    assert_string_equal(c.base.host, "some_host");
    assert_string_equal(c.base.library, "minimal");
    assert_string_equal(c.base.function, "Probe");
    assert_int_equal(c.base.event, ITR_EVENT_SIGURG);
    assert_int_equal(c.base.delivery, ITR_DELIVERY_TGKILL);
    assert_int_equal(c.base.target, ITR_TARGET_MAIN);
    assert_string_equal(c.base.at, "P");
    assert_int_equal(c.base.hold_ns, 60000000);
    assert_int_equal(c.base.handler_flags, ITR_HANDLER_NODEFER | ITR_HANDLER_RESETHAND);
    assert_int_equal(c.base.host_flags, ITR_HOST_NO_HANDLERS | ITR_HOST_OWN_CONSOLE);
    assert_int_equal(c.base.environment.count, 2);
    assert_string_equal(c.base.environment.items[0], "GOMAXPROCS=2");
    assert_string_equal(c.base.environment.items[1], "GODEBUG=a=1,b=2");
    assert_int_equal(c.base.expect, ITR_OUTCOME_LOST);
    itr_case_release(&c);
    assert_null(c.name);
}

static void points_and_known_failures_may_be_a_gates(void **state) {
    static const char text[] =
        "{\"format\": 1, \"summary\": \"s\", \"os\": [\"windows\"], \"host\": \"h\","
        " \"points\": {\"P\": \"runtime.main\", \"G\": {\"at\": \"runtime.main@init\", \"gate\": true},"
        "              \"N\": {\"at\": \"time\", \"gate\": false}},"
        " \"known\": [{\"outcome\": \"lost\", \"gate\": true}, {\"outcome\": \"lost\", \"gate\": false},"
        "             {\"outcome\": \"lost\"}]}";
    struct itr_case c;
    (void)state;
    read_good(text, &c);
    assert_false(itr_case_point_named(&c, "P")->gate);
    assert_true(itr_case_point_named(&c, "G")->gate);
    assert_false(itr_case_point_named(&c, "N")->gate);
    assert_int_equal(c.known[0].gate, ITR_KNOWN_AT_GATES);
    assert_int_equal(c.known[1].gate, ITR_KNOWN_NO_GATES);
    assert_int_equal(c.known[2].gate, ITR_KNOWN_ALL);
    itr_case_release(&c);
}

static void points_have_names_and_may_change_the_shot(void **state) {
    struct itr_case c;
    (void)state;
    read_good(full, &c);
    assert_int_equal(c.point_count, 2);
    const struct itr_case_point *p = itr_case_point_named(&c, "P");
    const struct itr_case_point *q = itr_case_point_named(&c, "Q");
    assert_non_null(p);
    assert_non_null(q);
    assert_string_equal(p->at, "pthread_create#2");
    assert_int_equal(p->delivery, -1);
    assert_int_equal(p->target, -1);
    assert_string_equal(q->at, "load-returned+200us");
    assert_int_equal(q->delivery, ITR_DELIVERY_KILL);
    assert_int_equal(q->target, ITR_TARGET_PROCESS);
    assert_null(itr_case_point_named(&c, "pthread_create#2"));
    itr_case_release(&c);
}

static void controls_inherit_what_they_do_not_say(void **state) {
    struct itr_case c;
    (void)state;
    read_good(full, &c);
    assert_int_equal(c.control_count, 3);
    const struct itr_variant *same = itr_case_control(&c, "same");
    const struct itr_variant *none = itr_case_control(&c, "none");
    const struct itr_variant *other = itr_case_control(&c, "other");
    assert_true(same != NULL && none != NULL && other != NULL);
    assert_null(itr_case_control(&c, "no-such"));

    assert_string_equal(same->name, "same");
    assert_string_equal(same->host, "some_host");
    assert_ptr_not_equal(same->host, c.base.host);
    assert_string_equal(same->library, "minimal");
    assert_string_equal(same->function, "Probe");
    assert_int_equal(same->event, ITR_EVENT_SIGURG);
    assert_int_equal(same->delivery, ITR_DELIVERY_TGKILL);
    assert_int_equal(same->target, ITR_TARGET_MAIN);
    assert_string_equal(same->at, "P");
    assert_int_equal(same->hold_ns, 60000000);
    assert_int_equal(same->handler_flags, c.base.handler_flags);
    assert_int_equal(same->host_flags, c.base.host_flags);
    assert_int_equal(same->environment.count, 2);
    assert_string_equal(same->environment.items[1], "GODEBUG=a=1,b=2");
    assert_int_equal(same->expect, ITR_OUTCOME_LOST);

    assert_int_equal(none->event, ITR_EVENT_NONE);
    assert_null(none->library);
    assert_null(none->function);
    assert_int_equal(none->expect, ITR_OUTCOME_NOT_FIRED);
    assert_string_equal(none->host, "some_host");

    assert_string_equal(other->host, "other_host");
    assert_string_equal(other->at, "Q");
    assert_int_equal(other->host_flags, 0);
    assert_int_equal(other->handler_flags, ITR_HANDLER_ONSTACK);
    assert_int_equal(other->hold_ns, 1000000);
    assert_int_equal(other->environment.count, 1); /* its own, not the case's with one more */
    assert_string_equal(other->environment.items[0], "A=");
    assert_int_equal(c.base.environment.count, 2);
    itr_case_release(&c);
}

static void known_failures_are_read(void **state) {
    struct itr_case c;
    (void)state;
    read_good(full, &c);
    assert_int_equal(c.known_count, 2);
    const struct itr_known *first = &c.known[0];
    assert_string_equal(first->go, ">=1.20 <1.23");
    assert_string_equal(first->system, "wine");
    assert_int_equal(first->at.count, 2);
    assert_string_equal(first->at.items[1], "init-done");
    assert_int_equal(first->controls.count, 1);
    assert_int_equal(first->outcome, ITR_OUTCOME_CRASH);
    assert_string_equal(first->signature, "crash AV*");
    assert_true(first->rate_min == 0.5 && first->rate_max == 1);
    assert_string_equal(first->thread, "https://x/3");
    assert_string_equal(first->note, "n");
    const struct itr_known *second = &c.known[1];
    assert_null(second->go);
    assert_null(second->system);
    assert_null(second->signature);
    assert_int_equal(second->at.count, 0);
    assert_int_equal(second->controls.count, 0);
    assert_int_equal(second->outcome, ITR_OUTCOME_HANG);
    assert_true(second->rate_min == 0 && second->rate_max == 1);
    itr_case_release(&c);
}

static void what_is_not_said_has_its_default(void **state) {
    struct itr_case c;
    (void)state;
    read_good("{\"format\": 1, \"summary\": \"s\", \"os\": [\"windows\"], \"host\": \"h\","
              " \"known\": [{\"outcome\": \"tool-error\"}]}",
              &c);
    assert_int_equal(c.known[0].outcome, ITR_OUTCOME_TOOL_ERROR); /* the first of its set, 0 */
    assert_false(c.on_linux);
    assert_true(c.on_windows);
    assert_int_equal(c.deadline_ns, UINT64_C(10000000000));
    assert_int_equal(c.quiet_ns, 300000000);
    assert_null(c.base.library);
    assert_null(c.base.function);
    assert_int_equal(c.base.event, ITR_EVENT_NONE);
    assert_int_equal(c.base.delivery, ITR_DELIVERY_NONE);
    assert_int_equal(c.base.target, ITR_TARGET_PROCESS);
    assert_string_equal(c.base.at, "time");
    assert_int_equal(c.base.hold_ns, 0);
    assert_int_equal(c.base.handler_flags, ITR_HANDLER_ONSTACK | ITR_HANDLER_RESTART);
    assert_int_equal(c.base.host_flags, ITR_HOST_RECORD_EXCEPTIONS);
    assert_int_equal(c.base.expect, ITR_OUTCOME_DELIVERED);
    assert_int_equal(c.point_count + c.control_count + c.threads.count + c.labels.count, 0);
    itr_case_release(&c);
}

static void axes_are_read(void **state) {
    struct itr_case c;
    (void)state;
    read_good("{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\"], \"host\": \"h\", \"group\": \"signals-init\","
              " \"points\": {\"P\": \"load-begin\"},"
              " \"axes\": {\"handler\": {\"before\": {}, \"after\": {\"flags\": [\"handlers-after-load\"], \"os\": [\"linux\"], "
              "\"go\": \">=1.20\"}},"
              "            \"event\": [\"SIGUSR1\", \"SIGUSR2\", \"SIGHUP\"], \"at\": [\"P\", \"time\", \"init-done+20ms\"]},"
              " \"exclude\": [{\"handler\": \"after\", \"event\": [\"SIGUSR1\", \"SIGHUP\"]}],"
              " \"expectations\": [{\"where\": {\"event\": \"SIGHUP\"}, \"expect\": \"lost\", \"note\": \"why\"}],"
              " \"known\": [{\"outcome\": \"lost\", \"where\": {\"handler\": [\"after\", \"before\"]}}, {\"outcome\": \"hang\"}]}",
              &c);
    assert_int_equal(c.group, ITR_GROUP_SIGNALS_INIT);
    assert_int_equal(c.axis_count, 3);
    assert_string_equal(c.axes[0].name, "handler");
    assert_int_equal(c.axes[0].sets, ITR_SETS_FLAGS);
    assert_int_equal(c.axes[0].count, 2);
    assert_string_equal(c.axes[0].values[1].name, "after");
    assert_int_equal(c.axes[0].values[1].changes.host_flags, ITR_HOST_HANDLERS_AFTER_LOAD);
    assert_true(c.axes[0].values[1].on_linux && !c.axes[0].values[1].on_windows);
    assert_true(c.axes[0].values[0].on_linux && c.axes[0].values[0].on_windows);
    assert_string_equal(c.axes[0].values[1].go, ">=1.20");
    assert_null(c.axes[0].values[0].go);
    assert_int_equal(c.axes[1].sets, ITR_SETS_EVENT);
    assert_int_equal(c.axes[1].values[2].changes.event, itr_event_of("SIGHUP"));
    assert_string_equal(c.axes[2].values[2].name, "init-done+20ms");
    assert_string_equal(c.axes[2].values[2].changes.at, "init-done+20ms");
    assert_int_equal(itr_case_axis_named(&c, "at"), 2);
    assert_int_equal(itr_case_axis_named(&c, "delivery"), -1);
    assert_ptr_equal(itr_case_axis_of(&c, ITR_SETS_AT | ITR_SETS_TARGET), &c.axes[2]);
    assert_null(itr_case_axis_of(&c, ITR_SETS_TARGET));
    assert_int_equal(c.exclude_count, 1);
    assert_int_equal(c.excludes[0].values[0], 2);
    assert_int_equal(c.excludes[0].values[1], 5);
    assert_int_equal(c.excludes[0].values[2], 0);
    assert_int_equal(c.expectation_count, 1);
    assert_int_equal(c.expectations[0].where.values[1], 4);
    assert_int_equal(c.expectations[0].expect, ITR_OUTCOME_LOST);
    assert_string_equal(c.expectations[0].note, "why");
    assert_int_equal(c.known[0].where.values[0], 3);
    assert_int_equal(c.known[1].where.values[0], 0);
    itr_case_release(&c);
}

/* One value too many, one combination too many, nothing left. */
static void axes_beyond_a_ceiling_are_refused(void **state) {
    struct itr_case c;
    char text[8192];
    (void)state;
    for (int values = 64; values <= 65; values++) {
        struct itr_error err = {0};
        snprintf(text, sizeof text, "{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\"], \"host\": \"h\", \"axes\": {");
        for (int axis = 0; axis < 2; axis++) {
            snprintf(text + strlen(text), sizeof text - strlen(text), "\"a%d\": {\"v\": {}", axis);
            for (int i = 1; i < values; i++) {
                snprintf(text + strlen(text), sizeof text - strlen(text), ", \"v%d\": {}", i);
            }
            snprintf(text + strlen(text), sizeof text - strlen(text), "}, ");
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "\"b\": {\"v\": {}, \"w\": {}}}}");
        assert_int_equal(read_text(text, &c, &err), ITR_E_FORMAT);
        assert_contains(err.text, values == 64 ? "up to 4096 combinations" : "from one to 64");
    }
    struct itr_error err = {0};
    assert_int_equal(read_text("{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\"], \"host\": \"h\", \"axes\": {\"a\": {\"x\": {}, "
                               "\"y\": {}}}, \"exclude\": [{\"a\": [\"y\", \"x\"]}]}", &c, &err), ITR_E_FORMAT);
    assert_contains(err.text, "that \"exclude\" does not name");
}

/* The name comes from the folder, however its path is written. */
static void a_separator_at_the_end_is_no_part_of_the_name(void **state) {
    static const char *const ends[] = {"", "/", "//"};
    (void)state;
    scratch_write(folder, "case.json", full, strlen(full));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct itr_case c;
        struct itr_error err = {0};
        char path[sizeof folder + 8];
        snprintf(path, sizeof path, "%s%s", folder, ends[i]);
        assert_int_equal(itr_case_read(path, &c, &err), ITR_OK);
        assert_string_equal(c.name, "planted");
        itr_case_release(&c);
    }
}

/* ---- what a case may not say ---- */

/* A case with one thing wrong: `value` is the JSON of `key` instead of what a good case has there; NULL: the key
 * is left out. */
struct wrong {
    const char *key;
    const char *value;
    const char *named; /* in the message, between quotes */
    const char *expected;
};

static const struct wrong wrongs[] = {
    {"format", NULL, "format", "1"},
    {"format", "2", "format", "1"},
    {"format", "\"1\"", "format", "1"},
    {"summary", NULL, "summary", "one sentence"},
    {"summary", "7", "summary", "a string"},
    {"summary", "\"\"", "summary", "a string"},
    {"os", NULL, "os", "a list of linux and windows"},
    {"os", "[]", "os", "not empty"},
    {"os", "\"linux\"", "os", "a list of strings"},
    {"os", "[1]", "os", "a list of strings"},
    {"os", "[\"linux\", \"macos\"]", "os", "a list of linux and windows"},
    {"host", NULL, "host", "the name of a host program"},
    {"host", "null", "host", "a string"},
    {"host", "\"\"", "host", "a string"},
    {"library", "1", "library", "a string or null"},
    {"library", "\"\"", "library", "a string or null"},
    {"function", "[\"f\"]", "function", "a string or null"},
    {"event", "\"SIGKILL\"", "event", "an event such as"},
    {"event", "2", "event", "an event such as"},
    {"delivery", "\"pigeon\"", "delivery",
     "kill, tgkill, sigqueue, timer, console or ctrl-routine"},
    {"delivery", "null", "delivery", "kill, tgkill"},
    {"target", "\"nobody\"", "target", "process, main, caller or init"},
    {"at", "\"W1\"", "at", "expected time, PHASE"},
    {"at", "7", "at", "a string"},
    {"hold", "60", "hold", "a length of time"},
    {"hold", "\"60\"", "hold", "a length of time"},
    {"deadline", "\"soon\"", "deadline", "a length of time"},
    {"quiet", "null", "quiet", "a length of time"},
    {"handler", "\"onstack\"", "handler", "a list of onstack, restart"},
    {"handler", "[\"onstak\"]", "handler", "a list of onstack, restart"},
    {"handler", "[1]", "handler", "a list of onstack, restart"},
    {"flags", "[\"own_console\"]", "flags", "a list of record-exceptions"},
    {"flags", "{}", "flags", "a list of record-exceptions"},
    {"env", "[\"A=1\"]", "env", "an object of strings"},
    {"env", "{\"A\": 1}", "env", "an object of strings"},
    {"env", "{\"A=B\": \"1\"}", "env", "an object of strings"},
    {"env", "{\"\": \"1\"}", "env", "an object of strings"},
    {"expect", "\"ok\"", "expect", "an outcome such as"},
    {"expect", "null", "expect", "an outcome such as"},
    {"threads", "\"x\"", "threads", "a list of strings"},
    {"labels", "[[]]", "labels", "a list of strings"},
    {"colour", "\"red\"", "colour", "one of format, summary"},
    {"Summary", "\"red\"", "Summary", "one of format, summary"},
    {"points", "[]", "points", "an object of fire points by name"},
    {"points", "{\"W1\": \"nowhere\"}", "points.W1.at", "expected time, PHASE"},
    {"points", "{\"W1\": 7}", "points.W1", "an object"},
    {"points", "{\"W1\": {}}", "points.W1.at", "a fire point"},
    {"points", "{\"W1\": {\"at\": \"time\", \"delivery\": \"x\"}}", "points.W1.delivery",
     "kill, tgkill"},
    {"points", "{\"W1\": {\"at\": \"time\", \"target\": 3}}", "points.W1.target", "process, main"},
    {"points", "{\"W1\": {\"att\": \"time\"}}", "points.W1.att", "one of at, delivery, target"},
    {"points", "{\"W1\": {\"at\": \"runtime.main\", \"gate\": 1}}", "points.W1.gate", "true or false"},
    {"points", "{\"W1\": {\"at\": \"time\", \"gate\": true}}", "points.W1.gate", "a point SYMBOL"},
    {"points", "{\"W1\": {\"at\": \"CreateThread#2\", \"gate\": true}}", "points.W1.gate", "a point SYMBOL"},
    {"points", "{\"W1\": {\"at\": \"runtime.main#2\", \"gate\": true}}", "points.W1.gate", "the first time"},
    {"known", "[{\"outcome\": \"lost\", \"gate\": \"yes\"}]", "known[0].gate", "true or false"},
    {"controls", "[]", "controls", "an object of controls by name"},
    {"controls", "{\"a\": 1}", "controls.a", "an object"},
    {"controls", "{\"a\": {\"evnt\": null}}", "controls.a.evnt", "one of host"},
    {"controls", "{\"a\": {\"expect\": \"well\"}}", "controls.a.expect", "an outcome such as"},
    {"controls", "{\"a\": {\"controls\": {}}}", "controls.a.controls", "one of host"},
    {"controls", "{\"a\": {\"at\": \"Q\"}}", "controls", "expected time, PHASE"},
    {"controls", "{\"a\": {\"axes\": 1}}", "controls.a.axes", "true or false"},
    {"group", "\"signals\"", "group", "one of events-init events-life signals-init"},
    {"group", "null", "group", "one of events-init"},
    {"axes", "{}", "axes", "from one to 6"},
    {"axes", "[]", "axes", "from one to 6"},
    {"axes", "{\"a\":{\"x\":{}},\"b\":{\"x\":{}},\"c\":{\"x\":{}},\"d\":{\"x\":{}},\"e\":{\"x\":{}},\"f\":{\"x\":{}},\"g\":{\"x\":{}}}",
     "axes", "from one to 6"},
    {"axes", "{\"Handler\": {\"x\": {}}}", "axes.Handler", "small letters"},
    {"axes", "{\"a=b\": {\"x\": {}}}", "axes.a=b", "small letters"},
    {"axes", "{\"\": {\"x\": {}}}", "axes", "small letters"},
    {"axes", "{\"abcdefghijklmnopqrstuvwxy\": {\"x\": {}}}", "axes.abcdefghijklmnopqrstuvwxy", "up to 24"},
    {"axes", "{\"a\": {}}", "axes.a", "from one to 64"},
    {"axes", "{\"a\": 7}", "axes.a", "from one to 64"},
    {"axes", "{\"a\": {\"x y\": {}}}", "axes.a.x y", "letters, digits and"},
    {"axes", "{\"a\": {\"x,y\": {}}}", "axes.a.x,y", "letters, digits and"},
    {"axes", "{\"a\": {\"<b>\": {}}}", "axes.a.<b>", "letters, digits and"},
    {"axes", "{\"a\": {\"x\": 1}}", "axes.a.x", "an object"},
    {"axes", "{\"a\": {\"x\": {\"evnt\": null}}}", "axes.a.x.evnt", "one of host"},
    {"axes", "{\"a\": {\"x\": {\"event\": \"SIGKILL\"}}}", "axes.a.x.event", "an event such as"},
    {"axes", "{\"a\": {\"x\": {\"at\": \"W1\"}}}", "axes.a.x.at", "expected time, PHASE"},
    {"axes", "{\"a\": {\"x\": {\"os\": []}}}", "axes.a.x.os", "not empty"},
    {"axes", "{\"a\": {\"x\": {\"go\": \"new\"}}}", "axes.a.x.go", "a range of Go versions"},
    {"axes", "{\"a\": {\"x\": {\"env\": {\"A\":\"\",\"B\":\"\",\"C\":\"\",\"D\":\"\",\"E\":\"\",\"F\":\"\",\"G\":\"\",\"H\":\"\",\"I\":\"\"}}}}",
     "axes.a.x.env", "up to 8 variables"},
    {"axes", "{\"handler\": [\"onstack\"]}", "axes.handler", "a list is for the axes event"},
    {"axes", "{\"event\": []}", "axes.event", "from one to 64"},
    {"axes", "{\"event\": [\"SIGHUP\", 1]}", "axes.event", "a list of words"},
    {"axes", "{\"event\": [\"SIGHUP\", \"SIGHUP\"]}", "axes.event", "each once"},
    {"axes", "{\"event\": [\"SIGKILL\"]}", "axes.event.event", "an event such as"},
    {"axes", "{\"a\": {\"x\": {\"event\": null}}, \"event\": [\"SIGHUP\"]}", "axes.event", "that the axis a changes too"},
    {"axes", "{\"a\": {\"x\": {\"env\": {\"A\": \"1\"}}}, \"b\": {\"y\": {\"env\": {\"B\": \"2\", \"A\": \"2\"}}}}", "axes.b",
     "that the axis a changes too"},
    {"axes", "{\"a\": {\"x\": {\"os\": [\"windows\"]}}}", "axes", "a combination for linux"},
    {"axes", "{\"a\": {\"x\": {\"go\": \">=1.20\"}, \"y\": {}}}", "axes", "for every Go version"},
    {"exclude", "[{\"a\": \"x\"}]", "exclude[0].a", "one of this case's axes"},
    {"exclude", "[{}]", "exclude[0]", "an object of axes"},
    {"exclude", "{}", "exclude", "a list of objects"},
    {"expectations", "[{\"expect\": \"lost\"}]", "expectations[0].where", "an object of axes"},
    {"expectations", "[{\"where\": {\"a\": \"x\"}, \"expect\": \"lost\"}]", "expectations[0].where.a", "one of this case's axes"},
    {"expectations", "[7]", "expectations[0]", "an object"},
    {"known", "[{\"outcome\": \"lost\", \"where\": {\"a\": \"x\"}}]", "known[0].where.a", "one of this case's axes"},
    {"known", "[{\"outcome\": \"lost\", \"where\": []}]", "known[0].where", "an object of axes"},
    {"known", "{}", "known", "a list of known failures"},
    {"known", "[1]", "known[0]", "an object"},
    {"known", "[{}]", "known[0].outcome", "an outcome such as"},
    {"known", "[{\"outcome\": \"lost\"}, {\"outcome\": \"gone\"}]", "known[1].outcome",
     "an outcome such as"},
    {"known", "[{\"outcome\": \"lost\", \"point\": \"W1\"}]", "known[0].point",
     "one of go, system"},
    {"known", "[{\"outcome\": \"lost\", \"at\": \"time\"}]", "known[0].at", "a list of strings"},
    {"known", "[{\"outcome\": \"lost\", \"at\": [\"W9\"]}]", "known[0].at", "expected time, PHASE"},
    {"known", "[{\"outcome\": \"lost\", \"controls\": [\"a\"]}]", "known[0].controls",
     "names of this case's controls"},
    {"known", "[{\"outcome\": \"lost\", \"signature\": 7}]", "known[0].signature", "a string"},
    {"known", "[{\"outcome\": \"lost\", \"thread\": null}]", "known[0].thread", "a string"},
    {"known", "[{\"outcome\": \"lost\", \"note\": 1}]", "known[0].note", "a string"},
    {"known", "[{\"outcome\": \"lost\", \"system\": \"lunix\"}]", "known[0].system",
     "linux, wine or windows"},
    {"known", "[{\"outcome\": \"lost\", \"go\": null}]", "known[0].go", "a string"},
    {"known", "[{\"outcome\": \"lost\", \"go\": \"new\"}]", "known[0].go",
     "a range of Go versions"},
    {"known", "[{\"outcome\": \"lost\", \"go\": \">=1,20\"}]", "known[0].go",
     "a range of Go versions"},
    {"known", "[{\"outcome\": \"lost\", \"go\": 1.20}]", "known[0].go", "a string"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": 1}]", "known[0].rate", "two numbers from 0 to 1"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": [1]}]", "known[0].rate",
     "two numbers from 0 to 1"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": [\"0\", \"1\"]}]", "known[0].rate",
     "two numbers from 0 to 1"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": [0.9, 0.1]}]", "known[0].rate",
     "the smaller first"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": [-0.1, 0.1]}]", "known[0].rate",
     "two numbers from 0 to 1"},
    {"known", "[{\"outcome\": \"lost\", \"rate\": [95, 100]}]", "known[0].rate",
     "two numbers from 0 to 1"},
};

static void make_wrong(char *text, size_t room, const struct wrong *wrong) {
    static const char *const good[][2] = {
        {"format", "1"}, {"summary", "\"s\""}, {"os", "[\"linux\"]"}, {"host", "\"h\""}};
    size_t used = (size_t)snprintf(text, room, "{\"ctest\": {}");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (strcmp(good[i][0], wrong->key) != 0) {
            used +=
                (size_t)snprintf(text + used, room - used, ", \"%s\": %s", good[i][0], good[i][1]);
        }
    }
    if (wrong->value != NULL) {
        used +=
            (size_t)snprintf(text + used, room - used, ", \"%s\": %s", wrong->key, wrong->value);
    }
    snprintf(text + used, room - used, "}");
}

static void what_is_wrong_is_refused_with_file_key_and_expectation(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        char text[2048];
        char named[128];
        struct itr_case c;
        struct itr_error err = {0};
        make_wrong(text, sizeof text, &wrongs[i]);
        if (read_text(text, &c, &err) != ITR_E_FORMAT) {
            fail_msg("taken: %s", text);
        }
        assert_int_equal(err.status, ITR_E_FORMAT);
        snprintf(named, sizeof named, "key \"%s\": expected ", wrongs[i].named);
        assert_contains(err.text, folder);
        assert_contains(err.text, "/case.json: ");
        assert_contains(err.text, named);
        assert_contains(err.text, wrongs[i].expected);
        assert_null(strchr(err.text, '\n'));
    }
}

static void what_is_no_case_file_is_refused_with_its_place(void **state) {
    static const struct {
        const char *text;
        const char *place;
    } rows[] = {
        {"", "case.json:1:"},
        {"{\n\"format\": 1,\n\"format\": 1}", "case.json:3:"}, /* a key twice */
        {"{\"controls\": {\"a\": {}, \"a\": {}}}", "case.json:1:"},
        {"{\n\"format\": 1,\n}", "case.json:3:"},
        {"{\"format\": 1} and more", "case.json:1:"},
        {"{\"summary\": \"\\u0000\"}", "case.json:1:"},
        {"{\"summary\": \"\xff\"}", "case.json:1:"},
        {"[]", "expected an object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct itr_case c;
        struct itr_error err = {0};
        if (read_text(rows[i].text, &c, &err) != ITR_E_FORMAT) {
            fail_msg("taken: %s", rows[i].text);
        }
        assert_contains(err.text, folder);
        assert_contains(err.text, rows[i].place);
    }
}

static void a_folder_without_a_case_is_refused(void **state) {
    struct itr_case c;
    struct itr_error err = {0};
    char path[sizeof folder + 16];
    (void)state;
    snprintf(path, sizeof path, "%s/none", folder);
    assert_int_not_equal(itr_case_read(path, &c, &err), ITR_OK);
    assert_contains(err.text, path);
}

static void lists_have_a_ceiling(void **state) {
    char text[4096];
    size_t used = 0;
    struct itr_case c;
    struct itr_error err = {0};
    (void)state;
    used += (size_t)snprintf(text, sizeof text,
                             "{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\"], "
                             "\"host\": \"h\", \"labels\": [\"0\"");
    for (int i = 1; i < ITR_CASE_STRINGS_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, ", \"%d\"", i);
    }
    snprintf(text + used, sizeof text - used, "]}");
    read_good(text, &c);
    assert_int_equal(c.labels.count, ITR_CASE_STRINGS_MAX);
    itr_case_release(&c);
    snprintf(text + used, sizeof text - used, ", \"one more\"]}");
    assert_int_equal(read_text(text, &c, &err), ITR_E_FORMAT);
    assert_contains(err.text, "key \"labels\"");
}

/* Objects too: 64 entries are taken, one more is refused. */
static void objects_have_a_ceiling(void **state) {
    static const char *const rows[][3] = {{"env", "\"K%d\": \"1\"", "{}"},
                                          {"points", "\"K%d\": \"time\"", "{}"},
                                          {"controls", "\"K%d\": {}", "{}"},
                                          {"known", "{\"outcome\": \"lost\"}", "[]"}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (int count = ITR_CASE_STRINGS_MAX; count <= ITR_CASE_STRINGS_MAX + 1; count++) {
            char text[4096];
            struct itr_case c;
            struct itr_error err = {0};
            size_t used =
                (size_t)snprintf(text, sizeof text,
                                 "{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\"], "
                                 "\"host\": \"h\", \"%s\": %c",
                                 rows[r][0], rows[r][2][0]);
            for (int i = 0; i < count; i++) {
                char entry[64];
                char number[16];
                snprintf(number, sizeof number, "%d", i);
                const char *mark = strstr(rows[r][1], "%d");
                int before = mark != NULL ? (int)(mark - rows[r][1]) : (int)strlen(rows[r][1]);
                snprintf(entry, sizeof entry, "%.*s%s%s", before, rows[r][1],
                         mark != NULL ? number : "", mark != NULL ? mark + 2 : "");
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "",
                                         entry);
            }
            snprintf(text + used, sizeof text - used, "%c}", rows[r][2][1]);
            if (count == ITR_CASE_STRINGS_MAX) {
                read_good(text, &c);
                itr_case_release(&c);
            } else {
                assert_int_equal(read_text(text, &c, &err), ITR_E_FORMAT);
                assert_contains(err.text, rows[r][0]);
            }
        }
    }
}

/* ---- without memory ---- */

/* Refuses the one allocation with this number. */
static long until_refusal;

static void *failing_malloc(size_t bytes) {
    return until_refusal-- != 0 ? malloc(bytes) : NULL;
}

/* Whichever allocation of the JSON library is refused: an error or the whole case, and nothing left behind (the
 * sanitizers see that). */
static void no_memory_is_an_error(void **state) {
    unsigned refused = 0;
    bool reached = true;
    (void)state;
    scratch_write(folder, "case.json", full, strlen(full));
    for (long number = 0; reached; number++) {
        struct itr_case c;
        struct itr_error err = {0};
        until_refusal = number;
        json_set_alloc_funcs(failing_malloc, free);
        enum itr_status status = itr_case_read(folder, &c, &err);
        json_set_alloc_funcs(malloc, free);
        reached = until_refusal < 0;
        assert_int_equal(status, err.status);
        if (status != ITR_OK) {
            assert_contains(err.text, folder);
            refused++;
        } else {
            assert_int_equal(c.control_count, 3);
            assert_int_equal(c.controls[2].environment.count, 1);
            assert_int_equal(c.point_count, 2);
            assert_int_equal(c.known_count, 2);
            assert_int_equal(c.known[0].at.count, 2);
            assert_int_equal(c.axes[0].count, 2);
            itr_case_release(&c);
        }
    }
    assert_true(refused > 50); /* the allocator was really asked */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(points_and_known_failures_may_be_a_gates),
        cmocka_unit_test(points_have_names_and_may_change_the_shot),
        cmocka_unit_test(controls_inherit_what_they_do_not_say),
        cmocka_unit_test(known_failures_are_read),
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(axes_are_read),
        cmocka_unit_test(axes_beyond_a_ceiling_are_refused),
        cmocka_unit_test(a_separator_at_the_end_is_no_part_of_the_name),
        cmocka_unit_test(what_is_wrong_is_refused_with_file_key_and_expectation),
        cmocka_unit_test(what_is_no_case_file_is_refused_with_its_place),
        cmocka_unit_test(a_folder_without_a_case_is_refused),
        cmocka_unit_test(lists_have_a_ceiling),
        cmocka_unit_test(objects_have_a_ceiling),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("casefile", tests, set_up, tear_down);
}
