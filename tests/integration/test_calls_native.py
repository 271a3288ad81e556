"""Functions in C++ call functions and are decorators; bodies stream through them."""

import hashlib

import pytest

CALLER = """#include <mayfly_calls.h>
mayfly::Response handle(const mayfly::Request& request) {
  try {
    mayfly::Answer answer = mayfly::invoke(request, request.path().substr(1), {.path = "/from/native", .headers = {{"X-One", "1"}}, .body = request.body()});
    const int status = answer.status();
    return {status, std::string(answer.header("x-echo").value_or("")) + " " + answer.body()};
  } catch (const mayfly::CallError& error) {
    return {error.status, error.type};
  }
}
MAYFLY_HANDLER(handle)
"""
PASS = """#include <mayfly_calls.h>
mayfly::Response handle(const mayfly::Request& request) {
  if (!request.header("x-token")) return {401, "no"};
  auto answer = mayfly::pass(mayfly::next(request));
  answer.headers.emplace_back("x-auth", "checked");
  return answer;
}
MAYFLY_HANDLER(handle)
"""
PUBLISH = """#include <mayfly_calls.h>
mayfly::Response handle(const mayfly::Request& request) {
  try {
    mayfly::publish(request, "news", "{}");
    return {200, "published"};
  } catch (const mayfly::CallError& error) {
    return {error.status, error.type};
  }
}
MAYFLY_HANDLER(handle)
"""
# Answers each part of the body as it comes.
DUPLEX = """#include <mayfly.h>
mayfly::Response handle(const mayfly::Request& request) {
  return mayfly::Response::stream(200, {}, [&request](mayfly::Writer& writer) {
    std::vector<char> room(65536);
    while (const auto got = request.read(room)) writer.write({room.data(), got});
  });
}
MAYFLY_HANDLER(handle)
"""
ECHO = """export default { async fetch(request) {
  const body = await request.text();
  return new Response(body + request.headers.get("x-one"), { status: 207, headers: { "x-echo": new URL(request.url).pathname } });
} };"""


@pytest.fixture(scope="module")
def functions(start_daemon):
    daemon = start_daemon("--threads", "2")
    daemon.deploy("echo", ECHO)
    for name, code in {"caller": CALLER, "pass": PASS, "publish": PUBLISH}.items():
        daemon.deploy(name, code, file="main.cpp")
    daemon.deploy("duplex", DUPLEX, file="main.cpp", wrap=["pass", "pass"])
    return daemon


def test_a_function_calls_and_waits(functions):
    answer = functions.request("/caller/echo", "POST", body=b"hello ")
    assert (answer.status, answer.text) == (207, "/from/native hello 1")
    answer = functions.request("/caller/nobody")
    assert (answer.status, answer.text) == (404, "urn:mayfly:router:unknown-function")


def test_a_topic_has_to_be_listed(functions):
    answer = functions.request("/publish")
    assert (answer.status, answer.text) == (403, "urn:mayfly:call:topic-not-allowed")


def test_a_body_streams_both_ways_at_once_through_two_decorators(functions):
    body = bytes(range(256)) * 12_000
    answer = functions.request("/duplex", "POST", body=body, headers={"x-token": "t"})
    assert answer.status == 200 and answer.header("x-auth") == "checked"
    assert hashlib.sha256(answer.body).hexdigest() == hashlib.sha256(body).hexdigest()


def test_a_decorator_may_answer_itself(functions):
    answer = functions.request("/duplex")
    assert (answer.status, answer.text) == (401, "no")
