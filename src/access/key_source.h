// Where the keys of token issuers come from: files and URLs, read on a thread of their own and again from
// time to time. Nobody waits for it: what it has read it gives out as a table.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "access/key_set.h"
#include "base/clock.h"
#include "outbound/address_rules.h"

namespace mayfly::access {

struct KeySourceOptions {
  std::chrono::seconds file_interval{10};  ///< how often a file is read again
  std::chrono::minutes url_interval{5};    ///< how often a URL is
  std::chrono::seconds pause{5};     ///< at least so long between two reads: after a failure, or when asked
  std::chrono::seconds longest{10};  ///< of one read from the network
  /// Which addresses a URL may lead to; null: any. They outlive it.
  const outbound::AddressRules* rules = nullptr;
};

/// "/…", "https://…", or "http://…" of this machine's own loopback.
[[nodiscard]] bool is_key_location(std::string_view text);

/// At most 1 MiB from there, as the options say. A file is a plain one: nobody has to be waited for. A URL:
/// https with the system's authorities; no redirection is followed.
[[nodiscard]] Result<std::string> read_location(const std::string& location, const KeySourceOptions& options);

/// Keys that were read stay until others of the same place can be read: an issuer that is down stops nobody.
class KeySource {
 public:
  using Publish = std::function<void(KeySetsPtr)>;
  /// A place cannot be read, or can again (no error).
  using Say = std::function<void(const std::string& location, const Result<void>& state)>;

  /// Both are called on its thread.
  KeySource(const KeySourceOptions& options, Publish publish, Say say);
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;
  ~KeySource();

  /// The places that functions name now; what no function names is forgotten. From any thread.
  void want(std::set<std::string> locations);
  /// A token names a key that is not in its set: read it again, unless that was done just now. From any
  /// thread.
  void refresh(const std::string& location);

 private:
  struct Place {
    std::shared_ptr<const KeySet> keys{};
    MonotonicTime last{};  ///< read, or tried
    MonotonicTime next{};
    bool failing = false;
    std::string text{};  ///< as it was read
  };
  void run();
  void take(const std::string& location, const Result<std::string>& text);
  [[nodiscard]] KeySetsPtr table() const;

  const KeySourceOptions options_;
  const Publish publish_;
  const Say say_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Place, std::less<>> places_;
  bool forgotten_ = false;  ///< a place is gone and the table does not know it yet
  bool stopping_ = false;
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace mayfly::access
