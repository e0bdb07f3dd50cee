#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>

#include "daemon/config/config.h"
#include "support/store/temp_directory.h"

using namespace peer;
using namespace peer::daemon;
using Catch::Matchers::ContainsSubstring;

namespace {

const std::string kKey = "000102030405060708090a0b0c0d0e0f";

struct KeyFile {
  test::TempDirectory directory;
  std::string path = directory / "party.key";
  KeyFile(const std::string& content, mode_t mode) {
    std::ofstream(path) << content;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
  }
  std::string problem() const {
    const auto key = load_party_key(path);
    return key ? "" : key.error().message;
  }
};

}  // namespace

TEST_CASE("A key file that only the daemon and its group can read is accepted") {
  for (const mode_t mode : {0600U, 0400U, 0440U, 0640U}) {
    const KeyFile file(kKey + "\n", mode);
    const auto key = load_party_key(file.path);
    INFO(file.problem());
    REQUIRE(key);
    CHECK(*key == *access::PartySecret::parse(kKey));
  }
}

TEST_CASE("A missing or invalid key file is an error that says what to do and does not contain the key") {
  CHECK_THAT(load_party_key("").error().message, ContainsSubstring("openssl rand -hex 32"));
  CHECK_THAT(load_party_key("party.key").error().message, ContainsSubstring("absolute"));
  CHECK_THAT(load_party_key("/nowhere/party.key").error().message,
             ContainsSubstring("openssl rand -hex 32 > /nowhere/party.key"));
  CHECK_THAT(load_party_key("/dev/zero").error().message, ContainsSubstring("not a regular file"));
  for (const mode_t mode : {0604U, 0644U, 0602U, 0620U, 0666U}) {
    CHECK_THAT(KeyFile(kKey, mode).problem(), ContainsSubstring("chmod 600"));
  }
  CHECK_THAT(KeyFile("", 0600).problem(), ContainsSubstring("empty"));
  CHECK_THAT(KeyFile(kKey.substr(2), 0600).problem(), ContainsSubstring("120 bits"));
  CHECK_THAT(KeyFile("swordfish is secret", 0600).problem(), ContainsSubstring("neither"));
  CHECK_THAT(KeyFile("swordfish is secret", 0600).problem(), !ContainsSubstring("swordfish"));
  CHECK_THAT(KeyFile(std::string(100'000, '1'), 0600).problem(), ContainsSubstring("too long"));
}

TEST_CASE("A party without a valid key is an invalid configuration") {
  Config config;
  config.roots = {"/x"};
  config.access = "party";
  CHECK_THAT(check_config(config).error().message, ContainsSubstring("access.party_key_file"));
  const KeyFile good(kKey, 0600);
  config.party_key_file = good.path;
  CHECK(check_config(config));
  const KeyFile bad(kKey, 0644);
  config.party_key_file = bad.path;
  CHECK(!check_config(config));
  config.access = "paired";
  CHECK(check_config(config));
}
