#!/bin/sh
# Tries what the path's last part names. Answers "ESCAPED: what" or what the shell says. Bombs end by themselves.
with=${QUERY_STRING#with=}
said=$(case ${PATH_INFO##*/} in
  (reads) cat "$with" 2>&1 && echo "ESCAPED: $with" ;;
  (reads_others)
    for process in /proc/[0-9]*; do
      [ "$process" = "/proc/$$" ] || [ "$process" = "/proc/$PPID" ] && continue  # of its own instance
      cat "$process/environ" > /dev/null 2>&1 && echo "ESCAPED: $process"
    done
    echo "refused: all" ;;
  (writes_its_source) { echo x >> "$0"; } 2>&1 && echo "ESCAPED: its source is changed" ;;
  (kills_everybody) (kill -9 -1); echo "status $?" ;;
  (stops) kill -STOP $$; echo "ESCAPED: it went on" ;;
  (loops) timeout 20 sh -c 'trap "" TERM INT HUP; while :; do :; done' ;;
  (forks) i=0; while [ $i -lt 300 ]; do setsid sleep 20 & i=$((i + 1)); done; sleep 1; echo "ESCAPED: 300 children" ;;
  (leaves_a_child) (setsid sh -c 'exec sleep 20' > /dev/null 2>&1 < /dev/null &) ; echo left ;;
  (fills_the_disk) head -c 500000000 /dev/zero 2>&1 > /tmp/big; rm -f /tmp/big ;;
  (*) echo fine ;;
esac)
printf 'content-type: text/plain\r\n\r\n%s' "$said"
