#include <mayfly.h>

mayfly::Response handle(const mayfly::Request&) { return {200, "hello\n"}; }
MAYFLY_HANDLER(handle)
