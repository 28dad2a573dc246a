# Test: hosts that crash, give up or print garbage, of which nothing may reach the runner's own standard error. That is this
# script's to look at, and no program's: under Wine a host has the runner's descriptor 2 beside the handle it was given, and
# Wine itself, whatever the error mode, says there in a line of its own that an exception was not handled. No byte of that
# line is the host's choice.
#
# cmake -DCOMMAND=PROGRAM[;ARG…] -DOUTPUT=FOLDER -P silence.cmake
foreach(misdeed IN ITEMS crash give-up garbage none)
  execute_process(COMMAND ${COMMAND} run --host misbehave --env INITRACE_MISDEED=${misdeed} --count 2 --seed 1 --quiet
                          --output "${OUTPUT}/${misdeed}"
                  RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  list(LENGTH COMMAND words)
  if(words GREATER 1) # a program that runs the program: Wine
    string(REGEX REPLACE "wine: Unhandled [^\n]*, starting debugger\\.\\.\\.\r?\n" "" err "${err}")
  endif()
  set(expected 1)
  if(misdeed STREQUAL "none")
    set(expected 0)
  endif()
  if(NOT code EQUAL expected)
    message(FATAL_ERROR "${misdeed}: exit code ${code}, expected ${expected}\n${out}${err}")
  elseif(NOT err STREQUAL "")
    message(FATAL_ERROR "${misdeed}: on the runner's standard error: ${err}")
  endif()
endforeach()
