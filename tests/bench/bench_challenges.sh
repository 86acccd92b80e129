#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a flood of forged INVITEs costs the daemon when nothing stops it before: every source is
# listed, every request is challenged, none is answered. CPU time a challenge, and memory before
# and after; the same flood on Kamailio's stateless challenge where Kamailio is installed.
. "$(dirname "$0")/../net/lib.sh" bench
need_root
need_bpffs
seconds=${BENCH_SECONDS:-6} pps=20000

row() { # name, value, unit, target, met
	printf '%s\t%s\t%s\t%s\t%s\n' "$@"
}

ns_add out
ns_add gate
veth out eth0 10.9.0.2/24 gate eth0 10.9.0.1/24
# Answers to forged sources have somewhere to go, and nobody there.
in_ns gate ip route add default via 10.9.0.2
in_ns out ip route add blackhole default

# Of one or several processes.
cpu_ms() {
	local pid
	for pid; do cat "/proc/$pid/stat"; done | awk '{ ms += ($14 + $15) * 10 } END { print ms }'
}
rss_kb() {
	local pid
	for pid; do cat "/proc/$pid/status"; done | awk '/^VmRSS/ { kb += $2 } END { print kb }'
}
datagrams_out() { in_ns gate awk '/^Udp: [0-9]/ { print $5 }' /proc/net/snmp; }

# Floods the server on 10.9.0.1:PORT; leaves us_each, answers, grew_kb.
measure() { # port, pids...
	local port=$1 cpu rss out
	shift
	in_ns out "$BUILD/tests/tools/sipflood" 1 "10.9.0.1:$port" 2000 >/dev/null
	cpu=$(cpu_ms "$@") rss=$(rss_kb "$@") out=$(datagrams_out)
	in_ns out "$BUILD/tests/tools/sipflood" "$seconds" "10.9.0.1:$port" "$pps" >/dev/null
	sleep 0.5
	answers=$(($(datagrams_out) - out))
	us_each=$(awk -v ms=$(($(cpu_ms "$@") - cpu)) -v n="$answers" \
		'BEGIN { printf "%.1f", n ? ms * 1000 / n : 0 }')
	grew_kb=$(($(rss_kb "$@") - rss))
}

mkdir -p "$tmp/state"
sipward() { "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@" >/dev/null 2>&1; }
sipward credentials create users --realm gate.example
echo Correct-Horse-7 | sipward user add users alice --password-stdin
sipward acl create everyone
sipward acl add everyone 0.0.0.0/0
sipward trunk create main --domain '*' --upstream sip:10.9.0.2:5090
sipward trunk attach main --acl everyone
sipward trunk attach main --credentials users
start_in gate sipwardd "$sipwardd" --state "$tmp/state" --pin-dir "$pin_dir" \
	--listen udp:10.9.0.1:5060 --log-level warning
wait_for 5 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5060" || exit 1
measure 5060 "${started[sipwardd]}"
ours=$us_each
row "forged INVITE → 407, sipwardd, CPU ($answers answered)" "$us_each" us - -
row "sipwardd's memory after $answers unanswered challenges, growth" "$grew_kb" kB "<= 512" \
	"$([ "$grew_kb" -le 512 ] && echo ok || echo MISSED)"
stop sipwardd

if ! command -v kamailio >/dev/null; then
	echo "kamailio is not installed: no comparison (apt-get install kamailio)"
	exit 0
fi
modules=$(dirname "$(dpkg -L kamailio | grep '/tm\.so$')")
cat >"$tmp/kamailio.cfg" <<EOF
children=1
auto_aliases=no
log_stderror=yes
debug=0
mpath="$modules"
listen=udp:10.9.0.1:5070
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "auth.so"
request_route {
	if (method != "ACK" && !pv_proxy_authenticate("gate.example", "x", "0"))
		auth_challenge("gate.example", "1");
}
EOF
start_in gate kamailio kamailio -f "$tmp/kamailio.cfg" -DD -E -m 64 -M 8 -Y "$tmp" -P "$tmp/kamailio.pid"
if ! wait_for 30 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5070"; then
	tail -n 3 "$tmp/kamailio.log"
	exit 0
fi
measure 5070 $(pgrep -P "${started[kamailio]}")
theirs=$us_each
row "the same, Kamailio, one worker" "$theirs" us - -
row "Kamailio's CPU time a challenge, in sipwardd's" \
	"$(awk -v a="$theirs" -v b="$ours" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }')" times ">= 2" \
	"$(awk -v a="$theirs" -v b="$ours" 'BEGIN { print (b > 0 && a >= 2 * b ? "ok" : "MISSED") }')"
stop kamailio
