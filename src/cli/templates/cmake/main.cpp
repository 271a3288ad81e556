#include <mayfly.h>

#include "greeting.h"

mayfly::Response handle(const mayfly::Request& request) {
  return {200, greeting(request.query("name").value_or("world"))};
}
MAYFLY_HANDLER(handle)
