#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a flood of forged INVITEs costs the daemon when nothing stops it before: every source is
# listed, every request is challenged, none is answered. CPU time a challenge, and memory before
# and after; the same flood on Kamailio's stateless challenge where Kamailio is installed, beside what
# the filter takes for an exchange (bench_exchange). That is all that happens behind the drop of a
# packet, the ACK too; of the servers it is the processes' time alone, without ACK and without what the
# kernel does before their sockets.
. "$(dirname "$0")/../net/lib.sh" bench
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
need_root
need_bpffs
seconds=${BENCH_SECONDS:-6} pps=20000

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

start_gate 0.0.0.0/0 sip:10.9.0.2:5090 || exit 1
measure 5060 "${started[sipwardd]}"
ours=$us_each
row "forged INVITE → 407, sipwardd, CPU ($answers answered)" "$us_each" us - -
row "sipwardd's memory after $answers unanswered challenges, growth" "$grew_kb" kB "<= 512" \
	"$([ "$grew_kb" -le 512 ] && echo ok || echo MISSED)"
stop sipwardd

start_kamailio -m 64 -M 8 <<EOF || exit 0
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "auth.so"
request_route {
	if (method != "ACK" && !pv_proxy_authenticate("gate.example", "x", "0"))
		auth_challenge("gate.example", "1");
}
EOF
measure 5070 $(pgrep -P "${started[kamailio]}")
theirs=$us_each
row "the same, Kamailio, one worker" "$theirs" us - -
row "Kamailio's CPU time a challenge, in sipwardd's" \
	"$(awk -v a="$theirs" -v b="$ours" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }')" times ">= 2" \
	"$(awk -v a="$theirs" -v b="$ours" 'BEGIN { print (b > 0 && a >= 2 * b ? "ok" : "MISSED") }')"
stop kamailio

filter=$("$BUILD/tests/bench/bench_exchange" | awk -F'\t' '/ACK by the filter/ { print $2 / 1000 }')
row "INVITE → 407 → ACK by the filter, all of it" "$filter" us - -
row "Kamailio's CPU time a challenge, in the filter's" \
	"$(awk -v a="$theirs" -v b="$filter" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }')" times ">= 10" \
	"$(awk -v a="$theirs" -v b="$filter" 'BEGIN { print (b > 0 && a >= 10 * b ? "ok" : "MISSED") }')"
