// A library whose threads and goroutines stop at known places, for the tests of stacks: calls from C into Go and
// back, goroutines that wait in known ways.
package main

// typedef void (*stacks_function)(void);
import "C"

import "sync"

var (
	mutex   sync.Mutex
	nothing chan int
	never   = make(chan int)
)

// InitraceProbe starts the goroutines that wait.
//
//export InitraceProbe
func InitraceProbe() int32 {
	mutex.Lock()
	go receiveFromNil()
	go receive()
	go lockTwice()
	return 42
}

//go:noinline
func receiveFromNil() { <-nothing }

//go:noinline
func receive() { <-never }

//go:noinline
func lockTwice() { mutex.Lock() }

// StacksCall calls f, which is C's, from Go.
//
//export StacksCall
func StacksCall(f C.stacks_function) {
	goLeaf(f)
}

//go:noinline
func goLeaf(f C.stacks_function) {
	bridge(f)
}

// StacksReceive never returns.
//
//export StacksReceive
func StacksReceive() {
	receiveFromNil()
}

// StacksSpin runs Go code for ever.
//
//export StacksSpin
func StacksSpin() {
	spin()
}

var spins uint64

//go:noinline
func spin() {
	for {
		spins++
	}
}

func main() {}
