// Operations: datasets are loaded, again when it is time, and given to the functions that list them.
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "daemon/ask_shard.h"
#include "daemon/operations.h"

namespace mayfly::daemon {

using boost::asio::awaitable;

awaitable<Result<admin::LoadedDataset>> PlatformOperations::load(datasets::Order order) {
  using Loaded = Result<std::shared_ptr<datasets::Generation>>;
  std::function<void(std::function<void(Loaded)>)> start = [this, order](std::function<void(Loaded)> then) {
    boost::asio::post(loader_, [this, order, then = std::move(then)] { then(parts_.datasets.load(order)); });
  };
  auto loading = await_answer<Loaded>(parts_.control, std::move(start));
  auto loaded = co_await std::move(loading);
  const bool is_new = loaded && *loaded;
  auto before = parts_.datasets.get(order.name);
  auto finished = parts_.datasets.finish(order, std::move(loaded));
  look_at_datasets();
  if (!finished) co_return propagate(finished);
  admin::LoadedDataset done{*finished, {}};
  if (is_new) {
    registry::Listed changed{registry::Listed::Kind::dataset, order.name};
    auto renewing = renew(std::move(changed));
    done.renewed = co_await std::move(renewing);
    parts_.datasets.settle(order.name);
    look_at_datasets();
    done.dataset.loading = false;
    // Giving gigabytes back takes the kernel a while.
    if (before) boost::asio::post(loader_, [old = std::move(before->current)] {});
  }
  co_return done;
}

awaitable<void> PlatformOperations::load_again(datasets::Order order) {
  const auto name = order.name;
  const auto known = parts_.datasets.get(name);
  const auto before = known && known->failure ? known->failure->message : std::string();
  auto loading = load(std::move(order));
  const auto loaded = co_await std::move(loading);
  if (!loaded && loaded.error().message != before)
    spdlog::error("the dataset '{}' stays as it was: {}", name, loaded.error().message);
  if (!loaded) co_return;
  for (const auto& one : loaded->renewed)
    if (one.error)
      spdlog::error("{} does not load with the new generation of '{}' and goes on with the old one: {}",
                    one.address, name, one.error->message);
}

void PlatformOperations::look_at_datasets() {
  const auto next = parts_.datasets.next_look();
  if (!next) return;
  look_.expires_at(*next);
  look_.async_wait([this](const boost::system::error_code& stopped) {
    if (stopped) return;
    for (auto& order : parts_.datasets.due(std::chrono::steady_clock::now()))
      boost::asio::co_spawn(parts_.control, load_again(std::move(order)), boost::asio::detached);
    look_at_datasets();
  });
}

}  // namespace mayfly::daemon
