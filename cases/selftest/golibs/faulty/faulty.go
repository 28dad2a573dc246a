// Command faulty is a library whose package initialisation dies in the way that INITRACE_FAULT names, so that tests
// know who died where: "go", "c", "thread", "overflow", "abort", "fatal", "hang"; anything else lives.
package main

/*
#include <pthread.h>
#include <stdlib.h>

static volatile int *volatile faulty_nowhere;

__attribute__((noinline)) static void faulty_write(void) {
    *faulty_nowhere = 1; // faulty: the C fault
}

static void *faulty_thread(void *argument) {
    *faulty_nowhere = 2; // faulty: the C thread's fault
    return argument;
}

__attribute__((noinline)) static void faulty_without_g(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, faulty_thread, NULL);
    pthread_join(thread, NULL);
}

__attribute__((noinline)) static int faulty_deeper(volatile int *above) {
    volatile int room[256];
    room[0] = *above + 1;
    return faulty_deeper(room) + room[0]; // faulty: the overflow
}

static int faulty_overflow(void) {
    volatile int top = 0;
    return faulty_deeper(&top);
}

__attribute__((noinline)) static void faulty_abort(void) {
    abort(); // faulty: the abort
}
*/
import "C"

import "os"

type record struct{ field int }

var nobody *record

//go:noinline
func touch(r *record) {
	r.field = 1 // faulty: the Go fault
}

func init() {
	switch os.Getenv("INITRACE_FAULT") {
	case "go":
		touch(nobody)
	case "c":
		C.faulty_write()
	case "thread":
		C.faulty_without_g()
	case "overflow":
		C.faulty_overflow()
	case "abort":
		C.faulty_abort()
	case "fatal":
		panic("faulty: the panic")
	case "hang":
		<-make(chan int)
	}
}

//export InitraceProbe
func InitraceProbe() C.int {
	return 42
}

func main() {}
