#include "libpeer/node/library_news.h"

#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <memory>
#include <utility>

using namespace peer;
using namespace peer::node;
using Names = std::vector<std::string>;

namespace {

library::Snapshot snapshot(std::initializer_list<std::pair<const char*, bool>> games, bool complete = true) {
  library::Snapshot made;
  made.complete = complete;
  for (const auto& [id, offered] : games) {
    auto game = std::make_shared<library::LocalGame>();
    game->id = id;
    if (offered) game->offered = std::make_shared<library::OfferedGame>();
    made.games.push_back(std::move(game));
  }
  return made;
}

}  // namespace

TEST_CASE("A game that exists at the start is never reported as added, even if it is hashed later") {
  LibraryNews news;
  CHECK(news.update(snapshot({{"a", false}}, false)).added.empty());
  CHECK(news.update(snapshot({{"a", true}, {"b", false}})).added.empty());
  CHECK(news.update(snapshot({{"a", true}, {"b", true}})).added.empty());
}

TEST_CASE("A game is reported as added once, when it is offered, and as removed once") {
  LibraryNews news;
  news.update(snapshot({{"a", true}}));
  CHECK(news.update(snapshot({{"a", true}, {"new", false}})).added.empty());
  CHECK(news.update(snapshot({{"a", true}, {"new", true}})).added == Names{"new"});
  CHECK(news.update(snapshot({{"a", true}, {"new", true}})).added.empty());
  const api::LocalLibraryChanged after = news.update(snapshot({{"new", true}}));
  CHECK(after.added.empty());
  CHECK(after.removed == Names{"a"});
  CHECK(news.update(snapshot({{"a", true}, {"new", true}})).added == Names{"a"});
}

TEST_CASE("A game that exists at the start and disappears before it is offered is not reported as removed") {
  LibraryNews news;
  news.update(snapshot({{"half", false}, {"whole", false}}));
  news.update(snapshot({{"half", false}, {"whole", true}}));
  CHECK(news.update(snapshot({})).removed == Names{"whole"});
}

TEST_CASE("A new game that disappears before it is offered is not reported") {
  LibraryNews news;
  news.update(snapshot({}));
  news.update(snapshot({{"half", false}}));
  CHECK(news.update(snapshot({})).removed.empty());
}
