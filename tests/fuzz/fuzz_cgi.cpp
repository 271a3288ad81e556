// The output of an executable: however it comes in parts it is the same answer, and no header of it can hold
// what would become another one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exec/cgi_output.h"
#include "exec/headers.h"

namespace {

using mayfly::exec::CgiOutput;

void check_headers(std::string_view headers) {
  std::string_view name;
  std::string_view value;
  while (mayfly::exec::take_field(headers, name, value))
    if (!mayfly::exec::is_token(name) || !mayfly::exec::is_field_value(value)) std::abort();
  if (!headers.empty()) std::abort();
}

struct Answer {
  CgiOutput output;
  std::string body;
};

Answer feed(std::string_view text, std::size_t part) {
  Answer answer;
  while (!text.empty()) {
    const auto piece = text.substr(0, part);
    text.remove_prefix(piece.size());
    if (answer.output.state() == CgiOutput::State::decided)
      answer.body += piece;
    else if (answer.output.state() == CgiOutput::State::undecided &&
             answer.output.take(piece, false) == CgiOutput::State::decided)
      answer.body = std::move(answer.output.body());
  }
  if (answer.output.state() == CgiOutput::State::undecided &&
      answer.output.take({}, true) == CgiOutput::State::decided)
    answer.body = std::move(answer.output.body());
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = feed(text, text.size() + 1);
  const auto parts = feed(text, 1U + data[0] % 16U);
  if (whole.output.state() != parts.output.state()) std::abort();
  if (whole.output.state() == CgiOutput::State::undecided) std::abort();
  if (whole.output.state() != CgiOutput::State::decided) return 0;
  if (whole.body != parts.body || whole.output.status() != parts.output.status()) std::abort();
  check_headers(whole.output.headers());
  check_headers(parts.output.headers());
  return 0;
}
