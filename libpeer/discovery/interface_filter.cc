#include "libpeer/discovery/interface_filter.h"

#include <algorithm>

namespace peer::discovery {

namespace {
constexpr const char* kNoInterface = "/";  // matches nothing: interface names contain no slash

bool listed(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [name](std::string_view each) {
    if (each.ends_with('*')) return name.starts_with(each.substr(0, each.size() - 1));
    return name == each;
  });
}
}  // namespace

bool InterfaceFilter::accepts(std::string_view name) const {
  if (listed(ignore, name)) return false;
  return only.empty() ? !net::is_ignored_interface(name) : listed(only, name);
}

InterfaceFilter InterfaceFilter::resolved(const std::vector<net::InterfaceAddress>& all) const {
  InterfaceFilter now = *this;
  now.holding.reset();
  if (!holding) return now;
  now.only = {kNoInterface};
  for (const net::InterfaceAddress& each : all) {
    if (each.address.with_port(holding->port()) == *holding) now.only = {each.name};
  }
  return now;
}

std::vector<net::InterfaceAddress> InterfaceFilter::usable(std::vector<net::InterfaceAddress> all) const {
  std::erase_if(all, [this](const net::InterfaceAddress& each) {
    return !each.up || each.address.is_unspecified() || !accepts(each.name);
  });
  return all;
}

}  // namespace peer::discovery
