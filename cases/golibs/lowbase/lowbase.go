// The minimal library again, linked at a low image base: what Go ≤ 1.20 prints from a thread without a g is
// then cut short enough to be written (see ldflags.windows).
package main

import "C"

// InitraceProbe returns a number that no host would guess, so that a call that came back is told from
// one that did not happen.
//
//export InitraceProbe
func InitraceProbe() int32 { return 42 }

func main() {}
