// What peerctl takes. Help, manual and completions are made from what stands here.
#include <CLI/CLI.hpp>
#include <array>

#include "ctl/arguments/arguments.h"

namespace peer::ctl {
namespace {

constexpr const char* kGame = "its name, as in 'peerctl games'";
constexpr const char* kDownload = "its name, as in 'peerctl downloads'";
constexpr const char* kPeer = "a unique name, or beginning of a peer id, as in 'peerctl peers'";

class Commands {
 public:
  Commands(CLI::App& app, Typed& typed) : app_(app), typed_(typed), arguments_(typed.arguments) {}

  void add() {
    add_looking();
    add_library();
    add_downloads();
    add_network();
    add_watching();
    add_rest();
  }

 private:
  /// `examples`: command lines, one a line, each followed by two blanks and what it does.
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

  void add_looking() {
    group_ = "Games";
    CLI::App* games = command("games", "the games here and on the network");
    CLI::Option* local = games->add_flag("--local", arguments_.local, "only those that are here");
    games->add_flag("--remote", arguments_.remote, "only those that others have")->excludes(local);
    CLI::App* show = subject(command("show", "one game with its files"), "GAME", kGame);
    option(show, "--version", arguments_.version, "V", "of this version: 8 digits or more");
  }

  void add_downloads() {
    group_ = "Downloads";
    CLI::App* download = command("download", "download a game and wait for its end",
                                 "  peerctl download supertux              with progress; Ctrl-C detaches\n"
                                 "  peerctl download supertux --dry-run    bytes, space and time, and nothing begun\n"
                                 "  peerctl download supertux --wait 2h    also if nobody has it yet\n"
                                 "  peerctl --json download supertux       a line a change, for scripts");
    subject(download, "GAME", kGame);
    option(download, "--version", arguments_.version, "V", "this version: 8 digits or more");
    list(download, "--from", arguments_.from, "PEER",
         "only from this peer (repeatable); refused if it is no source of a download under way");
    option(download, "--wait", typed_.wait, "DURATION",
           "wait this long for a peer that has it, and for peers to come back: 30s, 5m, 2h; the longest holds");
    download->add_flag("--detach", arguments_.detach, "begin it, and do not wait");
    download->add_flag("--dry-run", arguments_.dry_run, "say what it would take, and begin nothing");
    command("downloads", "the downloads");
    subject(command("pause", "hold a download where it is, until resume"), "GAME", kDownload);
    subject(command("resume", "let a paused download go on, or begin one again that failed or lost its peers"), "GAME",
            kDownload);
    subject(command("cancel", "end a download, if it has not ended itself, and delete what it has received"), "GAME",
            kDownload);
    CLI::App* move = subject(command("move", "change a download's place in the queue"), "GAME", kDownload);
    move->add_option("POSITION", arguments_.position, "1 is the next")
        ->required()
        ->type_name("")
        ->check(CLI::Range(1, 1'000'000'000).description(""));
  }

  void add_library() {
    group_ = "Games";
    subject(command("remove", "delete a game, or what a download of it has received"), "GAME", kGame);
    CLI::App* verify = command("verify", "compare an installed game with its hashes; exit 1 if it is damaged",
                               "  peerctl verify supertux --repair       fetches what is damaged\n"
                               "  peerctl verify supertux --rate 50M     leaves the disk to others");
    subject(verify, "GAME", kGame);
    verify->add_flag("--repair", arguments_.repair, "fetch what is damaged from the peers");
    option(verify, "--rate", typed_.rate, "RATE", "read so many bytes a second at most: 50M");
    CLI::App* rescan = subject(command("rescan", "look at the library, or one game, anew"), "GAME", kGame, false);
    rescan->add_flag("--publish", arguments_.publish, "offer the game as it is now, although it was downloaded");
  }

  void add_network() {
    group_ = "Peers";
    command("peers", "the peers known");
    subject(command("connect", "connect to a peer, and stay so until the daemon ends",
                    "  peerctl connect 192.168.1.20\n"
                    "  peerctl connect den.local:24747"),
            "HOST", "HOST[:PORT]: a name or an address");
    subject(command("disconnect", "say goodbye to a peer, and undo connect",
                    "  peerctl disconnect den.local:24747     also one that never answered"),
            "PEER", kPeer);
    subject(command("pair", "let a peer in where access.mode is \"paired\"; the other side has to do the same",
                    "  peerctl peers                          lists who is there: its PEER ID will do\n"
                    "  peerctl pair 5f2c81d0a7b3"),
            "PEER", kPeer);
    subject(command("unpair", "let a peer in no more"), "PEER", kPeer);
    subject(command("ban", "deal with a peer no more"), "PEER", kPeer);
    subject(command("unban", "lift a ban"), "PEER", kPeer);
    CLI::App* limit = command("limit", "show or change the limits on the network",
                              "  peerctl limit                          what they are\n"
                              "  peerctl limit --down 20M --up 0        20 MB a second in, no limit out");
    option(limit, "--up", typed_.up, "RATE", "bytes a second to the peers; K, M, G; 0: none");
    option(limit, "--down", typed_.down, "RATE", "bytes a second from the peers");
  }

  void add_watching() {
    group_ = "Watching";
    command("status", "how the daemon is");
    CLI::App* events = command("events", "events, one JSON object a line, until interrupted",
                               "  peerctl events --only PeerConnected --only PeerLost");
    option(events, "--since", arguments_.since, "SEQ", "also the kept ones after this number");
    list(events, "--only", arguments_.only, "NAME", "only these (repeatable)");
    command("top", "downloads, peers, rates and services, on the whole terminal; q quits");
    command("metrics", "figures for Prometheus, in its text format");
    command("doctor", "look at everything that has to be right; exit 1 if something is wrong");
  }

  void add_rest() {
    group_ = "Others";
    CLI::App* call = command("call", "call a method of the control socket",
                             "  peerctl call rpc.discover              all methods, as an OpenRPC document\n"
                             "  peerctl call games.show '{\"game\":\"supertux\"}'");
    subject(call, "METHOD", "its name");
    call->add_option("PARAMS", arguments_.params, "a JSON object or array")->type_name("");
    command("shutdown", "stop the daemon");
    subject(command("help", "how a command is used"), "COMMAND", "a command", false);
    // For the shells' completions: names, one a line; nothing at all if no daemon answers.
    subject(command("complete", "names for the shell"), "KIND", "of what")->group("");
  }

  CLI::App& app_;
  const char* group_ = "";  ///< of the commands that are added next
  Typed& typed_;
  Arguments& arguments_;
};

std::string footer() {
  std::string text = "Exit codes:\n";
  for (const ExitMeaning& each : exit_meanings()) {
    const std::string code = std::to_string(each.code);
    text += "  " + code + std::string(5 - code.size(), ' ') + std::string(each.meaning) + "\n";
  }
  return text + "\n'peerctl help COMMAND' tells more about one. PEERD_SOCKET names the socket, as --socket does.";
}

}  // namespace

const std::vector<ExitMeaning>& exit_meanings() {
  static const std::vector<ExitMeaning> all{{0, "done"},
                                            {1, "failed, or verify found damage, or doctor something wrong"},
                                            {2, "wrong usage"},
                                            {3, "no daemon at the socket, or it stopped while we waited"},
                                            {4, "no such game, or no peer has it"},
                                            {5, "all peers with the game went away"},
                                            {6, "cancelled"},
                                            {7, "refused by the other side"},
                                            {8, "not enough disk space"},
                                            {130, "interrupted; a download goes on in the daemon"}};
  return all;
}

std::unique_ptr<CLI::App> make_app(Typed& typed) {
  auto app = std::make_unique<CLI::App>("Talks to the peerd on this machine.", "peerctl");
  app->get_formatter()->label("REQUIRED", "");
  app->get_formatter()->label("Positionals", "Arguments");
  app->get_formatter()->label("SUBCOMMAND", "COMMAND");
  app->set_help_flag("-h,--help", "this help");
  app->add_option("--socket", typed.arguments.socket, "the daemon's control socket")->type_name("PATH");
  app->add_flag("--json", typed.arguments.json, "one JSON document on stdout");
  app->add_flag("--quiet", typed.arguments.quiet, "only results and errors");
  app->require_subcommand(1);
  app->fallthrough();
  Commands(*app, typed).add();
  app->footer(footer());  // after the commands, which would inherit it
  return app;
}

std::string_view completed_by(std::string_view command, std::string_view argument) {
  struct Row {
    std::string_view command, argument, by;
  };
  // The first that fits; an empty command is any.
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
