#include "libpeer/net/http3.h"

#include <charconv>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"
#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // as RFC 9114 counts

std::string_view view(nghttp3_rcbuf* buffer) {
  const nghttp3_vec bytes = nghttp3_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

nghttp3_nv field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<const std::uint8_t*>(name.data()), reinterpret_cast<const std::uint8_t*>(value.data()),
          name.size(), value.size(), NGHTTP3_NV_FLAG_NONE};
}

template <class T>
bool parse(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

Error stream_error(std::uint64_t code) {
  switch (code) {
    case NGHTTP3_H3_NO_ERROR:
    case NGHTTP3_H3_REQUEST_CANCELLED: return {ErrorCode::refused, "the peer gave the request up"};
    case NGHTTP3_H3_REQUEST_REJECTED: return {ErrorCode::refused, "the peer takes no requests now"};
    case NGHTTP3_H3_EXCESSIVE_LOAD: return {ErrorCode::refused, "the peer found the request too large"};
    case NGHTTP3_H3_MESSAGE_ERROR: return {ErrorCode::invalid, "the message broke HTTP's rules"};
    default: return {ErrorCode::refused, "the peer reset the stream (code " + std::to_string(code) + ")"};
  }
}

}  // namespace

struct Http3::Callbacks {
  static Http3& self(void* user) { return *static_cast<Http3*>(user); }
  static Stream* stream(void* user) { return static_cast<Stream*>(user); }

  static int acked(nghttp3_conn*, std::int64_t, std::uint64_t bytes, void*, void* user) {
    if (user != nullptr) stream(user)->acknowledged(bytes);
    return 0;
  }

  static int data(nghttp3_conn*, std::int64_t id, const std::uint8_t* bytes, std::size_t size, void* http3,
                  void* user) {
    if (user != nullptr && stream(user)->held()) {
      stream(user)->body_arrived({bytes, size});
    } else {
      self(http3).connection_.discard(id, size);
    }
    return 0;
  }

  static int begin_headers(nghttp3_conn* h3, std::int64_t id, void* http3, void* user) {
    Http3& me = self(http3);
    if (me.server_) {
      auto created = std::make_shared<Stream>(&me.connection_, id, false);
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
    Http3& me = self(http3);
    Stream& s = *stream(user);
    const std::string_view n = view(name);
    const std::string_view v = view(value);
    const bool fitted = s.header_bytes <= limits::kHeaderBytes;
    s.header_bytes += n.size() + v.size() + kFieldOverhead;
    if (s.header_bytes > limits::kHeaderBytes) {
      if (fitted) {
        s.read_failed({ErrorCode::invalid, "the peer sent too large a header"});
        me.connection_.reset_later(id, true, true, NGHTTP3_H3_EXCESSIVE_LOAD);
      }
      return 0;
    }
    if (me.server_) {
      switch (token) {
        case NGHTTP3_QPACK_TOKEN__METHOD: s.request.method = v; break;
        case NGHTTP3_QPACK_TOKEN__PATH: s.request.path = v; break;
        case NGHTTP3_QPACK_TOKEN__SCHEME:
        case NGHTTP3_QPACK_TOKEN__AUTHORITY: break;
        default: s.request.fields.push_back({std::string(n), std::string(v)});
      }
      return 0;
    }
    std::uint64_t length = 0;
    if (token == NGHTTP3_QPACK_TOKEN__STATUS) {
      if (!parse(v, s.answer.status)) s.answer.status = 0;
    } else if (token == NGHTTP3_QPACK_TOKEN_CONTENT_LENGTH && parse(v, length)) {
      s.answer.content_length = length;
    } else {
      s.answer.fields.push_back({std::string(n), std::string(v)});
    }
    return 0;
  }

  static int end_headers(nghttp3_conn*, std::int64_t id, int, void* http3, void* user) {
    if (user == nullptr) return 0;
    Http3& me = self(http3);
    Stream& s = *stream(user);
    if (s.header_bytes > limits::kHeaderBytes) return 0;
    if (me.server_) {
      me.connection_.request_arrived(me.streams_.at(id));
    } else if (s.answer.status >= 200) {
      s.head_arrived();
    }
    return 0;
  }

  static int end_stream(nghttp3_conn*, std::int64_t, void*, void* user) {
    if (user != nullptr) stream(user)->body_ended();
    return 0;
  }

  static int stop_sending(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* http3, void* user) {
    if (user != nullptr) stream(user)->read_failed(stream_error(code));
    self(http3).connection_.reset_later(id, true, false, code);
    return 0;
  }

  static int reset_stream(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* http3, void* user) {
    if (user != nullptr) stream(user)->write_failed(stream_error(code));
    self(http3).connection_.reset_later(id, false, true, code);
    return 0;
  }

  static nghttp3_ssize read(nghttp3_conn*, std::int64_t, nghttp3_vec* vectors, std::size_t count, std::uint32_t* flags,
                            void*, void* user) {
    if (user == nullptr) return NGHTTP3_ERR_CALLBACK_FAILURE;
    Stream& s = *stream(user);
    const std::size_t n = s.give(vectors, count);
    if (s.all_given() && s.finished()) {
      *flags |= NGHTTP3_DATA_FLAG_EOF;
    } else if (n == 0) {
      return NGHTTP3_ERR_WOULDBLOCK;
    }
    return static_cast<nghttp3_ssize>(n);
  }
};

Http3::Http3(Connection& connection, bool server) : connection_(connection), server_(server) {
  nghttp3_callbacks callbacks{};
  callbacks.acked_stream_data = &Callbacks::acked;
  callbacks.recv_data = &Callbacks::data;
  callbacks.begin_headers = &Callbacks::begin_headers;
  callbacks.recv_header = &Callbacks::header;
  callbacks.end_headers = &Callbacks::end_headers;
  callbacks.end_stream = &Callbacks::end_stream;
  callbacks.stop_sending = &Callbacks::stop_sending;
  callbacks.reset_stream = &Callbacks::reset_stream;
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

Http3::~Http3() { nghttp3_conn_del(h3_); }

bool Http3::open(ngtcp2_conn* quic) {
  std::int64_t control = 0;
  std::int64_t encoder = 0;
  std::int64_t decoder = 0;
  return ngtcp2_conn_open_uni_stream(quic, &control, nullptr) == 0 &&
         nghttp3_conn_bind_control_stream(h3_, control) == 0 &&
         ngtcp2_conn_open_uni_stream(quic, &encoder, nullptr) == 0 &&
         ngtcp2_conn_open_uni_stream(quic, &decoder, nullptr) == 0 &&
         nghttp3_conn_bind_qpack_streams(h3_, encoder, decoder) == 0;
}

int Http3::failed(nghttp3_ssize code) {
  const int error = static_cast<int>(code);
  connection_.close_http(nghttp3_err_infer_quic_app_error_code(error),
                         {ErrorCode::invalid, std::string("the peer broke HTTP/3: ") + nghttp3_strerror(error)});
  return NGTCP2_ERR_CALLBACK_FAILURE;
}

Stream* Http3::find(std::int64_t id) const {
  const auto at = streams_.find(id);
  return at == streams_.end() ? nullptr : at->second.get();
}

int Http3::receive(ngtcp2_conn* quic, std::int64_t id, std::span<const std::uint8_t> data, bool fin) {
  const nghttp3_ssize used =
      nghttp3_conn_read_stream2(h3_, id, data.data(), data.size(), fin ? 1 : 0, ngtcp2_conn_get_timestamp(quic));
  if (used < 0) return failed(used);
  ngtcp2_conn_extend_max_stream_offset(quic, id, static_cast<std::uint64_t>(used));
  ngtcp2_conn_extend_max_offset(quic, static_cast<std::uint64_t>(used));
  return 0;
}

int Http3::acknowledged(std::int64_t id, std::uint64_t bytes) {
  const int result = nghttp3_conn_add_ack_offset(h3_, id, bytes);
  return result == 0 ? 0 : failed(result);
}

int Http3::closed(ngtcp2_conn* quic, std::int64_t id, bool has_code, std::uint64_t code) {
  const int result = nghttp3_conn_close_stream(h3_, id, has_code ? code : NGHTTP3_H3_NO_ERROR);
  if (result != 0 && result != NGHTTP3_ERR_STREAM_NOT_FOUND) return failed(result);
  const bool remote = ngtcp2_conn_is_local_stream(quic, id) == 0;
  if (ngtcp2_is_bidi_stream(id) == 0) {
    if (remote) ngtcp2_conn_extend_max_streams_uni(quic, 1);
    return 0;
  }
  Stream* stream = find(id);
  if (stream == nullptr) {
    if (remote) ngtcp2_conn_extend_max_streams_bidi(quic, 1);
    return 0;
  }
  stream->closed(has_code ? stream_error(code) : Error{ErrorCode::unreachable, "the stream ended early"});
  if (has_code && stream->stop) connection_.stop_later(streams_.at(id));
  if (!stream->held()) forget(quic, *stream);
  return 0;
}

int Http3::reset(std::int64_t id, std::uint64_t code) {
  const int result = nghttp3_conn_shutdown_stream_read(h3_, id);
  if (result != 0) return failed(result);
  if (Stream* stream = find(id)) {
    stream->read_failed(stream_error(code));
    if (stream->stop) connection_.stop_later(streams_.at(id));
  }
  return 0;
}

int Http3::unblocked(std::int64_t id) {
  const int result = nghttp3_conn_unblock_stream(h3_, id);
  return result == 0 ? 0 : failed(result);
}

void Http3::streams_allowed(std::uint64_t total) { nghttp3_conn_set_max_client_streams_bidi(h3_, total); }

// What nghttp3 offers is spread over as many packets as it fills: asking again for each would cost as much as a packet.
int Http3::next_outgoing() {
  out_ = {};
  const nghttp3_ssize count = nghttp3_conn_writev_stream(h3_, &out_.id, &out_.fin, out_.vectors, kVectors);
  if (count < 0) return failed(count);
  out_.count = static_cast<std::size_t>(count);
  return 0;
}

int Http3::settle_outgoing() {
  const Outgoing over = std::exchange(out_, {});
  // An offset of nothing would tell nghttp3 that a mere end of the stream was taken.
  if (!over.accepted) return 0;
  const int result = nghttp3_conn_add_write_offset(h3_, over.id, over.taken);
  return result == 0 ? 0 : failed(result);
}

void Http3::Outgoing::take(std::size_t bytes) {
  accepted = true;
  taken += bytes;
  while (first < count && bytes >= vectors[first].len) bytes -= vectors[first++].len;
  if (bytes == 0) return;
  vectors[first].base += bytes;
  vectors[first].len -= bytes;
}

ngtcp2_ssize Http3::write(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                          std::size_t size, ngtcp2_tstamp now) {
  for (;;) {
    int result = 0;
    if (ngtcp2_conn_get_max_data_left(quic) == 0) {
      result = settle_outgoing();
    } else if (out_.id < 0) {
      result = next_outgoing();
    }
    if (result != 0) return result;
    const std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (out_.fin != 0 ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0U);
    ngtcp2_ssize taken = -1;
    const ngtcp2_ssize written = ngtcp2_conn_writev_stream(
        quic, path, info, out, size, &taken, flags, out_.id,
        reinterpret_cast<const ngtcp2_vec*>(out_.vectors + out_.first), out_.count - out_.first, now);
    if (written == NGTCP2_ERR_STREAM_DATA_BLOCKED || written == NGTCP2_ERR_STREAM_SHUT_WR ||
        written == NGTCP2_ERR_STREAM_NOT_FOUND) {
      const std::int64_t id = out_.id;
      if ((result = settle_outgoing()) != 0) return result;
      if (written == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
        nghttp3_conn_block_stream(h3_, id);
        continue;
      }
      nghttp3_conn_shutdown_stream_write(h3_, id);
      if (Stream* stream = find(id)) {
        stream->write_failed({ErrorCode::refused, "the peer wants no more of this stream"});
        if (stream->stop) connection_.stop_later(streams_.at(id));
      }
      continue;
    }
    if (taken >= 0 && (written >= 0 || written == NGTCP2_ERR_WRITE_MORE)) {
      out_.take(static_cast<std::size_t>(taken));
      if (out_.first == out_.count && (result = settle_outgoing()) != 0) return result;
    }
    if (written == NGTCP2_ERR_WRITE_MORE) continue;
    return written;
  }
}

int Http3::end_burst() { return settle_outgoing(); }

Result<std::shared_ptr<Stream>> Http3::request(ngtcp2_conn* quic, const RequestHead& head, bool has_body,
                                               const std::string& authority) {
  std::int64_t id = 0;
  if (ngtcp2_conn_open_bidi_stream(quic, &id, nullptr) != 0) {
    return fail(ErrorCode::busy, "the peer takes no more requests at a time");
  }
  std::vector<nghttp3_nv> fields{field(":method", head.method), field(":scheme", "https"),
                                 field(":authority", authority), field(":path", head.path)};
  for (const Field& f : head.fields) fields.push_back(field(f.name, f.value));
  auto stream = std::make_shared<Stream>(&connection_, id, true);
  stream->has_body = has_body;
  if (!has_body) stream->finish();
  const nghttp3_data_reader reader{&Callbacks::read};
  const int result =
      nghttp3_conn_submit_request(h3_, id, fields.data(), fields.size(), has_body ? &reader : nullptr, stream.get());
  if (result != 0) {
    ngtcp2_conn_shutdown_stream(quic, 0, id, NGHTTP3_H3_REQUEST_CANCELLED);
    return fail(ErrorCode::refused, "the peer takes no further requests on this connection");
  }
  streams_.emplace(id, stream);
  return stream;
}

Result<void> Http3::respond(Stream& stream, const ResponseHead& head) {
  const std::string status = std::to_string(head.status);
  const std::string length = head.content_length ? std::to_string(*head.content_length) : std::string();
  std::vector<nghttp3_nv> fields{field(":status", status)};
  for (const Field& f : head.fields) fields.push_back(field(f.name, f.value));
  if (head.content_length) fields.push_back(field("content-length", length));
  const nghttp3_data_reader reader{&Callbacks::read};
  const int result =
      nghttp3_conn_submit_response(h3_, stream.id(), fields.data(), fields.size(), stream.has_body ? &reader : nullptr);
  if (result != 0) return fail(ErrorCode::unreachable, std::string("cannot answer: ") + nghttp3_strerror(result));
  return {};
}

void Http3::resume(Stream& stream) { nghttp3_conn_resume_stream(h3_, stream.id()); }

void Http3::shut(ngtcp2_conn* quic, std::int64_t id, bool reading, bool writing, std::uint64_t code) {
  if (writing) {
    nghttp3_conn_shutdown_stream_write(h3_, id);
    ngtcp2_conn_shutdown_stream_write(quic, 0, id, code);
  }
  if (reading) {
    nghttp3_conn_shutdown_stream_read(h3_, id);
    ngtcp2_conn_shutdown_stream_read(quic, 0, id, code);
  }
}

void Http3::forget(ngtcp2_conn* quic, Stream& stream) {
  const bool local = stream.local();
  streams_.erase(stream.id());
  if (!local) ngtcp2_conn_extend_max_streams_bidi(quic, 1);
}

void Http3::refuse_more() { nghttp3_conn_shutdown(h3_); }

}  // namespace peer::net
