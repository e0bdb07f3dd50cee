// hostile: attacks a peer on this machine or its network, for tests and benchmarks only.
//
//   hostile ATTACK ADDRESS [--option=VALUE...]
//
// ATTACK is F1 F2 F3a F3b F3c F4 F5 F6 F8 F10 flood or ids; docs/security.md describes them. Prints one JSON object
// when the attack is in place, and one at the end.
#include <poll.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "hostile/attack.h"

using namespace peer;
using namespace peer::hostile;

namespace {

volatile std::sig_atomic_t stopped = 0;

double seconds_now() { return static_cast<double>(now()) / 1e9; }

struct Slot {
  std::unique_ptr<net::TlsContext> tls;
  PeerId id;
  std::unique_ptr<Attack> attack;
  std::unique_ptr<RawClient> client;
  double ready_at = 0, retry_at = 0;
};

class Runner {
 public:
  Runner(const AttackOptions& options, Random& random)
      : options_(options), random_(random), slots_(options.connections) {}

  void run() {
    const double begin = seconds_now();
    double last = begin;
    while (stopped == 0 && seconds_now() - begin < options_.seconds) {
      const double at = seconds_now();
      std::size_t ready = 0;
      for (std::size_t i = 0; i < slots_.size(); ++i) {
        step(slots_[i], i, at);
        ready += slots_[i].client && slots_[i].client->ready() ? 1 : 0;
      }
      most_ready_ = std::max(most_ready_, ready);
      if (!placed_ && (ready == slots_.size() || at - begin > 3)) {
        placed_ = true;
        std::printf("{\"event\":\"placed\",\"ready\":%zu}\n", ready);
        std::fflush(stdout);
      }
      ready_ = ready;
      wait(at);
      last = at;
    }
    seconds_ = last - begin;
    for (const Slot& slot : slots_) {
      if (!slot.client) continue;
      sent_ += slot.client->sent;
      received_ += slot.client->received;
    }
  }

  void print() const {
    std::printf(
        "{\"event\":\"end\",\"attack\":\"%s\",\"seconds\":%.1f,\"opened\":%zu,\"failed\":%zu,\"closed_by_server\":%zu,"
        "\"ready\":%zu,\"most_ready\":%zu,\"streams_closed\":%zu,\"sent\":%llu,\"received\":%llu,\"error\":\"%s\"}\n",
        options_.name.c_str(), seconds_, opened_, failed_, lost_, ready_, most_ready_, streams_closed_,
        static_cast<unsigned long long>(sent_), static_cast<unsigned long long>(received_), error_.c_str());
  }

 private:
  void step(Slot& slot, std::size_t index, double at) {
    if (!slot.client) {
      if (at < slot.retry_at) return;
      open(slot, index);
    }
    RawClient& client = *slot.client;
    const bool was_ready = slot.ready_at > 0;
    client.receive();
    if (client.ready() && !was_ready) {
      slot.ready_at = at;
      slot.attack->ready(client, slot.id);
    } else if (was_ready && !client.dead()) {
      slot.attack->tick(client, at - slot.ready_at);
    }
    client.turn();
    if (!client.dead()) return;
    (slot.ready_at > 0 ? lost_ : failed_) += 1;
    error_ = client.error();
    for (char& c : error_) {
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') c = '?';
    }
    sent_ += client.sent;
    received_ += client.received;
    slot.client.reset();
    slot.retry_at = at + 0.2;
  }

  void open(Slot& slot, std::size_t index) {
    slot.attack = make_attack(options_);
    if (!slot.tls) {
      auto identity = net::Identity::generate();
      if (!identity) std::abort();
      slot.id = identity->id();
      slot.tls = std::make_unique<net::TlsContext>(*identity, !slot.attack->anonymous());
    }
    ClientOptions client;
    client.target = options_.target;
    client.stream_window = slot.attack->stream_window();
    client.reads = slot.attack->reads();
    if (options_.sources > 0) {
      const std::size_t n = index % options_.sources;
      client.source =
          *net::SocketAddress::parse("127.1." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 1) + ":0");
    }
    slot.client = std::make_unique<RawClient>(client, *slot.tls, random_);
    slot.ready_at = 0;
    Attack* attack = slot.attack.get();
    RawClient* raw = slot.client.get();
    raw->on_data = [attack, raw](std::int64_t stream) { attack->data(*raw, stream); };
    raw->on_closed = [this, attack, raw](std::int64_t stream) {
      ++streams_closed_;
      attack->closed(*raw, stream);
    };
    ++opened_;
  }

  void wait(double at) {
    std::vector<pollfd> polls;
    double until = at + 0.01;
    for (const Slot& slot : slots_) {
      if (!slot.client) continue;
      polls.push_back({slot.client->descriptor(), POLLIN, 0});
      until = std::min(until, static_cast<double>(slot.client->expiry()) / 1e9);
    }
    const double pause = std::max(0.001, until - seconds_now());
    poll(polls.data(), polls.size(), static_cast<int>(pause * 1000));
  }

  const AttackOptions& options_;
  Random& random_;
  std::vector<Slot> slots_;
  bool placed_ = false;
  double seconds_ = 0;
  std::string error_;
  std::size_t opened_ = 0, failed_ = 0, lost_ = 0, ready_ = 0, most_ready_ = 0, streams_closed_ = 0;
  std::uint64_t sent_ = 0, received_ = 0;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: hostile F1|F2|F3a|F3b|F3c|F4|F5|F6|F8|F10|flood|ids ADDRESS [--connections=N] [--sources=N] "
      "[--seconds=N]\n"
      "               [--rate=N] [--streams=N] [--path=PATH] [--game=ID] [--version=HEX] [--size=BYTES]\n",
      stderr);
  std::exit(2);
}

void set(AttackOptions& options, std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (!argument.starts_with("--") || equals == std::string_view::npos) usage();
  const std::string_view name = argument.substr(2, equals - 2);
  const std::string value(argument.substr(equals + 1));
  const auto number = [&] { return std::strtod(value.c_str(), nullptr); };
  if (name == "connections")
    options.connections = static_cast<std::size_t>(number());
  else if (name == "sources")
    options.sources = static_cast<std::size_t>(number());
  else if (name == "seconds")
    options.seconds = number();
  else if (name == "rate")
    options.rate = number();
  else if (name == "streams")
    options.streams = static_cast<std::size_t>(number());
  else if (name == "path")
    options.path = value;
  else if (name == "game")
    options.game = value;
  else if (name == "version")
    options.version = value;
  else if (name == "size")
    options.size = static_cast<std::uint64_t>(number());
  else
    usage();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) usage();
  AttackOptions options;
  options.name = argv[1];
  const auto target = net::SocketAddress::parse(argv[2]);
  if (!target) usage();
  options.target = *target;
  for (int i = 3; i < argc; ++i) set(options, argv[i]);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const auto random = system_random();
  const bool flood = options.name == "flood";
  if (flood || options.name == "F6") {
    std::printf("{\"event\":\"placed\"}\n");
    std::fflush(stdout);
    const std::size_t count = flood ? flood_handshakes(options, *random) : lure_downloads(options, *random);
    std::printf("{\"event\":\"end\",\"attack\":\"%s\",\"count\":%zu}\n", options.name.c_str(), count);
    return 0;
  }
  if (!make_attack(options)) usage();
  const auto stop = [](int) { stopped = 1; };
  std::signal(SIGTERM, stop);
  std::signal(SIGINT, stop);
  Runner runner(options, *random);
  runner.run();
  runner.print();
}
