// Together: what one thread posts to another goes there in one piece.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <vector>

namespace mayfly {

/// Each post to a thread that sleeps wakes it, which costs both threads system calls and, where cores are
/// few, the processor: it does the first piece of work while the others are still to come. Whoever tells many
/// in a row that they can go on has one of these meanwhile, on its stack.
class Together {
 public:
  Together();
  /// Posts what has been gathered: one piece for each executor, the work of it in its order.
  ~Together();
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  /// Gathers work in this thread's Together; without one, posts it at once. The work must not throw.
  static void post(const boost::asio::any_io_executor& executor, std::function<void()> work);

 private:
  struct Piece {
    boost::asio::any_io_executor executor;
    std::vector<std::function<void()>> work;
  };
  std::vector<Piece> pieces_;  // as many as threads: few
  Together* outer_;
};

}  // namespace mayfly
