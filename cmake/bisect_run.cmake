# Test: initrace bisect --step as the runner of git bisect run, in a repository of its own: 16 commits whose file "arm" says
# at what rate the library fails; from one of them on it fails often, and two cannot be tested. Where there is no git it is
# skipped.
#
# cmake -DCOMMAND=PROGRAM[;ARG…] -DGIT=GIT -DLIBRARY=FILE -DOUTPUT=FOLDER -P bisect_run.cmake
cmake_minimum_required(VERSION 3.22)
if(NOT EXISTS "${GIT}")
  message("skipped: git is not there")
  return()
endif()
set(first 10) # the first that fails often
set(untestable 12 13) # one of them is the middle of what is left after the first question

file(REMOVE_RECURSE "${OUTPUT}")
file(MAKE_DIRECTORY "${OUTPUT}/case" "${OUTPUT}/repository")
file(WRITE "${OUTPUT}/case/case.json" [[{"format": 1, "summary": "Fails at random.", "os": ["linux", "windows"],
 "host": "library_host", "library": "/planted", "function": "InitraceProbe", "event": null, "expect": "not-fired"}
]])

# No configuration of the person's who runs the test, and no hooks.
set(ENV{GIT_CONFIG_NOSYSTEM} 1)
set(ENV{GIT_CONFIG_GLOBAL} "${OUTPUT}/gitconfig")
file(WRITE "${OUTPUT}/gitconfig" "[user]\n\tname = test\n\temail = test@localhost\n[init]\n\tdefaultBranch = main\n")
foreach(variable IN ITEMS GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE)
  unset(ENV{${variable}})
endforeach()

function(git)
  execute_process(COMMAND "${GIT}" ${ARGN} WORKING_DIRECTORY "${OUTPUT}/repository" RESULT_VARIABLE code
                  OUTPUT_VARIABLE out ERROR_VARIABLE err)
  set(code ${code} PARENT_SCOPE)
  set(out "${out}" PARENT_SCOPE)
  set(err "${err}" PARENT_SCOPE)
endfunction()

macro(git_must)
  git(${ARGN})
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "git ${ARGN}: ${code}\n${out}${err}")
  endif()
endmacro()

git_must(init --quiet)
foreach(i RANGE 1 16)
  set(library "${LIBRARY}")
  set(rate 500)
  if(i IN_LIST untestable)
    set(library "${OUTPUT}/not-built")
  elseif(i GREATER_EQUAL first)
    set(rate 6000)
  endif()
  file(WRITE "${OUTPUT}/repository/arm" "library=${library},env=INITRACE_PLANTED_RATE=${rate},name=commit-${i}\n")
  git_must(add arm)
  git_must(commit --quiet --no-verify -m "Commit ${i}")
  git_must(tag "c${i}")
endforeach()

# What a person would write, with the words of this test.
list(REMOVE_ITEM COMMAND "") # no emulator
list(JOIN COMMAND "' '" program)
set(line "'${program}' bisect --step '${OUTPUT}/case' \"$(cat arm)\" --old-rate 0.05 --new-rate 0.6")
set(more "--alpha 0.0001 --beta 0.0001 --quiet --output '${OUTPUT}/step'")

git_must(bisect start c16 c1)
git(bisect run sh -c "${line} ${more}")
if(NOT code EQUAL 0 OR NOT out MATCHES "([0-9a-f]+) is the first bad commit")
  message(FATAL_ERROR "git bisect run: ${code}, and no first bad commit\n${out}${err}")
endif()
set(found "${CMAKE_MATCH_1}")
git_must(rev-parse "c${first}")
string(STRIP "${out}" wanted)
if(NOT found STREQUAL wanted)
  git(bisect log)
  message(FATAL_ERROR "git bisect run found ${found}, not commit ${first}, ${wanted}\n${out}")
endif()

git_must(bisect log)
if(NOT out MATCHES "git bisect skip")
  message(FATAL_ERROR "no commit was skipped\n${out}")
endif()

# A mistake in the words aborts it: no commit is marked by it.
git_must(bisect reset)
git_must(bisect start c16 c1)
git(bisect run sh -c "${line} --no-such-option")
if(code EQUAL 0)
  message(FATAL_ERROR "git bisect run took a mistaken command line for an answer\n${out}${err}")
endif()
git_must(bisect log)
string(REGEX MATCHALL "git bisect (good|bad|skip)" marks "${out}")
list(LENGTH marks count)
if(NOT count EQUAL 0)
  message(FATAL_ERROR "a mistaken command line marked commits\n${out}")
endif()
git_must(bisect reset)
