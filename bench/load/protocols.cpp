#include "protocols.h"

#include <cctype>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>

namespace mayfly::bench {
namespace {

constexpr std::string_view kEnd = "\r\n";

// --- HTTP/1.1 ------------------------------------------------------------------------------------------

class Http final : public Publishing {
 public:
  Http(const std::string& path, const std::string& key)
      : head_("POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n" +
              (key.empty() ? "" : "X-Api-Key: " + key + "\r\n") + "Content-Length: ") {}

  [[nodiscard]] std::string publish(std::string_view payload) const override {
    return head_ + std::to_string(payload.size()) + "\r\n\r\n" + std::string(payload);
  }

  [[nodiscard]] std::optional<bool> take_answer(std::string& received) const override {
    const auto end = received.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    std::string head = received.substr(0, end + 2);
    for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto length = head.find("\r\ncontent-length:");
    if (length == std::string::npos) throw std::runtime_error("an answer without Content-Length: " + head);
    const auto whole = end + 4 + std::strtoull(head.c_str() + length + 17, nullptr, 10);
    if (received.size() < whole) return std::nullopt;
    received.erase(0, whole);
    return head.starts_with("http/1.1 202");
  }

 private:
  std::string head_;
};

// --- NATS ----------------------------------------------------------------------------------------------

struct NatsMessage {
  std::string subject, reply, payload;
};

/// One line, without its end.
std::optional<std::string> take_line(std::string& received) {
  const auto end = received.find(kEnd);
  if (end == std::string::npos) return std::nullopt;
  auto line = received.substr(0, end);
  received.erase(0, end + kEnd.size());
  return line;
}

std::string nats_publish(const std::string& subject, const std::string& reply, std::string_view payload) {
  return "PUB " + subject + " " + reply + (reply.empty() ? "" : " ") + std::to_string(payload.size()) +
         "\r\n" + std::string(payload) + "\r\n";
}

/// "MSG subject sid [reply] size\r\npayload\r\n". A PING is left unanswered: only after minutes the server
/// would mind.
std::optional<NatsMessage> take_message(std::string& received) {
  while (received.starts_with("PING\r\n") || received.starts_with("PONG\r\n") ||
         (received.starts_with("INFO ") && received.contains(kEnd)))
    (void)take_line(received);
  if (received.starts_with("-ERR") && received.contains(kEnd))
    throw std::runtime_error("nats: " + *take_line(received));
  const auto end = received.find(kEnd);
  if (!received.starts_with("MSG ") || end == std::string::npos) return std::nullopt;
  const auto line = received.substr(4, end - 4);
  const auto last = line.rfind(' ');
  const auto size = std::strtoull(line.c_str() + last + 1, nullptr, 10);
  const auto whole = end + kEnd.size() + size + kEnd.size();
  if (received.size() < whole) return std::nullopt;
  NatsMessage message{.subject = line.substr(0, line.find(' ')),
                      .reply = {},
                      .payload = received.substr(end + kEnd.size(), size)};
  const auto sid = line.find(' ', line.find(' ') + 1);
  if (sid < last) message.reply = line.substr(sid + 1, last - sid - 1);
  received.erase(0, whole);
  return message;
}

constexpr auto kConnect =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c++\",\"version\":\"1\"}\r\n";

class NatsPublishing final : public Publishing {
 public:
  NatsPublishing(std::string subject, unsigned number)
      : subject_(std::move(subject)), inbox_("_INBOX.bench." + std::to_string(number)) {}

  [[nodiscard]] std::string greeting() const override {
    return std::string(kConnect) + "SUB " + inbox_ + " 1\r\nPING\r\n";
  }
  [[nodiscard]] bool take_welcome(std::string& received) const override {
    if (received.starts_with("-ERR")) throw std::runtime_error("nats: " + received);
    const auto pong = received.find("PONG\r\n");
    if (pong == std::string::npos) return false;
    received.erase(0, pong + 6);
    return true;
  }
  [[nodiscard]] std::string publish(std::string_view payload) const override {
    return nats_publish(subject_, inbox_, payload);
  }
  [[nodiscard]] std::optional<bool> take_answer(std::string& received) const override {
    const auto message = take_message(received);
    if (!message) return std::nullopt;
    return message->payload.contains("\"seq\"") && !message->payload.contains("\"error\"");
  }

 private:
  std::string subject_, inbox_;
};

/// A push consumer with explicit acknowledgement. The stream is named like its subject.
class NatsFollowing final : public Following {
 public:
  explicit NatsFollowing(std::string stream) : stream_(std::move(stream)) {}

  [[nodiscard]] std::string greeting() const override {
    const auto wish = R"({"stream_name":")" + stream_ +
                      R"(","config":{"deliver_subject":"bench.deliver","deliver_policy":"new",)"
                      R"("ack_policy":"explicit","max_ack_pending":1000}})";
    return std::string(kConnect) + "SUB bench.deliver 1\r\nSUB _INBOX.bench.f 2\r\n" +
           nats_publish("$JS.API.CONSUMER.CREATE." + stream_, "_INBOX.bench.f", wish);
  }
  [[nodiscard]] bool take_welcome(std::string& received) const override {
    const auto message = take_message(received);
    if (message && message->payload.contains("\"error\""))
      throw std::runtime_error("nats: " + message->payload);
    return message.has_value();
  }
  [[nodiscard]] std::optional<std::string> take_event(std::string& received,
                                                      std::string& answer) const override {
    const auto message = take_message(received);
    if (!message || message->subject != stream_) return std::nullopt;  // its own, whatever it is brought by
    answer = nats_publish(message->reply, "", "+ACK");
    return message->payload;
  }

 private:
  std::string stream_;
};

// --- Redis ---------------------------------------------------------------------------------------------

std::string command(std::initializer_list<std::string_view> words) {
  auto text = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto word : words)
    text.append("$").append(std::to_string(word.size())).append(kEnd).append(word).append(kEnd);
  return text;
}

class RedisPublishing final : public Publishing {
 public:
  explicit RedisPublishing(std::string stream) : stream_(std::move(stream)) {}

  [[nodiscard]] std::string publish(std::string_view payload) const override {
    return command({"XADD", stream_, "*", "d", payload});
  }
  /// "$SIZE\r\nID\r\n" or "-ERR …\r\n".
  [[nodiscard]] std::optional<bool> take_answer(std::string& received) const override {
    const auto end = received.find(kEnd);
    if (end == std::string::npos) return std::nullopt;
    const bool accepted = received.starts_with('$');
    const auto size = accepted ? std::strtoull(received.c_str() + 1, nullptr, 10) + kEnd.size() : 0;
    if (received.size() < end + kEnd.size() + size) return std::nullopt;
    received.erase(0, end + kEnd.size() + size);
    return accepted;
  }

 private:
  std::string stream_;
};

/// A consumer of a group that waits in XREADGROUP.
class RedisFollowing final : public Following {
 public:
  explicit RedisFollowing(std::string stream) : stream_(std::move(stream)) {}

  [[nodiscard]] std::string greeting() const override {
    return command({"XGROUP", "CREATE", stream_, "bench", "$", "MKSTREAM"});
  }
  [[nodiscard]] bool take_welcome(std::string& received) const override {
    const auto line = take_line(received);
    if (line && *line != "+OK") throw std::runtime_error("redis: " + *line);
    return line.has_value();
  }
  [[nodiscard]] std::string first() const override {
    return command(
        {"XREADGROUP", "GROUP", "bench", "one", "COUNT", "1", "BLOCK", "0", "STREAMS", stream_, ">"});
  }
  /// One stream with one entry with one field: its words are the stream's key, the id, "d" and the payload.
  [[nodiscard]] std::optional<std::string> take_event(std::string& received,
                                                      std::string& answer) const override {
    if (received.starts_with('-')) throw std::runtime_error("redis: " + received);
    std::size_t at = 0;
    std::string words[4];
    for (auto& word : words) {
      const auto size_at = received.find('$', at);
      const auto line_end = size_at == std::string::npos ? size_at : received.find(kEnd, size_at);
      if (line_end == std::string::npos) return std::nullopt;
      const auto size = std::strtoull(received.c_str() + size_at + 1, nullptr, 10);
      at = line_end + kEnd.size() + size + kEnd.size();
      if (received.size() < at) return std::nullopt;
      word = received.substr(line_end + kEnd.size(), size);
    }
    received.erase(0, at);
    answer = command({"XACK", stream_, "bench", words[1]}) + first();
    return words[3];
  }

 private:
  std::string stream_;
};

}  // namespace

std::unique_ptr<Publishing> publishing(std::string_view protocol, const std::string& target, unsigned number,
                                       const std::string& key) {
  if (protocol == "http") return std::make_unique<Http>(target, key);
  if (protocol == "nats") return std::make_unique<NatsPublishing>(target, number);
  if (protocol == "redis") return std::make_unique<RedisPublishing>(target);
  throw std::runtime_error("no such protocol: " + std::string(protocol));
}

std::unique_ptr<Following> following(std::string_view protocol, const std::string& target) {
  if (protocol == "nats") return std::make_unique<NatsFollowing>(target);
  if (protocol == "redis") return std::make_unique<RedisFollowing>(target);
  return nullptr;
}

}  // namespace mayfly::bench
