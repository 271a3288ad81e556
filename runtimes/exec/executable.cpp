#include "exec/executable.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

namespace mayfly::exec {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
constexpr const char* kMachineName = "x86-64";
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
constexpr const char* kMachineName = "aarch64";
#else
#error "which machine is this?"
#endif

std::unexpected<Error> refuse(std::string message) {
  return fail(std::make_error_code(std::errc::executable_format_error), std::move(message));
}

bool can_run(const std::string& file) {
  struct stat info{};
  return ::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0 &&
         ::access(file.c_str(), X_OK) == 0;
}

bool on_path(const std::string& name) {
  if (name.contains('/')) return can_run(name);
  const char* value = std::getenv("PATH");
  std::string_view path = value != nullptr ? value : "/usr/local/bin:/usr/bin:/bin";
  while (!path.empty()) {
    const auto folder = path.substr(0, path.find(':'));
    if (can_run(std::string(folder) + "/" + name)) return true;
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
  }
  return false;
}

/// Words of a "#!" line; only `env -S` divides what the kernel takes as one argument.
std::string take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return std::string(word);
}

Result<void> check_script(const std::string& name, std::string_view line) {
  if (line.ends_with('\r'))
    return refuse(
        "the first line of '" + name +
        "' ends with a carriage return (a file from Windows?): its interpreter is not found that way");
  const auto interpreter = take_word(line);
  if (interpreter.empty()) return refuse("the first line of '" + name + "' names no interpreter after #!");
  if (!can_run(interpreter))
    return refuse("the interpreter '" + interpreter + "' of '" + name + "' is not on this machine");
  if (!interpreter.ends_with("/env")) return {};
  auto program = take_word(line);
  while (program.starts_with('-') || program.contains('=')) program = take_word(line);
  if (program.empty() || on_path(program)) return {};
  return refuse("the interpreter '" + program + "' of '" + name + "' is not on the PATH of this machine");
}

/// The dynamic loader that an ELF program asks for; empty for a static one.
std::string loader_of(std::ifstream& stream, const Elf64_Ehdr& head) {
  for (unsigned i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part{};
    stream.seekg(static_cast<std::streamoff>(head.e_phoff + i * sizeof part));
    if (!stream.read(reinterpret_cast<char*>(&part), sizeof part)) return {};
    if (part.p_type != PT_INTERP || part.p_filesz == 0 || part.p_filesz > 4096) continue;
    std::string path(part.p_filesz, '\0');
    stream.seekg(static_cast<std::streamoff>(part.p_offset));
    if (!stream.read(path.data(), static_cast<std::streamsize>(path.size()))) return {};
    return path.substr(0, path.find('\0'));
  }
  return {};
}

Result<void> check_elf(const std::string& name, std::ifstream& stream) {
  Elf64_Ehdr head{};
  stream.clear();
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(&head), sizeof head)) return refuse("'" + name + "' is cut off");
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
      head.e_machine != kMachine)
    return refuse("'" + name + "' is built for another machine; this one is " + kMachineName);
  if (head.e_type != ET_EXEC && head.e_type != ET_DYN)
    return refuse("'" + name + "' is an object file, not a program");
  const auto loader = loader_of(stream, head);
  if (loader.empty() || can_run(loader)) return {};
  return refuse("'" + name + "' needs the loader '" + loader +
                "', which is not on this machine (built for another C library? link it statically)");
}

}  // namespace

Result<void> check_executable(const std::string& file) {
  const auto name = file.substr(file.rfind('/') + 1);
  struct stat info{};
  if (::stat(file.c_str(), &info) != 0) return refuse("the executable '" + name + "' is not there");
  if (!S_ISREG(info.st_mode)) return refuse("'" + name + "' is not a file");
  if ((info.st_mode & 0111) == 0)
    return refuse("'" + name + "' is not executable: give it the run bit (chmod +x " + name + ")");
  std::ifstream stream(file, std::ios::binary);
  std::array<char, 4096> start{};
  stream.read(start.data(), start.size());
  if (!stream && !stream.eof()) return refuse("'" + name + "' cannot be read");
  const std::string_view head(start.data(), static_cast<std::size_t>(stream.gcount()));
  if (head.starts_with("#!")) return check_script(name, head.substr(2, head.find('\n') - 2));
  if (head.starts_with(ELFMAG)) return check_elf(name, stream);
  return refuse("'" + name + "' is neither a script (its first line begins with #!) nor a program (ELF)");
}

}  // namespace mayfly::exec
