#include "cli/ignore.h"

#include <fnmatch.h>

#include <algorithm>

namespace mayfly::cli {

void IgnoreList::add(std::string_view text) {
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    Pattern pattern;
    if (line.starts_with('!')) {
      pattern.take_back = true;
      line.remove_prefix(1);
    }
    if (line.ends_with("/**")) line.remove_suffix(2);
    if (line.ends_with('/')) {
      pattern.folders_only = true;
      line.remove_suffix(1);
    }
    if (line.starts_with("**/")) {
      line.remove_prefix(3);
    } else if (line.find('/') != std::string_view::npos) {
      pattern.whole_path = true;
      if (line.starts_with('/')) line.remove_prefix(1);
    }
    if (line.empty()) continue;
    pattern.glob = line;
    patterns_.push_back(std::move(pattern));
  }
}

bool IgnoreList::ignores(const std::string& path, bool is_folder) const {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  bool ignored = false;
  for (const auto& pattern : patterns_) {
    if (pattern.folders_only && !is_folder) continue;
    const std::string& subject = pattern.whole_path ? path : name;
    if (::fnmatch(pattern.glob.c_str(), subject.c_str(), FNM_PATHNAME) == 0) ignored = !pattern.take_back;
  }
  return ignored;
}

}  // namespace mayfly::cli
