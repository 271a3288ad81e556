#include "secrets/plaintext.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

namespace mayfly::secrets {

void wipe(std::string& text) {
  text.resize(text.capacity());  // what it held before may have been longer
  sodium_memzero(text.data(), text.size());
  text.clear();
}

Plaintext Plaintext::of_size(std::size_t bytes) {
  Plaintext zeros;
  zeros.text_.resize(bytes);
  return zeros;
}

// A short text lies inside the string object: moving it is copying it.
Plaintext::Plaintext(Plaintext&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }

Plaintext& Plaintext::operator=(Plaintext&& other) noexcept {
  if (this == &other) return *this;
  wipe(text_);
  text_ = std::move(other.text_);
  wipe(other.text_);
  return *this;
}

void Plaintext::append(std::string_view more) {
  if (text_.size() + more.size() > text_.capacity()) {
    std::string larger;
    larger.reserve(std::max(text_.capacity() * 2, text_.size() + more.size()));
    larger.append(text_);
    wipe(text_);
    text_.swap(larger);
  }
  text_.append(more);
}

}  // namespace mayfly::secrets
