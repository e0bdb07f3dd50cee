#include "libpeer/protocol/bounded_json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace peer::protocol {

namespace {

using nlohmann::json;

/// Builds the tree from the parser's events. Returning false ends the parse.
class JsonTreeBuilder {
 public:
  explicit JsonTreeBuilder(const JsonLimits& limits) : limits_(limits) {}

  // The functions that json::sax_parse() calls.
  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(json::number_integer_t value) { return scalar(value); }
  bool number_unsigned(json::number_unsigned_t value) { return scalar(value); }
  bool number_float(json::number_float_t value, const std::string&) { return scalar(value); }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(json::binary_t&) { return refuse("it is not valid JSON"); }  // text contains no binary values
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    ++work_;
    const auto [at, is_new] = open_.back()->get_ref<json::object_t&>().try_emplace(std::move(name));
    if (!is_new) return refuse("an object has a field twice");
    member_ = &at->second;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) { return refuse("it is not valid JSON"); }

  const std::string& problem() const { return problem_; }
  std::size_t work() const { return work_; }
  json release() { return std::move(root_); }

 private:
  bool refuse(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
    return false;
  }

  template <class Value>
  bool scalar(Value&& value) {
    return add(json(std::forward<Value>(value))) != nullptr;
  }

  bool open(json container) {
    if (open_.size() >= limits_.depth) return refuse("it is nested deeper than " + std::to_string(limits_.depth));
    json* const added = add(std::move(container));
    if (added != nullptr) open_.push_back(added);
    return added != nullptr;
  }

  bool close() {
    ++work_;
    open_.pop_back();
    return true;
  }

  /// Adds the value to the innermost open container. Returns null if it exceeds the limit. An open container is always
  /// the last element of its parent, so the parent does not grow, and the pointer stays valid, while it is open.
  json* add(json value) {
    ++work_;
    if (++values_ > limits_.values) {
      refuse("it has more than " + std::to_string(limits_.values) + " values");
      return nullptr;
    }
    json* place = &root_;
    if (!open_.empty() && open_.back()->is_array()) {
      return &open_.back()->get_ref<json::array_t&>().emplace_back(std::move(value));
    }
    if (!open_.empty()) place = member_;
    *place = std::move(value);
    return place;
  }

  const JsonLimits limits_;
  json root_;
  std::vector<json*> open_;  // from the outermost to the innermost
  json* member_ = nullptr;   // the place for the value of the innermost object's last field name
  std::size_t values_ = 0;
  std::size_t work_ = 0;
  std::string problem_;
};

}  // namespace

Result<json> parse_bounded(std::string_view text, const JsonLimits& limits, std::size_t* work) {
  if (work != nullptr) *work = 0;
  if (text.size() > limits.bytes) {
    return fail(ErrorCode::invalid, "it is longer than " + std::to_string(limits.bytes) + " bytes");
  }
  JsonTreeBuilder builder(limits);
  const bool whole = json::sax_parse(text.begin(), text.end(), &builder);
  if (work != nullptr) *work = builder.work();
  if (whole) return builder.release();
  return fail(ErrorCode::invalid, builder.problem().empty() ? "it is not valid JSON" : builder.problem());
}

}  // namespace peer::protocol
