// What goes into a run and comes out of its steps: bodies as JSON text, within limits that keep a run small.
#pragma once

#include <cstddef>
#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly::pipelines {

inline constexpr std::size_t kMaxValue = std::size_t{1} << 20U;    ///< bytes of an input or an output
inline constexpr std::size_t kMaxJoined = std::size_t{16} << 20U;  ///< bytes of all outputs of a fan-out
inline constexpr std::size_t kMaxRun = std::size_t{256} << 20U;  ///< bytes of all inputs and outputs of a run
inline constexpr std::size_t kMaxDepth = 100;                    ///< lists and objects in each other

/// Why a step, or a run, fails.
struct Failure {
  std::string type{};     ///< as in problem documents: "pool:handler-threw", "pipelines:too-large"
  std::string message{};  ///< for people
  bool operator==(const Failure&) const = default;
};

/// A body as JSON text: as it is if it is JSON, else the text as a JSON string; empty: null. Fails with
/// "pipelines:not-text", "pipelines:too-large", "pipelines:too-deep".
[[nodiscard]] std::expected<std::string, Failure> to_value(std::string_view body);

/// The same as an answer to whoever sent it: EventsErrc::bad_value.
[[nodiscard]] Result<void> check_value(std::string_view body);

/// A value as it is kept: JSON text in one line. What is no UTF-8 in it is replaced.
[[nodiscard]] std::string text_of(const nlohmann::json& value);

}  // namespace mayfly::pipelines
