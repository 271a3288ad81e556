#include "exec/lines.h"

#include <algorithm>

#include "wire/log_record.h"

namespace mayfly::exec {

void Lines::take(std::string_view bytes) {
  tail_.append(bytes);
  if (tail_.size() > 4 * kTail) tail_.erase(0, tail_.size() - 2 * kTail);
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    pending_.append(part.substr(0, wire::kMaxLogText - std::min(pending_.size(), wire::kMaxLogText)));
    length_ += part.size();
    if (end == std::string_view::npos) return;
    emit();
    bytes.remove_prefix(end + 1);
  }
}

void Lines::finish() {
  if (length_ > 0) emit();
}

void Lines::emit() {
  if (pending_.ends_with('\r')) {
    pending_.pop_back();
    --length_;
  }
  line_(pending_, length_);
  pending_.clear();
  length_ = 0;
}

std::string Lines::tail() const {
  std::string_view text = tail_;
  if (text.size() > kTail) {
    text.remove_prefix(text.size() - kTail);
    if (const auto line = text.find('\n'); line + 1 < text.size() && line != std::string_view::npos)
      text.remove_prefix(line + 1);
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace mayfly::exec
