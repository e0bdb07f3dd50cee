#include "libpeer/discovery/record.h"

#include <catch2/catch_test_macros.hpp>
#include <string_view>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/protocol/limits.h"

using namespace peer;
using discovery::decode_txt;
using discovery::Record;

namespace {
const std::string kId(64, 'a');

Result<Record> decode(const std::vector<std::string>& strings) {
  const std::vector<std::string_view> views(strings.begin(), strings.end());
  return decode_txt(views);
}
Record example() {
  Record record;
  record.id = *PeerId::from_hex(kId);
  record.name = "Größe 🎮";
  record.protocol = 1;
  record.revision = 18446744073709551615U;
  return record;
}
}  // namespace

TEST_CASE("A record decodes to what was encoded, in less than 400 bytes") {
  Record record = example();
  CHECK(decode(encode_txt(record)) == record);
  record.name = std::string(protocol::kMaxNameBytes, 'n');
  std::size_t bytes = 0;
  for (const std::string& string : encode_txt(record)) bytes += string.size() + 1;
  CHECK(bytes < 400);
}

TEST_CASE("Every kind of malformed record is rejected") {
  const std::string id = "id=" + kId;
  for (const std::vector<std::string>& strings : std::vector<std::vector<std::string>>{
           {},
           {""},
           {"="},
           {"id"},
           {"id=", "proto=1", "rev=1"},
           {"id=" + kId.substr(1), "proto=1", "rev=1"},
           {id + "a", "proto=1", "rev=1"},
           {"id=" + std::string(64, 'g'), "proto=1", "rev=1"},
           {"id=xyz", id, "proto=1", "rev=1"},  // the first counts
           {id, "rev=1"},
           {id, "proto=", "rev=1"},
           {id, "proto=-1", "rev=1"},
           {id, "proto=+1", "rev=1"},
           {id, "proto=4294967296", "rev=1"},
           {id, "proto=1"},
           {id, "proto=1", "rev=1 "},
           {id, "proto=1", "rev=18446744073709551616"},
           {id, "proto=1", "rev=1", "pad=" + std::string(1300, 'x')},
       }) {
    CAPTURE(strings);
    CHECK_FALSE(decode(strings).has_value());
  }
}

TEST_CASE("Keys are case-insensitive, and unknown keys and the order do not matter") {
  const auto record = decode({"x", "REV=7", "zz=9", "Id=" + std::string(64, 'A'), "pRoTo=3", "rev=8"});
  REQUIRE(record.has_value());
  CHECK(record->revision == 7);
  CHECK(record->protocol == 3);
  CHECK(record->name == record->id.brief());
}

TEST_CASE("A name unfit for display is escaped") {
  const auto record =
      decode({"id=" + kId, "proto=1", "rev=0", "name=\x1b[31m\xff\xe2\x80\xae" + std::string(200, 'n')});
  REQUIRE(record.has_value());
  CHECK(record->name.size() <= protocol::kMaxNameBytes);
  for (const char c : record->name) CHECK(static_cast<unsigned char>(c) >= 0x20);
}

TEST_CASE("A service name is a DNS label") {
  CHECK(discovery::service_name("") == "peerd");
  CHECK(discovery::service_name("living room") == "living room");
  const std::string clipped = discovery::service_name("ä" + std::string(61, 'x') + "ä");
  CHECK(clipped.size() == discovery::kMaxServiceName);
  CHECK(discovery::service_name(std::string(62, 'x') + "ä").size() == 62);  // no character is split
}

TEST_CASE("Random bytes never decode to an invalid record") {
  const auto random = seeded_random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> strings;
    for (std::uint64_t i = random->below(6); i > 0; --i) {
      std::string string(random->below(80), '\0');
      random->fill({reinterpret_cast<std::uint8_t*>(string.data()), string.size()});
      static constexpr const char* kKeys[] = {"", "id=", "proto=", "rev=", "name=", "ID="};
      strings.push_back(kKeys[random->below(6)] + string);
    }
    if (random->below(2) == 0) strings.push_back("id=" + kId);
    if (random->below(2) == 0) strings.emplace_back("proto=1");
    if (random->below(2) == 0) strings.emplace_back("rev=2");
    const auto record = decode(strings);
    if (!record) continue;
    CHECK(record->id.hex() == kId);
    CHECK(!record->name.empty());
    CHECK(decode(encode_txt(*record)).has_value());
  }
}
