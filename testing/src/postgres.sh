# What the supervisor does with PostgreSQL.
bin=$1

# PostgreSQL does not run as root; 65534 is nobody.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

own() { [ "$(id -u)" -ne 0 ] || chown 65534:65534 "$folder"; }

make() {
    own || return
    as_owner "$bin/initdb" --no-sync -A trust -U doghouse -E UTF8 --locale=C -D "$folder/data"
}

# Of the server whose socket is in a folder, as a stand-by server that follows it.
copy() {
    own || return
    as_owner "$bin/pg_basebackup" --no-sync -c fast -R -h "$1" -p "$2" -U doghouse -D "$folder/data"
}

start() { as_owner "$bin/pg_ctl" -w -t 60 -D "$folder/data" -l "$folder/log" start; }

stop() { as_owner "$bin/pg_ctl" -w -t 30 -D "$folder/data" -m "$1" stop; }

# The postmaster and its children, which are all there are.
postmaster() { head -n 1 "$folder/data/postmaster.pid"; }
children() { cat "/proc/$1/task/$1/children"; }

# The postmaster first: it then starts no more.
pause() {
    first=$(postmaster) && kill -STOP "$first" || return
    for child in $(children "$first"); do kill -STOP "$child"; done
    true
}

resume() {
    first=$(postmaster) || return
    for child in $(children "$first"); do kill -CONT "$child"; done
    kill -CONT "$first"
}

farewell() {
    first=$(postmaster) || return
    resume
    stop immediate && return
    for each in "$first" $(children "$first"); do kill -KILL "$each"; done
}
