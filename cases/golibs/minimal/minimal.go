// The smallest Go library that a host can load and call: one export, no import but cgo's own.
package main

import "C"

// InitraceProbe returns a number that no host would guess, so that a call that came back is told from
// one that did not happen.
//
//export InitraceProbe
func InitraceProbe() int32 { return 42 }

func main() {}
