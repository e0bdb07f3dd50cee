// download: starts or attaches to a download and follows it; --dry-run only shows an estimate.
#include <cstdio>

#include "ctl/follow_download.h"
#include "ctl/invocation.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

Json start_params(const Arguments& arguments) {
  const DownloadArguments& download = arguments.download;
  Json params{{"game", arguments.subject}};
  if (arguments.version) params["version"] = *arguments.version;
  if (!download.from.empty()) params["from"] = download.from;
  if (download.wait_s) params["wait_s"] = *download.wait_s;
  return params;
}

/// Prints how a download that was already running differs from this command's options.
void note_differences(const Invocation& invocation, const Json& entry) {
  const std::string game = shell_word(invocation.arguments.subject);
  if (is_paused_by_user(entry)) invocation.note("the download is paused; to continue it: peerctl resume " + game);
  const std::size_t limited_to = entry.contains("from") ? entry.at("from").size() : 0;
  const std::size_t named = invocation.arguments.download.from.size();
  if (named > 0 && (limited_to == 0 || limited_to > named)) {
    invocation.note("the download was already running and may use other peers too; to end it first: peerctl cancel " +
                    game);
  }
}

/// Prints what the download would receive and need. Returns the exit code of the error that would refuse the
/// download, or 0.
int show_plan(Invocation& invocation) {
  Json params = start_params(invocation.arguments);
  params["dry_run"] = true;
  auto plan = invocation.call("downloads.start", params);
  if (!plan) return invocation.fail(plan.error());
  const Json& error = plan->at("error");
  const int code = error.is_object() ? exit_code(error.value("code", "")) : kDone;
  if (invocation.arguments.json) {
    invocation.print_json(*plan);
    return code;
  }
  const auto bytes = [&](const char* name) { return human_bytes(plan->at(name).get<double>()); };
  std::string text = printable(invocation.arguments.subject) + ": version " + short_version(plan->at("version"), "?");
  if (plan->at("state") == "finished") {
    invocation.print_text(text + " is already here");
    return code;
  }
  text += ", " + bytes("bytes_total") + "\n";
  text += "to receive  " + bytes("bytes_to_receive") + " (" + bytes("bytes_reused") + " found on this disk, " +
          bytes("bytes_done") + " received earlier)\n";
  text += "sources     " + std::to_string(plan->at("sources").size()) + "\n";
  text += "space       " + bytes("space_needed") + " needed, " + bytes("space_available") + " available, " +
          bytes("reserve") + " kept free\n";
  text += "time        about " + human_seconds(plan->at("eta_s").get<double>()) + " at " + human_rate(plan->at("rate"));
  invocation.print_text(text);
  if (error.is_object()) std::fprintf(stderr, "peerctl: %s\n", printable(error.value("message", "")).c_str());
  return code;
}

}  // namespace

int run_download(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const bool detach = arguments.download.detach;
  if (arguments.download.dry_run) return show_plan(invocation);
  invocation.catch_interrupts();
  // Subscribe before the start, so that the end cannot be missed in between.
  if (!detach) {
    if (auto subscribed = subscribe_to_downloads(invocation); !subscribed) return invocation.fail(subscribed.error());
  }
  auto entry = invocation.call("downloads.start", start_params(arguments));
  if (!entry) return invocation.fail(entry.error());
  if (!detach) invocation.client().forget_events();
  const bool is_here = entry->at("state") == "finished";
  if (!arguments.json) {
    const std::string version = printable(arguments.subject) + ": version " + short_version(entry->at("version"), "?");
    if (is_here) {
      invocation.note(version + " is already here");
      return kDone;
    }
    invocation.note(version + ", " + human_bytes(entry->at("bytes_total").get<double>()));
    note_differences(invocation, *entry);
  }
  if (detach) {
    if (arguments.json) invocation.print_json(*entry);
    return kDone;
  }
  return follow_download(invocation, std::move(*entry));
}

}  // namespace peer::ctl
