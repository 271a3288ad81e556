#include <mayfly.h>

mayfly::Response handle(const mayfly::Request& request) {
  const auto who = request.query("name").value_or("world");
  return {200, "Hello, " + who + "!\n"};
}
MAYFLY_HANDLER(handle)
