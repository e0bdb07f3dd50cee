#include "libpeer/node/metrics.h"

#include <charconv>
#include <map>
#include <utility>

namespace peer::node {

namespace {

std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

/// A label value as it is written between quotes.
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

/// Writes one family after the other, each with its samples.
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
  std::string text() && { return std::move(text_); }

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

void put_downloads(Exposition& out, const std::vector<api::DownloadInfo>& downloads, const Counters& counters) {
  out.family("downloads", "gauge", "Downloads that have not ended, by state.");
  std::map<std::string_view, std::size_t> states{{"queued", 0}, {"downloading", 0}, {"verifying", 0}, {"paused", 0}};
  std::map<PeerId, std::uint64_t> received = counters.received;
  double rate = 0;
  for (const api::DownloadInfo& download : downloads) {
    const auto state = states.find(to_string(download.state));
    if (state == states.end()) continue;
    ++state->second;
    rate += download.rate;
    for (const api::SourceBytes& source : download.sources) received[source.id] += source.bytes;
  }
  for (const auto& [state, count] : states) out.sample("state", state, static_cast<double>(count));
  out.family("downloads_ended_total", "counter", "Downloads that ended, by outcome.");
  for (const char* outcome : {"finished", "failed", "cancelled", "peers_gone"}) {
    const auto found = counters.downloads.find(outcome);
    out.sample("outcome", outcome, found == counters.downloads.end() ? 0 : static_cast<double>(found->second));
  }
  out.gauge("download_bytes_per_second", "Chunk payload received per second, over the last seconds.", rate);
  out.family("received_bytes_total", "counter", "Chunk payload received, by peer; waste included.");
  for (const auto& [peer, bytes] : received) out.sample("peer_id", peer.hex(), static_cast<double>(bytes));
}

void put_seeder(Exposition& out, const transfer::SeederStats& seeder) {
  out.family("sent_bytes_total", "counter", "Chunk and file payload sent, by peer; without an id: to HTTP/3 clients.");
  std::uint64_t others = seeder.bytes_sent;
  for (const auto& [peer, bytes] : seeder.sent_to) {
    out.sample("peer_id", peer.hex(), static_cast<double>(bytes));
    others -= bytes;
  }
  out.sample("peer_id", "", static_cast<double>(others));
}

}  // namespace

std::string metrics_text(const MetricsSample& sample) {
  const api::Status& status = sample.status;
  const Counters& counters = sample.counters;
  Exposition out;
  out.family("info", "gauge", "This peer: its name and id.");
  out.sample("peer_id", status.peer_id.hex(), 1);
  out.gauge("uptime_seconds", "Time since the start.", status.uptime_s);
  out.gauge("peers_connected", "Peers with a session.", static_cast<double>(status.peers));
  out.gauge("games_offered", "Games offered to peers.", static_cast<double>(status.games));
  put_services(out, status.services);
  put_downloads(out, sample.downloads, counters);
  put_seeder(out, sample.network.seeder);
  out.family("wrong_chunks_total", "counter", "Chunks received with a wrong hash, by peer.");
  for (const auto& [peer, count] : counters.wrong_chunks) {
    out.sample("peer_id", peer.hex(), static_cast<double>(count));
  }
  out.counter("requests_served_total", "Requests answered for content.", sample.network.seeder.requests);

  out.counter("hashed_bytes_total", "File content read for hashing.", sample.hashed_bytes);
  out.counter("verify_bytes_total", "File content read by verify.", counters.verified);
  out.counter("verify_damaged_files_total", "Files that verify found damaged.", counters.damaged);
  out.counter("peers_banned_total", "Peers banned.", counters.banned);
  out.counter("peers_lost_total", "Connected peers that timed out.", counters.lost);
  out.family("limit_bytes_per_second", "gauge", "The limits on chunk payload; 0: none.");
  out.sample("direction", "up", static_cast<double>(sample.limits.up));
  out.sample("direction", "down", static_cast<double>(sample.limits.down));
  put_socket(out, sample.network.socket);
  out.gauge("loop_delay_seconds", "Time that a message to the net loop and back took just now.", sample.loop_delay_s);
  return std::move(out).text();
}

runtime::Task<Result<std::string>> Metrics::measure() const {
  const runtime::TimePoint asked = executor_.now();
  MetricsSample sample;
  sample.network = co_await net_.stats();
  sample.loop_delay_s = std::chrono::duration<double>(executor_.now() - asked).count();
  sample.status = status_.get();
  sample.downloads = downloads_.list();
  sample.counters = events_.counters();
  sample.limits = net_.limits();
  sample.hashed_bytes = library_.bytes_read();
  co_return metrics_text(sample);
}

}  // namespace peer::node
