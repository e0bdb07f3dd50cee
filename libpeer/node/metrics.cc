// What a running peer tells Prometheus, in its text format.
#include <charconv>
#include <utility>

#include "libpeer/node/runtime_state.h"

namespace peer::node {

namespace {

std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

/// As a label's value is written between quotes.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

/// One family after the other; a family's samples stand together.
class Exposition {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = std::string("peerd_") + name;
    text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  void sample(double value) { text_ += name_ + " " + number(value) + "\n"; }
  void sample(const char* label, std::string_view of, double value) {
    text_ += name_ + "{" + label + "=\"" + escaped(of) + "\"} " + number(value) + "\n";
  }
  void gauge(const char* name, const char* help, double value) {
    family(name, "gauge", help);
    sample(value);
  }
  void counter(const char* name, const char* help, std::uint64_t value) {
    family(name, "counter", help);
    sample(static_cast<double>(value));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

void put_services(Exposition& out, const std::vector<api::ServiceStatus>& services) {
  out.family("service_up", "gauge", "1 while the service runs.");
  for (const api::ServiceStatus& each : services) out.sample("service", each.name, each.state == "running" ? 1 : 0);
  out.family("service_restarts_total", "counter", "Restarts of a service after it failed.");
  for (const api::ServiceStatus& each : services) out.sample("service", each.name, static_cast<double>(each.restarts));
}

void put_socket(Exposition& out, const net::SocketStats& socket) {
  out.counter("udp_datagrams_received_total", "Datagrams received.", socket.datagrams_in);
  out.counter("udp_datagrams_sent_total", "Datagrams sent.", socket.datagrams_out);
  out.counter("udp_received_bytes_total", "UDP payload received.", socket.bytes_in);
  out.counter("udp_sent_bytes_total", "UDP payload sent.", socket.bytes_out);
  out.counter("udp_dropped_total", "Datagrams that the kernel dropped because the receive buffer was full.",
              socket.dropped_by_kernel);
}

}  // namespace

runtime::Task<NetStats> PeerMain::net_stats(runtime::CancellationToken token) {
  auto ask = [this](runtime::CancellationToken) {
    return [](NetSide& net) -> runtime::Task<NetStats> { co_return net.stats(); }(*net_side_);
  };
  co_return co_await runtime::call_on(*environment_.net, "statistics", std::move(ask), std::move(token));
}

/// Loop delays are measured while this is answered: what a posted message waits for.
runtime::Task<Result<std::string>> PeerMain::measure(api::GetMetrics, runtime::CancellationToken token) {
  const runtime::TimePoint asked = root_->executor().now();
  const NetStats network = co_await net_stats(token);
  const std::chrono::duration<double> hop = root_->executor().now() - asked;

  const api::Status now = status();
  const std::vector<api::DownloadInfo> list = downloads_->list();
  Exposition out;
  out.family("info", "gauge", "This peer: its name and id.");
  out.sample("peer_id", now.peer_id.hex(), 1);
  out.gauge("uptime_seconds", "Since the start.", now.uptime_s);
  out.gauge("peers_connected", "Peers with a session.", static_cast<double>(now.peers));
  out.gauge("games_offered", "Games that others can download here.", static_cast<double>(now.games));
  put_services(out, now.services);

  out.family("downloads", "gauge", "Downloads that are not over, by state.");
  std::map<std::string_view, std::size_t> states{{"queued", 0}, {"downloading", 0}, {"verifying", 0}, {"paused", 0}};
  std::map<PeerId, std::uint64_t> received = counters_.received;
  double rate = 0;
  for (const api::DownloadInfo& download : list) {
    const auto state = states.find(to_string(download.state));
    if (state == states.end()) continue;
    ++state->second;
    rate += download.rate;
    for (const api::DownloadSource& source : download.sources) received[source.id] += source.bytes;
  }
  for (const auto& [state, count] : states) out.sample("state", state, static_cast<double>(count));
  out.family("downloads_ended_total", "counter", "Downloads that ended, by outcome.");
  for (const char* outcome : {"finished", "failed", "cancelled", "peers_gone"}) {
    const auto found = counters_.downloads.find(outcome);
    out.sample("outcome", outcome, found == counters_.downloads.end() ? 0 : static_cast<double>(found->second));
  }
  out.gauge("download_bytes_per_second", "Chunk payload coming in, over the last seconds.", rate);
  out.family("received_bytes_total", "counter", "Chunk payload received, by peer; waste included.");
  for (const auto& [peer, bytes] : received) out.sample("peer_id", peer.hex(), static_cast<double>(bytes));
  out.family("sent_bytes_total", "counter",
             "Chunk and file payload sent, by peer; without an id: to clients of HTTP/3.");
  std::uint64_t others = network.seeder.bytes_sent;
  for (const auto& [peer, bytes] : network.seeder.sent_to) {
    out.sample("peer_id", peer.hex(), static_cast<double>(bytes));
    others -= bytes;
  }
  out.sample("peer_id", "", static_cast<double>(others));
  out.family("wrong_chunks_total", "counter", "Chunks received that were not what their hash says, by peer.");
  for (const auto& [peer, count] : counters_.wrong_chunks)
    out.sample("peer_id", peer.hex(), static_cast<double>(count));
  out.counter("requests_served_total", "Requests answered for content.", network.seeder.requests);

  out.counter("hashed_bytes_total", "File content read for hashing.", library_->bytes_read());
  out.counter("verify_bytes_total", "File content read by verify.", counters_.verified);
  out.counter("verify_damaged_files_total", "Files that verify found damaged.", counters_.damaged);
  out.counter("peers_banned_total", "Peers banned.", counters_.banned);
  out.counter("peers_lost_total", "Connected peers that fell silent.", counters_.lost);
  out.family("limit_bytes_per_second", "gauge", "The limits on chunk payload; 0: none.");
  out.sample("direction", "up", static_cast<double>(limits_.up));
  out.sample("direction", "down", static_cast<double>(limits_.down));
  put_socket(out, network.socket);
  out.gauge("loop_delay_seconds", "What a message to the net loop and back took just now.", hop.count());
  co_return out.take();
}

}  // namespace peer::node
