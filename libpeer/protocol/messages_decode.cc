#include <algorithm>
#include <nlohmann/json.hpp>

#include "libpeer/protocol/bounded_json.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/protocol/path.h"

namespace peer::protocol {

namespace {

using nlohmann::json;

std::unexpected<Error> invalid(const std::string& why) {
  return fail(ErrorCode::invalid, "invalid session message: " + why);
}

Result<json> parse(std::string_view text) {
  auto document = parse_bounded(text);
  if (!document) return invalid(document.error().message);
  if (!document->is_object()) return invalid("it is not an object");
  return document;
}

// Reads typed fields of one object, and stores the first problem.
class JsonFields {
 public:
  explicit JsonFields(const json& object) : object_(object) {
    if (!object.is_object()) wrong("an entry", "is not an object");
  }

  bool ok() const { return problem_.empty(); }
  const std::string& problem() const { return problem_; }

  void wrong(std::string_view key, std::string_view why) {
    if (problem_.empty()) problem_ = std::string(key) + " " + std::string(why);
  }

  std::uint64_t number(const char* key, std::uint64_t most) {
    const json* value = find(key);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned()) return wrong(key, "is not an unsigned integer"), 0;
    const auto n = value->get<std::uint64_t>();
    if (n > most) wrong(key, "is too large");
    return n;
  }

  std::int64_t signed_number(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return 0;
    if (value->is_number_unsigned()) {
      if (value->get<std::uint64_t>() > INT64_MAX) return wrong(key, "is too large"), 0;
    } else if (!value->is_number_integer()) {
      return wrong(key, "is not an integer"), 0;
    }
    return value->get<std::int64_t>();
  }

  bool flag(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return wrong(key, "is neither true nor false"), false;
    return value->get<bool>();
  }

  std::string text(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) return wrong(key, "is not a string"), std::string();
    return value->get<std::string>();
  }

  template <class Value>
  Value bytes32(const char* key) {
    const auto value = Value::from_hex(text(key));
    if (!value) wrong(key, "must be 64 hex digits");
    return value.value_or(Value());
  }

  /// Returns an empty array unless the field is an array of at most `most` elements.
  const json& array(const char* key, std::size_t most) {
    static const json kNone = json::array();
    const json* value = find(key);
    if (value == nullptr) return kNone;
    if (!value->is_array()) return wrong(key, "is not an array"), kNone;
    if (value->size() > most) return wrong(key, "has more than " + std::to_string(most) + " elements"), kNone;
    return *value;
  }

 private:
  const json* find(const char* key) {
    if (!ok()) return nullptr;
    const auto at = object_.find(key);
    if (at != object_.end()) return &*at;
    wrong(key, "is missing");
    return nullptr;
  }

  const json& object_;
  std::string problem_;
};

bool made_of(std::string_view text, std::string_view others, std::size_t most) {
  return !text.empty() && text.size() <= most && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.contains(c);
  });
}

std::vector<std::string> read_addresses(JsonFields& fields, std::size_t most) {
  std::vector<std::string> addresses;
  for (const json& address : fields.array("addresses", most)) {
    const auto* text = address.get_ptr<const std::string*>();
    if (text == nullptr || !made_of(*text, ".:[]%-_", 80)) {
      fields.wrong("addresses", "has an element that is not \"ip:port\"");
      break;
    }
    addresses.push_back(*text);
  }
  return addresses;
}

std::string read_name(JsonFields& fields) {
  std::string name = fields.text("name");
  if (auto problem = name_problem(name)) fields.wrong("name", *problem);
  return name;
}

Hello read_hello(JsonFields& fields) {
  Hello hello;
  hello.id = fields.bytes32<PeerId>("id");
  hello.name = read_name(fields);
  hello.protocol = static_cast<std::uint32_t>(fields.number("protocol", UINT32_MAX));
  hello.instance = fields.text("instance");
  if (!made_of(hello.instance, "-_.", 64)) fields.wrong("instance", "must be 1 to 64 letters, digits, '-', '_' or '.'");
  hello.addresses = read_addresses(fields, kMaxAddressesPerPeer);
  hello.revision = fields.number("revision", UINT64_MAX);
  hello.digest = fields.bytes32<Digest>("digest");
  return hello;
}

GameSummary read_summary(const json& object, JsonFields& outer) {
  GameSummary game;
  JsonFields fields(object);
  game.id = fields.text("id");
  if (auto problem = game_id_problem(game.id)) fields.wrong("id", *problem);
  game.version = fields.bytes32<Digest>("version");
  game.size = fields.number("size", kMaxGameSize);
  game.files = fields.number("files", kMaxManifestEntries);
  game.modified = fields.signed_number("modified");
  if (!fields.ok()) outer.wrong("games: '" + printable(clip(game.id, kMaxComponentBytes)) + "':", fields.problem());
  return game;
}

LibraryUpdate read_update(JsonFields& fields) {
  LibraryUpdate update;
  update.base = fields.number("base", UINT64_MAX);
  update.revision = fields.number("revision", UINT64_MAX);
  if (update.base > update.revision) fields.wrong("base", "is above the revision");
  update.digest = fields.bytes32<Digest>("digest");
  update.last = fields.flag("last");
  for (const json& game : fields.array("games", kMaxGamesPerUpdate)) {
    update.games.push_back(read_summary(game, fields));
    if (!fields.ok()) return update;
  }
  for (const json& id : fields.array("removed", kMaxGamesPerUpdate - update.games.size())) {
    const auto* text = id.get_ptr<const std::string*>();
    if (text == nullptr || game_id_problem(*text)) {
      fields.wrong("removed", "has an element that is not a game id");
      return update;
    }
    update.removed.push_back(*text);
  }
  std::vector<std::string_view> ids(update.removed.begin(), update.removed.end());
  for (const GameSummary& game : update.games) ids.push_back(game.id);
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end()) fields.wrong("games", "and removed name a game twice");
  return update;
}

std::string read_reason(JsonFields& fields) {
  std::string reason = fields.text("reason");
  if (reason.size() > kMaxReasonBytes) fields.wrong("reason", "is too long");
  if (auto problem = text_problem(reason)) fields.wrong("reason", *problem);
  return reason;
}

PeerHints read_hints(JsonFields& outer) {
  PeerHints hints;
  for (const json& object : outer.array("peers", kMaxHintsPerMessage)) {
    JsonFields fields(object);
    PeerHint hint;
    hint.id = fields.bytes32<PeerId>("id");
    hint.name = read_name(fields);
    hint.addresses = read_addresses(fields, kMaxHintAddresses);
    if (!fields.ok()) {
      outer.wrong("peers:", fields.problem());
      break;
    }
    hints.peers.push_back(std::move(hint));
  }
  return hints;
}

std::string read_game(JsonFields& fields) {
  std::string game = fields.text("game");
  if (auto problem = game_id_problem(game)) fields.wrong("game", *problem);
  return game;
}

std::optional<HeldRun> read_run(const json& pair) {
  if (!pair.is_array() || pair.size() != 2) return std::nullopt;
  if (!pair[0].is_number_unsigned() || !pair[1].is_number_unsigned()) return std::nullopt;
  return HeldRun{pair[0].get<std::uint64_t>(), pair[1].get<std::uint64_t>()};
}

Holdings read_holdings(JsonFields& fields) {
  Holdings holdings;
  holdings.game = read_game(fields);
  holdings.version = fields.bytes32<Digest>("version");
  holdings.chunks = fields.number("chunks", kMaxGameChunks);
  std::uint64_t from = 0;  // the lowest chunk with which the next run may begin
  for (const json& pair : fields.array("ranges", kMaxHoldingRuns)) {
    const auto run = read_run(pair);
    if (!run || run->count == 0 || run->first < from || run->first >= holdings.chunks ||
        run->count > holdings.chunks - run->first) {
      fields.wrong("ranges", "must ascend, with gaps between them, and lie within the chunks");
      break;
    }
    from = run->first + run->count + 1;
    holdings.runs.push_back(*run);
  }
  return holdings;
}

HoldingsEnd read_holdings_end(JsonFields& fields) {
  HoldingsEnd end;
  end.game = read_game(fields);
  end.version = fields.bytes32<Digest>("version");
  return end;
}

std::optional<SessionMessage> read_message(const std::string& type, JsonFields& fields) {
  if (type == "hello") return read_hello(fields);
  if (type == "library_request") return LibraryRequest{fields.number("since", UINT64_MAX)};
  if (type == "library_update") return read_update(fields);
  if (type == "ping") return Ping{fields.number("nonce", UINT64_MAX)};
  if (type == "pong") return Pong{fields.number("nonce", UINT64_MAX)};
  if (type == "goodbye") return Goodbye{read_reason(fields)};
  if (type == "refusal") return Refusal{read_reason(fields)};
  if (type == "peers") return read_hints(fields);
  if (type == "holdings") return read_holdings(fields);
  if (type == "holdings_end") return read_holdings_end(fields);
  return std::nullopt;
}

}  // namespace

Result<std::optional<SessionMessage>> decode(std::span<const std::uint8_t> payload) {
  const auto document = parse({reinterpret_cast<const char*>(payload.data()), payload.size()});
  if (!document) return std::unexpected(document.error());
  JsonFields fields(*document);
  const std::string type = fields.text("type");
  if (!made_of(type, "-_.", 64)) fields.wrong("type", "must be 1 to 64 letters, digits, '-', '_' or '.'");
  auto message = read_message(type, fields);
  if (!fields.ok()) return invalid(fields.problem());
  return message;
}

}  // namespace peer::protocol
