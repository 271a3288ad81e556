#include "sandbox/box.h"

#include <cstring>

namespace mayfly::sandbox {
namespace {

/// Between a daemon and runtimes of one build: numbers are in the machine's order.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  template <class T>
  void number(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }
  template <class T, class Each>
  void list(const std::vector<T>& values, Each each) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) each(value);
  }

 private:
  std::string& out_;
};

/// After the first thing that does not fit all it reads is empty, and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  template <class T>
  T number() {
    T value{};
    const auto part = take(sizeof value);
    if (ok_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  template <class Each>
  void list(Each each) {
    for (auto left = number<std::uint32_t>(); ok_ && left > 0; --left) each();
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string encode(const Box& box) {
  std::string out;
  Writer to(out);
  const auto text = [&to](const std::string& value) { to.text(value); };
  const auto pair = [&to](const Box::Text& value) {
    to.text(value.path);
    to.text(value.content);
  };
  to.number(static_cast<std::uint8_t>(box.namespaces));
  to.number(static_cast<std::uint8_t>(box.forks));
  to.number(box.user);
  to.text(box.hostname);
  to.number(static_cast<std::uint8_t>(box.network));
  to.list(box.visible, [&to](const Box::Shown& shown) {
    to.text(shown.path);
    to.text(shown.at);
  });
  to.list(box.copied, text);
  to.list(box.links, pair);
  to.list(box.files, pair);
  to.number(box.open_files);
  to.number(box.processes);
  to.list(box.descriptors, [&to](BoxDescriptor kind) { to.number(static_cast<std::uint8_t>(kind)); });
  return out;
}

std::optional<Box> decode_box(std::string_view encoded) {
  Reader from(encoded);
  Box box;
  const auto texts = [&from](std::vector<std::string>& to) { from.list([&] { to.push_back(from.text()); }); };
  const auto pairs = [&from](std::vector<Box::Text>& to) {
    from.list([&] {
      auto path = from.text();
      to.push_back({std::move(path), from.text()});
    });
  };
  box.namespaces = from.number<std::uint8_t>() != 0;
  box.forks = from.number<std::uint8_t>() != 0;
  box.user = from.number<uid_t>();
  box.hostname = from.text();
  const auto network = from.number<std::uint8_t>();
  from.list([&] {
    auto path = from.text();
    box.visible.push_back({std::move(path), from.text()});
  });
  texts(box.copied);
  pairs(box.links);
  pairs(box.files);
  box.open_files = from.number<std::uint64_t>();
  box.processes = from.number<std::uint64_t>();
  bool known = network <= static_cast<std::uint8_t>(BoxNetwork::host);
  box.network = static_cast<BoxNetwork>(network);
  from.list([&] {
    const auto kind = from.number<std::uint8_t>();
    known = known && kind >= 1 && kind <= static_cast<std::uint8_t>(BoxDescriptor::cgroup);
    box.descriptors.push_back(static_cast<BoxDescriptor>(kind));
  });
  if (!from.at_end() || !known || box.descriptors.size() > Box::kMaxDescriptors) return std::nullopt;
  return box;
}

}  // namespace mayfly::sandbox
