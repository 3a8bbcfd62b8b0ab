# Stands beside the test process and does what that says, a line each: a function of the server's own script, with its
# arguments. When the lines end, because that process has, whatever has ended it, nothing is left running or on the disk.
# Lines of output: the folder, then `done` or `failed` for each order.

# An interrupt from the terminal ends the test process, and that ends this one.
trap '' INT HUP TERM QUIT PIPE
cd / || exit
# Not where TMPDIR says: the path of a socket may have 107 octets.
folder=$(mktemp -d /tmp/doghouse-XXXXXXXX) && chmod 755 "$folder" || exit
echo "$folder"
while read -r order; do
    # Servers are not to ignore what this does. Not quoted: the words are the function and its arguments.
    if (trap - INT HUP TERM QUIT PIPE; $order) </dev/null >"$folder/said" 2>&1; then echo 'done'; else echo failed; fi
done
farewell </dev/null >/dev/null 2>&1
rm -rf "$folder"
