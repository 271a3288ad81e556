// Which files of a folder are not part of a deployment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly::cli {

/// The patterns of a .gitignore: names with * and ?, '/' at the start or inside ties a pattern to the top,
/// '/' at the end means folders only, '!' takes back, '**' stands for any folders at either end. The
/// last pattern that fits decides.
class IgnoreList {
 public:
  IgnoreList() = default;
  explicit IgnoreList(std::string_view text) { add(text); }

  void add(std::string_view text);
  /// `path` is relative, with '/'. What is below an ignored folder is ignored: do not go there.
  [[nodiscard]] bool ignores(const std::string& path, bool is_folder) const;

 private:
  struct Pattern {
    std::string glob;
    bool whole_path = false;  ///< matched with the path, not with its last part
    bool folders_only = false;
    bool take_back = false;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace mayfly::cli
