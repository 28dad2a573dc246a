# Test: hosts that crash, give up or print garbage, of which nothing may reach the runner's own standard error. That is this
# script's to look at, and no program's: under Wine a host has the runner's descriptor 2 beside the handle it was given.
#
# cmake -DCOMMAND=PROGRAM[;ARG…] -DOUTPUT=FOLDER -P silence.cmake
foreach(misdeed IN ITEMS crash give-up garbage none)
  execute_process(COMMAND ${COMMAND} run --host misbehave --env INITRACE_MISDEED=${misdeed} --count 2 --seed 1 --quiet
                          --output "${OUTPUT}/${misdeed}"
                  RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
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
