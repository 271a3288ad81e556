#include "daemon/boxes.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "base/inside.h"
#include "daemon/tools.h"
#include "registry/config_choices.h"
#include "sandbox/syscall_filter.h"
#include "sandbox/temporary.h"

namespace mayfly::daemon {
namespace {

namespace fs = std::filesystem;
using sandbox::Box;
using sandbox::BoxDescriptor;
using sandbox::BoxNetwork;

/// Programs and libraries; what of /etc they look at. Not all of /etc/ssl and /etc/pki: there are private
/// keys there, which an ordinary user's daemon might be able to read, and so its functions.
constexpr std::array kHost{"/usr",
                           "/etc/ssl/certs",
                           "/etc/ssl/cert.pem",
                           "/etc/ssl/openssl.cnf",
                           "/etc/pki/ca-trust",
                           "/etc/pki/tls/certs",
                           "/etc/pki/tls/cert.pem",
                           "/etc/pki/tls/openssl.cnf",
                           "/etc/ca-certificates",
                           "/etc/alternatives",
                           "/etc/ld.so.cache",
                           "/etc/fonts"};
/// One folder with /usr on most hosts, and then a link.
constexpr std::array kMerged{"/bin", "/sbin", "/lib", "/lib32", "/lib64"};
constexpr std::array kCopied{"/etc/nsswitch.conf", "/etc/services",   "/etc/protocols", "/etc/mime.types",
                             "/etc/localtime",     "/etc/os-release", "/etc/gai.conf",  "/etc/host.conf"};
constexpr std::array<std::pair<const char*, const char*>, 7> kLinks{{{"/dev/fd", "/proc/self/fd"},
                                                                     {"/dev/stdin", "/proc/self/fd/0"},
                                                                     {"/dev/stdout", "/proc/self/fd/1"},
                                                                     {"/dev/stderr", "/proc/self/fd/2"},
                                                                     {"/dev/shm", "/tmp"},
                                                                     {"/var/tmp", "/tmp"},
                                                                     {"/run/lock", "/tmp"}}};

/// What lies below the host's /tmp cannot stand there: each instance has a /tmp of its own. It stands here,
/// and each /tmp has a link to it.
const fs::path kElsewhere = "/host";

/// Folders that are /tmp inside.
constexpr std::array kTemporary{"/tmp", "/var/tmp", "/dev/shm", "/run/lock"};

std::string place_of(const fs::path& path) {
  const bool temporary = std::ranges::any_of(kTemporary, [&](const char* it) { return is_inside(path, it); });
  return temporary ? (kElsewhere / path.relative_path()).string() : path.string();
}

/// Where it is without the links of a host with one folder for /bin and /usr/bin.
fs::path without_merged(const fs::path& path) {
  std::error_code error;
  for (const fs::path merged : kMerged)
    if (is_inside(path, merged) && fs::is_symlink(merged, error))
      return fs::canonical(merged, error) / path.lexically_relative(merged);
  return path;
}

/// "home = /usr/local/bin" of a virtual environment's pyvenv.cfg; empty without one.
fs::path base_of_environment(const fs::path& prefix) {
  std::ifstream config(prefix / "pyvenv.cfg");
  for (std::string line; std::getline(config, line);) {
    const auto equals = line.find('=');
    if (!line.starts_with("home") || equals == std::string::npos) continue;
    return fs::path(line.substr(line.find_first_not_of(' ', equals + 1))).parent_path();
  }
  return {};
}

std::string file_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What it is called inside, in the files that say so.
void add_identity(Box& box) {
  const auto id = std::to_string(Box::kUserInside);
  box.files.push_back({"/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nfunction:x:" + id + ":" + id +
                                          "::/tmp:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"});
  box.files.push_back({"/etc/group", "root:x:0:\nfunction:x:" + id + ":\nnogroup:x:65534:\n"});
  box.files.push_back({"/etc/hostname", box.hostname + "\n"});
}

/// What cannot be had is left out: never more than was asked for.
BoxNetwork network_kind(registry::Network wanted, const pool::NetworkPtr& network) {
  if (wanted == registry::Network::host) return BoxNetwork::host;
  return network ? BoxNetwork::given : BoxNetwork::own;
}

/// Names of hosts: the host's own where the function is on its network.
void add_names(Box& box) {
  if (box.network == BoxNetwork::host) {
    box.copied.emplace_back("/etc/hosts");
    box.files.push_back({"/etc/resolv.conf", file_text("/etc/resolv.conf")});
    return;
  }
  if (box.network == BoxNetwork::given)
    box.files.push_back({"/etc/resolv.conf", network::OutboundNetwork::resolv_conf()});
  box.files.push_back({"/etc/hosts", "127.0.0.1 localhost " + box.hostname + "\n::1 localhost\n"});
}

/// Of a runtime, in the place that the daemon was built or installed to; in a build folder parts of it are
/// links.
void add_runtime(std::vector<fs::path>& paths, const registry::Version& version) {
  const auto folder =
      executable_folder() / "runtimes" / registry::name_of(registry::kRuntimes, version.runtime);
  paths.push_back(folder);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_symlink(ignored)) paths.push_back(fs::canonical(entry.path(), ignored));
}

}  // namespace

std::vector<fs::path> files_of_interpreter(const fs::path& program) {
  std::vector<fs::path> paths;
  if (program.empty()) return paths;
  std::error_code ignored;
  const auto real = fs::canonical(program, ignored);
  std::vector<fs::path> prefixes{program.parent_path().parent_path(), real.parent_path().parent_path(),
                                 base_of_environment(program.parent_path().parent_path())};
  paths.push_back(program);
  paths.push_back(real);
  if (program.parent_path().filename() != "bin") return paths;  // it is no installation, but lies somewhere
  for (const auto& prefix : prefixes) {
    if (prefix.empty() || prefix == "/") continue;
    for (const char* part : {"lib", "lib64", "pyvenv.cfg"}) paths.push_back(prefix / part);
    if (fs::exists(prefix / "pyvenv.cfg", ignored)) paths.push_back(prefix / "bin");
  }
  return paths;
}

std::vector<std::string> outermost(std::vector<fs::path> paths) {
  std::error_code ignored;
  std::erase_if(paths, [&](const fs::path& path) { return path.empty() || !fs::exists(path, ignored); });
  std::ranges::sort(paths);
  std::vector<std::string> kept;
  for (const auto& path : paths)
    if (std::ranges::none_of(kept, [&](const std::string& outer) { return is_inside(path, outer); }))
      kept.push_back(path.string());
  return kept;
}

/// The data folder has every function's code, and the keys to all of it.
Result<void> Boxes::check_hidden(const std::vector<fs::path>& shown) const {
  std::error_code error;
  for (const auto& path : shown)
    if (is_inside(options_.data, fs::weakly_canonical(path, error)))
      return fail(std::make_error_code(std::errc::invalid_argument),
                  "the data folder " + options_.data.string() + " lies below " + path.string() +
                      ", which functions see: choose another (--data)");
  return {};
}

Result<std::unique_ptr<Boxes>> Boxes::make(Options options) {
  auto boxes = std::unique_ptr<Boxes>(new Boxes(std::move(options)));
  if (auto hidden = boxes->check_hidden({boxes->host_.begin(), boxes->host_.end()}); !hidden)
    return propagate(hidden);
  if (!sandbox::has_layer(boxes->layers(), "seccomp")) return boxes;
  auto filter = sandbox::make_filter();
  if (!filter) return propagate(filter);
  boxes->filter_ = std::move(*filter);
  return boxes;
}

Boxes::Boxes(Options options)
    : options_(std::move(options)), namespaces_(sandbox::has_layer(options_.layers, "namespaces")) {
  std::vector<fs::path> host(kHost.begin(), kHost.end());
  std::error_code error;
  for (const fs::path path : kMerged) {
    if (fs::is_symlink(path, error))
      links_.push_back({path.string(), fs::read_symlink(path, error).string()});
    else
      host.push_back(path);
  }
  for (const auto& [path, target] : kLinks) links_.push_back({path, target});
  host_ = outermost(std::move(host));
  options_.data = fs::weakly_canonical(options_.data, error);
  for (const fs::path folder : kTemporary)
    if (is_inside(options_.data, folder))
      data_below_tmp_ = folder / *options_.data.lexically_relative(folder).begin();
}

void Boxes::network_for(const registry::Version& version, std::function<void(pool::NetworkPtr)> then) {
  if (version.config.network != registry::Network::outbound || options_.networks == nullptr)
    return then(nullptr);
  options_.networks->take(version.config.network_allow, [then = std::move(then), address = version.address()](
                                                            Result<network::OutboundNetwork> taken) {
    if (taken) return then(std::make_shared<network::OutboundNetwork>(std::move(*taken)));
    spdlog::warn("{} has no network: {}", address, taken.error().message);
    then(nullptr);
  });
}

std::string Boxes::no_outbound() const {
  if (options_.networks == nullptr) return "without namespaces functions are on the host's network";
  return options_.networks->unavailable();
}

Result<tmpl::BoxPayload> Boxes::box_of(const registry::Version& version, bool forks,
                                       const pool::NetworkPtr& network) {
  tmpl::BoxPayload payload;
  auto& box = payload.box;
  box.namespaces = namespaces_;
  box.forks = forks;
  const auto user = users_.of(version.function);
  if (!user)
    return fail(std::make_error_code(std::errc::resource_unavailable_try_again),
                "no user is left for the function");
  box.user = *user;
  box.open_files = static_cast<std::uint64_t>(version.config.open_files);
  box.hostname = version.function;
  box.network = network_kind(version.config.network, network);
  const auto give = [&](BoxDescriptor kind, Fd fd) {
    box.descriptors.push_back(kind);
    payload.descriptors.push_back(std::move(fd));
  };
  if (filter_) give(BoxDescriptor::filter, Fd(::fcntl(filter_.get(), F_DUPFD_CLOEXEC, 0)));
  if (!namespaces_) return payload;

  if (network) give(BoxDescriptor::network, Fd(::fcntl(network->ns(), F_DUPFD_CLOEXEC, 0)));
  auto paths = files_of_interpreter(options_.interpreter(version));
  add_runtime(paths, version);
  if (auto hidden = check_hidden(paths); !hidden) return propagate(hidden);
  paths.insert(paths.end(), host_.begin(), host_.end());  // make() has looked at these
  paths.push_back(version.root);
  paths.insert(paths.end(), version.layers.begin(), version.layers.end());
  for (auto& path : paths) path = without_merged(path);
  for (auto& path : outermost(std::move(paths))) {
    auto at = place_of(path);
    box.visible.push_back({std::move(path), std::move(at)});
  }
  box.copied.assign(kCopied.begin(), kCopied.end());
  box.links = links_;
  add_identity(box);
  add_names(box);
  auto temporary = temporary_of(version);
  if (!temporary) return propagate(temporary);
  give(BoxDescriptor::temporary, std::move(*temporary));
  return payload;
}

Result<Fd> Boxes::temporary_of(const registry::Version& version) {
  if (!namespaces_) return Fd();
  auto made = sandbox::make_temporary(version.config.tmp);
  if (made && !data_below_tmp_.empty())
    (void)!::symlinkat((kElsewhere / data_below_tmp_.relative_path()).c_str(), made->get(),
                       data_below_tmp_.filename().c_str());
  return made;
}

}  // namespace mayfly::daemon
