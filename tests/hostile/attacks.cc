// The attacks of the table in docs/security.md, one class each.
#include <algorithm>
#include <array>

#include "hostile/attack.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/messages.h"

namespace peer::hostile {

namespace {

constexpr std::uint64_t kHoleStep = 8192;  // a reassembly buffer allocates blocks of about this size
constexpr std::size_t kFrameRoom = 900;    // bytes of crafted frames in one packet

protocol::Hello hello_of(const PeerId& id, const std::vector<protocol::GameSummary>& games) {
  protocol::Hello hello;
  hello.id = id;
  hello.name = "hostile";
  hello.instance = "1";
  hello.addresses = {"127.0.0.1:9"};
  hello.revision = 1;
  hello.digest = protocol::library_digest(games);
  return hello;
}

Bytes message(const protocol::SessionMessage& m) { return data_frame(session_frame(protocol::encode(m))); }

std::optional<std::int64_t> open_session(RawClient& client) {
  const auto stream = client.open();
  if (stream) client.send(*stream, request_head("POST", "/v1/session"));
  return stream;
}

std::string repeated(std::string_view head, std::string_view item, std::size_t bytes, std::string_view tail) {
  std::string text(head);
  while (text.size() + item.size() + tail.size() < bytes) text += item;
  if (!item.empty() && item.back() == ',' && text.ends_with(',')) text.pop_back();
  text += tail;
  return text;
}

/// F1: session frames that are large, or costly to parse.
class LargeFrames final : public Attack {
 public:
  bool anonymous() const override { return false; }
  void ready(RawClient& client, const PeerId& id) override {
    id_ = id;
    for (const std::string_view item : {"{},", "[],", "\"\","}) {  // illegal kinds, before Hello
      if (const auto stream = open_session(client)) {
        client.send(*stream, data_frame(session_frame(repeated("[", item, 240'000, "]"))));
      }
    }
    begin(client);
  }
  void tick(RawClient& client, double) override {
    if (!session_) begin(client);
    if (session_ && client.queued() < 2 << 20)
      client.send(*session_, data_frame(session_frame(kinds()[next_++ % kinds().size()])));
  }
  void closed(RawClient&, std::int64_t stream) override {
    if (session_ == stream) session_.reset();
  }

 private:
  static const std::vector<std::string>& kinds() {
    constexpr std::size_t most = protocol::kMaxFrameBytes;
    static const std::vector<std::string> frames{
        repeated(R"({"type":"later","a":")", "s", most, "\"}"),
        repeated(R"({"type":"later","a":[)", "{},", 3 * 32'700, "]}"),
        repeated(R"({"type":"later","a":[)", "\"0123456789abcdefghijklmno\",", 28 * 32'700, "]}"),
        repeated(R"({"type":"later","a":[)", "[[[]]],", 7 * 10'900, "]}"),
    };
    return frames;
  }
  void begin(RawClient& client) {
    session_ = open_session(client);
    if (session_) client.send(*session_, message(hello_of(id_, {})));
  }
  PeerId id_;
  std::optional<std::int64_t> session_;
  std::size_t next_ = 0;
};

/// F2: 10,000 games, then updates that change nothing.
class EmptyUpdates final : public Attack {
 public:
  explicit EmptyUpdates(double rate) : rate_(rate) {
    for (std::size_t i = 0; i < protocol::kMaxGamesPerPeer; ++i) {
      protocol::GameSummary game;
      game.id = "game" + std::to_string(10'000 + i);
      game.size = i;
      game.files = 1;
      games_.push_back(std::move(game));
    }
    digest_ = protocol::library_digest(games_);
  }
  bool anonymous() const override { return false; }
  void ready(RawClient& client, const PeerId& id) override {
    id_ = id;
    begin(client);
  }
  void tick(RawClient& client, double seconds) override {
    if (!session_) {
      begin(client);
      began_ = seconds;
      sent_ = 0;
    }
    for (; session_ && static_cast<double>(sent_) < (seconds - began_) * rate_ && client.queued() < 256 << 10;
         ++sent_) {
      protocol::LibraryUpdate update;
      update.base = revision_;
      update.revision = ++revision_;
      update.digest = digest_;
      client.send(*session_, message(update));
    }
  }
  void closed(RawClient&, std::int64_t stream) override {
    if (session_ == stream) session_.reset();
  }

 private:
  void begin(RawClient& client) {
    session_ = open_session(client);
    if (!session_) return;
    revision_ = 1;
    client.send(*session_, message(hello_of(id_, games_)));
    for (std::size_t first = 0; first < games_.size(); first += protocol::kMaxGamesPerUpdate) {
      const std::size_t last = std::min(first + protocol::kMaxGamesPerUpdate, games_.size());
      protocol::LibraryUpdate part;
      part.base = first == 0 ? 0 : 1;
      part.revision = 1;
      part.digest = digest_;
      part.last = last == games_.size();
      part.games.assign(games_.begin() + static_cast<std::ptrdiff_t>(first),
                        games_.begin() + static_cast<std::ptrdiff_t>(last));
      client.send(*session_, message(part));
    }
  }
  const double rate_;
  std::vector<protocol::GameSummary> games_;
  Digest digest_;
  PeerId id_;
  std::optional<std::int64_t> session_;
  double began_ = 0;
  std::uint64_t revision_ = 1, sent_ = 0;
};

/// F3a: bytes with holes between them, so that a reassembly buffer holds what it can never deliver.
class Holes final : public Attack {
 public:
  void ready(RawClient& client, const PeerId&) override {
    carrier_ = client.open();
    if (!carrier_) return;
    // A frame of a reserved type, whose payload is ignored: packets that are sent again arrive there.
    Bytes head{0x21};
    put_varint(head, 1 << 29);
    client.send(*carrier_, head);
  }
  void tick(RawClient& client, double seconds) override {
    const ngtcp2_transport_params* params = client.server_params();
    if (params == nullptr || !carrier_ || begun_ || seconds < 0.1) return;  // no crafted packet during the handshake
    begun_ = true;
    const std::uint64_t window = params->initial_max_stream_data_bidi_remote;
    std::uint64_t left = params->initial_max_data - params->initial_max_data / 16;  // the rest is for HTTP/3's streams
    Bytes frames;
    for (std::uint64_t i = 1; i < params->initial_max_streams_bidi && left > 0; ++i) {
      const std::uint64_t end = std::min(window, left);
      for (std::uint64_t at = kHoleStep - 1; at < end; at += kHoleStep) {
        put_lone_byte(frames, static_cast<std::uint64_t>(*carrier_) + 4 * i, at);
        if (frames.size() < kFrameRoom) continue;
        client.send_frames(*carrier_, frames);
        frames.clear();
      }
      left -= end;
    }
    if (!frames.empty()) client.send_frames(*carrier_, frames);
  }

 private:
  std::optional<std::int64_t> carrier_;
  bool begun_ = false;
};

/// F3b: sessions that announce a long frame and send nothing of it.
class EmptyFrames final : public Attack {
 public:
  bool anonymous() const override { return false; }
  void ready(RawClient& client, const PeerId& id) override {
    id_ = id;
    fill(client);
  }
  void tick(RawClient& client, double) override { fill(client); }

 private:
  void fill(RawClient& client) {
    while (const auto stream = open_session(client)) {
      // The first session says Hello, and may announce more.
      Bytes bytes = said_ ? Bytes() : message(hello_of(id_, {}));
      const std::size_t length = said_ ? protocol::kMaxFrameBytesBeforeHello : protocol::kMaxFrameBytes;
      said_ = true;
      const Bytes head = data_frame(session_length(static_cast<std::uint32_t>(length)));
      bytes.insert(bytes.end(), head.begin(), head.end());
      client.send(*stream, bytes);
    }
  }
  PeerId id_;
  bool said_ = false;
};

/// F3c: library requests whose answers are never read.
class UnreadAnswers final : public Attack {
 public:
  bool anonymous() const override { return false; }
  std::uint64_t stream_window() const override { return 1; }
  bool reads() const override { return false; }
  void ready(RawClient& client, const PeerId& id) override {
    id_ = id;
    begin(client);
  }
  void tick(RawClient& client, double seconds) override {
    if (seconds < next_) return;
    next_ = seconds + 1.5;  // a session that has been silent for a second does not keep a newer one out
    begin(client);
  }

 private:
  void begin(RawClient& client) {
    const auto stream = open_session(client);
    if (!stream) return;
    client.send(*stream, message(hello_of(id_, {})));
    for (int i = 0; i < 16; ++i) client.send(*stream, message(protocol::LibraryRequest{}));
  }
  PeerId id_;
  double next_ = 1.5;
};

/// F4: requests whose responses are never read.
class PinnedResponses final : public Attack {
 public:
  explicit PinnedResponses(const AttackOptions& options) : options_(options) {}
  std::uint64_t stream_window() const override { return 1; }
  bool reads() const override { return false; }
  void ready(RawClient& client, const PeerId&) override { fill(client); }
  void tick(RawClient& client, double) override { fill(client); }
  void closed(RawClient&, std::int64_t) override { --open_; }

 private:
  void fill(RawClient& client) {
    while (open_ < options_.streams) {
      const auto stream = client.open();
      if (!stream) return;
      client.send(*stream, request_head("GET", options_.path), true);
      ++open_;
    }
  }
  const AttackOptions& options_;
  std::size_t open_ = 0;
};

/// F5: connections that do nothing but stay.
class Idle final : public Attack {
 public:
  void ready(RawClient&, const PeerId&) override {}
};

/// F8: requests for long documents. Each is abandoned at its first byte, so that the attacker need not read it.
class Documents final : public Attack {
 public:
  explicit Documents(const AttackOptions& options) : options_(options) {}
  std::uint64_t stream_window() const override { return 1024; }
  bool reads() const override { return false; }
  void ready(RawClient& client, const PeerId&) override { fill(client); }
  void tick(RawClient& client, double) override {
    for (const std::int64_t stream : answered_) client.reset(stream);
    answered_.clear();
    fill(client);
  }
  void data(RawClient&, std::int64_t stream) override { answered_.insert(stream); }
  void closed(RawClient&, std::int64_t stream) override {
    answered_.erase(stream);
    --open_;
  }

 private:
  void fill(RawClient& client) {
    while (open_ < options_.streams) {
      const auto stream = client.open();
      if (!stream) return;
      client.send(*stream, request_head("GET", next_++ % 2 == 0 ? "/v1/library" : options_.path), true);
      ++open_;
    }
  }
  const AttackOptions& options_;
  std::set<std::int64_t> answered_;
  std::size_t open_ = 0;
  std::uint64_t next_ = 0;
};

/// F10: requests that are reset as soon as they are sent.
class RapidReset final : public Attack {
 public:
  explicit RapidReset(const AttackOptions& options) : options_(options) {}
  void ready(RawClient& client, const PeerId&) override { fill(client); }
  void tick(RawClient& client, double) override {
    for (const std::int64_t stream : sent_) client.reset(stream);
    sent_.clear();
    fill(client);
  }
  void closed(RawClient&, std::int64_t stream) override { sent_.erase(stream); }

 private:
  void fill(RawClient& client) {
    for (std::size_t i = 0; i < options_.streams; ++i) {
      const auto stream = client.open();
      if (!stream) return;
      client.send(*stream, request_head("GET", options_.path), true);
      sent_.insert(*stream);
    }
  }
  const AttackOptions& options_;
  std::set<std::int64_t> sent_;
};

/// Sessions of as many identities as there are connections. Each says Hello and stays.
class Sessions final : public Attack {
 public:
  bool anonymous() const override { return false; }
  void ready(RawClient& client, const PeerId& id) override {
    if (const auto stream = open_session(client)) client.send(*stream, message(hello_of(id, {})));
  }
};

}  // namespace

std::unique_ptr<Attack> make_attack(const AttackOptions& options) {
  if (options.name == "F1") return std::make_unique<LargeFrames>();
  if (options.name == "F2") return std::make_unique<EmptyUpdates>(options.rate);
  if (options.name == "F3a") return std::make_unique<Holes>();
  if (options.name == "F3b") return std::make_unique<EmptyFrames>();
  if (options.name == "F3c") return std::make_unique<UnreadAnswers>();
  if (options.name == "F4") return std::make_unique<PinnedResponses>(options);
  if (options.name == "F5") return std::make_unique<Idle>();
  if (options.name == "F8") return std::make_unique<Documents>(options);
  if (options.name == "F10") return std::make_unique<RapidReset>(options);
  if (options.name == "ids") return std::make_unique<Sessions>();
  return nullptr;
}

}  // namespace peer::hostile
