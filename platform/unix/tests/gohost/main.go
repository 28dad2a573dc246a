// Command gohost is a Go program whose goroutines wait at known places, for the test of core files with Delve.
package main

import (
	"fmt"
	"time"
)

const workers = 3

var answer = 4711

//go:noinline
func work(number int, done chan int) {
	done <- number // nobody takes it
}

func main() {
	done := make(chan int)
	for i := 0; i < workers; i++ {
		go work(i, done)
	}
	fmt.Println("ready")
	time.Sleep(time.Hour + time.Duration(answer))
}
