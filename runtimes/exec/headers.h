// Header fields as the wire has them: "name NUL value NUL …", names in lower case.
#pragma once

#include <string>
#include <string_view>

namespace mayfly::exec {

/// Takes the first field off; false when there is none.
[[nodiscard]] bool take_field(std::string_view& headers, std::string_view& name, std::string_view& value);
void append_field(std::string& headers, std::string_view name, std::string_view value);
[[nodiscard]] bool has_field(std::string_view headers, std::string_view name);

/// RFC 9110: what a field may be called, and what its value may hold.
[[nodiscard]] bool is_token(std::string_view name);
[[nodiscard]] bool is_field_value(std::string_view value);

[[nodiscard]] std::string lower_case(std::string_view text);
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Whether bytes are UTF-8 text (no NUL). `cut`: more may follow, so an unfinished last letter is none wrong.
[[nodiscard]] bool is_utf8_text(std::string_view bytes, bool cut);

/// "%41%20" as "A ". With `plus`, "+" is a space, as in a query.
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus);

/// Takes the first pair off a query, "a=1&b=%20", and decodes it. False: there is none left.
[[nodiscard]] bool take_pair(std::string_view& query, std::string& name, std::string& value);

}  // namespace mayfly::exec
