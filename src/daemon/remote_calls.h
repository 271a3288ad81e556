// Invocations for functions of other shards: what a shard sends them, and what it runs for them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/invocation.h"

namespace mayfly::daemon {

/// One for each shard, and of its thread but for the constructor and connect(). Everything travels as a
/// message to the other's event loop: there is no state that two threads use. What may be under way for an
/// invocation is bounded by its credit, as everywhere.
///
/// The invocation's chain says which function is meant. The other shard enforces its deadline. Either end may
/// have gone when a message arrives: it meets nobody then.
class RemoteCalls {
 public:
  /// The service for the place of a chain, on this shard.
  using Find = std::function<Result<pool::Service*>(const pool::Chain&)>;

  RemoteCalls(boost::asio::io_context& io, Find find);
  ~RemoteCalls();
  /// All of them, in the order of their shards. Before any thread runs.
  void connect(const std::vector<RemoteCalls*>& shards);
  /// Takes invocations for functions of that shard.
  [[nodiscard]] pool::Service& service(unsigned shard);
  /// This shard ends: what it runs for others is cancelled.
  void stop();
  [[nodiscard]] std::size_t guests() const { return guests_.size(); }

 private:
  class Outgoing;
  struct Guest;
  struct Request;
  struct Event;

  template <class F>
  static void post(RemoteCalls& to, F&& f);
  void begin(Request request);
  void take_body(RemoteCalls& from, std::uint32_t key, std::string bytes, bool end);
  void take_credit(RemoteCalls& from, std::uint32_t key, std::size_t bytes);
  void abandon(RemoteCalls& from, std::uint32_t key);
  Guest* find(RemoteCalls& from, std::uint32_t key);
  void end(Guest& guest);

  boost::asio::io_context& io_;
  Find find_;
  std::vector<std::unique_ptr<Outgoing>> outgoing_;  // by shard
  using GuestKey = std::pair<RemoteCalls*, std::uint32_t>;
  struct Hash {
    std::size_t operator()(const GuestKey& key) const {
      return std::hash<void*>{}(key.first) ^ (std::size_t{key.second} * 0x9e3779b97f4a7c15ULL);
    }
  };
  std::unordered_map<GuestKey, std::unique_ptr<Guest>, Hash> guests_;
};

}  // namespace mayfly::daemon
