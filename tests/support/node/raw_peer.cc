#include "support/node/raw_peer.h"

#include "support/node/seeded_identity.h"
#include "support/run_task.h"

namespace peer::test {

namespace {
net::EndpointOptions options_of(const net::Identity& identity, Random& random) {
  net::EndpointOptions options(identity, &random);
  return options;
}
std::uint64_t seed_of(const std::string& ip) { return std::hash<std::string>{}(ip); }
}  // namespace

RawPeer::RawPeer(SimWorld& world, const std::string& ip, const std::string& target, const std::string& who)
    : world_(world),
      identity_(seeded_identity(seed_of(who.empty() ? ip : who))),
      random_(seeded_random(seed_of(ip))),
      tasks_(world.executor, "raw " + ip, stop_.token()),
      endpoint_task_(world.executor, "raw endpoint " + ip, endpoint_stop_.token()),
      net_(world.executor, "raw net " + ip, runtime::CancellationToken()),
      endpoint_(net_, world.network.bind(*net::SocketAddress::parse(ip + ":24747")), options_of(identity_, *random_)),
      reports_(world.executor, 4096) {
  endpoint_task_.spawn("endpoint", endpoint_.run(endpoint_task_.token()));
  tasks_.spawn("session", run_session(*net::SocketAddress::parse(target)));
  tasks_.spawn("collect", collect());
}

RawPeer::~RawPeer() {
  tasks_.request_stop();
  run_sync(world_.executor, tasks_.join());
  endpoint_task_.request_stop();
  run_sync(world_.executor, endpoint_task_.join());
  run_sync(world_.executor, net_.join());
}

runtime::Task<void> RawPeer::run_session(net::SocketAddress target) {
  sessions::SessionContext context(&net_, reports_.sender());
  co_await sessions::dial_session(context, &endpoint_, target, std::nullopt, 1, tasks_.token());
  over_ = true;
}

runtime::Task<void> RawPeer::collect() {
  for (;;) {
    auto report = co_await reports_.receive(tasks_.token());
    if (!report) co_return;
    if (auto* opened = std::get_if<sessions::SessionOpened>(&*report)) {
      out_ = std::move(opened->out);
    } else if (auto* got = std::get_if<sessions::SessionReceived>(&*report)) {
      received.push_back(std::move(got->message));
    }
  }
}

bool RawPeer::open() {
  return world_.run_until([this] { return out_.has_value(); }, std::chrono::seconds(10));
}

protocol::Hello RawPeer::hello() const {
  protocol::Hello hello;
  hello.id = identity_.id();
  hello.name = "raw";
  hello.instance = "1";
  hello.revision = 1;
  hello.digest = protocol::library_digest({});
  return hello;
}

}  // namespace peer::test
