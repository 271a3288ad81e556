#include "pool/template_report.h"

#include <gtest/gtest.h>

#include "pool/failure.h"

namespace mayfly::pool {
namespace {

TEST(TemplateReport, SaysWhatTheTemplateSays) {
  const auto report =
      parse_ready(R"({"serial":true,"concurrency":7,"unsafe":["a thread"],"warnings":["slow"]})");
  EXPECT_TRUE(report.serial);
  EXPECT_TRUE(report.unsafe);
  EXPECT_EQ(report.concurrency, 7);
  EXPECT_EQ(report.warnings, std::vector<std::string>{"slow"});
}

TEST(TemplateReport, WhatIsNoReportEndsNothing) {
  for (const char* text :
       {"", "[]", "7", R"({"serial":"yes"})", R"({"concurrency":"many","warnings":[1,{}]})",
        R"({"warnings":"x","unsafe":null})", R"({"concurrency":1e300})"}) {
    const auto report = parse_ready(text);
    EXPECT_FALSE(report.serial || report.unsafe || report.concurrency != 0 || !report.warnings.empty())
        << text;
  }
  EXPECT_EQ(parse_failed(R"({"message":5,"kind":[],"line":"x"})").code, PoolErrc::template_failed);
}

TEST(TemplateReport, NumbersAreKeptWithinBounds) {
  EXPECT_EQ(parse_ready(R"({"concurrency":-5})").concurrency, 1);
  EXPECT_EQ(parse_ready(R"({"concurrency":99999999999})").concurrency, 1000);
}

TEST(TemplateReport, ASandboxThatCannotBeMadeIsNoFaultOfTheCode) {
  const auto error = parse_failed(R"({"kind":"sandbox","message":"no mounts"})");
  EXPECT_EQ(error.code, PoolErrc::fork_failed);
  EXPECT_EQ(error.message, "no mounts");
}

}  // namespace
}  // namespace mayfly::pool
