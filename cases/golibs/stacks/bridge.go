package main

// typedef void (*stacks_function)(void);
// static void stacks_bridge(stacks_function f) {
//     f();
//     __asm__ volatile("" ::: "memory"); // so that the call is no jump
// }
import "C"

// bridge is apart from the exports: beside those, C may only be declared.
//
//go:noinline
func bridge(f C.stacks_function) {
	C.stacks_bridge(f)
}
