// The daemon's end of a fork server's control socket.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/box.h"
#include "wire/control.h"

namespace mayfly::tmpl {

/// A box (sandbox/box.h) and its descriptors, in the order that it names them.
struct BoxPayload {
  sandbox::Box box;
  std::vector<Fd> descriptors{};
};

/// What a child is born with besides its channel and its log socket.
struct Payload {
  std::string json;  ///< for what is small and may pass through the memory of the fork server …
  Fd document{};     ///< … or a file that holds the JSON instead: only the child reads it
  std::optional<BoxPayload> box{};  ///< only with a document: what the child enters first
  Fd temporary{};                   ///< of an instance in a box: its /tmp (sandbox/temporary.h)
  Fd offers{};                      ///< the page of wire::Offers of an instance that has one
  std::vector<Fd> files{};          ///< at most wire::kMaxFiles; only with a document
};

/// What the daemon learns of one forked child. Either may be empty.
struct ChildHandlers {
  std::function<void(Result<Fd> pidfd)> forked;  ///< once; an error: there is no child
  /// Once, after `forked` gave no error. `cpu`: what it used, with the children that it waited for, as its
  /// fork server says; 0: it says nothing of it.
  std::function<void(int wait_status, nanoseconds cpu)> exited;
};

/// Asks a fork server for children and hears of their ends. Lives on one executor; hold it by
/// shared_ptr. When the fork server dies, children that were not reported yet are lost without a word:
/// `closed` tells. A template's code can write to its socket: what a fork server would not say (of a child
/// that there is not, or twice) is taken for its end, and what is read of one in a turn is bounded.
class ForkClient : public std::enable_shared_from_this<ForkClient> {
 public:
  struct Handlers {
    std::function<void(std::string json)> ready;   ///< a template has loaded its code
    std::function<void(std::string json)> failed;  ///< a template cannot load its code
    std::function<void()> closed;  ///< the fork server is gone, or is none any more; called once, last
  };

  ForkClient(const boost::asio::any_io_executor& executor, Fd control, Handlers handlers);
  /// Begin to listen. Handlers may be called from then on until close().
  void start();
  /// Ask for a child that is born with `payload` and the two descriptors, which stay the caller's.
  void fork(const Payload& payload, int channel, int log, ChildHandlers child);
  /// Let the fork server go: it ends. No handler is called any more.
  void close();

 private:
  void wait();
  void receive();
  void give_up();
  /// False: no fork server says this.
  [[nodiscard]] bool handle(wire::ControlMessage& message);

  boost::asio::posix::stream_descriptor socket_;
  Handlers handlers_;
  std::uint64_t next_token_ = 1;
  std::unordered_map<std::uint64_t, ChildHandlers> children_;
  bool closed_ = false;
};

}  // namespace mayfly::tmpl
