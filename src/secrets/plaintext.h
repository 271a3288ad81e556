// Text that must not stay in memory: its owner wipes it.
#pragma once

#include <string>
#include <string_view>

namespace mayfly::secrets {

/// Overwrites the bytes of a text and makes it empty.
void wipe(std::string& text);

/// Holds a decrypted value, or what is made of it, and wipes it at its end. Move-only. Growing leaves no copy
/// behind.
class Plaintext {
 public:
  Plaintext() = default;
  /// So many zero bytes, to be written to.
  [[nodiscard]] static Plaintext of_size(std::size_t bytes);
  Plaintext(Plaintext&& other) noexcept;
  Plaintext& operator=(Plaintext&& other) noexcept;
  Plaintext(const Plaintext&) = delete;
  Plaintext& operator=(const Plaintext&) = delete;
  ~Plaintext() { wipe(text_); }

  void append(std::string_view more);
  [[nodiscard]] std::string_view view() const { return text_; }
  [[nodiscard]] char* data() { return text_.data(); }

 private:
  std::string text_;
};

}  // namespace mayfly::secrets
