#include "wire/control.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/frame.h"

namespace mayfly::wire {
namespace {

class Control : public testing::Test {
 protected:
  void SetUp() override {
    auto made = socket_pair(SOCK_SEQPACKET);
    ASSERT_TRUE(made);
    pair_ = std::move(*made);
  }
  FdPair pair_;
};

TEST_F(Control, CarriesPayloadAndDescriptors) {
  auto passed = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(passed);
  ASSERT_TRUE(send_control(pair_.ours.get(), ControlType::fork, 9, 0, "{}", {passed->theirs.get()}));
  auto message = receive_control(pair_.theirs.get());
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->type, ControlType::fork);
  EXPECT_EQ((*message)->token, 9U);
  EXPECT_EQ((*message)->payload, "{}");
  ASSERT_EQ((*message)->fds.size(), 1U);
  ASSERT_EQ(::write((*message)->fds[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(passed->ours.get(), &byte, 1), 1);
}

TEST_F(Control, SaysWhenThereIsNothingAndWhenThePeerIsGone) {
  auto nothing = receive_control(pair_.ours.get());
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  pair_.theirs.reset();
  auto gone = receive_control(pair_.ours.get());
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, std::errc::connection_reset);
}

TEST_F(Control, RefusesWhatIsMalformed) {
  ASSERT_EQ(::send(pair_.ours.get(), "short", 5, 0), 5);
  auto message = receive_control(pair_.theirs.get());
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, WireErrc::malformed_frame);
}

TEST_F(Control, RefusesToSendWhatIsTooLong) {
  const std::string large(kMaxControl, 'x');
  auto sent = send_control(pair_.ours.get(), ControlType::fork, 1, 0, large);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, WireErrc::frame_too_large);
}

}  // namespace
}  // namespace mayfly::wire
