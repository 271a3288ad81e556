// Which events a subscription gets: patterns for the values of attributes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cloudevents/error.h"

namespace mayfly::cloudevents {

/// All attributes named have to match. Patterns are compared byte for byte:
/// - "x" matches the value x; "x*", "*x" and "*x*" values that begin with, end with or contain x; "*" any
/// value.
/// - Of several patterns of an attribute one has to match.
/// - "!" before a pattern: values that match it do not match. If an attribute has only such patterns, it
/// matches
///   when none of them does, also when the event has no such attribute; all other patterns need it to be
///   there.
class Filter {
 public:
  using Patterns = std::map<std::string, std::vector<std::string>>;

  /// Lets everything through.
  Filter() = default;
  /// bad_filter; detail `attribute`.
  [[nodiscard]] static Result<Filter> make(const Patterns& patterns);

  /// The attributes of an event as to_fields() writes them.
  [[nodiscard]] bool matches(std::string_view fields) const;

 private:
  struct Pattern {
    std::string text;
    bool open_begin = false;  ///< anything may stand before the text
    bool open_end = false;    ///< … behind it
    [[nodiscard]] bool matches(std::string_view value) const;
  };
  struct Condition {
    std::string attribute;
    std::vector<Pattern> wanted;    ///< one of them, if there is one
    std::vector<Pattern> unwanted;  ///< none of them
    /// Null: the event has no such attribute.
    [[nodiscard]] bool holds(const std::string_view* value) const;
  };
  [[nodiscard]] static Result<Pattern> parse(std::string_view attribute, std::string_view text);

  std::vector<Condition> conditions_;
};

}  // namespace mayfly::cloudevents
