// `input`: what a step's call is given, as a template of JSON in which paths stand for what the run knows.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipelines/definition.h"
#include "pipelines/path.h"
#include "pipelines/run_values.h"
#include "pipelines/value.h"

namespace mayfly::pipelines {

/// The strings of a template (JSON text) that begin with '$', but for those with a second one ("$$" is a
/// literal '$').
[[nodiscard]] std::vector<std::string> paths_of(std::string_view input);

/// Whether a path begins with something that a run knows: input, previous, steps.NAME (of a step that is
/// there), error, run; with `of_item` item and index.
[[nodiscard]] Result<void> check_root(const Definition& definition, const Path& path, bool of_item);

/// The template with each path replaced by what it leads to (null: nowhere). Fails as to_value() does.
[[nodiscard]] Result<std::expected<std::string, Failure>> render(std::string_view input, RunValues& values);

/// Whether a call can have this as its input.
[[nodiscard]] std::expected<std::string, Failure> checked_input(std::string text);

}  // namespace mayfly::pipelines
