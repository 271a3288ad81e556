#include "cloudevents/raw_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mayfly::cloudevents {
namespace {

using nlohmann::json;

/// Goes through a text that is known to be JSON.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Over white space and over `c`, if that is next.
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view value() {
    skip_space();
    const auto begin = at_;
    if (at_ == text_.size()) return {};
    if (text_[at_] == '"') {
      skip_string();
    } else if (text_[at_] == '{' || text_[at_] == '[') {
      skip_nested();
    } else {
      at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }

  void skip_nested() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool is_json(std::string_view text) {
  // The parser leaves out a byte order mark, and takes a zero byte for the end. Neither is JSON.
  return !text.starts_with('\xef') && !text.contains('\0') && json::accept(text);
}

std::vector<RawMember> members_of(std::string_view object) {
  std::vector<RawMember> members;
  Scanner scanner(object);
  if (!scanner.take('{') || scanner.take('}')) return members;
  do {
    auto name = text_of(scanner.value());
    scanner.take(':');
    members.push_back({std::move(name), scanner.value()});
  } while (scanner.take(','));
  return members;
}

std::vector<std::string_view> elements_of(std::string_view array) {
  std::vector<std::string_view> elements;
  Scanner scanner(array);
  if (!scanner.take('[') || scanner.take(']')) return elements;
  do {
    elements.push_back(scanner.value());
  } while (scanner.take(','));
  return elements;
}

std::string text_of(std::string_view string) { return json::parse(string).get<std::string>(); }

std::string json_text(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<std::string> quoted_exactly(std::string_view text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace mayfly::cloudevents
