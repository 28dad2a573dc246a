package main

import (
	"net"
	"sync"
)

var (
	never   = make(chan int)
	nothing chan int
)

// deadlock has two goroutines each wait for the lock that the other holds, and its caller for both.
//
//go:noinline
func deadlock() {
	var left, right sync.Mutex
	var held, all sync.WaitGroup
	held.Add(2)
	all.Add(2)
	go leftThenRight(&left, &right, &held, &all)
	go rightThenLeft(&left, &right, &held, &all)
	all.Wait()
}

//go:noinline
func leftThenRight(left, right *sync.Mutex, held, all *sync.WaitGroup) {
	left.Lock()
	held.Done()
	held.Wait()
	right.Lock()
	all.Done()
}

//go:noinline
func rightThenLeft(left, right *sync.Mutex, held, all *sync.WaitGroup) {
	right.Lock()
	held.Done()
	held.Wait()
	left.Lock()
	all.Done()
}

// acceptNobody listens at a port that nobody knows.
//
//go:noinline
func acceptNobody() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for {
		_, _ = listener.Accept()
	}
}

//go:noinline
func lockTwice() {
	var mutex sync.Mutex
	mutex.Lock()
	mutex.Lock()
}

//go:noinline
func waitForCondition() {
	cond := sync.NewCond(&sync.Mutex{})
	cond.L.Lock()
	cond.Wait()
}

//go:noinline
func waitForGroup() {
	var group sync.WaitGroup
	group.Add(1)
	group.Wait()
}

//go:noinline
func receiveFromNil() { <-nothing }

//go:noinline
func receiveFromNobody() { <-never }

//go:noinline
func selectOfNone() { select {} }

//go:noinline
func selectOfTwo() {
	select {
	case <-never:
	case nothing <- 1:
	}
}

const crowd = 300

// waitInCrowd parks so many goroutines, and its caller with them.
//
//go:noinline
func waitInCrowd() {
	var all sync.WaitGroup
	for i := 0; i < crowd; i++ {
		all.Add(1)
		go standInCrowd(&all)
	}
	all.Wait()
}

//go:noinline
func standInCrowd(all *sync.WaitGroup) {
	<-never
	all.Done()
}

var spins uint64

//go:noinline
func spin() {
	for {
		spins++
	}
}
