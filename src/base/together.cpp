#include "base/together.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace mayfly {
namespace {

thread_local Together* current = nullptr;

}  // namespace

Together::Together() : outer_(std::exchange(current, this)) {}

Together::~Together() {
  current = outer_;
  for (auto& piece : pieces_)
    boost::asio::post(piece.executor, [work = std::move(piece.work)] {
      for (const auto& one : work) one();
    });
}

void Together::post(const boost::asio::any_io_executor& executor, std::function<void()> work) {
  if (current == nullptr) return boost::asio::post(executor, std::move(work));
  auto& pieces = current->pieces_;
  const auto found = std::ranges::find(pieces, executor, &Piece::executor);
  auto& piece = found != pieces.end() ? *found : pieces.emplace_back(Piece{executor, {}});
  piece.work.push_back(std::move(work));
}

}  // namespace mayfly
