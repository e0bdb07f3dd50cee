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

TEST_CASE("What was there at the start is no news, also when it is hashed later") {
  LibraryNews news;
  CHECK(news.take(snapshot({{"a", false}}, false)).added.empty());
  CHECK(news.take(snapshot({{"a", true}, {"b", false}})).added.empty());
  CHECK(news.take(snapshot({{"a", true}, {"b", true}})).added.empty());
}

TEST_CASE("A game is told once, when it is offered, and its end once") {
  LibraryNews news;
  news.take(snapshot({{"a", true}}));
  CHECK(news.take(snapshot({{"a", true}, {"new", false}})).added.empty());
  CHECK(news.take(snapshot({{"a", true}, {"new", true}})).added == Names{"new"});
  CHECK(news.take(snapshot({{"a", true}, {"new", true}})).added.empty());
  const api::LocalLibraryChanged after = news.take(snapshot({{"new", true}}));
  CHECK(after.added.empty());
  CHECK(after.removed == Names{"a"});
  CHECK(news.take(snapshot({{"a", true}, {"new", true}})).added == Names{"a"});
}

TEST_CASE("A game that was there at the start and goes before it was offered is no news either") {
  LibraryNews news;
  news.take(snapshot({{"half", false}, {"whole", false}}));
  news.take(snapshot({{"half", false}, {"whole", true}}));
  CHECK(news.take(snapshot({})).removed == Names{"whole"});
}

TEST_CASE("A game that goes before it was offered was never told") {
  LibraryNews news;
  news.take(snapshot({}));
  news.take(snapshot({{"half", false}}));
  CHECK(news.take(snapshot({})).removed.empty());
}
