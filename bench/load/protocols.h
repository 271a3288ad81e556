// How one speaks with the servers that take events: HTTP (Mayfly), NATS with JetStream, Redis with streams.
// Just as much of each protocol as publishing one event after the other and following them needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly::bench {

/// One connection that publishes.
class Publishing {
 public:
  virtual ~Publishing() = default;
  /// To be sent first; "": nothing.
  [[nodiscard]] virtual std::string greeting() const { return {}; }
  /// Takes the answer to the greeting from the front of what was received; false: it is not there yet.
  [[nodiscard]] virtual bool take_welcome(std::string&) const { return true; }
  [[nodiscard]] virtual std::string publish(std::string_view payload) const = 0;
  /// Takes one answer: whether the event was accepted. Nothing: it is not complete yet.
  [[nodiscard]] virtual std::optional<bool> take_answer(std::string& received) const = 0;
};

/// One connection that gets events as they come, and acknowledges each.
class Following {
 public:
  virtual ~Following() = default;
  [[nodiscard]] virtual std::string greeting() const = 0;
  /// Throws std::runtime_error if the server refuses.
  [[nodiscard]] virtual bool take_welcome(std::string& received) const = 0;
  /// To be sent when it is welcome; "": nothing.
  [[nodiscard]] virtual std::string first() const { return {}; }
  /// Takes one event's payload; `answer` is to be sent then.
  [[nodiscard]] virtual std::optional<std::string> take_event(std::string& received,
                                                              std::string& answer) const = 0;
};

/// `protocol`: "http", "nats", "redis". `target`: the path, the subject, the stream's key. `number`: which of
/// the run's connections it is. `key`: an API key; "": none.
[[nodiscard]] std::unique_ptr<Publishing> publishing(std::string_view protocol, const std::string& target,
                                                     unsigned number, const std::string& key);
/// Null: with this protocol nobody follows.
[[nodiscard]] std::unique_ptr<Following> following(std::string_view protocol, const std::string& target);

}  // namespace mayfly::bench
