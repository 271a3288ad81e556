#include "load.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdlib>

namespace mayfly::native {
namespace {

std::string demangled(const std::string& name) {
  int status = 0;
  char* plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = plain != nullptr ? plain : name;
  std::free(plain);
  return result;
}

void erase_all(std::string& text, const std::string& part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
}

}  // namespace

std::string explain_dlerror(std::string text, const std::string& root) {
  if (!root.empty()) erase_all(text, root + "/");
  constexpr std::string_view kMark = "undefined symbol: ";
  const auto at = text.find(kMark);
  if (at == std::string::npos) return text;
  const auto begin = at + kMark.size();
  const auto end = std::min(text.find_first_of(" ,\t", begin), text.size());
  const auto name = text.substr(begin, end - begin);
  return text.replace(begin, end - begin, demangled(name));
}

std::expected<Handler, LoadFailure> load(const std::filesystem::path& root, const std::string& entry) {
  const auto file = root / entry;
  void* object = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr)
    return std::unexpected(LoadFailure{"init", explain_dlerror(::dlerror(), root.string())});
  const auto* function = static_cast<const mayfly_function*>(::dlsym(object, "mayfly_abi"));
  if (function == nullptr)
    return std::unexpected(LoadFailure{
        "export", entry + " has no handler: write MAYFLY_HANDLER(name_of_your_function) once in its source"});
  if (function->abi != MAYFLY_ABI || function->host_size > sizeof(mayfly_host))
    return std::unexpected(
        LoadFailure{"init", entry + " was built with another mayfly.h than this Mayfly's (its version is " +
                                std::to_string(function->abi) + ", this one " + std::to_string(MAYFLY_ABI) +
                                "): build it again"});
  if (function->handle == nullptr || function->host == nullptr)
    return std::unexpected(LoadFailure{"export", "the handler of " + entry + " is a null pointer"});
  *function->host = &host();
  if (const auto* init = static_cast<const mayfly_init_hook*>(::dlsym(object, "mayfly_init"))) {
    const int result = init->run();
    if (result != 0) {
      const auto& why = init_failure();
      return std::unexpected(
          LoadFailure{"init", why.empty() ? "init returned " + std::to_string(result) : "init threw " + why});
    }
  }
  return function->handle;
}

}  // namespace mayfly::native
