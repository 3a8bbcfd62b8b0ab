# What the supervisor does with HAProxy.
haproxy=$1

# It goes into the background once its sockets are open.
start() { "$haproxy" -D -f "$folder/haproxy.cfg" -p "$folder/pid"; }

# One that has ended, and that nobody has waited for yet, has no program any more.
is_running() { [ -e "/proc/$1/exe" ]; }

farewell() {
    pid=$(cat "$folder/pid") || return
    kill "$pid" || return
    tries=0
    while is_running "$pid" && [ $tries -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    ! is_running "$pid" || kill -KILL "$pid"
}
