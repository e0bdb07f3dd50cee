#include "libpeer/net/http3_session.h"

#include <new>
#include <utility>

#include "libpeer/net/connection.h"
#include "libpeer/net/http3_fields.h"
#include "libpeer/net/limits.h"

namespace peer::net {

struct Http3Session::Http3Callbacks {
  static Http3Session& self(void* user) { return *static_cast<Http3Session*>(user); }
  static Http3Stream* stream(void* user) { return static_cast<Http3Stream*>(user); }

  static int acked(nghttp3_conn*, std::int64_t, std::uint64_t bytes, void*, void* user) {
    if (user != nullptr) stream(user)->outgoing().acknowledge(bytes);
    return 0;
  }

  static int data(nghttp3_conn*, std::int64_t id, const std::uint8_t* bytes, std::size_t size, void* http3,
                  void* user) {
    if (user != nullptr && stream(user)->held()) {
      stream(user)->incoming().append({bytes, size});
    } else {
      self(http3).connection_.discard(id, size);
    }
    return 0;
  }

  static int begin_headers(nghttp3_conn* h3, std::int64_t id, void* http3, void* user) {
    Http3Session& me = self(http3);
    if (me.server_) {
      auto created = std::make_shared<Http3Stream>(&me.connection_, id, false);
      nghttp3_conn_set_stream_user_data(h3, id, created.get());
      me.streams_.emplace(id, std::move(created));
    } else if (user != nullptr) {
      stream(user)->answer = {};
    }
    return 0;
  }

  static int header(nghttp3_conn*, std::int64_t id, std::int32_t token, nghttp3_rcbuf* name, nghttp3_rcbuf* value,
                    std::uint8_t, void* http3, void* user) {
    if (user == nullptr) return 0;
    Http3Session& me = self(http3);
    Http3Stream& s = *stream(user);
    const ReceivedField field{token, view(name), view(value)};
    const bool fitted = s.header_bytes <= limits::kHeaderBytes;
    s.header_bytes += field.size();
    if (s.header_bytes > limits::kHeaderBytes) {
      if (fitted) {
        s.fail_reading({ErrorCode::invalid, "the peer sent a header section that is too large"});
        me.reset_later(id, true, true, NGHTTP3_H3_EXCESSIVE_LOAD);
      }
      return 0;
    }
    if (me.server_) {
      store_field(s.request, field);
    } else {
      store_field(s.answer, field);
    }
    return 0;
  }

  static int end_headers(nghttp3_conn*, std::int64_t id, int, void* http3, void* user) {
    if (user == nullptr) return 0;
    Http3Session& me = self(http3);
    Http3Stream& s = *stream(user);
    if (s.header_bytes > limits::kHeaderBytes) return 0;
    if (me.server_) {
      const std::shared_ptr<Http3Stream>& arrived = me.streams_.at(id);
      if (!me.connection_.request_arrived(arrived)) me.reset_later(id, true, true, NGHTTP3_H3_REQUEST_REJECTED);
    } else if (s.answer.status >= 200) {
      s.head_arrived();
    }
    return 0;
  }

  static int end_stream(nghttp3_conn*, std::int64_t, void*, void* user) {
    if (user != nullptr) stream(user)->incoming().end();
    return 0;
  }

  static int stop_sending(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* http3, void* user) {
    if (user != nullptr) stream(user)->fail_reading(stream_error(code));
    self(http3).reset_later(id, true, false, code);
    return 0;
  }

  static int reset_stream(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* http3, void* user) {
    if (user != nullptr) stream(user)->outgoing().fail(stream_error(code));
    self(http3).reset_later(id, false, true, code);
    return 0;
  }

  static nghttp3_ssize read(nghttp3_conn*, std::int64_t, nghttp3_vec* vectors, std::size_t count, std::uint32_t* flags,
                            void*, void* user) {
    if (user == nullptr) return NGHTTP3_ERR_CALLBACK_FAILURE;
    Http3Stream& s = *stream(user);
    const std::size_t n = s.outgoing().hand_out(vectors, count);
    if (s.outgoing().all_handed_out() && s.outgoing().finished()) {
      *flags |= NGHTTP3_DATA_FLAG_EOF;
    } else if (n == 0) {
      return NGHTTP3_ERR_WOULDBLOCK;
    }
    return static_cast<nghttp3_ssize>(n);
  }
};

Http3Session::Http3Session(Connection& connection, bool server) : connection_(connection), server_(server) {
  nghttp3_callbacks callbacks{};
  callbacks.acked_stream_data = &Http3Callbacks::acked;
  callbacks.recv_data = &Http3Callbacks::data;
  callbacks.begin_headers = &Http3Callbacks::begin_headers;
  callbacks.recv_header = &Http3Callbacks::header;
  callbacks.end_headers = &Http3Callbacks::end_headers;
  callbacks.end_stream = &Http3Callbacks::end_stream;
  callbacks.stop_sending = &Http3Callbacks::stop_sending;
  callbacks.reset_stream = &Http3Callbacks::reset_stream;
  nghttp3_settings settings;
  nghttp3_settings_default(&settings);
  settings.max_field_section_size = limits::kHeaderBytes;
  settings.qpack_max_dtable_capacity = 0;
  settings.qpack_encoder_max_dtable_capacity = 0;
  settings.qpack_blocked_streams = 0;
  const int result = server ? nghttp3_conn_server_new(&h3_, &callbacks, &settings, nullptr, this)
                            : nghttp3_conn_client_new(&h3_, &callbacks, &settings, nullptr, this);
  if (result != 0) throw std::bad_alloc();
  if (server) nghttp3_conn_set_max_client_streams_bidi(h3_, limits::kStreams);
}

Http3Session::~Http3Session() { nghttp3_conn_del(h3_); }

bool Http3Session::open(ngtcp2_conn* quic) {
  std::int64_t control = 0;
  std::int64_t encoder = 0;
  std::int64_t decoder = 0;
  return ngtcp2_conn_open_uni_stream(quic, &control, nullptr) == 0 &&
         nghttp3_conn_bind_control_stream(h3_, control) == 0 &&
         ngtcp2_conn_open_uni_stream(quic, &encoder, nullptr) == 0 &&
         ngtcp2_conn_open_uni_stream(quic, &decoder, nullptr) == 0 &&
         nghttp3_conn_bind_qpack_streams(h3_, encoder, decoder) == 0;
}

int Http3Session::fail(nghttp3_ssize code) {
  const int error = static_cast<int>(code);
  connection_.close_http(nghttp3_err_infer_quic_app_error_code(error),
                         {ErrorCode::invalid, std::string("the peer violated HTTP/3: ") + nghttp3_strerror(error)});
  return NGTCP2_ERR_CALLBACK_FAILURE;
}

Http3Stream* Http3Session::find(std::int64_t id) const {
  const auto at = streams_.find(id);
  return at == streams_.end() ? nullptr : at->second.get();
}

int Http3Session::receive(ngtcp2_conn* quic, std::int64_t id, std::span<const std::uint8_t> data, bool fin) {
  const nghttp3_ssize used =
      nghttp3_conn_read_stream2(h3_, id, data.data(), data.size(), fin ? 1 : 0, ngtcp2_conn_get_timestamp(quic));
  if (used < 0) return fail(used);
  ngtcp2_conn_extend_max_stream_offset(quic, id, static_cast<std::uint64_t>(used));
  ngtcp2_conn_extend_max_offset(quic, static_cast<std::uint64_t>(used));
  return 0;
}

int Http3Session::acknowledged(std::int64_t id, std::uint64_t bytes) {
  const int result = nghttp3_conn_add_ack_offset(h3_, id, bytes);
  return result == 0 ? 0 : fail(result);
}

int Http3Session::closed(ngtcp2_conn* quic, std::int64_t id, bool has_code, std::uint64_t code) {
  const int result = nghttp3_conn_close_stream(h3_, id, has_code ? code : NGHTTP3_H3_NO_ERROR);
  if (result != 0 && result != NGHTTP3_ERR_STREAM_NOT_FOUND) return fail(result);
  const bool remote = ngtcp2_conn_is_local_stream(quic, id) == 0;
  if (ngtcp2_is_bidi_stream(id) == 0) {
    if (remote) ngtcp2_conn_extend_max_streams_uni(quic, 1);
    return 0;
  }
  Http3Stream* stream = find(id);
  if (stream == nullptr) {
    if (remote) ngtcp2_conn_extend_max_streams_bidi(quic, 1);
    return 0;
  }
  stream->closed(has_code ? stream_error(code)
                          : Error{ErrorCode::unreachable, "the stream ended before it was complete"});
  if (has_code) note_cancel(stream);
  if (has_code && stream->stop) stop_handler_later(streams_.at(id));
  if (!stream->held()) forget(quic, *stream);
  return 0;
}

int Http3Session::reset(std::int64_t id, std::uint64_t code) {
  const int result = nghttp3_conn_shutdown_stream_read(h3_, id);
  if (result != 0) return fail(result);
  if (ngtcp2_is_bidi_stream(id) != 0) note_cancel(find(id));
  if (Http3Stream* stream = find(id)) {
    stream->fail_reading(stream_error(code));
    if (stream->stop) stop_handler_later(streams_.at(id));
  }
  return 0;
}

int Http3Session::unblocked(std::int64_t id) {
  const int result = nghttp3_conn_unblock_stream(h3_, id);
  return result == 0 ? 0 : fail(result);
}

void Http3Session::streams_allowed(std::uint64_t total) { nghttp3_conn_set_max_client_streams_bidi(h3_, total); }

void Http3Session::writing_stopped(std::int64_t id) {
  nghttp3_conn_shutdown_stream_write(h3_, id);
  if (Http3Stream* stream = find(id)) {
    stream->outgoing().fail({ErrorCode::refused, "the peer stopped reading this stream"});
    if (stream->stop) stop_handler_later(streams_.at(id));
  }
}

Result<std::shared_ptr<Http3Stream>> Http3Session::request(ngtcp2_conn* quic, const RequestHead& head, bool has_body,
                                                           const std::string& authority) {
  std::int64_t id = 0;
  if (ngtcp2_conn_open_bidi_stream(quic, &id, nullptr) != 0) {
    return peer::fail(ErrorCode::busy, "the peer accepts no more concurrent requests");
  }
  const FieldSection fields(head, authority);
  auto stream = std::make_shared<Http3Stream>(&connection_, id, true);
  stream->has_body = has_body;
  if (!has_body) stream->finish();
  const nghttp3_data_reader reader{&Http3Callbacks::read};
  const int result =
      nghttp3_conn_submit_request(h3_, id, fields.data(), fields.size(), has_body ? &reader : nullptr, stream.get());
  if (result != 0) {
    ngtcp2_conn_shutdown_stream(quic, 0, id, NGHTTP3_H3_REQUEST_CANCELLED);
    return peer::fail(ErrorCode::refused, "the peer accepts no further requests on this connection");
  }
  streams_.emplace(id, stream);
  return stream;
}

Result<void> Http3Session::respond(Http3Stream& stream, const ResponseHead& head) {
  const FieldSection fields(head);
  const nghttp3_data_reader reader{&Http3Callbacks::read};
  const int result =
      nghttp3_conn_submit_response(h3_, stream.id(), fields.data(), fields.size(), stream.has_body ? &reader : nullptr);
  if (result != 0)
    return peer::fail(ErrorCode::unreachable, std::string("cannot send the response: ") + nghttp3_strerror(result));
  return {};
}

void Http3Session::resume(Http3Stream& stream) { nghttp3_conn_resume_stream(h3_, stream.id()); }

void Http3Session::shut(ngtcp2_conn* quic, std::int64_t id, bool reading, bool writing, std::uint64_t code) {
  if (Http3Stream* stream = find(id)) stream->settled = true;
  if (writing) {
    nghttp3_conn_shutdown_stream_write(h3_, id);
    ngtcp2_conn_shutdown_stream_write(quic, 0, id, code);
  }
  if (reading) {
    nghttp3_conn_shutdown_stream_read(h3_, id);
    ngtcp2_conn_shutdown_stream_read(quic, 0, id, code);
  }
}

void Http3Session::forget(ngtcp2_conn* quic, Http3Stream& stream) {
  const bool local = stream.local();
  streams_.erase(stream.id());
  if (!local) ngtcp2_conn_extend_max_streams_bidi(quic, 1);
}

void Http3Session::refuse_more() { nghttp3_conn_shutdown(h3_); }

void Http3Session::reset_later(std::int64_t id, bool reading, bool writing, std::uint64_t code) {
  deferred_.push_back(
      [this, id, reading, writing, code](ngtcp2_conn* quic) { shut(quic, id, reading, writing, code); });
}

void Http3Session::note_cancel(Http3Stream* stream) {
  if (!server_ || (stream != nullptr && std::exchange(stream->settled, true))) return;
  deferred_.push_back([this](ngtcp2_conn*) { connection_.request_cancelled(); });
}

void Http3Session::stop_handler_later(const std::shared_ptr<Http3Stream>& stream) {
  deferred_.push_back([stream](ngtcp2_conn*) { stream->stop->request(); });
}

void Http3Session::run_deferred(ngtcp2_conn* quic) {
  while (!deferred_.empty()) {
    std::vector<std::move_only_function<void(ngtcp2_conn*)>> work = std::exchange(deferred_, {});
    for (auto& call : work) call(quic);
  }
}

}  // namespace peer::net
