#!/bin/sh
# The smallest executable: the request's body on standard input, the answer on standard output.
case "$REQUEST_METHOD" in
  POST) wc -w | tr -d ' ' ;;
  *) echo "${GREETING:-Hello}, send me words with POST" ;;
esac
echo "$REQUEST_METHOD $PATH_INFO" >&2 # into the log
