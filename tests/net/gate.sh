# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after lib.sh by tests of the whole gate: a customer (who has the addresses of a guesser and
# a stranger too) outside, the gate with an interface on either side, a PBX inside.
need_root
need sipp
need_bpffs

gate=198.51.100.1 customer=198.51.100.2 guesser=198.51.100.66 stranger=198.51.100.67 pbx=10.9.0.2
password=Correct1Horse
scenarios=tests/net/sipp
state=$tmp/state

ns_add customer
ns_add gate
ns_add pbx
veth customer eth0 $customer/24 gate outside $gate/24
veth gate inside 10.9.0.1/24 pbx eth0 $pbx/24
addr_add customer eth0 $guesser/24
addr_add customer eth0 $stranger/24

sipward() {
	in_ns gate "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" "$@"
}

# A sipp that plays the PBX takes an OPTIONS for a call.
sipward settings health-interval 0 >/dev/null 2>&1

# Makes of the customer's namespace a router that lets every source pass, and somebody on the internet
# behind it, who reaches the gate as a neighbour.
forger_add() {
	ns_add forger
	veth forger eth0 203.0.113.2/24 customer wild 203.0.113.1/24
	in_ns forger ip route add $gate dev eth0
	in_ns customer sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.wild.rp_filter=0 net.ipv4.conf.wild.accept_local=1 \
		net.ipv4.conf.wild.proxy_arp=1
}

# A certificate authority of the test's own ($tmp/ca.pem), and a key and certificate by it.
authority() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/ca.key" -subj /CN=authority -days 2 \
		-out "$tmp/ca.pem"
}
certify() { # FILE IP:ADDRESS|DNS:NAME...
	local file=$1 names
	shift
	names=$(printf '%s,' "$@")
	openssl req -newkey rsa:2048 -nodes -keyout "$tmp/$file.key" -subj "/CN=${1#*:}" \
		-addext "subjectAltName=${names%,}" |
		openssl x509 -req -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -days 2 \
			-copy_extensions copy -out "$tmp/$file.pem"
}

# Of the filter's counters.
packets() { # REASON
	sipward --json counters | python3 -c "import json, sys
for c in json.load(sys.stdin)['reasons']:
    if c['reason'] == '$1': print(c['packets'])"
}

# By the daemon that was started as "daemon".
logged() { # REGEX
	grep -qE "$1" "$tmp/daemon.log"
}

quietly() { # COMMAND...: fails where the command succeeds
	! "$@"
}

# Of a daemon started under the name `daemon`.
policies() { grep -c '^info policy' "$tmp/daemon.log"; }
another_policy() { [ "$(policies)" -gt "$1" ]; }

# Changes the store, and waits until the daemon goes by it.
change() { # COMMAND...
	local before
	before=$(policies)
	sipward "$@" >/dev/null 2>"$tmp/change.log" && wait_for 5 another_policy "$before" ||
		{ cat "$tmp/change.log"; exit 1; }
}
