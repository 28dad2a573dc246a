package main

/*
#include <stdlib.h>

static volatile int *volatile stuck_nowhere;

__attribute__((noinline)) static void stuck_abort(void) {
    abort();
}

__attribute__((noinline)) static void stuck_fault(void) {
    *stuck_nowhere = 1;
}
*/
import "C"

// C is apart from the exports: beside those it may only be declared.

//go:noinline
func abortInC() {
	beside()
	C.stuck_abort()
}

//go:noinline
func faultInC() {
	beside()
	C.stuck_fault()
}
