#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The commands of sipward that meet an attached filter: a change reaches the maps at once, without a
# daemon, and what the filter does is what the commands tell.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" cli
need_root
need_bpffs
need ip nsenter python3 bpftool

ns_add out
ns_add gate
veth out eth0 192.0.2.1/24 gate eth0 192.0.2.2/24 || skip_all "no veth"
addr_add out eth0 2001:db8::1/64
addr_add gate eth0 2001:db8::2/64
addr_add out eth0 192.0.2.9/24

gate() { in_ns gate "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@"; }

# Sends datagrams that look like SIP to the gate's port 5060.
send() { # SOURCE COUNT [DESTINATION]
	in_ns out python3 - "$@" <<-'END'
		import socket, sys
		to = sys.argv[3] if len(sys.argv) > 3 else "192.0.2.2"
		s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
		s.bind((sys.argv[1], 0))
		for _ in range(int(sys.argv[2])):
		    try:
		        s.sendto(b"OPTIONS sip:gate SIP/2.0\r\n\r\n", (to, 5060))
		    except ConnectionRefusedError:
		        pass
	END
}

# A value of the command's JSON, by a Python expression over `it`.
value() { # EXPRESSION COMMAND...
	local expression=$1
	shift
	gate --json "$@" | python3 -c "import json,sys; it=json.load(sys.stdin); print($expression)"
}

packets() { # REASON
	value "[r['packets'] for r in it['reasons'] if r['reason'] == '$1'][0]" counters
}

check_exit "attaching to no interface is an error" 3 "nosuch0" gate attach nosuch0
check_exit "detaching what is not attached is an error" 3 "." gate detach eth0
check_exit "attach tells how" 0 "attached to eth0: native, " \
	gate attach eth0 --mode native
check_exit "attaching twice is refused" 4 "." gate attach eth0
check_exit "attach --replace replaces" 0 "attached to eth0" gate attach eth0 --replace
check_exit "status names interface, mode and step" 0 \
	"interface +eth0: native.*mode +monitor.*in step.*daemon +not running" gate status

send 192.0.2.1 5
check_eq "monitor mode counts what it would drop" "$(value "it['would_drop']" counters)" 5
check_eq "monitor mode drops nothing" "$(value "it['dropped']" counters)" 0

check_exit "a change leaves no note with a filter attached" 0 "^mode enforce$" gate mode enforce
send 192.0.2.1 3
check_eq "enforce mode drops" "$(value "it['dropped']" counters)" 3
check_exit "drops names the source" 0 "192\.0\.2\.1 .*unlisted" gate drops --top 1
check_eq "drops counts per source" "$(value "it[0]['source']" drops)" 192.0.2.1
check_exit "explain says why" 0 "filter: drops its SIP packets \(unlisted\)" gate explain 192.0.2.1

gate trunk create main --domain '*' --upstream sip:192.0.2.77:5060 >/dev/null
gate acl create office >/dev/null
check_exit "an unused ACL is noted" 0 "no enabled trunk uses ACL office" \
	gate acl add office 192.0.2.0/29
send 192.0.2.1 2
check_eq "an unused ACL admits nobody" "$(packets listed)" 0
gate trunk attach main --acl office >/dev/null
send 192.0.2.1 4
check_eq "an attached ACL admits at once" "$(packets listed)" 4
check_exit "explain says who admits" 0 "passes its SIP packets \(listed\).*192\.0\.2\.0/29" \
	gate explain 192.0.2.1
gate acl add office 192.0.2.1 --deny >/dev/null
send 192.0.2.1 2
check_eq "a longer deny wins at once" "$(packets denied)" 2
gate acl remove office 192.0.2.1 >/dev/null
gate acl add office 2001:db8::/64 >/dev/null
send 2001:db8::1 3 2001:db8::2
check_eq "IPv6 prefixes are admitted" "$(packets listed)" 7

check_exit "a source is locked out" 0 "locked out 192\.0\.2\.1 for 60s" \
	gate lockout add 192.0.2.1 --for 60s
before=$(packets locked_out)
send 192.0.2.1 6
check_eq "locked out comes before listed" "$(($(packets locked_out) - before))" 6
check_exit "lockout list tells the rest" 0 "192\.0\.2\.1 +manual .* (5[0-9]|60) s" gate lockout list
asked=$(date +%s)
check_eq "the deadline is in wall time" \
	"$(value "-2 <= it[0]['until'] - it[0]['remaining_s'] - $asked <= __import__('time').time() - $asked + 2" \
		lockout list)" True
check_exit "explain tells of the lockout" 0 "is locked out.*lockout clear 192\.0\.2\.1" \
	gate explain 192.0.2.1
check_exit "a lockout is cleared" 0 "192\.0\.2\.1 is no longer locked out" \
	gate lockout clear 192.0.2.1
check_exit "clearing nothing is not found" 3 "192\.0\.2\.1 is not locked out" \
	gate lockout clear 192.0.2.1
gate lockout add 2001:db8::1 --for 5m >/dev/null
check_eq "an IPv6 source is its /64" "$(value "it[0]['source']" lockout list)" 2001:db8::/64
check_exit "all lockouts are cleared" 0 "1 lockouts cleared" gate lockout clear --all
check_exit "nobody is left" 0 "nobody is locked out" gate lockout list

gate ports set udp/5070 >/dev/null
before=$(packets unlisted)
send 192.0.2.9 3
check_eq "other ports are not judged" "$(packets unlisted)" "$before"
gate ports set udp/5060 >/dev/null
send 192.0.2.9 3
check_eq "ports take effect at once" "$(packets unlisted)" "$((before + 3))"
check_exit "unlisted policy takes effect" 0 "which now means reject" gate unlisted reject
before=$(packets unlisted_pass)
send 192.0.2.9 2
check_eq "rejected sources reach the daemon" "$(packets unlisted_pass)" "$((before + 2))"

# Some 10,000 prefixes in one go, from standard input.
python3 -c "
for i in range(10000): print(f'10.{i >> 8}.{i & 255}.0/24')" >"$tmp/list"
check_exit "a large list is imported" 0 "ACL office: 10000 added" gate acl import office "$tmp/list"
check_match "and is in the filter" "$(gate explain 10.39.15.1)" "passes its SIP packets \(listed\)"
check_eq "maps and store are in step" "$(value "it['in_step']" status)" True

# Maps that claim to be in step and are not.
bpftool map delete pinned "$pin_dir/acl_v4" key 24 0 0 0 10 39 15 0
check_match "a rule lost from the maps is not seen" "$(gate status)" "in step"
check_exit "reconcile puts it back" 0 "1 added, 0 changed, 0 removed, 1000[0-9] right already" \
	gate reconcile
check_exit "lockout-action takes effect at once" 0 "^lockout-action reject$" \
	gate settings lockout-action reject
flags=$(bpftool map dump pinned "$pin_dir/settings" | sed -n 's/.*"flags": \([0-9]*\).*/\1/p')
check_eq "in the filter" $((flags & 2)) 2
gate settings lockout-action default >/dev/null
check_exit "rates take effect at once" 0 "^source-rate 7 packets/s$" gate settings source-rate 7
check_match "in the filter" "$(bpftool map dump pinned "$pin_dir/settings")" '"source_rate_pps": 7'

watch=$(timeout -s INT 2.5 nsenter --net="/run/netns/$ns-gate" "$BUILD/sipward" --json \
	--pin-dir "$pin_dir" counters --watch)
check_eq "watching prints a line a second" "$(wc -l <<<"$watch")" 3
check_match "with rates" "$(tail -1 <<<"$watch")" '"packets_per_s":0'
gate counters --watch >/dev/full 2>"$tmp/full" &
wait $!
check_match "watching ends with its output" "$(<"$tmp/full")" "can not write the output"

check_exit "doctor looks at the interface" 0 \
	"bpffs" gate doctor eth0
check_exit "detach takes the filter off" 0 "detached from eth0" gate detach eth0
check_exit "then there are no counters" 3 "no filter is attached" gate counters
check_exit "a change is stored without a filter" 0 "note: no filter is attached" gate mode monitor

# Attached by hand, without pins: the maps are found through the program.
if in_ns gate ip link set dev eth0 xdp obj "$BUILD/sipward.bpf.o" sec xdp 2>/dev/null; then
	check_match "a filter attached by ip link is found" "$(gate status)" \
		"eth0: .*by another tool"
	check_exit "and changes reach it" 0 "^mode enforce$" gate mode enforce
	send 192.0.2.9 4
	check_eq "and it drops nobody under reject" "$(packets unlisted_pass)" 4
	in_ns gate ip link set dev eth0 xdp off
else
	skip "a filter attached by ip link is found" "ip can not load BPF objects"
fi
