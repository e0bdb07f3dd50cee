// The methods about the daemon itself: metrics, doctor, runtime.*, and debug.fail in test builds.
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr const char* kSchemas = R"json({
  "Metrics": {"type": "object", "additionalProperties": false, "required": ["text"], "properties": {
    "text": {"type": "string", "description": "in the Prometheus text format"}}},
  "Findings": {"type": "object", "additionalProperties": false, "required": ["findings"], "properties": {
    "findings": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["subject", "verdict", "text", "fix"],
      "properties": {
        "subject": {"type": "string"},
        "verdict": {"enum": ["good", "warning", "bad"]},
        "text": {"type": "string"},
        "fix": {"type": "string"}}}}}},
  "Tasks": {"type": "object", "additionalProperties": false, "required": ["tasks"], "properties": {
    "tasks": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["name", "parent"],
      "properties": {"name": {"type": "string"}, "parent": {"type": "string"}}}}}}
})json";

Json write_metrics(const std::string& text) { return {{"text", text}}; }

Json write_finding(const api::Finding& finding) {
  return {{"subject", finding.subject},
          {"verdict", api::to_string(finding.verdict)},
          {"text", finding.text},
          {"fix", finding.fix}};
}

Json write_findings(const std::vector<api::Finding>& findings) {
  return list_json("findings", findings, write_finding);
}

Json write_task(const api::TaskInfo& task) { return {{"name", task.name}, {"parent", task.parent}}; }

Json write_tasks(const std::vector<api::TaskInfo>& tasks) { return list_json("tasks", tasks, write_task); }

#if PEERD_TEST_HOOKS
void fail_service(MethodContext& context, const Json& params, Answer answer) {
  api::FailService command;
  command.service = *text_of(params, "service");
  const std::string how = *text_of(params, "how");
  if (how == "throw") {
    command.how = api::ServiceFault::throws;
  } else if (how == "hang") {
    command.how = api::ServiceFault::hangs;
  } else if (how == "end") {
    command.how = api::ServiceFault::ends;
  } else {
    return answer(invalid_params("how must be throw, hang or end"));
  }
  send_command(context, std::move(command), std::move(answer), write_done);
}
#endif

}  // namespace

MethodGroup runtime_methods() {
  MethodGroup group{
      kSchemas,
      {command_method<api::GetMetrics>("Returns metrics in the Prometheus text format", {}, "Metrics",
                                       no_params<api::GetMetrics>, write_metrics),
       command_method<api::Diagnose>(
           "Checks everything that must be right on this machine; writes and deletes 64 MiB in the first library root",
           {}, "Findings", no_params<api::Diagnose>, write_findings),
       command_method<api::ListTasks>("Lists every running task", {}, "Tasks", no_params<api::ListTasks>, write_tasks),
       command_method<api::Shutdown>("Stops the daemon cleanly", {}, "Done", no_params<api::Shutdown>, write_done)}};
#if PEERD_TEST_HOOKS
  group.methods.push_back({api::FailService::kMethod,
                           "Makes a service fail; only in test builds",
                           {{"service", ParamKind::text, true}, {"how", ParamKind::text, true}},
                           "Done",
                           fail_service});
#endif
  return group;
}

}  // namespace peer::control
