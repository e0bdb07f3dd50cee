#include "libpeer/access/gate.h"

#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/sleep.h"

namespace peer::access {

std::string_view to_string(AccessMode mode) noexcept {
  switch (mode) {
    case AccessMode::open: return "open";
    case AccessMode::party: return "party";
    case AccessMode::paired: return "paired";
  }
  return "open";
}

namespace {
constexpr runtime::Duration kProofTimeout = std::chrono::seconds(5);

std::optional<PartyProof> proof_in(const std::vector<net::Field>& fields) {
  for (const net::Field& field : fields) {
    if (field.name == protocol::kProofField) return PartyProof::from_hex(field.value);
  }
  return std::nullopt;
}

net::Field field_of(const PartyProof& proof) { return {std::string(protocol::kProofField), proof.hex()}; }
}  // namespace

Gate::Gate(runtime::Executor& executor, Access access, const PeerId& self)
    : executor_(executor), access_(std::move(access)), self_(self) {
  PEER_CHECK((access_.mode == AccessMode::party) == access_.secret.has_value());
}

bool Gate::admits(const net::ServerStream& stream) const {
  if (access_.mode == AccessMode::open || stream.peer() == self_) return true;
  if (access_.mode == AccessMode::paired) return stream.peer() && paired_.contains(*stream.peer());
  return stream.admitted();
}

runtime::Task<Result<void>> Gate::enter(net::Link& link, runtime::CancellationToken token) {
  if (access_.mode == AccessMode::open || link.peer() == self_) co_return Result<void>();
  if (!link.peer()) co_return fail(ErrorCode::refused, link.remote_address().to_string() + " presents no certificate");
  if (access_.mode == AccessMode::party) co_return co_await prove(link, token);
  if (paired_.contains(*link.peer())) co_return Result<void>();
  co_return fail(ErrorCode::refused, "it is not paired here: 'peerctl pair " + link.peer()->brief() + "' admits it");
}

/// The side that dialed proves first, so that a stranger does not receive a proof.
runtime::Task<Result<void>> Gate::prove(net::Link& link, runtime::CancellationToken token) {
  const PeerId server = *link.peer();
  net::RequestHead head;
  head.method = "POST";
  head.path = protocol::format_route(protocol::ProofRoute{});
  head.fields.push_back(field_of(access_.secret->prove(Role::client, self_, server, link.channel_binding())));
  auto opened = co_await link.request(head, false, token);
  if (!opened) co_return std::unexpected(opened.error());
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  auto answer = [&stream](runtime::CancellationToken t) { return stream->response(std::move(t)); };
  const auto response = co_await runtime::with_timeout(executor_, kProofTimeout, std::move(answer), token);
  const std::string who = link.remote_address().to_string();
  if (!response) co_return fail(ErrorCode::unreachable, who + " did not answer the party proof within 5 s");
  if (!*response) co_return std::unexpected(response->error());
  const int status = (*response)->status;
  if (status == protocol::HttpStatus::unavailable)
    co_return fail(ErrorCode::unreachable, who + " accepts no requests at the moment");
  if (status != protocol::HttpStatus::ok) {
    co_return fail(ErrorCode::refused, who + " is not in this party: it rejected this peer's proof of the key");
  }
  const std::optional<PartyProof> proof = proof_in((*response)->fields);
  if (!proof || !access_.secret->accepts(*proof, Role::server, self_, server, link.channel_binding())) {
    co_return fail(ErrorCode::refused, who + " is not in this party: it did not prove that it knows the key");
  }
  co_return Result<void>();
}

bool Gate::serve_proof(net::ServerStream& stream) const {
  if (access_.mode != AccessMode::party || !stream.peer()) return false;
  const PeerId client = *stream.peer();
  const std::optional<PartyProof> proof = proof_in(stream.request().fields);
  if (!proof || !access_.secret->accepts(*proof, Role::client, client, self_, stream.channel_binding())) {
    return false;
  }
  stream.admit();
  net::ResponseHead head;
  head.fields.push_back(field_of(access_.secret->prove(Role::server, client, self_, stream.channel_binding())));
  static_cast<void>(stream.respond(head, false));  // a closed stream needs no answer
  return true;
}

runtime::Task<Result<std::unique_ptr<net::Link>>> GatedTransport::dial(net::SocketAddress address,
                                                                       std::optional<PeerId> expected,
                                                                       runtime::CancellationToken token) {
  auto link = co_await inner_.dial(address, expected, token);
  if (!link) co_return link;
  const Result<void> entered = co_await gate_.enter(**link, token);
  if (!entered) co_return std::unexpected(entered.error());
  co_return link;
}

}  // namespace peer::access
