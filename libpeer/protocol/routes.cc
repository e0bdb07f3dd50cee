#include "libpeer/protocol/routes.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "libpeer/base/hex.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"

namespace peer::protocol {

namespace {

template <class T>
using Routed = std::expected<T, HttpRefusal>;

// The longest legal path with every byte escaped, plus room for the query.
constexpr std::size_t kMaxTargetBytes = 3 * (kMaxPathBytes + kMaxComponentBytes) + 512;

std::unexpected<HttpRefusal> bad(const std::string& why) {
  return refuse(HttpStatus::bad_request, "bad request: " + why);
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

void percent_encode(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  static constexpr std::string_view kPlain = "-._~";
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kPlain.contains(c)) {
      out += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
}

// Decimal digits without a sign or leading zeros.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The query parameters that routes use. Others are ignored, so that later versions can add parameters.
struct RouteQuery {
  std::optional<std::string_view> version, first, count;
};

Routed<RouteQuery> parse_query(std::string_view text) {
  RouteQuery query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    std::optional<std::string_view>* known = name == "version" ? &query.version
                                             : name == "first" ? &query.first
                                             : name == "count" ? &query.count
                                                               : nullptr;
    if (known == nullptr) continue;
    if (*known) return bad("the query has '" + std::string(name) + "' more than once");
    *known = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return query;
}

Routed<Route> manifest_route(std::string game, const RouteQuery& query) {
  ManifestRoute route{std::move(game), std::nullopt};
  if (query.version) {
    route.version = Digest::from_hex(*query.version);
    if (!route.version) return bad("version must be 64 hex digits");
  }
  return route;
}

Routed<Route> chunks_route(std::string game, const RouteQuery& query) {
  const auto version = query.version ? Digest::from_hex(*query.version) : std::nullopt;
  if (!version) return bad("version must be 64 hex digits");
  const auto first = query.first ? number(*query.first) : std::nullopt;
  const auto count = query.count ? number(*query.count) : std::nullopt;
  if (!first || !count) return bad("first and count must be decimal numbers");
  if (*count == 0 || *count > kMaxSpanChunks) return bad("count must be from 1 to " + std::to_string(kMaxSpanChunks));
  if (*first > UINT64_MAX - *count) return bad("first is too large");
  return ChunksRoute{std::move(game), *version, *first, *count};
}

Routed<Route> file_route(std::string game, std::string_view encoded) {
  FileRoute route{std::move(game), {}};
  while (true) {
    const std::size_t slash = encoded.find('/');
    const auto component = percent_decode(encoded.substr(0, slash));
    if (!component) return bad("the path has an invalid percent escape");
    if (component->find('/') != std::string::npos) return bad("a component of the path contains a slash");
    route.path += *component;
    if (slash == std::string_view::npos) break;
    route.path += '/';
    encoded.remove_prefix(slash + 1);
  }
  if (auto problem = path_problem(route.path)) return bad("the path " + *problem);
  return route;
}

std::unexpected<HttpRefusal> unknown() { return refuse(HttpStatus::not_found, "no resource has this path"); }

// Finds the route of a path. The method is checked later.
Routed<Route> parse_path(std::string_view path, std::string_view query_text) {
  if (path == "/v1/peer") return PeerRoute{};
  if (path == "/v1/library") return LibraryRoute{};
  if (path == "/v1/session") return SessionRoute{};
  if (path == "/v1/proof") return ProofRoute{};
  static constexpr std::string_view kGames = "/v1/games/";
  if (!path.starts_with(kGames)) return unknown();
  path.remove_prefix(kGames.size());
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return unknown();
  auto game = percent_decode(path.substr(0, slash));
  const std::string_view rest = path.substr(slash + 1);
  static constexpr std::string_view kFiles = "files/";
  if (rest != "manifest" && rest != "chunks" && !rest.starts_with(kFiles)) return unknown();
  if (!game) return bad("the game id has an invalid percent escape");
  if (auto problem = game_id_problem(*game)) return bad("the game id " + *problem);
  if (rest.starts_with(kFiles)) return file_route(std::move(*game), rest.substr(kFiles.size()));
  const auto query = parse_query(query_text);
  if (!query) return std::unexpected(query.error());
  return rest == "manifest" ? manifest_route(std::move(*game), *query) : chunks_route(std::move(*game), *query);
}

struct RouteFormatter {
  std::string operator()(const PeerRoute&) const { return "/v1/peer"; }
  std::string operator()(const LibraryRoute&) const { return "/v1/library"; }
  std::string operator()(const SessionRoute&) const { return "/v1/session"; }
  std::string operator()(const ProofRoute&) const { return "/v1/proof"; }
  std::string operator()(const ManifestRoute& route) const {
    std::string out = game(route.game) + "/manifest";
    if (route.version) out += "?version=" + route.version->hex();
    return out;
  }
  std::string operator()(const FileRoute& route) const {
    std::string out = game(route.game) + "/files";
    std::string_view path = route.path;
    while (true) {
      const std::size_t slash = path.find('/');
      out += '/';
      percent_encode(out, path.substr(0, slash));
      if (slash == std::string_view::npos) return out;
      path.remove_prefix(slash + 1);
    }
  }
  std::string operator()(const ChunksRoute& route) const {
    return game(route.game) + "/chunks?version=" + route.version.hex() + "&first=" + std::to_string(route.first) +
           "&count=" + std::to_string(route.count);
  }
  static std::string game(std::string_view id) {
    std::string out = "/v1/games/";
    percent_encode(out, id);
    return out;
  }
};

}  // namespace

Routed<Route> parse_route(std::string_view method, std::string_view path) {
  if (path.size() > kMaxTargetBytes) return bad("the path is too long");
  const auto illegal = [](char c) { return static_cast<std::uint8_t>(c) <= 0x20 || c == 0x7f || c == '#'; };
  if (std::ranges::any_of(path, illegal)) return bad("the path has a character that must be percent-encoded");
  const std::size_t question = path.find('?');
  const std::string_view query = question == std::string_view::npos ? std::string_view() : path.substr(question + 1);
  auto route = parse_path(path.substr(0, question), query);
  if (!route) return route;
  const bool post = std::holds_alternative<SessionRoute>(*route) || std::holds_alternative<ProofRoute>(*route);
  const bool allowed = post ? method == "POST" : method == "GET" || method == "HEAD";
  if (!allowed) {
    return refuse(HttpStatus::method_not_allowed,
                  std::string("this path takes only ") + (post ? "POST" : "GET and HEAD"), post ? "POST" : "GET, HEAD");
  }
  return route;
}

std::string format_route(const Route& route) { return std::visit(RouteFormatter{}, route); }

std::expected<std::optional<ByteRange>, HttpRefusal> parse_range(std::string_view header, std::uint64_t size) {
  const auto trim = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  // Digits, perhaps with leading zeros. A number that does not fit 64 bits becomes the largest one.
  const auto position = [](std::string_view text) -> std::optional<std::uint64_t> {
    if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    std::uint64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return UINT64_MAX;
    return value;
  };
  static constexpr std::optional<ByteRange> kIgnore;
  header = trim(header);
  static constexpr std::string_view kUnit = "bytes=";
  const auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); };
  if (header.size() < kUnit.size() || !std::ranges::equal(header.substr(0, kUnit.size()), kUnit, same)) return kIgnore;
  const std::string_view range = trim(header.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return kIgnore;
  const std::string_view from = range.substr(0, dash);
  const std::string_view to = range.substr(dash + 1);
  const auto unsatisfiable = [&] {
    return refuse(HttpStatus::range_not_satisfiable,
                  "the range is outside the file, which has " + std::to_string(size) + " bytes");
  };
  if (from.empty()) {
    const auto length = position(to);
    if (!length) return kIgnore;
    if (*length == 0) return unsatisfiable();
    if (size == 0) return kIgnore;  // content-range cannot express an empty range
    const std::uint64_t taken = std::min(*length, size);
    return ByteRange{size - taken, taken};
  }
  const auto first = position(from);
  const auto last = to.empty() ? UINT64_MAX : position(to);
  if (!first || !last || *last < *first) return kIgnore;
  if (*first >= size) return unsatisfiable();
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace peer::protocol
