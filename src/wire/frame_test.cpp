#include "wire/frame.h"

#include <gtest/gtest.h>

namespace mayfly::wire {
namespace {

void feed(FrameDecoder& decoder, std::string_view bytes) {
  while (!bytes.empty()) {
    auto [room, size] = decoder.prepare();
    const auto count = std::min(size, bytes.size());
    std::memcpy(room, bytes.data(), count);
    decoder.commit(count);
    bytes.remove_prefix(count);
  }
}

TEST(FrameDecoder, GivesFramesAsTheyWereAppended) {
  std::string bytes;
  append_frame(bytes, {FrameType::body, kEnd, 7, 0, "hello"});
  append_frame(bytes, {FrameType::credit, 0, 8, 4096, {}});
  FrameDecoder decoder;
  feed(decoder, bytes);
  auto first = decoder.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->type, FrameType::body);
  EXPECT_TRUE((*first)->has(kEnd));
  EXPECT_EQ((*first)->stream, 7U);
  EXPECT_EQ((*first)->payload, "hello");
  auto second = decoder.next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->aux, 4096U);
  auto none = decoder.next();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(FrameDecoder, WaitsForEveryByteOfAFrame) {
  std::string bytes;
  append_frame(bytes, {FrameType::body, 0, 1, 0, "abc"});
  FrameDecoder decoder;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    feed(decoder, std::string_view(bytes).substr(i, 1));
    auto frame = decoder.next();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(*frame) << "after byte " << i;
  }
  feed(decoder, std::string_view(bytes).substr(bytes.size() - 1));
  auto frame = decoder.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->payload, "abc");
}

TEST(FrameDecoder, TakesPayloadsUpToTheLimitAndOverManyReads) {
  const std::string large(kMaxPayload, 'x');
  std::string bytes;
  for (int i = 0; i < 3; ++i) append_frame(bytes, {FrameType::body, 0, 1, 0, large});
  FrameDecoder decoder;
  int frames = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 50'000) {
    feed(decoder, std::string_view(bytes).substr(at, 50'000));
    for (;;) {
      auto frame = decoder.next();
      ASSERT_TRUE(frame);
      if (!*frame) break;
      EXPECT_EQ((*frame)->payload, large);
      ++frames;
    }
  }
  EXPECT_EQ(frames, 3);
}

TEST(FrameDecoder, RefusesWhatIsTooLongOrUnknown) {
  std::string bytes;
  append_frame(bytes, {FrameType::body, 0, 1, 0, {}});
  auto error_of = [](std::string changed) {
    FrameDecoder decoder;
    feed(decoder, changed);
    auto frame = decoder.next();
    return frame ? std::error_code{} : frame.error().code;
  };
  auto with = [&](std::size_t at, char value) {
    auto changed = bytes;
    changed[at] = value;
    return changed;
  };
  EXPECT_EQ(error_of(with(3, 1)), WireErrc::frame_too_large);
  EXPECT_EQ(error_of(with(6, 9)), WireErrc::unknown_version);
  EXPECT_EQ(error_of(with(4, 0)), WireErrc::malformed_frame);
  EXPECT_EQ(error_of(with(4, 99)), WireErrc::malformed_frame);
  EXPECT_EQ(error_of(bytes), std::error_code{});
}

TEST(InvokeHead, SurvivesTheTrip) {
  const InvokeHead head{42, "id", "127.0.0.1", "http", "POST", "/a?b", std::string_view("x\0y\0", 4)};
  std::string bytes;
  append_invoke_head(bytes, head);
  bytes += "body";
  std::string_view rest;
  auto parsed = parse_invoke_head(bytes, rest);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->deadline, 42U);
  EXPECT_EQ(parsed->remote, "127.0.0.1");
  EXPECT_EQ(parsed->target, "/a?b");
  EXPECT_EQ(parsed->headers, head.headers);
  EXPECT_EQ(rest, "body");
}

TEST(InvokeHead, IsRefusedWhenItEndsEarly) {
  std::string bytes;
  append_invoke_head(bytes, {1, "id", "r", "http", "GET", "/", "h"});
  std::string_view rest;
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(parse_invoke_head(std::string_view(bytes).substr(0, length), rest)) << length;
  EXPECT_TRUE(parse_invoke_head(bytes, rest));
}

}  // namespace
}  // namespace mayfly::wire
