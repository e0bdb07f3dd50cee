// The commands and options of peerctl. Help, manual page and completions are generated from these definitions.
#include <CLI/CLI.hpp>
#include <array>

#include "ctl/arguments/arguments.h"

namespace peer::ctl {
namespace {

constexpr const char* kGame = "name of a game, as in 'peerctl games'";
constexpr const char* kDownload = "name of a game, as in 'peerctl downloads'";
constexpr const char* kPeer = "name, or beginning of the id, of one peer, as in 'peerctl peers'";

class CommandDefinitions {
 public:
  CommandDefinitions(CLI::App& app, TypedArguments& typed) : app_(app), typed_(typed), arguments_(typed.arguments) {}

  void add() {
    add_games();
    add_library();
    add_downloads();
    add_network();
    add_monitoring();
    add_other();
  }

 private:
  /// `examples`: one command line per line, each followed by at least two spaces and its explanation.
  CLI::App* command(const char* name, const char* help, const char* examples = nullptr) {
    CLI::App* sub = app_.add_subcommand(name, help)->group(group_);
    if (examples != nullptr) sub->footer(std::string("Examples:\n") + examples);
    return sub;
  }
  CLI::App* subject(CLI::App* sub, const char* what, const char* help, bool required = true) {
    sub->add_option(what, arguments_.subject, help)->required(required)->type_name("");
    return sub;
  }
  static CLI::Option* option(CLI::App* sub, const char* flag, auto& into, const char* type, const char* help) {
    return sub->add_option(flag, into, help)->type_name(type);
  }
  static void list(CLI::App* sub, const char* flag, std::vector<std::string>& into, const char* type,
                   const char* help) {
    sub->add_option(flag, into, help)->type_name(type)->allow_extra_args(false);
  }

  void add_games() {
    group_ = "Games";
    CLI::App* games = command("games", "list the games on this machine and on the network");
    CLI::Option* local = games->add_flag("--local", arguments_.games.local, "only games on this machine");
    games->add_flag("--remote", arguments_.games.remote, "only games that other peers have")->excludes(local);
    CLI::App* show = subject(command("show", "show one game and its files"), "GAME", kGame);
    option(show, "--version", arguments_.version, "V", "version to show: at least 8 digits");
  }

  void add_downloads() {
    group_ = "Downloads";
    CLI::App* download =
        command("download", "download a game, and wait until it is complete",
                "  peerctl download supertux              shows progress; Ctrl-C detaches\n"
                "  peerctl download supertux --dry-run    prints bytes, space and time; starts nothing\n"
                "  peerctl download supertux --wait 2h    waits even if no peer has it yet\n"
                "  peerctl --json download supertux       one line per change, for scripts");
    subject(download, "GAME", kGame);
    option(download, "--version", arguments_.version, "V", "version to download: at least 8 digits");
    list(download, "--from", arguments_.download.from, "PEER",
         "only from this peer (repeatable); a running download of the game must already use it");
    option(
        download, "--wait", typed_.wait, "DURATION",
        "wait this long for a peer with the game, and for peers to come back: 30s, 5m, 2h; the longest --wait counts");
    download->add_flag("--detach", arguments_.download.detach, "start the download and return");
    download->add_flag("--dry-run", arguments_.download.dry_run,
                       "print the bytes, space and time it would need, and start nothing");
    command("downloads", "list the downloads");
    subject(command("pause", "pause a download until it is resumed"), "GAME", kDownload);
    subject(command("resume", "continue a paused download, or restart one that failed or lost its peers"), "GAME",
            kDownload);
    subject(command("cancel", "end a download, and delete what it has received"), "GAME", kDownload);
    CLI::App* move = subject(command("move", "change a download's position in the queue"), "GAME", kDownload);
    move->add_option("POSITION", arguments_.position, "new position; 1 is the front")
        ->required()
        ->type_name("")
        ->check(CLI::Range(1, 1'000'000'000).description(""));
  }

  void add_library() {
    group_ = "Games";
    subject(command("remove", "delete a game, or what an unfinished download of it has received"), "GAME", kGame);
    CLI::App* verify = command("verify", "check an installed game against its hashes; exit 1 if it is damaged",
                               "  peerctl verify supertux --repair       also fetches damaged files again\n"
                               "  peerctl verify supertux --rate 50M     limits the load on the disk");
    subject(verify, "GAME", kGame);
    verify->add_flag("--repair", arguments_.verify.repair, "fetch damaged files from the peers");
    option(verify, "--rate", typed_.rate, "RATE", "read at most this many bytes per second: 50M");
    CLI::App* rescan = subject(command("rescan", "scan the library, or one game, again"), "GAME", kGame, false);
    rescan->add_flag("--publish", arguments_.publish, "offer the game's current files as a new version");
  }

  void add_network() {
    group_ = "Peers";
    command("peers", "list the known peers");
    subject(command("connect", "connect to a peer, and keep the connection until the daemon stops",
                    "  peerctl connect 192.168.1.20\n"
                    "  peerctl connect den.local:24747"),
            "HOST", "host name or address, as HOST[:PORT]");
    subject(command("disconnect", "disconnect from a peer; undoes connect",
                    "  peerctl disconnect den.local:24747     also works if it never answered"),
            "PEER", kPeer);
    subject(command("pair", "allow a peer if access.mode is \"paired\"; the other side must do the same",
                    "  peerctl peers                          shows the PEER ID to use\n"
                    "  peerctl pair 5f2c81d0a7b3"),
            "PEER", kPeer);
    subject(command("unpair", "stop allowing a paired peer"), "PEER", kPeer);
    subject(command("ban", "block a peer"), "PEER", kPeer);
    subject(command("unban", "unblock a banned peer"), "PEER", kPeer);
    CLI::App* limit = command("limit", "show or change the network rate limits",
                              "  peerctl limit                          shows the limits\n"
                              "  peerctl limit --down 20M --up 0        at most 20 MB per second in, no limit out");
    option(limit, "--up", typed_.up, "RATE", "bytes per second to the peers; K, M, G; 0: no limit");
    option(limit, "--down", typed_.down, "RATE", "bytes per second from the peers");
  }

  void add_monitoring() {
    group_ = "Monitoring";
    command("status", "show the daemon's state");
    CLI::App* events = command("events", "print events, one JSON object per line, until interrupted",
                               "  peerctl events --only PeerConnected --only PeerLost");
    option(events, "--since", arguments_.events.since, "SEQ", "also print stored events after this number");
    list(events, "--only", arguments_.events.only, "NAME", "only this event (repeatable)");
    command("top", "show downloads, peers, rates and services on the whole terminal; q quits");
    command("metrics", "print metrics in Prometheus text format");
    command("doctor", "check configuration, network, disk and peers; exit 1 if something is wrong");
  }

  void add_other() {
    group_ = "Other";
    CLI::App* call = command("call", "call a method of the control socket",
                             "  peerctl call rpc.discover              lists all methods, as an OpenRPC document\n"
                             "  peerctl call games.show '{\"game\":\"supertux\"}'");
    subject(call, "METHOD", "name of the method");
    call->add_option("PARAMS", arguments_.params, "parameters, as a JSON object or array")->type_name("");
    command("shutdown", "stop the daemon");
    subject(command("help", "show how a command is used"), "COMMAND", "a command", false);
    // Hidden; shell completion calls it. See complete.cc.
    subject(command("complete", "print names for shell completion"), "KIND", "kind of names")->group("");
  }

  CLI::App& app_;
  const char* group_ = "";  ///< the help's heading for the commands that are added next
  TypedArguments& typed_;
  Arguments& arguments_;
};

std::string footer() {
  std::string text = "Exit codes:\n";
  for (const ExitMeaning& each : exit_meanings()) {
    const std::string code = std::to_string(each.code);
    text += "  " + code + std::string(5 - code.size(), ' ') + std::string(each.meaning) + "\n";
  }
  return text + "\n'peerctl help COMMAND' explains a command. PEERD_SOCKET names the socket if --socket does not.";
}

}  // namespace

const std::vector<ExitMeaning>& exit_meanings() {
  static const std::vector<ExitMeaning> all{{0, "done"},
                                            {1, "failed, or verify found damage, or doctor found a problem"},
                                            {2, "usage error"},
                                            {3, "no daemon at the socket, or it stopped while peerctl waited"},
                                            {4, "no such game, or no peer has it"},
                                            {5, "all peers with the game went away"},
                                            {6, "cancelled"},
                                            {7, "refused by the other side"},
                                            {8, "not enough disk space"},
                                            {130, "interrupted; a download continues in the daemon"}};
  return all;
}

std::unique_ptr<CLI::App> make_app(TypedArguments& typed) {
  auto app = std::make_unique<CLI::App>("Controls the peerd on this machine.", "peerctl");
  app->get_formatter()->label("REQUIRED", "");
  app->get_formatter()->label("Positionals", "Arguments");
  app->get_formatter()->label("SUBCOMMAND", "COMMAND");
  app->set_help_flag("-h,--help", "show this help");
  app->add_option("--socket", typed.arguments.socket, "control socket of the daemon")->type_name("PATH");
  app->add_flag("--json", typed.arguments.json, "print one JSON document on stdout");
  app->add_flag("--quiet", typed.arguments.quiet, "print only results and errors");
  app->require_subcommand(1);
  app->fallthrough();
  CommandDefinitions(*app, typed).add();
  app->footer(footer());  // after the commands were added: each new command inherits the footer
  return app;
}

std::string_view completed_by(std::string_view command, std::string_view argument) {
  struct Row {
    std::string_view command, argument, by;
  };
  // The first matching row counts; an empty command matches every command.
  static constexpr std::array<Row, 14> kRows{{{"download", "GAME", "remote-games"},
                                              {"verify", "GAME", "local-games"},
                                              {"remove", "GAME", "local-games"},
                                              {"rescan", "GAME", "local-games"},
                                              {"pause", "GAME", "downloads"},
                                              {"resume", "GAME", "downloads"},
                                              {"cancel", "GAME", "downloads"},
                                              {"move", "GAME", "downloads"},
                                              {"", "GAME", "games"},
                                              {"", "PEER", "peers"},
                                              {"help", "COMMAND", "commands"},
                                              {"", "METHOD", "methods"},
                                              {"events", "NAME", "events"},
                                              {"", "PATH", "file"}}};
  for (const Row& row : kRows) {
    if ((row.command.empty() || row.command == command) && row.argument == argument) return row.by;
  }
  return {};
}

}  // namespace peer::ctl
