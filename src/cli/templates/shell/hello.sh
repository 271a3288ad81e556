#!/bin/sh
# The query, path and headers are environment variables (RFC 3875), the body is standard input.
who=$(printf '%s' "$QUERY_STRING" | sed -n 's/^.*name=\([^&]*\).*$/\1/p')

echo "Content-Type: text/plain"
echo
echo "Hello, ${who:-world}!"
