package main

import (
	"io"
	"os"
	"runtime/trace"
	"time"
)

// With INITRACE_LIFE_TRACE=1 the execution tracer runs from the library's initialisers on, is stopped and started again and
// again, and goroutines block and wake each other all the while: the tracer walks their stacks at each of these events.
func init() {
	if os.Getenv("INITRACE_LIFE_TRACE") != "1" || trace.Start(io.Discard) != nil {
		return
	}
	for i := 0; i < 4; i++ {
		there, back := make(chan int), make(chan int)
		go func() {
			for value := range there {
				back <- value
			}
		}()
		go func() {
			for {
				there <- 1
				<-back
				time.Sleep(20 * time.Microsecond)
			}
		}()
	}
	go func() {
		for {
			time.Sleep(5 * time.Millisecond)
			trace.Stop()
			if trace.Start(io.Discard) != nil {
				return
			}
		}
	}()
}
