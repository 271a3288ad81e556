// What an executable writes, as an answer: a CGI header block (RFC 3875, section 6) if it begins with one,
// and otherwise nothing but a body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::exec {

/// Takes output as it comes until it is known what it begins with.
///
/// The first line decides. "Content-Type: a/b", "Status: 404 …" or "Location: …" (letters as one likes)
/// begins a header block: from there on what is no header field is a mistake and is said. Any other "Name:
/// value" begins one only if well-formed fields up to an empty line follow and one of those three is among
/// them. One of the three whose value can be no field's (it has a bare CR), or is a number that is no status,
/// is a mistake in the first line, too: it is no prose.
class CgiOutput {
 public:
  /// A longer header block is a mistake.
  static constexpr std::size_t kMaxHeader = 64U << 10U;

  enum class State {
    undecided,  ///< more output must tell
    decided,    ///< status(), headers() and body() hold
    wrong,      ///< a header block with a mistake, see mistake()
  };

  /// The next output. Not to be called once decided or wrong. `end`: nothing follows.
  State take(std::string_view bytes, bool end);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t status() const { return status_; }
  /// In the form of the wire. There is a content-type, unless the status allows no body.
  [[nodiscard]] const std::string& headers() const { return headers_; }
  /// What came of the body so far; moved out by the caller.
  [[nodiscard]] std::string& body() { return text_; }
  [[nodiscard]] const std::string& mistake() const { return mistake_; }

 private:
  enum class Line { field, marker, empty, other, wrong };

  State parse(bool end);
  Line read_line(std::string_view line);
  Line read_status(std::string_view value);
  State no_header(bool end);
  State fail(std::string message);
  State fail_at(std::string_view line);
  State decide(std::size_t header_size, bool end);

  State state_ = State::undecided;
  std::string text_;        // all output; the body alone once decided
  std::size_t parsed_ = 0;  // of text_, in whole lines
  bool certain_ = false;    // a marker was the first line
  bool has_marker_ = false;
  bool has_status_ = false;
  bool has_location_ = false;
  std::uint32_t status_ = 200;
  std::string headers_;
  std::string mistake_;
};

}  // namespace mayfly::exec
