package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// beside has one more goroutine stand by: which levels of GOTRACEBACK show it is documented.
func beside() {
	ready := make(chan int)
	go standBy(ready)
	<-ready
	runtime.Gosched()
}

//go:noinline
func standBy(ready chan<- int) {
	ready <- 1
	<-never
}

//go:noinline
func panicNow() {
	beside()
	panic("stuck: the panic")
}

// panicElsewhere panics in a goroutine that is not its caller's.
//
//go:noinline
func panicElsewhere() {
	beside()
	go panicOfNobody()
	<-never
}

//go:noinline
func panicOfNobody() {
	panic("stuck: the panic elsewhere")
}

// More frames than a traceback shows.
const depth = 1000

//go:noinline
func panicInTheDeep() {
	beside()
	dive(depth)
}

//go:noinline
func dive(left int) int {
	if left == 0 {
		panic("stuck: the panic in the deep")
	}
	return dive(left-1) + 1
}

type record struct{ field int32 }

var nobody *record

//go:noinline
func dereferenceNil() {
	beside()
	nobody.field = 1
}

//go:noinline
func unlockUnlocked() {
	var mutex sync.Mutex
	beside()
	mutex.Unlock()
}

// So much that it takes no time to fill, where the runtime allows 1 GB.
const stackMax = 1 << 20

//go:noinline
func recurseForEver() {
	beside()
	debug.SetMaxStack(stackMax)
	fall(0)
}

//go:noinline
func fall(from int) int {
	return fall(from+1) + 1
}

//go:noinline
func exitNow() {
	os.Exit(3)
}
