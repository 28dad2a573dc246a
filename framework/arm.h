/* An arm of a comparison, as a person writes it: a Go distribution as it is, or as recipes, patches and an overlay change
 * it, how the libraries are built, what the hosts' environment has, or a library that is there already. It reads words and
 * builds nothing (golib.h does). */
#ifndef INITRACE_FRAMEWORK_ARM_H
#define INITRACE_FRAMEWORK_ARM_H

#include "framework/casefile.h"
#include "framework/error.h"
#include "framework/text.h"

#include <stdbool.h>

enum {
    ITR_ARM_LABEL_MAX = 64,
    ITR_ARM_TEXT_MAX = 4096,
    ITR_ARM_ITEMS_MAX = 16, /* recipes, patches, variables, flags: of each */
};

/* `{0}` is empty; the owner calls itr_arm_release(). */
struct itr_arm_spec {
    char label[ITR_ARM_LABEL_MAX];  /* how reports call it: name=…, else made from the rest, never empty */
    char *go;                       /* version, beginning of one, or GOROOT; NULL: the caller's choice */
    struct itr_strings recipes;     /* names of the shipped ones, or files */
    struct itr_strings patches;     /* unified diffs */
    char *overlay;                  /* of go build -overlay; NULL: none */
    struct itr_strings flags;       /* of go build, one word each: "-race", "-gcflags=all=-N -l" */
    struct itr_strings environment; /* "K=V", of the hosts */
    char *library;                  /* a file; then there is no go, recipe, patch, overlay or flag. NULL: built ones */
};

/* "GO[,recipe=NAME][,patch=FILE][,overlay=FILE][,flag=WORD][,env=K=V][,library=FILE][,name=LABEL]", each key as often as
 * wanted but for overlay, library and name. A comma ends a value only where one of these keys and "=" follow, so that
 * env=GODEBUG=a=1,b=2 is one value; in values other than those of env and flag ",WORD=" is taken for a misspelt key. GO may be left out. ITR_E_USAGE: one sentence with the word and what was expected;
 * ITR_E_LIMIT, ITR_E_NO_MEMORY. `option` ("--candidate") is for the sentence. */
enum itr_status itr_arm_parse(const char *option, const char *text, struct itr_arm_spec *arm, struct itr_error *err) ITR_MUST_USE;
void itr_arm_release(struct itr_arm_spec *arm);

/* What does not go together, or is not an arm's to say (build flags that this program gives itself), and ceilings. Parsed
 * arms have passed it; for those that are made of options. Errors as above. */
enum itr_status itr_arm_check(const char *option, const struct itr_arm_spec *arm, struct itr_error *err) ITR_MUST_USE;

/* Makes the label of an arm that has none. Two arms may come to the same one: it is cut. */
void itr_arm_name(struct itr_arm_spec *arm);

/* Appends the arm in the form that itr_arm_parse() reads; `go` (may be NULL) in the place of the arm's own. */
void itr_arm_text(const struct itr_arm_spec *arm, const char *go, struct itr_text *out);

/* True if its libraries are those of the Go distribution as it is. */
bool itr_arm_is_plain(const struct itr_arm_spec *arm);

#endif
