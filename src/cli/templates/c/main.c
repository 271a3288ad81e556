#include <mayfly.h>

static void handle(mayfly_request* request, mayfly_response* response) {
  const mayfly_text query = mayfly_query(request);
  const char* name = strncmp(query.data, "name=", 5) == 0 ? query.data + 5 : "world";
  mayfly_print(response, "Hello, ");
  mayfly_print(response, name);
  mayfly_print(response, "!\n");
}
MAYFLY_HANDLER(handle)
