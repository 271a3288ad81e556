// The C interface of mayfly.h, on exchanges.
#include <algorithm>
#include <cstdlib>

#include "datasets.h"
#include "output.h"
#include "server.h"

namespace mayfly::native {
namespace {

std::string& init_failure_text() {
  static std::string text;
  return text;
}

mayfly_text text_of(std::string_view text) { return {text.data(), text.size()}; }

int header_in(std::string_view rest, std::size_t index, mayfly_text* name, mayfly_text* value) {
  for (std::size_t i = 0;; ++i) {
    const auto name_end = rest.find('\0');
    if (name_end == std::string_view::npos) return 0;
    const auto value_end = std::min(rest.find('\0', name_end + 1), rest.size());
    if (i == index) {
      *name = text_of(rest.substr(0, name_end));
      *value = text_of(rest.substr(name_end + 1, value_end - name_end - 1));
      return 1;
    }
    rest.remove_prefix(std::min(value_end + 1, rest.size()));
  }
}

int header_at(const mayfly_request* request, std::size_t index, mayfly_text* name, mayfly_text* value) {
  return header_in(request->exchange.headers(), index, name, value);
}

mayfly_call* call_open(mayfly_request* request, int kind, const mayfly_text* texts, int flags) {
  const auto text = [&](std::size_t i) { return std::string_view(texts[i].data, texts[i].size); };
  Exchange& exchange = request->exchange;
  ++exchange.calls;
  const bool forward = (flags & MAYFLY_CALL_FORWARD) != 0;
  std::string headers(text(3));
  exchange.complete(headers, text(4), forward);
  const wire::CallHead head{
      static_cast<wire::CallKind>(kind), exchange.stream(), text(0), text(1), text(2), headers};
  return new mayfly_call{
      new OutgoingCall(exchange.wire(), exchange, head, text(4), (flags & MAYFLY_CALL_EVENT) != 0, forward)};
}

void call_close(mayfly_call* call) {
  delete call->call;
  delete call;
}

int call_error(const mayfly_call* call, mayfly_text* type, mayfly_text* message) {
  *type = text_of(call->call->error_type());
  *message = text_of(call->call->error_message());
  return static_cast<int>(call->call->error_status());
}

int body(mayfly_request* request, mayfly_text* body) {
  std::string_view whole;
  const bool all = request->exchange.body(whole);
  *body = text_of(whole);
  return all ? MAYFLY_OK : MAYFLY_GONE;
}

int add_header(mayfly_response* response, const char* name, std::size_t name_size, const char* value,
               std::size_t value_size) {
  return response->exchange.add_header({name, name_size}, {value, value_size}) ? MAYFLY_OK : MAYFLY_INVALID;
}

void log(int level, const char* text, std::size_t size) {
  log_line(static_cast<wire::LogLevel>(std::clamp<int>(level, MAYFLY_DEBUG, MAYFLY_ERROR)), {text, size});
}

mayfly_text secret(const char* name, std::size_t size) {
  const char* value = std::getenv(std::string(name, size).c_str());
  return value == nullptr ? mayfly_text{nullptr, 0} : text_of(value);
}

mayfly_host make_host() {
  using Request = const mayfly_request;
  mayfly_host host{};
  host.abi = MAYFLY_ABI;
  host.size = sizeof host;
  host.method = [](Request* r) { return text_of(r->exchange.method()); };
  host.target = [](Request* r) { return text_of(r->exchange.target()); };
  host.path = [](Request* r) { return text_of(r->exchange.path()); };
  host.query = [](Request* r) { return text_of(r->exchange.query()); };
  host.scheme = [](Request* r) { return text_of(r->exchange.scheme()); };
  host.remote = [](Request* r) { return text_of(r->exchange.remote()); };
  host.invocation = [](Request* r) { return text_of(r->exchange.invocation()); };
  host.header = [](Request* r, const char* name, std::size_t size) {
    return text_of(bridge::header_value(r->exchange.headers(), {name, size}));
  };
  host.header_at = header_at;
  host.is_event = [](Request* r) { return r->exchange.event() ? 1 : 0; };
  host.time_left = [](Request* r) { return r->exchange.time_left(); };
  host.body = body;
  host.read = [](mayfly_request* r, void* to, std::size_t size) { return r->exchange.read(to, size); };
  host.aborted = [](mayfly_request* r) { return r->exchange.aborted() ? 1 : 0; };
  host.set_status = [](mayfly_response* r, int status) {
    return r->exchange.set_status(status) ? int{MAYFLY_OK} : int{MAYFLY_INVALID};
  };
  host.add_header = add_header;
  host.append = [](mayfly_response* r, const void* data, std::size_t size) {
    r->exchange.append({static_cast<const char*>(data), size});
  };
  host.write = [](mayfly_response* r, const void* data, std::size_t size) {
    return r->exchange.write({static_cast<const char*>(data), size}) ? int{MAYFLY_OK} : int{MAYFLY_GONE};
  };
  host.fail = [](mayfly_response* r, const char* message, std::size_t size) {
    r->exchange.fail({message, size});
  };
  host.init_failed = [](const char* message, std::size_t size) { init_failure_text().assign(message, size); };
  host.log = log;
  host.secret = secret;
  host.call_open = call_open;
  host.call_wait = [](mayfly_call* call) { return static_cast<int>(call->call->wait()); };
  host.call_header_at = [](const mayfly_call* call, std::size_t index, mayfly_text* name,
                           mayfly_text* value) {
    return header_in(call->call->headers(), index, name, value);
  };
  host.call_read = [](mayfly_call* call, void* to, std::size_t size) { return call->call->read(to, size); };
  host.call_error = call_error;
  host.call_close = call_close;
  host.call_count = [](const mayfly_request* request) { return request->exchange.calls; };
  host.dataset = [](const char* name, std::size_t size) { return find_dataset({name, size}); };
  host.dataset_file = [](const char* name, std::size_t size, std::size_t index, mayfly_dataset_file* file) {
    return find_dataset_file({name, size}, index, *file) ? 1 : 0;
  };
  return host;
}

}  // namespace

const mayfly_host& host() {
  static const mayfly_host one = make_host();
  return one;
}

const std::string& init_failure() { return init_failure_text(); }

}  // namespace mayfly::native
