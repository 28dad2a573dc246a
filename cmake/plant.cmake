# Writes the C source of a library with a planted window, all of it drawn from a seed:
#
#   cmake -DSEED=1 -DOUTPUT=planted_1.c -P plant.cmake
#
# Its constructor starts a thread that runs a tree of functions, none of which is like another. Somewhere on the
# way a flag is set, and some statements later it is cleared, each by one instruction. Where these two are is
# written in the library, at the symbol planted_answer, as distances from there (two 32-bit numbers: the
# instruction that sets it, the one that clears it): the test reads it, nothing else does. No symbol is at
# either. What comes of the flag is for PLANTED_MISDEED and platform/tests/planted.h to say.

cmake_minimum_required(VERSION 3.22)

# ---- chance: the same on every system ----

set(state "${SEED}")

# A number in [from, to].
macro(draw result from to)
  math(EXPR state "(${state} * 1103515245 + 12345) & 0x7fffffff")
  math(EXPR ${result} "${from} + (${state} >> 12) % (${to} - ${from} + 1)")
endmacro()

foreach(i RANGE 7)
  draw(ignored 0 1)
endforeach()

# One statement, about five instructions.
macro(draw_statement)
  draw(kind 0 4)
  draw(a 0 15)
  draw(b 0 15)
  draw(c 0 15)
  draw(number 1000 99999)
  draw(more 1000 99999)
  draw(few 2 6)
  if(kind EQUAL 0)
    set(statement "    work[${a}] = work[${b}] * ${number}u + ${more}u;\n")
  elseif(kind EQUAL 1)
    string(CONCAT statement "    if ((work[${a}] & ${few}u) != 0) {\n        work[${b}] ^= ${number}u;\n"
           "    } else {\n        work[${c}] += ${more}u;\n    }\n")
  elseif(kind EQUAL 2)
    string(CONCAT statement "    for (uint32_t i = 0; i < ${few}u; i++) {\n        work[${a}] += work[${b}] ^ ${number}u;\n"
           "    }\n")
  elseif(kind EQUAL 3)
    math(EXPR helper "${number} % 4")
    set(statement "    help_${helper}(${more}u);\n")
  else()
    set(statement "    work[${a}] = work[${b}] >> ${few} | work[${c}] << ${few};\n")
  endif()
endmacro()

# ---- a walk through the functions, in the order they will be run ----

draw(length 150 400) # statements
math(EXPR earliest "${length} / 8")
math(EXPR latest "${length} * 3 / 4")
draw(opening ${earliest} ${latest})
draw(width 5 14)
math(EXPR closing "${opening} + ${width}")

set(functions 1)
set(stack 0)
set(body_0 "")
foreach(n RANGE 1 ${length})
  list(GET stack -1 here)
  if(n EQUAL opening)
    string(APPEND body_${here} "    PLANTED_STORE(\".Lplanted_opening\", 1);\n")
  elseif(n EQUAL closing)
    string(APPEND body_${here} "    PLANTED_STORE(\".Lplanted_closing\", 0);\n")
  endif()
  draw_statement()
  string(APPEND body_${here} "${statement}")
  draw(move 0 9)
  list(LENGTH stack depth)
  if(move LESS 3 AND n LESS length)
    string(APPEND body_${here} "    step_${functions}();\n")
    list(APPEND stack ${functions})
    set(body_${functions} "")
    math(EXPR functions "${functions} + 1")
  elseif(move LESS 6 AND depth GREATER 1)
    list(POP_BACK stack)
  endif()
endforeach()

# ---- the source ----

set(prototypes "")
set(bodies "")
math(EXPR last "${functions} - 1")
foreach(i RANGE ${last})
  string(APPEND prototypes "BODY void step_${i}(void);\n")
  string(APPEND bodies "\nBODY void step_${i}(void) {\n${body_${i}}}\n")
endforeach()
foreach(i RANGE 3)
  draw(number 1000 99999)
  math(EXPR turns "${i} + 2")
  string(APPEND helpers "\nBODY void help_${i}(uint32_t value) {\n    for (uint32_t i = 0; i < ${turns}u; i++) {\n"
         "        work[${i}] += (value ^ i) * ${number}u;\n    }\n}\n")
endforeach()

file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [=[
/* A library with a planted window, made by cmake/plant.cmake from seed @SEED@. */
#include "platform/tests/planted.h"

#include <pthread.h>

#define BODY static __attribute__((noinline))

int InitraceProbe(void);

static volatile uint32_t work[16];
static volatile uint8_t planted_flag;
static pthread_t planted_thread;

/* One instruction, whose address has a name that only the assembler knows. */
#define PLANTED_STORE(name, value) __asm__ volatile(name ": movb $" #value ", %0" : "=m"(planted_flag) : : "memory")

__asm__(".text\n"
        ".balign 16\n"
        ".globl planted_answer\n"
        "planted_answer:\n"
        "    .long .Lplanted_opening - planted_answer\n"
        "    .long .Lplanted_closing - planted_answer\n"
        ".balign 16\n");

@prototypes@@helpers@@bodies@
static void *planted_run(void *nothing) {
    step_0();
    return nothing;
}

__attribute__((constructor)) static void planted_load(void) {
    planted_listen(&planted_flag, PLANTED_MISDEED);
    pthread_create(&planted_thread, NULL, planted_run, NULL);
}

__attribute__((visibility("default"))) int InitraceProbe(void) {
    return pthread_join(planted_thread, NULL) == 0 ? 42 : -1;
}
]=])
