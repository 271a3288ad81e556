// Only for the parts of Queue: how answers of the store come back to its thread.
#pragma once

#include <boost/asio/post.hpp>

#include "events/queue.h"

namespace mayfly::events {

template <class T, class F>
Then<T> Queue::here(F f) {
  return [weak = weak_from_this(), executor = context_.executor, f = std::move(f)](Result<T> result) mutable {
    auto held = std::make_shared<Result<T>>(std::move(result));
    boost::asio::post(executor, [weak, held, f = std::move(f)]() mutable {
      if (const auto self = weak.lock()) f(std::move(*held));
    });
  };
}

}  // namespace mayfly::events
