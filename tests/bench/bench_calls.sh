#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# CPU time of an authenticated, forwarded, answered and ended call: INVITE, 407, ACK, INVITE with
# digest, 100, 180, 200, ACK, BYE, 200; beside Kamailio, stateful, with the same rules (permissions,
# auth with nonce_count, record_route, t_relay), where it is installed.
#
# Both run at once and are called in turn, so that what else the machine does meets both; the least
# of the rounds counts. One call at a time shows what waking up for each packet costs; with 32 of
# them both are busy, as a gate is when the cost of a call matters. One address serves both sides:
# Kamailio has a worker for each.
. "$(dirname "$0")/../net/lib.sh" benchcalls
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
need_root
need_bpffs
calls=${BENCH_LIVE_CALLS:-5000} rounds=${BENCH_ROUNDS:-5}
many=${BENCH_MANY_CALLS:-150000} held=50000

make_lab

# What the processes, with all their threads, have used: ns in all, ticks in user space, ticks in
# the kernel. The clock of the last two is coarse: they only tell the shares.
cpu_used() { # pids...
	local pid
	for pid; do
		cat "/proc/$pid"/task/*/schedstat
		cat "/proc/$pid/stat"
	done | awk 'NF == 3 { ns += $1; next } { user += $14; kernel += $15 }
		END { print ns, user, kernel }'
}
datagrams() { in_ns gate awk '/^Udp: [0-9]/ { print $2 + $5 }' /proc/net/snmp; }

call_all() { # port, calls, calls at a time, calls a second at most
	in_ns out "$sipcalls" call 10.9.0.2:5062 "10.9.0.1:$1" alice Correct-Horse-7 "$2" "$3" \
		"${4:-0}" >"$tmp/calls.log" 2>&1
}

# One round: "us, us in user space, datagrams", each of a call. Fails if a call did.
measure() { # calls at a time, port, pids...
	local at_once=$1 port=$2 before packets
	shift 2
	before=$(cpu_used "$@") packets=$(datagrams)
	call_all "$port" "$calls" "$at_once" || return 1
	echo "$before $(cpu_used "$@") $packets $(datagrams)" | awk -v n="$calls" '{
		us = ($4 - $1) / 1000 / n; user = $5 - $2; kernel = $6 - $3
		printf "%.1f %.1f %.1f\n", us, us * user / (user + kernel), ($8 - $7) / n }'
}
least() { # file
	sort -n "$1" | head -n 1
}
rows() { # name, file
	local us user packets
	read -r us user packets <<<"$(least "$2")"
	row "authenticated call, $1, CPU ($packets datagrams)" "$us" us - -
	row "of which in user space" "$user" us - -
}

sipcalls=$BUILD/tests/tools/sipcalls
start_in pbx pbx "$sipcalls" answer 10.9.1.2:5060
start_gate 10.9.0.0/24 sip:10.9.1.2:5060 || exit 1
ours=(5060 "${started[sipwardd]}")

theirs=()
if start_stateful_kamailio 10.9.0.0/24; then
	mapfile -t theirs < <(echo 5070 && pgrep -P "${started[kamailio]}")
fi

# The first calls of a program are not like the others.
call_all 5060 2000 32 && { [ ${#theirs[@]} -eq 0 ] || call_all 5070 2000 32; }
compare() { # calls at a time, target
	rm -f "$tmp/ours" "$tmp/theirs"
	for ((i = 0; i < rounds; i++)); do
		measure "$1" "${ours[@]}" >>"$tmp/ours" ||
			echo "calls failed through sipwardd: $(tail -n 3 "$tmp/calls.log")"
		[ ${#theirs[@]} -eq 0 ] || measure "$1" "${theirs[@]}" >>"$tmp/theirs" ||
			echo "calls failed through kamailio: $(tail -n 3 "$tmp/calls.log")"
	done
	row "calls on their way at a time" "$1" "" - -
	rows sipwardd "$tmp/ours"
	[ -s "$tmp/theirs" ] || return
	rows "Kamailio, stateful, one worker" "$tmp/theirs"
	paste -d' ' <(least "$tmp/theirs") <(least "$tmp/ours") | awk -v target="$2" '{
		met = target == "-" ? "-" : $1 >= target * $4 ? "ok" : "MISSED"
		print "Kamailio'"'"'s CPU time a call, in sipwardd'"'"'s\t" sprintf("%.1f", $1 / $4) "\ttimes\t" \
			(target == "-" ? "-" : ">= " target) "\t" met }'
}
row "load of the machine" "$(cut -d' ' -f1 /proc/loadavg)" "" - -
compare 1 -
compare 32 5

# Memory: so many calls one after the other, then so many at the same time.
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/${ours[1]}/status"; }
for _ in 1 2; do # as many transactions as there ever are
	call_all 5060 "$many" 256 2000
done
before=$(rss_mb)
call_all 5060 "$many" 256 2000 || echo "calls failed: $(tail -n 3 "$tmp/calls.log")"
row "calls in a row, after twice as many" "$many" "" - -
row "resident before them" "$before" MB - -
row "resident after them, in that" "$(awk -v a="$before" -v b="$(rss_mb)" 'BEGIN {
	printf "%.2f\ttimes\t<= 1.1\t%s", b / a, b <= 1.1 * a ? "ok" : "MISSED" }')"
before=$(rss_mb)
start_in out held "$sipcalls" call 10.9.0.2:5062 10.9.0.1:5060 alice Correct-Horse-7 \
	"$held" 32 held
wait_for 120 grep -q '^held' "$tmp/held.log"
row "calls held at a time" "$(awk '/^held/ { print $2 }' "$tmp/held.log")" calls "$held" \
	"$(grep -q "^held $held\$" "$tmp/held.log" && echo ok || echo MISSED)"
row "resident with them, in that before" \
	"$(awk -v a="$before" -v b="$(rss_mb)" 'BEGIN { printf "%.2f", b / a }')" times - -
kill -USR1 "${started[held]}"
wait_for 120 grep -q ' calls, ' "$tmp/held.log"
row "of them ended well" "$(awk '/ calls, / { print $1 - $3 }' "$tmp/held.log")" calls "$held" \
	"$(grep -q "^$held calls, 0 failed" "$tmp/held.log" && echo ok || echo MISSED)"
