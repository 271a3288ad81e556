#include "outbound/exchange.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/fields.h"
#include "base/text.h"

namespace mayfly::outbound {

namespace {

/// A connection that was idle for longer is not used again: its server may be closing it.
constexpr long kIdleSeconds = 20;
/// Of an answer's head, with all its fields.
constexpr std::size_t kMostHead = 256U << 10U;

/// "HTTP/1.1 200 OK"
unsigned status_of(std::string_view line) {
  const auto digits = line.substr(std::min(line.find(' '), line.size() - 1) + 1);
  unsigned status = 0;
  std::from_chars(digits.data(), digits.data() + std::min<std::size_t>(3, digits.size()), status);
  return status;
}

/// RFC 9110, section 9.2.2.
bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kIdempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(kIdempotent, method) != kIdempotent.end();
}

bool takes_body(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

Client::Exchange::Exchange(Id id, Request request, std::shared_ptr<Listener> listener,
                           const AddressRules* rules)
    : id_(id),
      request_(std::move(request)),
      listener_(std::move(listener)),
      gate_(rules),
      transfer_(make_transfer()),
      can_rewind_(request_.body_complete) {
  if (transfer_) set_up();
}

void Client::Exchange::set_up() {
  CURL* const curl = raw();
  ::curl_easy_setopt(curl, CURLOPT_PRIVATE, this);
  ::curl_easy_setopt(curl, CURLOPT_URL, request_.url.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
  ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.timeout.count()));
  ::curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, kIdleSeconds);
  ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said_.data());
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  gate_.put_before(curl);
  ::curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_connection);
  ::curl_easy_setopt(curl, CURLOPT_PREREQDATA, this);
  set_body();
  set_fields();
}

void Client::Exchange::set_body() {
  CURL* const curl = raw();
  const auto& method = request_.method;
  const bool has_body = !request_.body.empty() || !request_.body_complete || takes_body(method);
  if (method == "HEAD") {
    ::curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    return;
  }
  ::curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  if (!has_body) return;
  ::curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  ::curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
  ::curl_easy_setopt(curl, CURLOPT_READDATA, this);
  ::curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
  ::curl_easy_setopt(curl, CURLOPT_SEEKDATA, this);
  if (request_.body_complete) request_.length = request_.body.size();
  if (request_.length)
    ::curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*request_.length));
  else
    fields_ = ::curl_slist_append(fields_, "Transfer-Encoding: chunked");
}

void Client::Exchange::set_fields() {
  bool accept = false;
  for_each_field(request_.fields, [&](std::string_view name, std::string_view value) {
    const auto folded = lower(name);
    if (folded == "content-length" || folded == "transfer-encoding" || folded == "expect") return;
    accept |= folded == "accept";
    std::string line(name);
    // Without a value libcurl would leave the field out.
    line.append(value.empty() ? ";" : ": ").append(value);
    fields_ = ::curl_slist_append(fields_, line.c_str());
  });
  // What libcurl would add of its own.
  if (!accept) fields_ = ::curl_slist_append(fields_, "Accept:");
  fields_ = ::curl_slist_append(fields_, "Expect:");
  ::curl_easy_setopt(raw(), CURLOPT_HTTPHEADER, fields_);
}

// --- The request's body ------------------------------------------------------------------------------

void Client::Exchange::send(std::string_view bytes, bool end) {
  request_.body.append(bytes);
  request_.body_complete = request_.body_complete || end;
  if (std::exchange(waits_for_body_, false)) go_on();
}

std::size_t Client::Exchange::on_read(char* room, std::size_t size, std::size_t count, Exchange* self) {
  auto& body = self->request_.body;
  const auto left = self->request_.length.value_or(UINT64_MAX) - self->given_;
  if (left == 0) return 0;  // what is beyond would be taken for another request
  const auto part =
      std::min<std::size_t>(std::min<std::uint64_t>(size * count, left), body.size() - self->sent_);
  if (part == 0 && !self->request_.body_complete) {
    self->waits_for_body_ = true;
    return CURL_READFUNC_PAUSE;
  }
  std::copy_n(body.data() + self->sent_, part, room);
  self->sent_ += part;
  self->given_ += part;
  if (!self->can_rewind_) {
    body.erase(0, std::exchange(self->sent_, 0));
    if (part > 0) self->listener_->on_sent(part);
  }
  return part;
}

/// There is a connection for it. A second one: that which was kept was closed before an answer came, and
/// libcurl would send the request again. What has been sent may have been done (RFC 9112, section 9.3.1).
int Client::Exchange::on_connection(Exchange* self, char*, char*, int, int) {
  if (!std::exchange(self->connected_, true) || is_idempotent(self->request_.method))
    return CURL_PREREQFUNC_OK;
  long sent = 0;
  ::curl_easy_getinfo(self->raw(), CURLINFO_REQUEST_SIZE, &sent);
  if (sent == 0 && self->given_ == 0) return CURL_PREREQFUNC_OK;
  self->refused_again_ = true;
  return CURL_PREREQFUNC_ABORT;
}

/// The connection that was kept for it was closed just then: once more from the start.
int Client::Exchange::on_seek(Exchange* self, curl_off_t offset, int origin) {
  if (!self->can_rewind_ || origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_CANTSEEK;
  self->sent_ = 0;
  self->given_ = 0;
  return CURL_SEEKFUNC_OK;
}

// --- The answer --------------------------------------------------------------------------------------

std::size_t Client::Exchange::on_line(char* bytes, std::size_t, std::size_t count, Exchange* self) {
  if (self->head_.size() + count > kMostHead) return 0;
  self->take_line({bytes, count});
  return count;
}

void Client::Exchange::take_line(std::string_view line) {
  if (head_done_) return;  // trailers
  if (line.starts_with("HTTP/")) {
    status_ = status_of(line);
    return head_.clear();
  }
  if (trimmed(line).empty()) {
    if (status_ < 200) return;  // another head follows
    head_done_ = true;
    return listener_->on_head(status_, std::move(head_));
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with(' ') || line.starts_with('\t')) return;
  const auto value = trimmed(line.substr(colon + 1));
  if (value.contains('\0')) return;
  append_field(head_, lower(trimmed(line.substr(0, colon))), value);
}

std::size_t Client::Exchange::on_bytes(char* bytes, std::size_t, std::size_t count, Exchange* self) {
  if (self->untaken_ >= kWindow) {
    self->waits_for_taking_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  self->untaken_ += count;
  return self->listener_->on_body({bytes, count}) ? count : 0;
}

void Client::Exchange::take(std::size_t bytes) {
  untaken_ -= std::min(untaken_, bytes);
  if (untaken_ < kWindow && std::exchange(waits_for_taking_, false)) go_on();
}

void Client::Exchange::end(CURLcode code) {
  if (code == CURLE_OK && head_done_) return listener_->on_end({});
  auto error = gate_.error(code == CURLE_OK ? CURLE_GOT_NOTHING : code, said_.data());
  if (refused_again_)
    error = Error{
        OutboundErrc::broken,
        "the connection was closed before an answer came, and a " + request_.method + " is not sent twice",
        {}};
  refuse(std::move(error));
}

}  // namespace mayfly::outbound
