// Operations: what the admin plane needs from the running platform besides the registry. Implemented by
// daemon/, called on the control thread only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/key_table.h"
#include "admin/log_queue.h"
#include "base/result.h"
#include "datasets/datasets.h"
#include "registry/function.h"

namespace mayfly::admin {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The client of a request that takes its time. On the control thread.
struct Client {
  /// Called once, when it has left and nothing that is done for it is wanted any more. May be empty.
  std::function<void()> on_left;
};

struct InvokeRequest {
  std::string function;  ///< "hello", "hello@3" or "hello@stable"
  /// True: `body` is a payload. A Lambda handler gets it as its event, other forms as the body of the
  /// HTTP request below. False: always the HTTP request below.
  bool event = false;
  std::string method = "POST";
  std::string target = "/";  ///< path and query as the function sees them
  Headers headers{};
  std::string body{};
  std::shared_ptr<Client> client{};                    ///< null: it stays
  std::string invocation{};                            ///< its id, 32 hexadecimal digits; empty: a new one
  std::optional<std::chrono::milliseconds> timeout{};  ///< if it is shorter than the function's own
};

/// The function's own answer, whatever its status.
struct InvokeAnswer {
  unsigned status = 200;
  Headers headers{};  ///< with Mayfly-Invocation and Server-Timing
  std::string body{};
};

struct LogQuery {
  std::string function;
  std::size_t tail = 100;    ///< at most so many of the newest lines, 0…10000
  std::string invocation{};  ///< only lines of this invocation; empty: all
};

/// What became of a version whose secret or dataset has changed.
struct Renewed {
  std::string address;         ///< "hello@3"
  std::optional<Error> error;  ///< it does not load with the new value, and goes on with the old one
};

/// A dataset as it is now, and what became of the versions that list it.
struct LoadedDataset {
  datasets::Dataset dataset;
  std::vector<Renewed> renewed{};
};

class Operations {
 public:
  virtual ~Operations() = default;

  /// Live figures of a function: {"instances": n, "busy": n, "waiting": n, "templates": [{"version": n,
  /// "state": "…", "reason"?: "…", "memory_bytes"?: n, "ends_in_s"?: n, "instances": {"count": n,
  /// "memory_bytes"?: n, "ends_in_s"?: n}}], "invocations": {"answered": n, "failed": n, …}, "refused":
  /// {"access:rate-limited": n, …}, "failures": [{"time": "…", "invocation": "…", "type":
  /// "pool:handler-threw", "message": "…", "stack"?, "logs"?}]}. `ends_in_s`: when the (next) idle one ends
  /// if nobody needs it; left out while it is needed, or if it only goes when memory is short. What it does
  /// not know it leaves out. A function that was never called has figures of 0.
  virtual boost::asio::awaitable<nlohmann::json> live(std::string function) = 0;

  /// {"version": "0.1.0", "uptime_s": n, "data": "127.0.0.1:8080", "runtimes": [{"name": "node",
  /// "version": "20.20.0", "state": "up"}], "memory": {"total": n, "available": n, "held": n, "budget": n},
  /// "instances": n, "functions": n}. `data` is where the data plane listens, with the port that it really
  /// has.
  virtual boost::asio::awaitable<nlohmann::json> status() = 0;

  /// The whole page of GET /metrics, Prometheus text format 0.0.4.
  virtual boost::asio::awaitable<std::string> metrics() = 0;

  /// True when requests are served: /readyz. False while starting and while draining.
  virtual bool ready() = 0;

  /// Where the data plane answers for a function, for people: "http://127.0.0.1:8080/hello".
  virtual std::string url(const std::string& function) = 0;

  /// Ends the idle instances of a function on all its versions, and with `templates` their templates, too;
  /// comes back when they are gone. What is running goes on. For measuring, and for giving memory back.
  virtual boost::asio::awaitable<void> evict(std::string function, bool templates) = 0;

  /// A secret has a new value, or a dataset a new generation: gives it to every version that lists it and is
  /// loaded now, without losing a request; comes back when they serve with it.
  virtual boost::asio::awaitable<std::vector<Renewed>> renew(registry::Listed changed) = 0;

  /// Does what was begun (datasets::Datasets::begin): loads the dataset, and has versions that list it renew.
  virtual boost::asio::awaitable<Result<LoadedDataset>> load(datasets::Order order) = 0;

  /// From when it comes back, these are the API keys with which functions can be called.
  virtual boost::asio::awaitable<void> publish_keys(access::KeyTablePtr keys) = 0;

  /// From when it comes back, all that has ended before is in the ledger's hands.
  virtual boost::asio::awaitable<void> flush_usage() = 0;

  /// One invocation, to its end. An error is the platform's: the handler threw, the instance died, the
  /// deadline passed…; its details may hold "invocation", "stack" and "logs" (lines divided by '\n').
  virtual boost::asio::awaitable<Result<InvokeAnswer>> invoke(InvokeRequest request) = 0;

  /// The newest log lines that the query asks for, oldest first, each one JSON object without its line
  /// end: {"time": "…", "level": "info", "version": n, "invocation": "…", "text": "…"}. With `follow`,
  /// every line after the last of these is pushed to it, none left out and none twice, until push()
  /// says that nobody reads any more.
  virtual boost::asio::awaitable<std::vector<std::string>> logs(LogQuery query,
                                                                std::shared_ptr<LogQueue> follow) = 0;
};

}  // namespace mayfly::admin
