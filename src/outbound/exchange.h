// One request of a client and its answer, as libcurl's callbacks see them. Of the client's thread.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "outbound/client.h"
#include "outbound/gate.h"
#include "outbound/transfer.h"

namespace mayfly::outbound {

class Client::Exchange {
 public:
  Exchange(Id id, Request request, std::shared_ptr<Listener> listener, const AddressRules* rules);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { ::curl_slist_free_all(fields_); }

  /// Null: it could not be made.
  [[nodiscard]] CURL* raw() const { return transfer_.get(); }
  [[nodiscard]] Id id() const { return id_; }
  [[nodiscard]] const std::string& url() const { return request_.url; }
  void send(std::string_view bytes, bool end);
  void take(std::size_t bytes);
  void end(CURLcode code);
  void refuse(Error error) { listener_->on_end(std::unexpected(std::move(error))); }

 private:
  void set_up();
  void set_body();
  void set_fields();
  void go_on() { ::curl_easy_pause(raw(), CURLPAUSE_CONT); }
  void take_line(std::string_view line);

  static std::size_t on_line(char* bytes, std::size_t, std::size_t count, Exchange* self);
  static std::size_t on_bytes(char* bytes, std::size_t, std::size_t count, Exchange* self);
  static std::size_t on_read(char* room, std::size_t size, std::size_t count, Exchange* self);
  static int on_connection(Exchange* self, char*, char*, int, int);
  static int on_seek(Exchange* self, curl_off_t offset, int origin);

  const Id id_;
  Request request_;
  std::shared_ptr<Listener> listener_;
  Gate gate_;
  Transfer transfer_;
  curl_slist* fields_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> said_{};
  bool connected_ = false;
  bool refused_again_ = false;

  std::uint64_t given_ = 0;  // to the connection: never more than its length says
  std::size_t sent_ = 0;     // of request_.body
  bool can_rewind_;          // all of it is still there
  bool waits_for_body_ = false;

  unsigned status_ = 0;
  std::string head_{};
  bool head_done_ = false;
  std::size_t untaken_ = 0;
  bool waits_for_taking_ = false;
};

}  // namespace mayfly::outbound
