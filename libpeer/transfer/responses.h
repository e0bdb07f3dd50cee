// HTTP responses with a body that is in memory: JSON documents, encoded manifests and errors.
// Loop: net.
#pragma once

#include <string>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/net/link.h"
#include "libpeer/protocol/http_status.h"
#include "libpeer/runtime/task.h"

namespace peer::transfer {

/// The value of a request's header field; empty if it is absent.
std::string_view request_field(const net::RequestHead& head, std::string_view name);

/// The status of an error that is found before a response begins.
protocol::HttpStatus status_of(const Error& error);

/// The error for a game that this peer does not offer.
Error not_offered(const std::string& game);

/// {"error":{"code","message"}}
net::SharedBytes error_body(const Error& error);

/// Sends a response with `body`; without it if the request is a HEAD. Cancel: throws Cancelled.
runtime::Task<void> send_body(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes body,
                              runtime::CancellationToken token);
/// Sends a JSON document.
runtime::Task<void> send_json(net::ServerStream& stream, std::string text, runtime::CancellationToken token);
/// Sends an error document.
runtime::Task<void> send_error(net::ServerStream& stream, protocol::HttpStatus status, Error error,
                               runtime::CancellationToken token);
/// Sends the error document of a refusal; a 405 names the methods that the path allows.
runtime::Task<void> send_refusal(net::ServerStream& stream, protocol::HttpRefusal refusal,
                                 runtime::CancellationToken token);

}  // namespace peer::transfer
