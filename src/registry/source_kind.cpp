#include "registry/source_kind.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace mayfly::registry {
namespace {

struct Kind {
  std::string_view end;  ///< of the name; a whole name where it does not begin with a dot
  Runtime runtime;
};

constexpr std::array kKinds{
    Kind{".js", Runtime::node},        Kind{".mjs", Runtime::node},
    Kind{".cjs", Runtime::node},       Kind{".ts", Runtime::node},
    Kind{".mts", Runtime::node},       Kind{".cts", Runtime::node},
    Kind{".tsx", Runtime::node},       Kind{".jsx", Runtime::node},
    Kind{".py", Runtime::python},      Kind{".c", Runtime::native},
    Kind{".cc", Runtime::native},      Kind{".cpp", Runtime::native},
    Kind{".cxx", Runtime::native},     Kind{"CMakeLists.txt", Runtime::native},
    Kind{"bootstrap", Runtime::exec},  Kind{"go.mod", Runtime::exec},
    Kind{"Cargo.toml", Runtime::exec},
};

bool is_of(std::string_view name, const Kind& kind) {
  if (!kind.end.starts_with('.')) return name == kind.end;
  return name.size() > kind.end.size() && name.ends_with(kind.end);
}

}  // namespace

std::optional<Runtime> runtime_of(std::string_view file_name) {
  const auto name = file_name.substr(file_name.rfind('/') + 1);
  const auto* kind = std::ranges::find_if(kKinds, [&](const Kind& one) { return is_of(name, one); });
  if (kind == kKinds.end()) return std::nullopt;
  return kind->runtime;
}

bool is_program(std::string_view first_bytes) {
  return first_bytes.starts_with("#!") || first_bytes.starts_with("\177ELF");
}

std::optional<Runtime> runtime_of_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  if (const auto known = runtime_of(file.native())) return known;
  std::array<char, 4> head{};
  std::ifstream stream(file, std::ios::binary);
  stream.read(head.data(), head.size());
  if (is_program({head.data(), static_cast<std::size_t>(stream.gcount())})) return Runtime::exec;
  return std::nullopt;
}

bool speaks_lambda(const Version& version) {
  const bool names_handler = !version.config.handler.empty() && version.config.handler != "default";
  return version.runtime == Runtime::exec &&
         (names_handler || std::filesystem::path(version.entry).filename() == "bootstrap");
}

std::string known_sources() {
  std::string text;
  for (const auto& kind : kKinds) text += std::string(kind.end) + " ";
  return text + "and programs (scripts that begin with #!, ELF files)";
}

}  // namespace mayfly::registry
