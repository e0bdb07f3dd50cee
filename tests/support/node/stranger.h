// Stranger: an endpoint without a peer. It sends any request to peers, with or without a certificate, and answers their
// requests as the test specifies.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "libpeer/net/endpoint.h"
#include "support/node/seeded_identity.h"
#include "support/node/sim_peer.h"
#include "support/run_task.h"

namespace peer::test {

class Stranger {
 public:
  struct Answer {
    int status = 0;  ///< 0: no answer
    std::vector<net::Field> fields;
    std::string body;
    std::string field(std::string_view name) const {
      for (const net::Field& each : fields) {
        if (each.name == name) return each.value;
      }
      return {};
    }
  };

  Stranger(SimWorld& world, const std::string& ip, bool certificate = true)
      : address(ip + ":24747"),
        world_(world),
        identity_(seeded_identity(std::hash<std::string>{}(ip))),
        random_(seeded_random(std::hash<std::string>{}(ip))),
        net_(world.executor, "stranger " + ip, runtime::CancellationToken()),
        endpoint_(net_, world.network.bind(*net::SocketAddress::parse(address)),
                  options_of(identity_, *random_, certificate)) {
    net_.spawn("endpoint", endpoint_.run(endpoint_stop_.token()));
  }
  ~Stranger() {
    links_.clear();
    serving_stop_.request();
    world_.run_until([this] { return !serving_; }, std::chrono::seconds(10));
    endpoint_stop_.request();
    run_sync(world_.executor, net_.join());
  }

  const PeerId& id() const noexcept { return identity_.id(); }

  /// The link stays open until the stranger is destroyed or the other side closes it.
  net::Link& dial(const std::string& target) {
    auto link = run_sync(world_.executor, endpoint_.dial(*net::SocketAddress::parse(target), std::nullopt,
                                                         runtime::CancellationToken()));
    REQUIRE(link.has_value());
    links_.push_back(std::move(*link));
    return *links_.back();
  }

  Answer ask(net::Link& link, const std::string& method, const std::string& path, std::vector<net::Field> fields = {}) {
    return run_sync(world_.executor, ask_and_read(link, net::RequestHead{method, path, std::move(fields)}));
  }

  /// Answers every request from now on with what `answer` returns.
  void serve(std::function<net::ResponseHead(const net::ServerStream&)> answer) {
    answer_ = std::move(answer);
    serving_ = true;
    net_.spawn("serve", serve_all());
  }

  const std::string address;

 private:
  static net::EndpointOptions options_of(const net::Identity& identity, Random& random, bool certificate) {
    net::EndpointOptions options(identity, &random);
    options.present_certificate = certificate;
    return options;
  }
  static runtime::Task<Answer> ask_and_read(net::Link& link, net::RequestHead head) {
    const runtime::CancellationToken never;
    Answer answer;
    auto opened = co_await link.request(head, false, never);
    if (!opened) co_return answer;
    const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
    const auto response = co_await stream->response(never);
    if (!response) co_return answer;
    answer.status = response->status;
    answer.fields = response->fields;
    std::vector<std::uint8_t> body(1 << 20);
    const auto read = co_await stream->reader().read(body, never);
    if (read) answer.body.assign(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(*read));
    co_return answer;
  }
  runtime::Task<void> serve_all() {
    net::RequestHandler handler = [this](net::ServerStream& stream, runtime::CancellationToken) {
      return reply(*this, stream);
    };
    co_await endpoint_.serve(std::move(handler), serving_stop_.token());
    serving_ = false;
  }
  static runtime::Task<void> reply(Stranger& self, net::ServerStream& stream) {
    static_cast<void>(stream.respond(self.answer_(stream), false));
    co_return;
  }

  SimWorld& world_;
  net::Identity identity_;
  std::unique_ptr<Random> random_;
  runtime::CancellationSource endpoint_stop_;
  runtime::CancellationSource serving_stop_;
  runtime::Scope net_;
  net::Endpoint endpoint_;
  std::vector<std::unique_ptr<net::Link>> links_;
  std::function<net::ResponseHead(const net::ServerStream&)> answer_;
  bool serving_ = false;
};

}  // namespace peer::test
