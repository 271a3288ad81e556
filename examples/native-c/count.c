/* C in one file: counts lines and bytes of a body while it arrives. */
#include <mayfly.h>

static void count(mayfly_request* request, mayfly_response* response) {
  char room[65536], text[100];
  long lines = 0, bytes = 0;
  ptrdiff_t got;
  while ((got = mayfly_read(request, room, sizeof room)) > 0) {
    bytes += got;
    for (ptrdiff_t i = 0; i < got; ++i) lines += room[i] == '\n';
  }
  if (got < 0) return; /* the client left */
  snprintf(text, sizeof text, "%ld lines, %ld bytes\n", lines, bytes);
  mayfly_log(MAYFLY_INFO, "counted %ld bytes", bytes);
  mayfly_print(response, text);
}
MAYFLY_HANDLER(count)
