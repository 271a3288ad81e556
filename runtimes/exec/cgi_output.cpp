#include "exec/cgi_output.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "exec/headers.h"

namespace mayfly::exec {
namespace {

/// A line as a person may read it: short, and nothing in it that a terminal obeys.
std::string shown(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, 80)) {
    if (c == '\r')
      text += "\\r";
    else
      text.push_back(std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?');
  }
  return text;
}

bool is_ok_without_type(std::uint32_t status) { return status == 204 || status == 304; }

}  // namespace

CgiOutput::State CgiOutput::take(std::string_view bytes, bool end) {
  text_.append(bytes);
  return state_ = parse(end);
}

CgiOutput::State CgiOutput::parse(bool end) {
  for (;;) {
    const auto line_end = text_.find('\n', parsed_);
    if (line_end == std::string::npos) break;
    auto line = std::string_view(text_).substr(parsed_, line_end - parsed_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool first = parsed_ == 0;
    const auto kind = read_line(line);
    if (kind == Line::wrong && (first || has_marker_)) return fail_at(line);
    if (kind == Line::empty && !first && (certain_ || has_marker_)) return decide(line_end + 1, end);
    if (kind == Line::empty || kind == Line::other || kind == Line::wrong) {
      if (certain_) return fail_at(line);
      return no_header(end);
    }
    if (kind == Line::marker) has_marker_ = true;
    if (kind == Line::marker && first) certain_ = true;
    parsed_ = line_end + 1;
  }
  if (text_.size() > kMaxHeader) {
    if (certain_) return fail("the output's header is longer than 64 KiB");
    return no_header(end);
  }
  if (end) {
    if (certain_) return fail("the output's header is not followed by an empty line");
    const auto line = std::string_view(text_).substr(parsed_);
    if (parsed_ == 0 && read_line(line) == Line::wrong) return fail_at(line);
    return no_header(true);
  }
  // The rest of a line that cannot become a field need not be waited for.
  const auto rest = std::string_view(text_).substr(parsed_);
  const auto name = rest.substr(0, rest.find(':'));
  if (!certain_ && !name.empty() && !is_token(name) && rest != "\r") return no_header(false);
  return State::undecided;
}

CgiOutput::Line CgiOutput::read_line(std::string_view line) {
  if (line.empty()) return Line::empty;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return Line::other;
  const auto name = lower_case(line.substr(0, colon));
  const auto value = trim(line.substr(colon + 1));
  if (!is_token(name)) return Line::other;
  if (!is_field_value(value))
    return name == "status" || name == "content-type" || name == "location" ? Line::wrong : Line::other;
  if (name == "status") return read_status(value);
  append_field(headers_, name, value);
  if (name == "location" && !value.empty()) {
    has_location_ = true;
    return Line::marker;
  }
  return name == "content-type" && value.contains('/') ? Line::marker : Line::field;
}

CgiOutput::Line CgiOutput::read_status(std::string_view value) {
  std::uint32_t status = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
  const bool whole = end == value.data() + value.size() || *end == ' ';
  if (error == std::errc::invalid_argument || !whole) return Line::other;
  const auto digits = end - value.data();
  if (digits < 3 && end != value.data() + value.size()) return Line::other;  // "3 of 4 done"
  if (error != std::errc{} || status < 200 || status > 599) return Line::wrong;
  status_ = status;
  has_status_ = true;
  return Line::marker;
}

CgiOutput::State CgiOutput::no_header(bool end) {
  headers_.clear();
  status_ = 200;
  append_field(headers_, "content-type",
               is_utf8_text(text_, !end) ? "text/plain; charset=utf-8" : "application/octet-stream");
  return State::decided;
}

CgiOutput::State CgiOutput::fail_at(std::string_view line) {
  return fail("the output's header has a line that is no header field: '" + shown(line) + "'");
}

CgiOutput::State CgiOutput::fail(std::string message) {
  mistake_ = std::move(message);
  return State::wrong;
}

CgiOutput::State CgiOutput::decide(std::size_t header_size, bool end) {
  text_.erase(0, header_size);
  if (has_location_ && !has_status_) status_ = 302;  // RFC 3875, section 6.2.3
  if (!has_field(headers_, "content-type") && !is_ok_without_type(status_) && !(text_.empty() && end))
    append_field(headers_, "content-type",
                 is_utf8_text(text_, !end) ? "text/plain; charset=utf-8" : "application/octet-stream");
  return State::decided;
}

}  // namespace mayfly::exec
