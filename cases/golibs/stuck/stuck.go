// A library whose first call hangs or dies in the way that INITRACE_STUCK_WAY names; any other word, and none, lets it
// return. It knows nothing of what becomes of the process: hosts and cases do.
package main

import "C"

import "os"

// Each way is a function of its own, so that a stack shows by name where it stands.
var ways = map[string]func(){
	"deadlock":     deadlock,
	"network":      acceptNobody,
	"mutex":        lockTwice,
	"condition":    waitForCondition,
	"wait-group":   waitForGroup,
	"nil-channel":  receiveFromNil,
	"channel":      receiveFromNobody,
	"empty-select": selectOfNone,
	"select":       selectOfTwo,
	"crowd":        waitInCrowd,
	"busy":         spin,

	"panic":      panicNow,
	"elsewhere":  panicElsewhere,
	"deep-panic": panicInTheDeep,
	"nil":        dereferenceNil,
	"unlock":     unlockUnlocked,
	"overflow":   recurseForEver,
	"exit":       exitNow,
	"abort":      abortInC,
	"c-fault":    faultInC,
}

// InitraceProbe goes the way that is asked for. It returns a number that no host would guess.
//
//export InitraceProbe
func InitraceProbe() int32 {
	if way := ways[os.Getenv("INITRACE_STUCK_WAY")]; way != nil {
		way()
	}
	return 42
}

func main() {}
