#include "cli/doctor_checks.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

bool port_is_free(std::uint16_t port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0;
}

Finding port(std::uint16_t number, const char* option) {
  const auto what = "port " + std::to_string(number);
  if (port_is_free(number)) return {what, Health::good, "free"};
  return {what, Health::warning, "in use",
          std::string("start the daemon with ") + option + " 127.0.0.1:PORT"};
}

Finding token_file(const fs::path& folder) {
  struct stat info{};
  const auto file = folder / "admin-token";
  if (::stat(file.c_str(), &info) != 0) {
    if (errno == ENOENT) return {"admin token", Health::good, "made at the first start"};
    return {"admin token", Health::warning, "cannot be looked at",
            "run as the daemon's user, or set MAYFLY_TOKEN"};
  }
  if ((info.st_mode & 077U) != 0)
    return {"admin token", Health::bad, "others can read it", "chmod 600 " + file.string()};
  return {"admin token", Health::good, "for its owner only"};
}

}  // namespace

std::vector<Finding> check_data_folder(const fs::path& folder) {
  // A folder that is not there yet is made by the daemon: then the one that it will be made in counts.
  std::error_code error;
  fs::path there = folder;
  while (!there.empty() && there != there.root_path() && !fs::exists(there, error))
    there = there.parent_path();
  std::vector<Finding> findings;
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    findings.push_back({"data folder", Health::bad, folder.string() + " cannot be written",
                        "name another with --data or MAYFLY_DATA, or run as its owner"});
    return findings;
  }
  struct stat info{};
  const bool exists = ::stat(folder.c_str(), &info) == 0;
  if (exists && (info.st_mode & S_IWOTH) != 0)
    findings.push_back({"data folder", Health::bad, "everybody may write to " + folder.string(),
                        "chmod o-w " + folder.string()});
  else
    findings.push_back(
        {"data folder", Health::good, folder.string() + (exists ? "" : " (made at the first start)")});
  const auto space = fs::space(there, error);
  constexpr std::uintmax_t kLittle = 1ULL << 30U;
  if (!error)
    findings.push_back({"disk space", space.available < kLittle ? Health::warning : Health::good,
                        std::to_string(space.available >> 20U) + " MiB free",
                        space.available < kLittle ? "versions and logs need room: make some" : ""});
  findings.push_back(token_file(folder));
  return findings;
}

std::vector<Finding> check_daemon(const Connection& connection) {
  const auto url = admin_url(connection);
  auto client = DaemonClient::open(connection);
  auto status = client ? client->get("/v1/status") : std::unexpected(client.error());
  if (status) {
    std::vector<Finding> findings{
        {"daemon", Health::good, url + ", version " + status->value("version", "unknown")}};
    for (const char* kind : {"sandbox", "limits"})
      for (const auto& layer : status->value(kind, nlohmann::json::array()))
        if (!layer.value("there", true))
          findings.push_back({std::string("daemon: ") + kind, Health::warning,
                              "no " + layer.value("name", ""), layer.value("reason", "")});
    return findings;
  }
  if (status.error().code == CliErrc::unauthorized)
    return {{"daemon", Health::warning, "answers at " + url + ", but not to us", status.error().message}};
  return {{"daemon", Health::warning, "none at " + url, "start one with `mayfly serve`"},
          port(8080, "--listen"),
          port(8081, "--admin")};
}

}  // namespace mayfly::cli
