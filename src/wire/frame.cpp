#include "wire/frame.h"

#include <algorithm>
#include <array>
#include <bit>

#include "wire/reader.h"

namespace mayfly::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are laid out as little-endian memory");

template <class T>
T get(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Both ends of every instance have a decoder, and most see small frames only.
constexpr std::size_t kInitialBuffer = 8U << 10U;

const SlugCategory<WireErrc, 3> kCategory("wire", std::array{"malformed-frame", "frame-too-large",
                                                             "unknown-version"});

}  // namespace

std::error_code make_error_code(WireErrc code) { return {static_cast<int>(code), kCategory}; }

std::size_t begin_frame(std::string& out, const Frame& head) {
  const std::size_t begin = out.size();
  put(out, std::uint32_t{0});
  put(out, static_cast<std::uint8_t>(head.type));
  put(out, head.flags);
  put(out, kVersion);
  put(out, std::uint8_t{0});
  put(out, head.stream);
  put(out, head.aux);
  return begin;
}

void end_frame(std::string& out, std::size_t begin) {
  const auto length = static_cast<std::uint32_t>(out.size() - begin - kHeaderSize);
  std::memcpy(out.data() + begin, &length, sizeof length);
}

void append_frame(std::string& out, const Frame& frame) {
  const std::size_t begin = begin_frame(out, frame);
  out.append(frame.payload);
  end_frame(out, begin);
}

void append_invoke_head(std::string& out, const InvokeHead& head) {
  put(out, head.deadline);
  for (const auto text : {head.invocation, head.remote, head.scheme, head.method, head.target, head.headers})
    put_text(out, text);
}

std::optional<InvokeHead> parse_invoke_head(std::string_view payload, std::string_view& rest) {
  Reader reader(payload);
  InvokeHead head;
  head.deadline = reader.number<std::uint64_t>();
  for (auto* text : {&head.invocation, &head.remote, &head.scheme, &head.method, &head.target, &head.headers})
    *text = reader.text();
  if (!reader.ok()) return std::nullopt;
  rest = reader.rest();
  return head;
}

void append_response_head(std::string& out, std::string_view headers) { put_text(out, headers); }

std::optional<std::string_view> parse_response_head(std::string_view payload, std::string_view& rest) {
  Reader reader(payload);
  const auto headers = reader.text();
  if (!reader.ok()) return std::nullopt;
  rest = reader.rest();
  return headers;
}

FrameDecoder::FrameDecoder() {
  // Not filled with zeros: an instance may serve one request, and touches the pages that this one needs.
  buffer_.resize_and_overwrite(kInitialBuffer, [](char*, std::size_t size) { return size; });
}

std::pair<char*, std::size_t> FrameDecoder::prepare() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ > 0 && buffer_.size() - end_ < kHeaderSize + kMaxChunk / 4) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size())
    buffer_.resize(std::min(buffer_.size() * 2, kHeaderSize + kMaxPayload + kInitialBuffer));
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void FrameDecoder::commit(std::size_t bytes) { end_ += bytes; }

Result<std::optional<Frame>> FrameDecoder::next() {
  if (end_ - begin_ < kHeaderSize) return std::nullopt;
  const char* at = buffer_.data() + begin_;
  const auto length = get<std::uint32_t>(at);
  if (length > kMaxPayload) return fail(WireErrc::frame_too_large, "a frame is longer than 1 MiB");
  if (static_cast<std::uint8_t>(at[6]) != kVersion)
    return fail(WireErrc::unknown_version, "a frame of another protocol version");
  const auto type = static_cast<std::uint8_t>(at[4]);
  if (type < static_cast<std::uint8_t>(FrameType::invoke) ||
      type > static_cast<std::uint8_t>(FrameType::call_error))
    return fail(WireErrc::malformed_frame, "a frame of unknown type " + std::to_string(type));
  if (end_ - begin_ < kHeaderSize + length) return std::nullopt;
  Frame frame;
  frame.type = static_cast<FrameType>(type);
  frame.flags = static_cast<std::uint8_t>(at[5]);
  frame.stream = get<std::uint32_t>(at + 8);
  frame.aux = get<std::uint32_t>(at + 12);
  frame.payload = std::string_view(at + kHeaderSize, length);
  begin_ += kHeaderSize + length;
  return frame;
}

}  // namespace mayfly::wire
