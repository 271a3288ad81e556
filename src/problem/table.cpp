// One row for each error code that can reach an HTTP client, module by module.
#include <algorithm>
#include <array>

#include "problem/problem.h"

namespace mayfly::problem {
namespace {

using enum Message;

constexpr auto kTable = std::to_array<Row>({
    // access/: who may call a function
    {"access", "bad-key", 400, "This cannot be the description of a key"},
    {"access", "insufficient-scope", 403, "The token has too few scopes"},
    {"access", "invalid-key", 401, "The key is not valid"},
    {"access", "invalid-token", 401, "The token is not valid"},
    {"access", "key-exists", 409, "There is a key of this name"},
    {"access", "key-needed", 401, "A key is needed"},
    {"access", "key-not-allowed", 403, "The key is not for this function"},
    {"access", "keys-unavailable", 503, "Tokens cannot be verified now"},
    {"access", "rate-limited", 429, "Too many requests"},
    {"access", "token-needed", 401, "A token is needed"},
    {"access", "two-credentials", 400, "More than one credential was sent"},
    {"access", "unknown-key", 404, "There is no such key"},
    {"access", "unknown-signer", 401, "The token's key is not known"},
    // admin/: the admin plane's own
    {"admin", "bad-request", 400, "The request is not valid HTTP"},
    {"admin", "body-too-large", 413, "The request body is too large"},
    {"admin", "cross-origin", 403, "The admin plane answers no other origin"},
    {"admin", "header-too-large", 431, "The request header is too large"},
    {"admin", "invalid-body", 400, "The request body is not what this route takes"},
    {"admin", "invalid-parameter", 400, "A parameter is not valid"},
    {"admin", "method-not-allowed", 405, "This route does not take this method"},
    {"admin", "missing-scope", 403, "The token does not have the right to do this"},
    {"admin", "not-metered", 409, "Nothing is metered"},
    {"admin", "not-ready", 503, "The daemon does not serve requests now"},
    {"admin", "request-timeout", 408, "The request did not arrive in time"},
    {"admin", "token-exists", 409, "There is a token of this name"},
    {"admin", "too-many-connections", 503, "Too many connections to the admin plane"},
    {"admin", "unauthorized", 401, "A valid token is needed"},
    {"admin", "unknown-host", 421, "The admin plane does not go by this name"},
    {"admin", "unknown-route", 404, "There is no such route"},
    {"admin", "unknown-tenant", 404, "There is no such tenant"},
    {"admin", "unknown-token", 404, "There is no such token"},
    // pool/calls: functions that call functions
    {"call", "bad-call", 400, "The call cannot be made"},
    {"call", "body-too-large", 413, "The body of the call is too large"},
    {"call", "caller-gone", 409, "The invocation that calls is over"},
    {"call", "depth", 508, "Functions call functions too deep"},
    {"call", "missing-decorator", 502, "A decorator of the function is not there"},
    {"call", "no-events", 501, "Nothing takes events here"},
    {"call", "no-next", 500, "There is nothing that this invocation is wrapped around"},
    {"call", "not-allowed", 403, "The function may not call this function"},
    {"call", "topic-not-allowed", 403, "The function may not publish to this topic"},
    // cloudevents/: events that someone sends
    {"cloudevents", "bad-event", 400, "This is not a CloudEvent"},
    {"cloudevents", "bad-webhook", 400, "This is not how a web hook is asked for"},
    {"cloudevents", "event-too-large", 413, "The event is too large"},
    {"cloudevents", "unsupported-format", 415, "Events are not understood in this format"},
    // datasets/: data that functions share in memory
    {"datasets", "bad-name", 400, "This is not a name that a dataset can have"},
    {"datasets", "bad-source", 422, "A dataset cannot come from there"},
    {"datasets", "busy", 409, "The dataset is being loaded"},
    {"datasets", "in-use", 409, "The dataset is in use"},
    {"datasets", "not-loaded", 503, "The dataset is not loaded"},
    {"datasets", "out-of-memory", 507, "There is no memory for the dataset"},
    {"datasets", "source-unreadable", 422, "The source of the dataset cannot be read"},
    {"datasets", "too-many", 422, "There are too many datasets"},
    {"datasets", "unknown-dataset", 404, "There is no such dataset"},
    // events/: what was accepted, and what became of it
    {"events", "backlog-full", 503, "Too many events wait to be delivered"},
    {"events", "bad-value", 422, "A run cannot take this value"},
    {"events", "delivery-ended", 409, "The invocation has ended"},
    {"events", "delivery-running", 409, "The invocation is running"},
    {"events", "idempotency-mismatch", 422, "The Idempotency-Key was used for another request"},
    {"events", "no-callbacks", 501, "Nobody is called back here"},
    {"events", "no-function", 409, "The function is not deployed"},
    {"events", "no-result", 404, "The invocation has ended without an answer"},
    {"events", "not-awaited", 404, "No step of the run waits for this event"},
    {"events", "queue-attached", 409, "The queue is in use"},
    {"events", "run-ended", 409, "The run is not in a state for this"},
    {"events", "store-failed", 503, "Events cannot be written now", guarded},
    {"events", "store-full", 503, "There is no space for more events"},
    {"events", "unknown-delivery", 404, "There is no such invocation"},
    {"events", "unknown-pipeline", 404, "There is no such pipeline"},
    {"events", "unknown-queue", 404, "There is no such queue"},
    {"events", "unknown-run", 404, "There is no such run"},
    {"events", "unknown-topic", 404, "There is no such topic"},
    // gateway/: what a client of the data plane did, or a function's answer that is not HTTP
    {"gateway", "bad-answer", 502, "The function's answer is not valid HTTP"},
    {"gateway", "bad-request", 400, "The request is not valid HTTP"},
    {"gateway", "body-too-large", 413, "The request body is too large"},
    {"gateway", "draining", 503, "The daemon is shutting down"},
    {"gateway", "header-timeout", 408, "The request did not arrive in time"},
    {"gateway", "header-too-large", 431, "The request header is too large"},
    {"gateway", "line-too-long", 414, "The request line is too long"},
    {"gateway", "too-many-connections", 503, "Too many connections"},
    {"gateway", "unsupported-version", 505, "This version of HTTP is not spoken here"},
    // intake/: what is to be accepted as an event, or asks about one
    {"intake", "bad-request", 400, "This cannot be accepted as an event"},
    {"intake", "body-too-large", 413, "The event is too large"},
    {"intake", "no-answer", 503, "The store did not answer in time"},
    {"intake", "not-allowed", 405, "This method is not for this path"},
    // outbound/: requests to other servers
    {"outbound", "address-not-allowed", 400, "The URL leads to an address that is not asked"},
    {"outbound", "bad-url", 400, "This URL cannot be asked"},
    {"outbound", "broken", 502, "The upstream's answer broke off", guarded},
    {"outbound", "busy", 503, "Too many requests to upstreams are under way"},
    {"outbound", "not-trusted", 502, "The upstream's certificate is not good", guarded},
    {"outbound", "stopped", 503, "The daemon is shutting down"},
    {"outbound", "timed-out", 504, "The upstream did not answer in time", guarded},
    {"outbound", "unreachable", 502, "The upstream cannot be reached", guarded},
    // pool/: what became of an instance
    {"pool", "answer-broken", 502, "The answer broke off, or is none", guarded},
    {"pool", "answer-too-large", 502, "The answer is too large"},
    {"pool", "forbidden-system-call", 502, "The function used a system call that is not allowed"},
    {"pool", "fork-failed", 503, "No instance could be started"},
    {"pool", "handler-threw", 500, "The function failed", guarded},
    {"pool", "headers-too-large", 502, "The answer's headers are too large"},
    {"pool", "instance-exited", 502, "The function's process ended"},
    {"pool", "instance-killed", 502, "The function's process was killed"},
    {"pool", "instance-stuck", 502, "The function's process did not react"},
    {"pool", "out-of-memory", 502, "The function ran out of memory"},
    {"pool", "overdue-unheard", 504, "Work that nobody waited for ran past the deadline"},
    {"pool", "protocol-violation", 502, "The function's process broke the protocol"},
    {"pool", "template-failed", 502, "The function cannot be loaded", guarded},
    {"pool", "too-many-processes", 502, "The function had too many processes"},
    {"pool", "uncaught-exception", 502, "The function ended with an uncaught exception", guarded},
    {"pool", "unhandled-rejection", 502, "The function ended with an unhandled rejection", guarded},
    // registry/: names, versions, and what was wrong with a deployment
    {"registry", "bad-archive", 422, "The archive cannot be read"},
    {"registry", "bad-config", 422, "The configuration is not valid"},
    {"registry", "bad-name", 400, "This is not a name that can be given"},
    {"registry", "bad-traffic", 422, "Traffic cannot be split like this"},
    {"registry", "build-failed", 422, "The code cannot be built", guarded},
    {"registry", "init-failed", 422, "The code failed while it was loaded", guarded},
    {"registry", "missing-export", 422, "The code does not export a handler", guarded},
    {"registry", "no-entry", 422, "No file was found that could hold the handler"},
    {"registry", "opens-access", 409, "It would open the function without saying so"},
    {"registry", "other-kind", 409, "The name is taken by something else"},
    {"registry", "syntax-error", 422, "The code does not compile", guarded},
    {"registry", "too-large", 413, "The deployment is too large"},
    {"registry", "unknown-function", 404, "There is no such function"},
    {"registry", "unknown-version", 404, "There is no such version"},
    {"registry", "unsafe-path", 422, "The archive holds a path that leaves its folder"},
    {"registry", "unsupported-source", 422, "No runtime can run this"},
    {"registry", "version-in-use", 409, "The version is in use"},
    // router/: which function a request is for
    {"router", "bad-route", 422, "A route is not valid"},
    {"router", "method-not-allowed", 405, "The function has no route for this method"},
    {"router", "unknown-function", 404, "There is no function here"},
    {"router", "unknown-version", 404, "There is no such version"},
    // scheduler/: waiting and running
    {"scheduler", "budget-spent", 402, "The budget is spent"},
    {"scheduler", "budget-throttled", 429, "The budget is spent, few requests are taken"},
    {"scheduler", "deadline-exceeded", 504, "The deadline passed"},
    {"scheduler", "queue-full", 503, "Too many requests are waiting"},
    {"scheduler", "unavailable", 503, "The function takes no requests now"},
    // secrets/
    {"secrets", "bad-name", 400, "This is not a name that a secret can have"},
    {"secrets", "bad-value", 422, "This cannot be the value of the secret"},
    {"secrets", "damaged", 500, "The secret cannot be decrypted", guarded},
    {"secrets", "in-use", 409, "The secret is in use"},
    {"secrets", "locked", 503, "The secrets cannot be read", guarded},
    {"secrets", "too-large", 413, "The secret is too large"},
    {"secrets", "too-many", 422, "There are too many secrets"},
    {"secrets", "unknown-secret", 404, "There is no such secret"},
    // store/: the database
    {"store", "busy", 503, "The store is busy"},
    {"store", "constraint", 500, "The store refused the change", guarded},
    {"store", "corrupt", 500, "The store is damaged", guarded},
    {"store", "failed", 500, "The store failed", guarded},
    {"store", "full", 507, "The disk is full"},
    {"store", "io", 500, "The store could not be read or written", guarded},
    {"store", "newer-schema", 500, "The store was written by a newer version", guarded},
});

constexpr bool before(const Row& a, const Row& b) {
  return a.module != b.module ? a.module < b.module : a.slug < b.slug;
}
static_assert(std::ranges::is_sorted(kTable, before), "rows are looked up by halving: keep them in order");

constexpr Row kInternal{"mayfly", "internal", 500, "The platform failed", guarded};

}  // namespace

std::span<const Row> table() { return kTable; }

const Row& row(const std::error_code& code) {
  const std::string slug = code.message();
  const Row wanted{code.category().name(), slug, 0, {}};
  const auto found = std::ranges::lower_bound(kTable, wanted, before);
  const bool same = found != kTable.end() && found->module == wanted.module && found->slug == wanted.slug;
  return same ? *found : kInternal;
}

}  // namespace mayfly::problem
