// peerd: shares games on the local network.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "daemon/daemon.h"
#include "daemon/logging.h"
#include "daemon/service/activation.h"
#include "daemon/signals.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/defer.h"

namespace {

using namespace peer;
using namespace peer::daemon;

constexpr int kUsage = 2;

int complain(const std::string& message) {
  std::fprintf(stderr, "peerd: %s\n", protocol::printable(message).c_str());
  return kUsage;
}

int run(int argc, char** argv) {
  const auto arguments = parse_arguments(argc, argv, PEERD_VERSION);
  if (!arguments) return complain(arguments.error().message);
  if (arguments->print) {
    std::fputs(arguments->print->c_str(), stdout);
    return 0;
  }

  const Places places = Places::from_environment();
  DaemonOptions options;
  options.arguments = *arguments;
  options.version = PEERD_VERSION;
  options.state = std::filesystem::absolute(arguments->state.value_or(places.state())).lexically_normal().string();
  options.socket = arguments->socket.value_or(places.socket());
  options.config_file = arguments->config_file.value_or(places.config_file());
  auto config = effective_config(options.config_file, *arguments);
  if (!config) return complain(config.error().message);
  options.config = std::move(*config);
  if (auto good = check_config(options.config); !good) {
    const bool is_there = ::access(options.config_file.c_str(), F_OK) == 0;
    return complain(good.error().message + (is_there ? " (" : " (there is no ") + options.config_file + ")");
  }
  if (arguments->check_only) {
    std::printf("peerd: the configuration is good\n");
    return 0;
  }

  const ProgramLog program_log = start_log(arguments->log_level);
  const runtime::Defer flush([&program_log] { program_log.flush(); });
  options.log = Log(program_log.sink, "peerd");
  options.flush_log = program_log.flush;
  auto passed = receive_passed_socket(arguments->socket, options.log);
  if (!passed) return complain(passed.error().message);
  if (*passed) {
    options.socket = (*passed)->path;
    options.passed_socket = (*passed)->fd;
  }
  block_signals();
  const auto code = run_daemon(options);
  if (!code) program_log.flush();  // the error comes last
  return code ? *code : complain(code.error().message);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peerd: %s\n", error.what());
    return 1;
  }
}
