package main

// typedef int (*life_function)(void *argument);
// static int life_bridge(life_function f, void *argument) {
//     return f(argument);
// }
import "C"

import "unsafe"

// bridge is apart from the exports: beside those, C may only be declared.
func bridge(f C.life_function, argument unsafe.Pointer) int32 {
	return int32(C.life_bridge(f, argument))
}
