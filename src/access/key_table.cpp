#include "access/key_table.h"

#include <openssl/sha.h>

#include <cstring>

namespace mayfly::access {

KeyHash hash_of(std::string_view key) {
  KeyHash hash{};
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash.data());
  return hash;
}

std::size_t KeyTable::Hash::operator()(const KeyHash& hash) const {
  std::size_t first = 0;  // it is random already
  std::memcpy(&first, hash.data(), sizeof first);
  return first;
}

const Key* KeyTable::find(std::string_view text) const {
  if (text.size() != kKeySize || !text.starts_with(kKeyPrefix)) return nullptr;
  const auto found = keys_.find(hash_of(text));
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace mayfly::access
