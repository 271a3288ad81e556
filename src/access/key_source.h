// Where the keys of token issuers come from: files, read on a thread of their own, and URLs, many at once;
// and again from time to time. Nobody waits for it: what it has read it gives out as a table.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "access/key_set.h"
#include "base/clock.h"
#include "outbound/client.h"

namespace mayfly::access {

struct KeySourceOptions {
  std::chrono::seconds file_interval{10};  ///< how often a file is read again
  std::chrono::minutes url_interval{5};    ///< how often a URL is
  /// At least so long between two reads, when asked. After a failure too, and twice as long after each that
  /// follows, up to `longest_pause`.
  std::chrono::milliseconds pause{5'000};
  std::chrono::seconds longest_pause{60};
  std::chrono::seconds longest{10};                     ///< of one read from the network
  std::chrono::seconds oldest{std::chrono::hours(24)};  ///< so long do keys count that cannot be read again
  std::size_t most_at_once = 32;                        ///< URLs; the others wait
  std::size_t most_of_host = 4;  ///< of them, of one server: a slow one does not take all of them
  /// Which addresses a URL may lead to; null: any. They outlive it.
  const outbound::AddressRules* rules = nullptr;
};

/// A URL: https with the system's authorities. Keys that were read stay until others of the same place can be
/// read: an issuer that is down stops nobody.
class KeySource {
 public:
  using Publish = std::function<void(KeySetsPtr)>;
  /// How it stands with a place; said when it changes.
  enum class State {
    good,     ///< there are keys
    empty,    ///< there is a key set, and no key in it that can be used
    failing,  ///< it cannot be read; keys that were read before count on
    expired,  ///< nor do they any more
  };
  /// `why` it is not good, with the place.
  using Say = std::function<void(const std::string& location, State state, const std::string& why)>;

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
    MonotonicTime good{};  ///< read
    MonotonicTime next{};
    unsigned failures = 0;  ///< one after another
    State state = State::good;
    std::string text{};  ///< as it was read
  };
  using Places = std::map<std::string, Place, std::less<>>;
  struct Arrived {
    std::string location;
    Result<std::string> text;
  };
  void run();
  [[nodiscard]] Places::iterator next_place();
  [[nodiscard]] bool may_be_read(const std::string& location) const;
  void read(const std::string& location, std::unique_lock<std::mutex>& lock);
  void take(const Arrived& arrived);
  [[nodiscard]] Result<State> keep(Place& place, const std::string& text);
  [[nodiscard]] State state_without_read(Place& place);
  [[nodiscard]] MonotonicTime next_of(const std::string& location, const Place& place) const;
  [[nodiscard]] KeySetsPtr table() const;

  const KeySourceOptions options_;
  const Publish publish_;
  const Say say_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Places places_;
  std::map<std::string, std::string> reading_;  ///< URLs that are being read, and their servers
  std::vector<Arrived> arrived_;
  bool forgotten_ = false;  ///< a place is gone and the table does not know it yet
  bool stopping_ = false;
  outbound::Client client_;  ///< what it has read arrives in the others
  std::thread thread_;       ///< last: it uses the others
};

}  // namespace mayfly::access
