// A shard: one data-plane thread with its connections and the functions that live on it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "access/guard.h"
#include "base/reactor.h"
#include "base/wheel_timer.h"
#include "daemon/one_invocation.h"
#include "daemon/remote_calls.h"
#include "daemon/upstreams.h"
#include "events/engine.h"
#include "gateway/session.h"
#include "intake/pipeline_request.h"
#include "meter/ledger.h"
#include "meter/meter.h"
#include "pipelines/pipelines.h"
#include "pool/call_host.h"
#include "router/route_table.h"
#include "scheduler/scheduler.h"

namespace mayfly::daemon {

struct ShardOptions {
  unsigned index = 0;
  unsigned count = 1;
  std::size_t max_instances = 1000;   ///< of all functions on this shard
  std::uint64_t memory = UINT64_MAX;  ///< the budget for what is warm, templates and instances
  /// Asks for an issuer's keys to be read again. Called on the shard's thread, must not wait.
  std::function<void(const std::string& location)> refresh_keys{};
  pool::Stores stores{};                      ///< of secrets and datasets; they outlive the shard
  pool::Boxes* boxes = nullptr;               ///< likewise; null: functions are not confined
  sandbox::Cgroups* groups = nullptr;         ///< likewise
  outbound::Client* upstreams = nullptr;      ///< asks them; likewise; null: nobody does
  pipelines::Pipelines* pipelines = nullptr;  ///< likewise, with `events`
  events::Engine* events = nullptr;           ///< takes what is not waited for; likewise; null: nobody does
  meter::Ledger* ledger = nullptr;            ///< keeps what is used; likewise; null: nothing is metered
  meter::BudgetBook* budgets = nullptr;       ///< likewise; null: there are none
  /// Where instances are measured for their limits: a thread for each pool::LimitWatch::Lane; empty: they are
  /// not.
  std::vector<boost::asio::any_io_executor> watch_lanes{};
  gateway::GatewayOptions gateway;
};

/// A function belongs to the shard that its name hashes to, and everything of it happens on that thread.
[[nodiscard]] unsigned home_shard(std::string_view function, unsigned count);

/// Everything but the constructor, start(), stop() and executor() is called on the shard's own thread;
/// post() gets there.
class Shard final : public gateway::GatewayHost, private pool::CallHost {
 public:
  /// Sends a connection to another shard.
  using Mover = std::function<void(unsigned shard, gateway::MovedConnection)>;

  /// `background` is for what would take milliseconds here.
  /// Where the templates of a version come from. Called on the shard's thread, what it gives outlives the
  /// shard.
  using RuntimeOf = std::function<tmpl::Forker&(const registry::Version& version)>;

  Shard(const ShardOptions& options, RuntimeOf runtime_of, pool::LogSink& logs,
        boost::asio::any_io_executor background, Mover mover);
  ~Shard() override;
  void start();
  void stop();

  template <class F>
  void post(F&& f) {
    boost::asio::post(io_, std::forward<F>(f));
  }

  /// What goes to other shards and comes from them: to be connected before start().
  [[nodiscard]] RemoteCalls& remote_calls() { return remote_; }
  void adopt(gateway::MovedConnection connection);
  /// The set of functions changed: `changed` (null: deleted) is what is new in the table.
  void publish(std::shared_ptr<const router::RouteTable> table, const std::string& name,
               registry::FunctionPtr changed);
  /// The API keys changed.
  void publish_keys(access::KeyTablePtr keys) { guard_.publish(std::move(keys)); }
  /// The keys of issuers of tokens changed.
  void publish_key_sets(access::KeySetsPtr sets) { guard_.publish(std::move(sets)); }
  void prepare(const registry::VersionPtr& version, std::function<void(Result<void>)> then);
  void invoke(const std::shared_ptr<OneInvocation>& one);
  void evict(const std::string& function, bool templates);
  struct Renewed {
    registry::VersionPtr version;
    std::optional<Error> error;  ///< its code does not load: what it was made of before goes on
  };
  /// A secret or a dataset has changed: versions that list it and are loaded get new templates. What runs or
  /// waits is finished by the old ones, which then end. `then` is called when the new ones serve. In
  /// shard_renew.cpp.
  void renew(const registry::Listed& changed, std::function<void(std::vector<Renewed>)> then);
  void drain();
  /// Hands over to the ledger what was used until now.
  void flush_usage() {
    if (meter_) meter_->flush();
  }
  /// Live figures of a function, as admin::Operations::live() gives them.
  [[nodiscard]] nlohmann::json live(const std::string& function);
  /// Instances, connections, memory of what is warm and its budget, in bytes.
  [[nodiscard]] nlohmann::json figures();
  [[nodiscard]] std::size_t connections() const { return sessions_.size(); }
  struct VersionFigures {
    std::string function;
    std::uint32_t version;
    std::shared_ptr<pool::VersionStats> stats;
  };
  [[nodiscard]] std::vector<VersionFigures> stats() const;
  /// By function and reason: requests that came here and were refused before the function saw them.
  using RefusalFigures = std::map<std::string, std::map<std::error_code, std::uint64_t>>;
  [[nodiscard]] RefusalFigures refusals() const;
  /// Of an upstream's requests, those that came to this shard.
  [[nodiscard]] Upstreams::Outcomes upstream_outcomes(const std::string& name) const {
    return upstreams_.outcomes(name);
  }

 private:
  /// One version in service, or still draining.
  struct Served {
    registry::VersionPtr version;
    std::shared_ptr<pool::VersionStats> stats;
    std::unique_ptr<scheduler::Scheduler> scheduler;
    bool preparing = false;                             ///< being deployed: the table does not know it yet
    std::unique_ptr<scheduler::Scheduler> successor{};  ///< takes over when its template is ready
    unsigned renewals = 0;                              ///< ever begun: the last one counts
    access::Rule rule{};
    std::shared_ptr<gateway::Refusals> refusals{};  ///< of the whole function
  };
  using RenewedHandler = std::function<void(std::optional<Error>)>;
  using Versions = std::map<std::uint32_t, std::unique_ptr<Served>>;

  // gateway::GatewayHost
  Result<gateway::Destination> route(gateway::RequestHead& head) override;
  void move(unsigned shard, gateway::MovedConnection connection) override;
  void new_invocation_id(std::array<char, 32>& id) override;
  void ended(gateway::Session& session) override;
  bool draining() const override { return draining_; }

  /// A request that the platform itself answers, if it is one.
  [[nodiscard]] std::optional<Result<gateway::Destination>> route_here(gateway::RequestHead& head);
  [[nodiscard]] Result<void> admit_starter(const intake::PipelinePath& path, gateway::RequestHead& head,
                                           gateway::Destination& destination);
  [[nodiscard]] Result<void> admit_publisher(const std::string& topic, gateway::RequestHead& head,
                                             gateway::Destination& destination);
  [[nodiscard]] Result<void> admit_key(const std::string& what, gateway::RequestHead& head,
                                       gateway::Destination& destination);
  void accept_later(gateway::Destination& destination, const router::Match& match);
  // pool::CallHost; in shard_calls.cpp
  Result<pool::Callee> callee(const wire::CallHead& head, const pool::Caller& caller) override;
  [[nodiscard]] Result<pool::Callee> topic_callee(const std::string& topic);
  [[nodiscard]] Result<pool::Callee> called_function(std::string_view name, const registry::Version& caller,
                                                     std::string_view headers);
  /// Where a request to this version begins: with the outermost decorator, or nothing is around it.
  [[nodiscard]] Result<pool::Chain> chain_of(const registry::VersionPtr& version, std::string_view headers);
  /// Decorators of a version, their decorators included, and the version itself.
  [[nodiscard]] Result<void> append_links(pool::Chain::Links& links, const registry::VersionPtr& version,
                                          std::string_view headers, unsigned depth);
  [[nodiscard]] pool::Service* service_of(const registry::VersionPtr& version);
  /// For another shard.
  [[nodiscard]] Result<pool::Service*> guest_service(const pool::Chain& chain);
  void end_calls();
  [[nodiscard]] const access::Rule& rule_for(const registry::Function& function,
                                             const registry::VersionPtr& version);

  Served& served(const registry::VersionPtr& version);
  [[nodiscard]] Result<void> admit(const access::Rule& rule, const std::string& function,
                                   gateway::RequestHead& head, gateway::Destination& destination);
  [[nodiscard]] const std::shared_ptr<gateway::Refusals>& refusals_of(const std::string& function);
  void forget_callers(const std::string& function);
  [[nodiscard]] std::unique_ptr<scheduler::Scheduler> make_scheduler(const Served& entry);
  [[nodiscard]] Served* find_served(const registry::Version& version);
  void renew_version(const registry::VersionPtr& version, const RenewedHandler& done);
  void on_successor(const registry::VersionPtr& version, unsigned renewal, const Result<void>& result,
                    const RenewedHandler& done);
  void retire(std::unique_ptr<Served> served);
  void serve_ready();
  [[nodiscard]] bool hand_over(meter::UsageBatch& batch);
  [[nodiscard]] nlohmann::json limits(const pool::Pool& pool) const;
  void measure(int pid, bool is_template, std::function<void(std::uint64_t)> then);
  [[nodiscard]] std::vector<gateway::Session*> all_sessions() const;

  ShardOptions options_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Reactor reactor_;  ///< connections and instances; Asio does the rest
  boost::asio::posix::stream_descriptor reactor_ready_;
  DeadlineWheel deadlines_;
  WheelTimer wheel_timer_;
  boost::asio::any_io_executor background_;
  SystemClock clock_;
  access::Guard guard_;
  pool::Warmth warmth_;
  std::optional<meter::Meter> meter_;  // there is a ledger
  std::optional<pool::LimitWatch> watch_;
  RuntimeOf runtime_of_;
  pool::LogSink& logs_;
  pool::Stores stores_;
  pool::Boxes* boxes_;
  Mover mover_;
  scheduler::Capacity capacity_;
  std::shared_ptr<const router::RouteTable> table_;
  std::map<std::string, Versions, std::less<>> functions_;
  RemoteCalls remote_;
  Upstreams upstreams_;
  std::unordered_map<std::string, std::shared_ptr<gateway::Refusals>> refusals_;  // by function
  std::map<registry::VersionPtr, access::Rule> rules_of_wrapped_;  // of other shards' functions
  std::vector<std::unique_ptr<Served>> retired_;
  std::unordered_map<gateway::Session*, std::unique_ptr<gateway::Session>> sessions_;
  std::mt19937_64 random_;
  bool draining_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace mayfly::daemon
