// Reading payloads: numbers, and texts with their length in front.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mayfly::wire {

/// Reads one after another; ok() turns false at the first that does not fit.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    if (rest_.size() < sizeof(T)) return fail<T>();
    T value;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view text() {
    const auto length = number<std::uint32_t>();
    if (length > rest_.size()) return fail<std::string_view>();
    const auto value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    rest_ = {};
    return T{};
  }
  std::string_view rest_;
  bool ok_ = true;
};

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

}  // namespace mayfly::wire
