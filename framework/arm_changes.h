/* What an arm changes in the sources of a Go distribution: its overlay, then its recipes, then its patches, each of which
 * sees what those before it made. It builds nothing and writes nothing. */
#ifndef INITRACE_FRAMEWORK_ARM_CHANGES_H
#define INITRACE_FRAMEWORK_ARM_CHANGES_H

#include "framework/arm.h"
#include "framework/changes.h"
#include "framework/layout.h"

/* `changes->root` is the GOROOT, of that version; `system` ("linux", "windows") is whose libraries are to be built. A recipe
 * is a name of share/initrace/recipes, or a file. An overlay may have files below GOROOT/src only. ITR_E_NOT_FOUND: no such
 * recipe or file; ITR_E_UNSUPPORTED: a recipe does not hold for the version or the system; ITR_E_USAGE: it does not fit; and
 * what reading them gives. After a failure `changes` is only fit to be released. */
enum itr_status itr_arm_changes(const struct itr_arm_spec *arm, const struct itr_layout *layout, const char *version,
                                const char *system, struct itr_changes *changes, struct itr_error *err) ITR_MUST_USE;

#endif
