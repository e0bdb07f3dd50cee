// aborts(): checks that a call ends the program, for misuse that the code must refuse in every build.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace peer::test {

/// Calls `fn` in a forked child; true if the child aborted. `fn` must start no threads.
template <class F>
bool aborts(F fn) {
  std::fflush(nullptr);  // otherwise the child prints the buffered output again
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    fn();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace peer::test
