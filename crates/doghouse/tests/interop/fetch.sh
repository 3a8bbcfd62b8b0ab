#!/usr/bin/env bash
# Fetches all mail into 1.eml, 2.eml and so on, and deletes it there: fetch.sh HOST PORT USER PASSWORD
set -eu
exec 3<>"/dev/tcp/$1/$2"
say() { printf '%s\r\n' "$*" >&3; read -r reply _ <&3; }
read -r _ <&3; say HELO "$3" "$4"; say READ
for ((n = 1; ${reply#=} > 0; n++)); do
    printf 'RETR\r\n' >&3
    head -c "${reply#=}" <&3 >"$n.eml"; sync "$n.eml"
    say ACKD
done
say QUIT
