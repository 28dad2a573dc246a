// A library whose threads and goroutines stop at known places, for the tests of stacks: calls from C into Go and
// back, goroutines that wait in known ways.
package main

// typedef void (*stacks_function)(void);
import "C"

import (
	"sync"
	"time"
)

var (
	mutex   sync.Mutex
	cond    = sync.NewCond(&sync.Mutex{})
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
	go waitForCond()
	go selectOfTwo()
	go selectOfNone()
	go sleep()
	go recurse(recursion)
	go startChild()
	return 42
}

//go:noinline
func receiveFromNil() { <-nothing }

//go:noinline
func receive() { <-never }

//go:noinline
func lockTwice() { mutex.Lock() }

//go:noinline
func waitForCond() {
	cond.L.Lock()
	cond.Wait()
}

//go:noinline
func selectOfTwo() {
	select {
	case <-never:
	case nothing <- 1:
	}
}

//go:noinline
func selectOfNone() { select {} }

//go:noinline
func sleep() { time.Sleep(time.Hour) }

// More frames than the runtime prints.
const recursion = 150

//go:noinline
func recurse(n int) int {
	if n == 0 {
		return <-never
	}
	return recurse(n-1) + 1
}

// startChild is a goroutine's parent, by way of a closure and of functions that are inlined.
//
//go:noinline
func startChild() {
	func() { start(func() { inlined() }) }()
	<-never
}

func start(f func()) { go f() }

func inlined() { inlinedToo() }

func inlinedToo() { <-never }

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
