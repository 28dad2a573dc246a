// A library whose exports keep a runtime busy in the ways that hosts of its later life need: short calls, calls that grow
// the stack and allocate, C called back from Go, recovered faults, profiling, threads that come and go. It checks nothing.
// cases/plainlibs/plain_life.c has the same exports without a runtime.
package main

// typedef int (*life_function)(void *argument);
import "C"

import (
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"unsafe"
)

// InitraceProbe returns a number that no host would guess, so that a call that came back is told from
// one that did not happen.
//
//export InitraceProbe
func InitraceProbe() int32 { return 42 }

// LifeAdd is the shortest call.
//
//export LifeAdd
func LifeAdd(a, b int32) int32 { return a + b }

var kept sync.Pool

// LifeWork runs in Go for some microseconds: it grows the stack, allocates, and gives way to others. It returns depth.
//
//export LifeWork
func LifeWork(depth int32) int32 {
	room := make([]byte, 4096)
	kept.Put(&room)
	result := deeper(depth)
	runtime.Gosched()
	return result
}

//go:noinline
func deeper(depth int32) int32 {
	var room [256]byte
	if depth == 0 {
		return 0
	}
	room[depth&0xff] = 1
	return deeper(depth-1) + int32(room[depth&0xff])
}

// LifeCall has C's f called from Go, on the thread that called.
//
//export LifeCall
func LifeCall(f C.life_function, argument unsafe.Pointer) int32 {
	return bridge(f, argument)
}

// LifeCallElsewhere has C's f called by a goroutine of its own, on a thread of the runtime's.
//
//export LifeCallElsewhere
func LifeCallElsewhere(f C.life_function, argument unsafe.Pointer) int32 {
	result := make(chan int32)
	go func() { result <- bridge(f, argument) }()
	return <-result
}

type record struct{ field int32 }

var nobody *record

// LifeFault dereferences a nil pointer and recovers: 1 when that became a panic, as Go promises.
//
//export LifeFault
func LifeFault() (result int32) {
	defer func() {
		if recover() != nil {
			result = 1
		}
	}()
	return nobody.field
}

// LifeProfile switches the profile of processor use on (1) or off (0); 0 on success.
//
//export LifeProfile
func LifeProfile(on int32) int32 {
	if on == 0 {
		pprof.StopCPUProfile()
		return 0
	}
	if pprof.StartCPUProfile(io.Discard) != nil {
		return 1
	}
	return 0
}

// LifeChurn has count threads of the runtime's end, and others started in their place. It returns count.
//
//export LifeChurn
func LifeChurn(count int32) int32 {
	var all sync.WaitGroup
	for i := int32(0); i < count; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
			runtime.Gosched()
		}()
	}
	all.Wait()
	return count
}

// LifeCollect collects garbage, which stops all goroutines.
//
//export LifeCollect
func LifeCollect() int32 {
	runtime.GC()
	return 0
}

func main() {}
