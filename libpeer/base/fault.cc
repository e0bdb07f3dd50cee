#include "libpeer/base/fault.h"

#if PEERD_TEST_HOOKS

#include <array>
#include <atomic>
#include <stdexcept>

namespace peer::fault {
namespace {

struct Point {
  std::string_view name;
  std::atomic<unsigned> armed = 0;
};

std::array<Point, 14>& points() {
  static std::array<Point, 14> all{{{"accepted session"},
                                    {"command"},
                                    {"commands"},
                                    {"dialled session"},
                                    {"download"},
                                    {"endpoint"},
                                    {"event"},
                                    {"hook"},
                                    {"hook order"},
                                    {"inbox"},
                                    {"lane"},
                                    {"request"},
                                    {"session message"},
                                    {"start"}}};
  return all;
}

Point* find(std::string_view where) {
  for (Point& point : points()) {
    if (point.name == where) return &point;
  }
  return nullptr;
}

}  // namespace

bool arm(std::string_view where) {
  Point* const found = find(where);
  if (found != nullptr) ++found->armed;
  return found != nullptr;
}

unsigned armed(std::string_view where) {
  const Point* const found = find(where);
  return found == nullptr ? 0 : found->armed.load();
}

std::string names() {
  std::string all;
  for (const Point& point : points()) all += (all.empty() ? "" : ", ") + std::string(point.name);
  return all;
}

void point(std::string_view where) {
  Point* const found = find(where);
  if (found == nullptr) throw std::logic_error("there is no fault point " + std::string(where));
  unsigned left = found->armed.load(std::memory_order_relaxed);
  while (left > 0 && !found->armed.compare_exchange_weak(left, left - 1)) {
  }
  if (left > 0) throw std::runtime_error(std::string(where) + ": told to fail");
}

}  // namespace peer::fault

#endif
