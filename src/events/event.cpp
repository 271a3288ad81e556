#include "events/event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/hex.h"
#include "events/callbacks.h"

namespace mayfly::events {
namespace {

constexpr std::size_t kQueueDigits = 5;
constexpr std::size_t kCheckDigits = 13;
constexpr std::size_t kEventDigits = 14;
constexpr unsigned kPositionBits = 36;

constexpr std::array<std::pair<State, std::string_view>, 6> kNames{{{State::queued, "queued"},
                                                                    {State::running, "running"},
                                                                    {State::failed, "failed"},
                                                                    {State::succeeded, "succeeded"},
                                                                    {State::dead, "dead"},
                                                                    {State::cancelled, "cancelled"}}};

void append_digits(std::string& text, std::uint64_t value, std::size_t digits) {
  std::array<char, 16> all{};
  put_hex(all, value);
  text.append(all.end() - digits, all.end());
}

std::uint64_t take_digits(std::string_view& text, std::size_t digits) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + digits, value, 16);
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::string to_text(const DeliveryId& id) {
  std::string text;
  text.reserve(kEventDigits + kQueueDigits + kCheckDigits);
  append_digits(text, std::uint64_t{id.stream} << kPositionBits | id.position, kEventDigits);
  append_digits(text, id.queue, kQueueDigits);
  append_digits(text, id.check, kCheckDigits);
  return text;
}

std::optional<DeliveryId> parse_delivery_id(std::string_view text) {
  if (text.size() != kEventDigits + kQueueDigits + kCheckDigits) return std::nullopt;
  if (text.find_first_not_of(kHexDigits) != std::string_view::npos) return std::nullopt;
  const auto event = take_digits(text, kEventDigits);
  const auto queue = take_digits(text, kQueueDigits);
  return DeliveryId{.stream = static_cast<StreamId>(event >> kPositionBits),
                    .position = event & ((Position{1} << kPositionBits) - 1),
                    .queue = static_cast<QueueId>(queue),
                    .check = take_digits(text, kCheckDigits)};
}

std::string_view name_of(State state) {
  for (const auto& [one, name] : kNames)
    if (one == state) return name;
  return "unknown";
}

std::optional<State> state_of(std::string_view name) {
  for (const auto& [state, one] : kNames)
    if (one == name) return state;
  return std::nullopt;
}

std::string callback_key(DeliveryId id) {
  id.queue = 0;
  return "callback/" + to_text(id);
}

}  // namespace mayfly::events
