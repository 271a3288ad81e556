// The head of an answer: whatever a function gives as headers, a client reads one head, with the status given
// and nothing after it. A function cannot write into the stream of answers.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/response_head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  mayfly::gateway::ResponseFacts facts;
  facts.status = 200U + data[0] * 2U;
  facts.keep_alive = (data[1] & 1U) != 0;
  facts.head_request = (data[1] & 2U) != 0;
  facts.http_1_0 = (data[1] & 4U) != 0;
  if ((data[1] & 8U) != 0) facts.whole_length = data[2];
  facts.headers = std::string_view(reinterpret_cast<const char*>(data) + 3, size - 3);
  facts.invocation = "01J0000000000000000000000A";
  facts.date = "Thu, 01 Jan 1970 00:00:00 GMT";
  std::string out = "before";
  const auto head = mayfly::gateway::append_response_head(out, facts);
  if (!out.starts_with("before")) std::abort();
  if (!head) {
    if (out != "before") std::abort();
    return 0;
  }
  out.erase(0, 6);
  if (out.find("\r\n\r\n") != out.size() - 4) std::abort();
  boost::beast::http::response_parser<boost::beast::http::empty_body> parser;
  parser.header_limit(1U << 20U);
  parser.skip(true);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(out), error);
  if (error || !parser.is_header_done() || parser.get().result_int() != facts.status) std::abort();
  return 0;
}
