#include "arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/units.h"

namespace peer::ctl {
namespace {

/// As they were typed.
struct Rates {
  std::string up, down, rate;
};

void add_commands(CLI::App& app, Arguments& arguments, std::string& wait, Rates& rates) {
  const auto command = [&](const char* name, const char* help) { return app.add_subcommand(name, help); };
  const auto subject = [&](CLI::App* sub, const char* what, bool required, const char* help = "") {
    sub->add_option(what, arguments.subject, help)->required(required);  // CLI11 takes no punctuation in `what`
  };
  const auto list = [](CLI::App* sub, const char* flag, std::vector<std::string>& into, const char* type,
                       const char* help) {
    sub->add_option(flag, into, help)->type_name(type)->allow_extra_args(false);
  };

  command("status", "how the daemon is");
  CLI::App* games = command("games", "the games here and on the network");
  CLI::Option* local = games->add_flag("--local", arguments.local, "only those that are here");
  games->add_flag("--remote", arguments.remote, "only those that others have")->excludes(local);
  CLI::App* show = command("show", "one game with its files");
  subject(show, "GAME", true);
  show->add_option("--version", arguments.version, "of this version: 8 digits or more")->type_name("V");
  command("peers", "the peers known");
  subject(command("connect", "connect to a peer, and stay so until the daemon ends"), "HOST", true,
          "HOST[:PORT]: a name or an address");
  subject(command("disconnect", "say goodbye to a peer"), "PEER", true);

  CLI::App* download = command("download", "download a game and wait for its end");
  subject(download, "GAME", true);
  download->add_option("--version", arguments.version, "this version: 8 digits or more")->type_name("V");
  list(download, "--from", arguments.from, "PEER", "only from this peer (repeatable)");
  download->add_option("--wait", wait, "wait this long for a peer that has it: 30s, 5m, 2h")->type_name("DURATION");
  download->add_flag("--detach", arguments.detach, "begin it, and do not wait");
  download->add_flag("--dry-run", arguments.dry_run, "say what it would take, and begin nothing");
  command("downloads", "the downloads");
  subject(command("pause", "hold a download where it is, until resume"), "GAME", true);
  subject(command("resume", "let a paused download go on"), "GAME", true);
  subject(command("cancel", "end a download and delete what it has received"), "GAME", true);
  CLI::App* move = command("move", "change a download's place in the queue");
  subject(move, "GAME", true);
  move->add_option("POSITION", arguments.position, "1: next")->required()->check(CLI::Range(1, 1'000'000'000));
  subject(command("remove", "delete a game, or what a download of it has received"), "GAME", true);
  CLI::App* verify = command("verify", "compare an installed game with its hashes; exit 1 if it is damaged");
  subject(verify, "GAME", true);
  verify->add_flag("--repair", arguments.repair, "fetch what is damaged from the peers");
  verify->add_option("--rate", rates.rate, "read so many bytes a second at most: 50M")->type_name("RATE");
  CLI::App* limit = command("limit", "show or change the limits on the network");
  limit->add_option("--up", rates.up, "bytes a second to the peers; K, M, G; 0: none")->type_name("RATE");
  limit->add_option("--down", rates.down, "bytes a second from the peers")->type_name("RATE");
  subject(command("ban", "deal with a peer no more"), "PEER", true);
  subject(command("unban", "lift a ban"), "PEER", true);
  CLI::App* rescan = command("rescan", "look at the library, or one game, anew");
  subject(rescan, "GAME", false);
  rescan->add_flag("--publish", arguments.publish, "offer the game as it is now, although it was downloaded");

  CLI::App* events = command("events", "events, one JSON object a line, until interrupted");
  events->add_option("--since", arguments.since, "also the kept ones after this number")->type_name("SEQ");
  list(events, "--only", arguments.only, "NAME", "only these (repeatable)");
  command("metrics", "figures for Prometheus, in its text format");
  command("doctor", "look at everything that has to be right; exit 1 if something is wrong");
  CLI::App* call = command("call", "call a method of the control socket");
  subject(call, "METHOD", true);
  call->add_option("PARAMS", arguments.params, "a JSON object or array");
  command("shutdown", "stop the daemon");
}

int usage(std::string message) {
  std::ranges::replace(message, '\n', ' ');
  std::fprintf(stderr, "peerctl: %s (peerctl --help lists the commands)\n", message.c_str());
  return 2;
}

}  // namespace

std::expected<Arguments, int> parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  std::string wait;
  CLI::App app{"Talks to the peerd on this machine.", "peerctl"};
  app.set_version_flag("--version", "peerctl " PEERD_VERSION);
  app.add_option("--socket", arguments.socket, "the daemon's control socket")->type_name("PATH");
  app.add_flag("--json", arguments.json, "JSON on stdout");
  app.add_flag("--quiet", arguments.quiet, "only results and errors");
  app.require_subcommand(1);
  app.fallthrough();
  Rates rates;
  add_commands(app, arguments, wait, rates);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return std::unexpected(0);
  } catch (const CLI::CallForVersion&) {
    std::puts("peerctl " PEERD_VERSION);
    return std::unexpected(0);
  } catch (const CLI::RequiredError& error) {
    // What is no command is left over when the command is missed.
    const std::vector<std::string> rest = app.remaining();
    return std::unexpected(usage(rest.empty() ? error.what() : "there is no command " + rest.front()));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(usage(error.what()));
  }
  arguments.command = app.get_subcommands().front()->get_name();
  if (!wait.empty()) {
    const auto duration = parse_duration(wait);
    if (!duration) return std::unexpected(usage("--wait takes a time like 30s, 5m or 2h, not " + wait));
    arguments.wait_s = std::chrono::duration<double>(*duration).count();
  }
  for (const auto& [text, into] : {std::pair(&rates.up, &arguments.up), std::pair(&rates.down, &arguments.down),
                                   std::pair(&rates.rate, &arguments.rate)}) {
    if (text->empty()) continue;
    *into = parse_size(*text);
    if (!*into)
      return std::unexpected(usage("a rate is a number of bytes a second like 500K, 20M or 1G, not " + *text));
  }
  return arguments;
}

}  // namespace peer::ctl
