// What asyncio's selector waits in: serves the daemon's frames by itself, and comes back when there is
// something to do for asyncio.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "python.h"

namespace mayfly::python {

class Server;

class Selector {
 public:
  /// Anew for the event loop of this process, whose epoll descriptor this is.
  void open(int epoll);
  /// From now on the wait serves this server, until it has stopped.
  void attach(Server* server);
  /// Makes the wait return. Any thread.
  void wake() const;
  /// A list of (descriptor, epoll events), perhaps empty. `timeout`: seconds; < 0: none. `ready` and
  /// `scheduled` are the event loop's own queues. Null with an exception.
  [[nodiscard]] PyObject* poll(int epoll, double timeout, PyObject* ready, PyObject* scheduled);

 private:
  [[nodiscard]] bool serving() const;
  void watch(int epoll);

  Fd wake_;
  Server* server_ = nullptr;
  std::uint32_t watched_ = 0;  // events of the data socket that epoll watches for
  int log_watched_ = -1;       // the socket of the log, while lines wait for it
};

}  // namespace mayfly::python
