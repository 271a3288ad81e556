// What makes a function run besides requests, and how what was accepted for it is delivered: the keys of
// [[functions.NAME.on]] and [functions.NAME.async]. Plain data, checked at deploy; src/cloudevents knows what
// a filter means, src/schedule when a schedule's times are.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mayfly::registry {

/// How often, and for how long, an event is given to a function that fails.
struct DeliveryPolicy {
  int attempts = 5;  ///< 1…100; the first one included
  std::chrono::milliseconds backoff{
      1000};  ///< after the first failure, doubled each time; 1 ms … backoff_max
  std::chrono::milliseconds backoff_max{3'600'000};  ///< no wait is longer; 1 ms … 1 day
  std::chrono::milliseconds max_age{86'400'000};     ///< no attempt begins later; 1 s … 30 days
  int concurrency = 16;  ///< deliveries at once, 1…1000; of no meaning for a schedule
  bool operator==(const DeliveryPolicy&) const = default;
};

/// A subscription. A function has at most one of each topic.
struct TopicTrigger {
  std::string topic;  ///< [a-zA-Z0-9][a-zA-Z0-9._-]{0,127}
  /// Attribute of the event → patterns that its value has to match (cloudevents/filter.h); empty: all events.
  std::map<std::string, std::vector<std::string>> filter{};
  int batch = 1;                            ///< messages given at once, at most; 1…1000
  std::chrono::milliseconds batch_wait{0};  ///< for so long a batch waits to become full; 0 … 5 min
  bool ordered = false;  ///< those of one partition key one after another, in order of acceptance
  bool operator==(const TopicTrigger&) const = default;
};

/// What happens to the times that passed while nothing could run.
enum class Missed {
  once,  ///< however many there were, it runs once
  skip,
};

/// A function has each pair of schedule and time zone at most once: together they are its name.
struct ScheduleTrigger {
  std::string schedule;          ///< as schedule/schedule.h reads it
  std::string timezone = "UTC";  ///< a name of the IANA database
  Missed missed = Missed::once;
  std::string payload{};  ///< given to the function; at most kMaxPayload bytes of UTF-8
  bool operator==(const ScheduleTrigger&) const = default;
};

struct Trigger {
  std::variant<TopicTrigger, ScheduleTrigger> source;
  DeliveryPolicy delivery{};
  bool operator==(const Trigger&) const = default;
};

/// How asynchronous invocations of a function are delivered.
struct AsyncConfig {
  DeliveryPolicy delivery{};
  std::chrono::milliseconds keep_result{86'400'000};  ///< status and answer, once it is final; 0 … 30 days
  bool operator==(const AsyncConfig&) const = default;
};

inline constexpr std::size_t kMaxTriggers = 64;                     ///< of a function
inline constexpr std::size_t kMaxPayload = std::size_t{64} * 1024;  ///< bytes

/// Whether a topic may be called so.
[[nodiscard]] bool is_topic_name(std::string_view name);

}  // namespace mayfly::registry
