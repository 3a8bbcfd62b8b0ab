# What the supervisor does with HAProxy.
haproxy=$1

# It goes into the background once its sockets are open.
start() { "$haproxy" -D -f "$folder/haproxy.cfg" -p "$folder/pid"; }

farewell() {
    pid=$(cat "$folder/pid") || return
    kill "$pid" || return
    tries=0
    while kill -0 "$pid" && [ $tries -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -KILL "$pid"
}
