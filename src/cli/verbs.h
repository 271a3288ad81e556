// All verbs: one function, and one file, for each.
#pragma once

#include <memory>
#include <vector>

#include "cli/serve_options.h"
#include "cli/verb.h"

namespace mayfly::cli {

[[nodiscard]] Verb serve_verb(const ServeFunction& serve);
[[nodiscard]] Verb dev_verb();
[[nodiscard]] Verb new_verb();
[[nodiscard]] Verb deploy_verb();
[[nodiscard]] Verb invoke_verb();
[[nodiscard]] Verb list_verb();
[[nodiscard]] Verb describe_verb();
[[nodiscard]] Verb delete_verb();
[[nodiscard]] Verb versions_verb();
[[nodiscard]] Verb rollback_verb();
[[nodiscard]] Verb traffic_verb();
[[nodiscard]] Verb logs_verb();
[[nodiscard]] Verb invocation_verb();
[[nodiscard]] Verb upstream_verb();
[[nodiscard]] Verb callback_verb();
[[nodiscard]] Verb topic_verb();
[[nodiscard]] Verb queue_verb();
[[nodiscard]] Verb dlq_verb();
[[nodiscard]] Verb schedule_verb();
[[nodiscard]] Verb pipeline_verb();
[[nodiscard]] Verb secret_verb();
[[nodiscard]] Verb dataset_verb();
[[nodiscard]] Verb token_verb();
[[nodiscard]] Verb key_verb();
[[nodiscard]] Verb usage_verb();
[[nodiscard]] Verb bill_verb();
[[nodiscard]] Verb advise_verb();
[[nodiscard]] Verb doctor_verb();

using VerbList = std::shared_ptr<std::vector<Verb>>;
/// These three are about the list that they are in.
[[nodiscard]] Verb completion_verb(VerbList all);
[[nodiscard]] Verb man_verb(VerbList all);
[[nodiscard]] Verb help_verb(VerbList all);

/// In the order of help.
[[nodiscard]] VerbList all_verbs(const ServeFunction& serve);

}  // namespace mayfly::cli
