#include "pipelines/path.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "registry/error.h"

namespace mayfly::pipelines {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxText = 1'024;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_inner(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

/// Takes one segment after the other from the front of a text. Nothing: that is none.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}
  [[nodiscard]] bool done() const { return left_.empty(); }
  [[nodiscard]] std::string_view left() const { return left_; }

  std::optional<Path::Segment> segment() {
    if (take('.')) return shorthand();
    if (!take('[')) return std::nullopt;
    auto found = left_.starts_with('\'') || left_.starts_with('"') ? quoted() : index();
    return found && take(']') ? found : std::nullopt;
  }

 private:
  bool take(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  std::optional<Path::Segment> shorthand() {
    if (left_.empty() || !is_letter(left_.front())) return std::nullopt;
    const auto end = std::ranges::find_if_not(left_, is_inner);
    std::string name(left_.begin(), end);
    left_.remove_prefix(name.size());
    return name;
  }

  std::optional<Path::Segment> quoted() {
    const char quote = left_.front();
    left_.remove_prefix(1);
    std::string name;
    while (!left_.empty() && left_.front() != quote) {
      const bool escaped = take('\\');
      if (left_.empty() || (escaped && left_.front() != quote && left_.front() != '\\')) return std::nullopt;
      name += left_.front();
      left_.remove_prefix(1);
    }
    if (!take(quote)) return std::nullopt;
    return name;
  }

  std::optional<Path::Segment> index() {
    const auto digits = left_.substr(0, left_.find(']'));
    const auto number = digits.size() <= 10 ? parse_integer(digits) : std::nullopt;
    if (!number) return std::nullopt;
    left_.remove_prefix(digits.size());
    return *number;
  }

  std::string_view left_;
};

const json* element(const json& list, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(list.size());
  const auto at = index < 0 ? index + size : index;
  return at >= 0 && at < size ? &list[static_cast<std::size_t>(at)] : nullptr;
}

const json* follow(const json& value, const Path::Segment& segment) {
  if (const auto* index = std::get_if<std::int64_t>(&segment))
    return value.is_array() ? element(value, *index) : nullptr;
  if (!value.is_object()) return nullptr;
  const auto found = value.find(std::get<std::string>(segment));
  return found == value.end() ? nullptr : &*found;
}

std::unexpected<Error> bad_path(std::string_view text, std::string_view left) {
  auto message = "'" + std::string(text.substr(0, 80)) + "' is not a path";
  if (!left.empty() && left.size() < text.size())
    message += " from '" + std::string(left.substr(0, 20)) + "' on";
  return fail(registry::RegistryErrc::bad_config,
              message + "; a path is $ followed by .name, ['name'] and [index]");
}

}  // namespace

Result<Path> Path::parse(std::string_view text) {
  if (!text.starts_with('$') || text.size() > kMaxText || !is_plain_text(text)) return bad_path(text, {});
  Reader reader(text.substr(1));
  Path path;
  while (!reader.done()) {
    const auto left = reader.left();
    auto segment = reader.segment();
    if (!segment) return bad_path(text, left);
    path.segments_.push_back(std::move(*segment));
  }
  return path;
}

std::string_view Path::name_at(std::size_t place) const {
  const auto* name = place < segments_.size() ? std::get_if<std::string>(&segments_[place]) : nullptr;
  return name == nullptr ? std::string_view() : *name;
}

const json* Path::find(const json& value, std::size_t from) const {
  const json* at = &value;
  for (auto i = from; i < segments_.size() && at != nullptr; ++i) at = follow(*at, segments_[i]);
  return at;
}

}  // namespace mayfly::pipelines
