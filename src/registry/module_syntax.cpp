#include "registry/module_syntax.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mayfly::registry {
namespace {

using std::string_view;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '\\' || static_cast<unsigned char>(c) >= 0x80;  // every non-ASCII letter; UTF-8 needs no more
}

template <std::size_t N>
bool is_one_of(string_view word, const std::array<string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

/// After these an expression begins, so a '/' begins a regular expression.
constexpr std::array<string_view, 17> kBeforeExpression{
    "return", "typeof", "case",  "in",    "of",         "delete",  "void",    "throw", "new",
    "else",   "do",     "await", "yield", "instanceof", "default", "extends", "export"};
/// The ')' of these ends a head, not a value.
constexpr std::array<string_view, 4> kHeads{"if", "while", "for", "with"};

class Scanner {
 public:
  explicit Scanner(string_view source) : rest_(source) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    if (rest_.starts_with("#!")) skip_line();
  }

  bool find() {
    while (skip_blank()) {
      const char c = rest_.front();
      if (is_word_byte(c)) {
        if (word()) return true;
      } else if (c == '"' || c == '\'') {
        quoted(c);
      } else if (c == '`') {
        rest_.remove_prefix(1);
        template_text();
      } else if (c == '/' && expects_expression()) {
        regular_expression();
      } else {
        punctuation(c);
      }
    }
    return false;
  }

 private:
  /// An open bracket: what it is, and what a '/' behind its end means.
  struct Open {
    char kind;          ///< '(' '[' '{', or '$' for the ${ of a template
    bool value_at_end;  ///< its end ends a value: a '/' there divides
  };

  void skip_line() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size())); }

  /// Whether anything but blanks and comments is left.
  bool skip_blank() {
    for (;;) {
      const auto start = rest_.find_first_not_of(" \t\r\n\f\v");
      rest_.remove_prefix(std::min(start, rest_.size()));
      if (rest_.starts_with("//")) {
        skip_line();
      } else if (rest_.starts_with("/*")) {
        const auto end = rest_.find("*/", 2);
        rest_.remove_prefix(end == string_view::npos ? rest_.size() : end + 2);
      } else {
        return !rest_.empty();
      }
    }
  }

  void quoted(char quote) {
    std::size_t i = 1;
    while (i < rest_.size() && rest_[i] != quote && rest_[i] != '\n') i += rest_[i] == '\\' ? 2 : 1;
    rest_.remove_prefix(std::min(i + 1, rest_.size()));
    ended_value();
  }

  /// From inside a template to its end, or to the next ${, whose end leads back here.
  void template_text() {
    std::size_t i = 0;
    for (; i < rest_.size() && rest_[i] != '`'; i += rest_[i] == '\\' ? 2 : 1) {
      if (rest_.substr(i).starts_with("${")) {
        rest_.remove_prefix(i + 2);
        open_.push_back({'$', true});
        last_ = "{";
        return;
      }
    }
    rest_.remove_prefix(std::min(i + 1, rest_.size()));
    ended_value();
  }

  [[nodiscard]] bool expects_expression() const {
    if (last_.empty()) return true;
    if (is_word_byte(last_.front())) return !after_dot_ && is_one_of(last_, kBeforeExpression);
    if (last_ == ")" || last_ == "]" || last_ == "}") return !closed_value_;
    return last_ != "++" && last_ != "--" && last_ != "v";
  }

  void regular_expression() {
    bool in_class = false;
    std::size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '\n'; ++i) {
      if (rest_[i] == '\\')
        ++i;
      else if (rest_[i] == '[')
        in_class = true;
      else if (rest_[i] == ']')
        in_class = false;
      else if (rest_[i] == '/' && !in_class)
        break;
    }
    if (i >= rest_.size() || rest_[i] == '\n') return punctuation('/');  // it divided after all
    rest_.remove_prefix(i + 1);
    while (!rest_.empty() && is_word_byte(rest_.front())) rest_.remove_prefix(1);  // flags
    ended_value();
  }

  /// A word, and whether it shows a module.
  bool word() {
    std::size_t size = 0;
    while (size < rest_.size() && is_word_byte(rest_[size])) ++size;
    const auto text = rest_.substr(0, size);
    const bool after_dot = last_ == ".";
    rest_.remove_prefix(size);
    if (!after_dot && text == "import" && import_shows_module()) return true;
    if (!after_dot && text == "export" && open_.empty() && export_shows_module()) return true;
    last_ = text;
    after_dot_ = after_dot;
    return false;
  }

  /// Behind the word `import`: a call is dynamic and allowed everywhere; `import.meta` is not.
  bool import_shows_module() {
    if (!skip_blank()) return false;
    const char c = rest_.front();
    if (c == '.') {
      rest_.remove_prefix(1);
      return skip_blank() && rest_.starts_with("meta");
    }
    return open_.empty() && (c == '"' || c == '\'' || c == '{' || c == '*' || is_word_byte(c));
  }

  bool export_shows_module() {
    if (!skip_blank()) return false;
    constexpr std::array<string_view, 7> kDeclarations{"default",  "const", "let",  "var",
                                                       "function", "class", "async"};
    const char c = rest_.front();
    if (c == '{' || c == '*') return true;
    std::size_t size = 0;
    while (size < rest_.size() && is_word_byte(rest_[size])) ++size;
    return is_one_of(rest_.substr(0, size), kDeclarations);
  }

  void punctuation(char c) {
    auto size = std::size_t{1};
    if (rest_.starts_with("=>") || rest_.starts_with("++") || rest_.starts_with("--")) size = 2;
    const auto text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (c == '(' || c == '[' || c == '{') open(c);
    if (c == ')' || c == ']' || c == '}') {
      if (close()) return template_text();
    }
    last_ = text;
    after_dot_ = false;
  }

  void open(char c) {
    bool value = true;
    if (c == '(') value = after_dot_ || !is_one_of(last_, kHeads);
    if (c == '{') value = !begins_block();
    open_.push_back({c, value});
  }

  /// Whether a '{' here begins a block and not an object: the end of a block is no value.
  [[nodiscard]] bool begins_block() const {
    constexpr std::array<string_view, 10> kBefore{"",   ")",    ";",  "{",   "}",
                                                  "=>", "else", "do", "try", "finally"};
    if (is_one_of(last_, kBefore)) return true;
    // `class A {`, `label: {` and the like: a name before, not an operator.
    return is_word_byte(last_.front()) && !is_one_of(last_, kBeforeExpression);
  }

  /// Whether this was the end of a template's ${}.
  bool close() {
    closed_value_ = true;
    if (open_.empty()) return false;  // not for us to complain
    const auto ended = open_.back();
    open_.pop_back();
    closed_value_ = ended.value_at_end;
    return ended.kind == '$';
  }

  void ended_value() {
    last_ = "v";  // as if a variable stood there
    after_dot_ = false;
  }

  string_view rest_;
  string_view last_;           ///< the token before, "" at the beginning
  bool after_dot_ = false;     ///< `last_` is a property's name
  bool closed_value_ = false;  ///< `last_` is a bracket that ended a value
  std::vector<Open> open_;
};

}  // namespace

bool has_module_syntax(string_view source) { return Scanner(source).find(); }

}  // namespace mayfly::registry
