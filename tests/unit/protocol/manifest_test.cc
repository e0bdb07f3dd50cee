#include "libpeer/protocol/manifest.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>

#include "libpeer/protocol/varint.h"

using namespace peer;
using namespace peer::protocol;
using Catch::Matchers::ContainsSubstring;

namespace {

using Buffer = std::vector<std::uint8_t>;

Digest digest_of(std::uint8_t byte) {
  Digest digest;
  digest.bytes.fill(byte);
  return digest;
}

Manifest small() {
  Manifest manifest;
  manifest.files = {{"bin/game", kChunkSize + 1, true}, {"data/a", 0}, {"data/b", 3}};
  manifest.directories = {"saves"};
  manifest.symlinks = {{"run", "bin/game"}};
  manifest.chunks = {digest_of(1), digest_of(2), digest_of(3)};
  return manifest;
}

ManifestDocument document_of(Manifest manifest) {
  REQUIRE(validate(manifest));
  ManifestDocument document{std::move(manifest), {}};
  document.times = {-5, std::vector<std::int64_t>(document.manifest.files.size(), INT64_MIN)};
  return document;
}

std::string refusal(Manifest manifest) {
  const auto checked = validate(manifest);
  return checked ? "accepted" : checked.error().message;
}

Manifest of_files(std::initializer_list<const char*> paths) {
  Manifest manifest;
  for (const char* path : paths) manifest.files.push_back({path});
  return manifest;
}

// The header of an encoding. Hand-written entries follow.
Buffer head(std::uint64_t entries) {
  Buffer out = {'P', 'D', 'M', 'F', 1};
  put_varint(out, entries);
  return out;
}

void append(Buffer& out, std::initializer_list<int> bytes) {
  for (const int byte : bytes) out.push_back(static_cast<std::uint8_t>(byte));
}

Buffer with_times(Buffer out) {
  append(out, {0, 0, 0, 0, 0, 0, 0, 0, 0});
  return out;
}

}  // namespace

TEST_CASE("The hash of no bytes is that of BLAKE3-256") {
  CHECK(hash({}).hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST_CASE("The canonical encoding has the documented bytes") {
  Manifest manifest;
  manifest.files = {{"a", 3, false}, {"b/x", 200, true}};
  manifest.directories = {"c"};
  manifest.symlinks = {{"b/l", "x"}};
  manifest.chunks = {digest_of(0xaa), digest_of(0xbb)};
  REQUIRE(validate(manifest));
  Buffer expected = head(4);
  append(expected, {0, 1, 'a', 3});
  expected.insert(expected.end(), 32, 0xaa);
  append(expected, {3, 3, 'b', '/', 'l', 1, 'x'});
  append(expected, {1, 3, 'b', '/', 'x', 0xc8, 0x01});
  expected.insert(expected.end(), 32, 0xbb);
  append(expected, {2, 1, 'c'});
  CHECK(encode(manifest) == expected);
  CHECK(version_of(expected) == hash(expected));
}

TEST_CASE("The manifest example in docs/protocol.md is correct") {
  const std::uint8_t content[] = {'a', 'b', 'c'};
  Manifest manifest;
  manifest.files = {{"bin/run", 3, true}, {"empty", 0}};
  manifest.directories = {"saves"};
  manifest.symlinks = {{"run", "bin/run"}};
  manifest.chunks = {hash(content)};
  CHECK(to_hex(encode(manifest)) ==
        "50444d460104010762696e2f72756e036437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d850005656d707479"
        "00030372756e0762696e2f72756e02057361766573");
  CHECK(version_of(encode(manifest)).hex() == "1ffdd5b5f725de79ff614f8b2094e639bd53cdde43bf6b2b8f82b57e52d1d24a");
}

TEST_CASE("A document decodes to what was encoded, and only with its own version") {
  const ManifestDocument document = document_of(small());
  const Digest version = version_of(encode(document.manifest));
  const Buffer bytes = encode(document);
  const auto decoded = decode(bytes, version);
  REQUIRE(decoded);
  CHECK(encode(*decoded) == bytes);
  CHECK(decoded->times.modified == -5);
  CHECK(decoded->times.file_times == document.times.file_times);
  CHECK(decoded->manifest.files[2].first_chunk == 2);
  CHECK(decoded->manifest.files[0].executable);
  CHECK(decoded->manifest.chunks == document.manifest.chunks);
  const auto other = decode(bytes, digest_of(9));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::invalid);
  CHECK_THAT(other.error().message, ContainsSubstring(version.brief()));
}

TEST_CASE("Times do not change the version") {
  ManifestDocument document = document_of(small());
  const auto first = decode_document(encode(document));
  document.times.modified = 7;
  document.times.file_times.clear();
  const auto second = decode_document(encode(document));
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->version == second->version);
  CHECK(second->document.times.modified == 7);
}

TEST_CASE("An empty game has a manifest") {
  const ManifestDocument document = document_of({});
  const auto decoded = decode_document(encode(document));
  REQUIRE(decoded);
  CHECK(decoded->document.manifest.files.empty());
}

TEST_CASE("Each chunk has a file and an offset") {
  Manifest manifest;
  manifest.files = {{"a", 0}, {"b", 2 * kChunkSize}, {"c", 0}, {"d", 0}, {"e", 5}, {"f", 0}};
  manifest.chunks.resize(3);
  REQUIRE(validate(manifest));
  CHECK(manifest.total_size() == 2 * kChunkSize + 5);
  CHECK(manifest.place(0).file == 1);
  CHECK(manifest.place(1).file == 1);
  CHECK(manifest.place(1).offset == kChunkSize);
  CHECK(manifest.place(1).size == kChunkSize);
  CHECK(manifest.place(2).file == 4);
  CHECK(manifest.place(2).offset == 0);
  CHECK(manifest.place(2).size == 5);
}

TEST_CASE("No two entries share a path, and none is below a file, symlink or listed directory") {
  CHECK(refusal(of_files({"A", "a"})) == "accepted");
  CHECK(refusal(of_files({"a", "a-b", "a.b"})) == "accepted");
  CHECK_THAT(refusal(of_files({"a", "a"})), ContainsSubstring("'a' is listed twice"));
  CHECK_THAT(refusal(of_files({"b", "a"})), ContainsSubstring("'a' is out of order"));
  CHECK_THAT(refusal(of_files({"ab", "abc", "ab"})), ContainsSubstring("'ab' is listed twice"));
  CHECK_THAT(refusal(of_files({"a", "a/b"})), ContainsSubstring("'a/b' is below the file 'a'"));
  // '-' and '.' sort before '/', so entries may lie between the two that conflict.
  CHECK_THAT(refusal(of_files({"a", "a-b", "a.c", "a.c.d", "a/b"})), ContainsSubstring("'a/b' is below the file 'a'"));

  Manifest manifest = of_files({"d/x"});
  manifest.directories = {"d"};
  CHECK_THAT(refusal(manifest), ContainsSubstring("'d/x' is below the empty directory 'd'"));
  manifest.directories = {"d/x"};
  CHECK_THAT(refusal(manifest), ContainsSubstring("'d/x' is listed twice"));
  manifest.directories = {"d/y", "d/y/z"};
  CHECK_THAT(refusal(manifest), ContainsSubstring("'d/y/z' is below the empty directory 'd/y'"));
  manifest.directories.clear();
  manifest.symlinks = {{"d", "e"}};
  CHECK_THAT(refusal(manifest), ContainsSubstring("'d/x' is below the symlink 'd'"));
}

TEST_CASE("A validation error names the first twenty problems") {
  Manifest manifest;
  for (int i = 0; i < 30; ++i) manifest.files.push_back({"x\\" + std::to_string(10 + i)});
  const std::string why = refusal(manifest);
  CHECK_THAT(why, ContainsSubstring("'x\\x5c10' has a backslash"));
  CHECK_THAT(why, ContainsSubstring("'x\\x5c29'"));
  CHECK_THAT(why, !ContainsSubstring("'x\\x5c30'"));
  CHECK_THAT(why, ContainsSubstring("and 10 more"));
}

TEST_CASE("A manifest over a limit is rejected") {
  Manifest manifest = of_files({"a"});
  manifest.files[0].size = kMaxFileSize + 1;
  CHECK_THAT(refusal(manifest), ContainsSubstring("'a' is larger than"));
  manifest.files.clear();
  for (int i = 0; i < 5; ++i) manifest.files.push_back({"f" + std::to_string(i), kMaxFileSize});
  CHECK_THAT(refusal(manifest), ContainsSubstring("in total"));
  manifest.files.resize(1);
  CHECK_THAT(refusal(manifest), ContainsSubstring("bytes, more than"));  // 2^30 hashes
  manifest.files[0].size = 5;
  CHECK_THAT(refusal(manifest), ContainsSubstring("chunk hashes"));
  manifest.files.clear();
  for (std::size_t i = 0; i <= kMaxManifestEntries; ++i) manifest.files.push_back({std::to_string(10'000'000 + i)});
  CHECK_THAT(refusal(manifest), ContainsSubstring("entries, more than"));
}

TEST_CASE("An encoding that is not canonical is rejected") {
  const auto refused = [](const Buffer& bytes) { return !decode_document(bytes).has_value(); };
  Buffer good = head(1);
  append(good, {2, 1, 'd'});
  REQUIRE_FALSE(refused(with_times(good)));

  CHECK(refused({}));
  CHECK(refused(good));  // no times
  Buffer trailing = with_times(good);
  trailing.push_back(0);
  CHECK(refused(trailing));
  Buffer version = with_times(good);
  version[4] = 2;
  CHECK(refused(version));
  Buffer kind = head(1);
  append(kind, {4, 1, 'd'});
  CHECK(refused(with_times(kind)));
  Buffer long_form = head(1);
  append(long_form, {2, 0x81, 0x00, 'd'});
  CHECK(refused(with_times(long_form)));
  Buffer order = head(2);
  append(order, {2, 1, 'b', 2, 1, 'a'});
  CHECK(refused(with_times(order)));
  Buffer times = head(1);
  append(times, {0, 1, 'f', 0});
  REQUIRE_FALSE(refused(with_times(times)));
  append(times, {0, 0, 0, 0, 0, 0, 0, 0, 2});
  times.insert(times.end(), 16, 0);
  CHECK(refused(times));
}

TEST_CASE("A decoder does not trust counts and sizes") {
  Buffer many = head(1'000'000);
  append(many, {2, 1, 'd'});
  CHECK_FALSE(decode_document(with_times(many)));
  CHECK_FALSE(decode_document(with_times(head(1'000'001))));
  Buffer overflow = {'P', 'D', 'M', 'F', 1};
  overflow.insert(overflow.end(), 9, 0xff);
  overflow.push_back(0x02);
  CHECK_FALSE(decode_document(with_times(overflow)));
  for (const std::uint64_t size : {kMaxFileSize, kMaxFileSize + 1, UINT64_MAX, UINT64_MAX - kChunkSize + 2}) {
    Buffer huge = head(1);
    append(huge, {0, 1, 'f'});
    put_varint(huge, size);
    CHECK_FALSE(decode_document(with_times(huge)));
  }
  CHECK_FALSE(decode_document(Buffer(kMaxManifestBytes + 1)));
}

TEST_CASE("A manifest has a JSON form for people") {
  const ManifestDocument document = document_of(small());
  const std::string json = to_json(document, digest_of(0xcd));
  CHECK_THAT(json, ContainsSubstring("\"version\":\"cdcdcd"));
  CHECK_THAT(json, ContainsSubstring("{\"path\":\"bin/game\",\"size\":1048577,\"executable\":true"));
  CHECK_THAT(json, ContainsSubstring("\"directories\":[\n\"saves\"]"));
  CHECK_THAT(json, ContainsSubstring("{\"path\":\"run\",\"target\":\"bin/game\"}"));
}

TEST_CASE("A varint is exact and has the shortest form") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 63, UINT64_MAX}) {
    Buffer bytes;
    put_varint(bytes, value);
    CHECK(bytes.size() == varint_size(value));
    ByteCursor cursor(bytes);
    CHECK(cursor.varint() == value);
    CHECK(cursor.remaining() == 0);
  }
}
