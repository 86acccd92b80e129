#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The filter in libxdp's dispatcher, between two other XDP programs on the same interface. Each
# counts the UDP packets it meets: the first (priority 10) sees what arrives, the last (90) what the
# filter let through.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/../net/lib.sh" kernel
need_root
need ip nsenter bpftool xdp-loader
need_bpffs
neighbour=$BUILD/tests/kernel/neighbour.bpf.o

gate() { in_ns gate "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@"; }

# "PRIORITY NAME ID" of each program in the dispatcher, in the order they run.
programs() {
	in_ns gate xdp-loader status gate0 | awk '$1 == "=>" { print $2, $3, $4 }'
}

order() {
	programs | awk '{ printf "%s%s:%s", sep, $1, $2; sep = " " }'
}

map_of() { # PRIORITY
	local id
	id=$(programs | awk -v priority="$1" '$1 == priority { print $3 }')
	bpftool prog show id "$id" | sed -n 's/.*map_ids \([0-9]*\).*/\1/p'
}

# How many UDP packets the neighbours met: "FIRST LAST".
met() {
	local map
	for map in "$first" "$last"; do
		bpftool map dump id "$map" | sed -n 's/.*"value": \([0-9]*\).*/\1/p'
	done | paste -s -d ' '
}

# One datagram from outside (bash sends one a line). Prints "FIRST LAST": 1 for a neighbour that met
# it, else 0.
send() {
	local before after
	before=$(met)
	in_ns out bash -c 'printf "OPTIONS sip:gate SIP/2.0\r\n" >/dev/udp/192.0.2.2/5060' 2>/dev/null
	wait_for 2 first_met_more_than "${before% *}"
	sleep 0.05
	after=$(met)
	echo "$((${after% *} - ${before% *})) $((${after#* } - ${before#* }))"
}

first_met_more_than() {
	local now
	now=$(met)
	[ "${now% *}" -gt "$1" ]
}

load_neighbours() {
	in_ns gate xdp-loader load -P 10 gate0 "$neighbour" &&
		in_ns gate xdp-loader load -P 90 gate0 "$neighbour" || return
	first=$(map_of 10) last=$(map_of 90)
}

# Whether nothing got past the filter while the command ran and forged packets kept coming.
unfiltered_during() { # NAME COMMAND...
	local name=$1 before after
	shift
	start_in out flood "$BUILD/tests/tools/sipflood" 60 192.0.2.2:5060 2000
	wait_for 10 first_met_more_than "$(($(met | cut -d' ' -f1) + 50))"
	before=$(met)
	check "$name" "$@"
	after=$(met)
	stop flood
	check "$name: packets kept coming" [ "${after% *}" -gt "$((${before% *} + 50))" ]
	check_eq "$name: none got past the filter" "${after#* }" "${before#* }"
}

replace_often() {
	gate attach gate0 --replace && gate attach gate0 --replace && gate attach gate0 --replace
}

# A replacement takes about a second here.
replace_and_kill() {
	local seconds
	for seconds in 0.5 0.6 0.7 0.8 0.9 1.0 1.1; do
		in_ns gate timeout -s KILL "$seconds" "$BUILD/sipward" --state "$tmp/state" \
			--pin-dir "$pin_dir" attach gate0 --replace
	done
	gate attach gate0 --replace
}

# What the filter does between its neighbours, whoever attached it.
works() { # WAY
	check_eq "$1: the order is by priority" "$(order)" "10:neighbour 50:sipward 90:neighbour"
	check_exit "$1: status names the dispatcher" 0 "gate0: native, .*libxdp's dispatcher" gate status
	check_match "$1: status says it in JSON" "$(gate --json status)" '"via": ?"dispatcher"'
	check "$1: monitor" gate mode monitor
	check_eq "$1: monitoring passes" "$(send)" "1 1"
	check "$1: enforce" gate mode enforce
	check_eq "$1: a stranger is dropped" "$(send)" "1 0"
	check_match "$1: the drop is counted" "$(gate counters)" 'unlisted +drop +[1-9]'
	check "$1: ACL" gate acl add office 192.0.2.1
	check_eq "$1: a listed source passes" "$(send)" "1 1"
	check "$1: lockout" gate lockout add 192.0.2.1 --for 60s
	check_eq "$1: a locked-out source is dropped" "$(send)" "1 0"
	check_match "$1: explain says why" "$(gate explain 192.0.2.1)" 'locked_out'
	check_match "$1: doctor sees the filter" "$(gate doctor gate0)" 'ok +dispatcher'
	unfiltered_during "$1: replace" replace_often
	check_eq "$1: one copy is left" "$(order)" "10:neighbour 50:sipward 90:neighbour"
	check_match "$1: the lockout outlives replacement" "$(gate lockout list)" '192\.0\.2\.1'
	check "$1: clear" gate lockout clear --all
	check_eq "$1: the listed source passes again" "$(send)" "1 1"
	check "$1: the ACL entry goes" gate acl remove office 192.0.2.1
	check_eq "$1: then it is dropped" "$(send)" "1 0"
}

left_alone() { # WAY
	check_eq "$1: the neighbours are left alone" "$(order)" "10:neighbour 90:neighbour"
	check_eq "$1: and pass the stranger" "$(send)" "1 1"
	check "$1: nothing of ours stays pinned" test ! -e "$pin_dir"
}

ns_add out
ns_add gate
veth out out0 192.0.2.1/24 gate gate0 192.0.2.2/24 || skip_all "no veth"
gate trunk create main --domain '*' --upstream sip:192.0.2.77:5060 >/dev/null
gate acl create office >/dev/null
gate trunk attach main --acl office >/dev/null

check "two other programs are attached" load_neighbours
check_eq "both meet a packet" "$(send)" "1 1"
check_exit "sipward attach joins them" 0 "dispatcher" gate attach gate0
works "sipward attach"
check_exit "attaching twice is refused" 4 "already" gate attach gate0
unfiltered_during "killed replacements" replace_and_kill
check_eq "after kills: one copy is left" "$(order)" "10:neighbour 50:sipward 90:neighbour"
check "detach" gate detach gate0
left_alone "detach"

check "xdp-loader load joins them" in_ns gate scripts/attach gate0 xdp-loader
works "xdp-loader load"
check "detach takes off what xdp-loader loaded" gate detach gate0
left_alone "detach after xdp-loader"

check "loaded by xdp-loader again" in_ns gate scripts/attach gate0 xdp-loader
check "scripts/detach" in_ns gate scripts/detach gate0 xdp-loader
left_alone "scripts/detach"

in_ns gate xdp-loader unload gate0 --all
check_exit "sipward attach, alone in a dispatcher" 0 "dispatcher" gate attach gate0
check "others join later" load_neighbours
check_eq "others join in their order" "$(order)" "10:neighbour 50:sipward 90:neighbour"
check_eq "the filter still drops" "$(send)" "1 0"
in_ns gate xdp-loader unload gate0 --id "$(programs | awk '$1 == 90 { print $3 }')"
check_eq "another leaves" "$(order)" "10:neighbour 50:sipward"
check_match "the filter stays" "$(gate status)" "gate0: native, .*dispatcher"
in_ns gate xdp-loader unload gate0 --all
check_exit "taken off by others: status says so" 0 "interface +none" gate status
check_exit "and attach finds its maps again" 0 "dispatcher" gate attach gate0
check "detach, the last" gate detach gate0
check_match "no dispatcher is left" "$(in_ns gate xdp-loader status gate0)" "No XDP program"

in_ns gate xdp-loader load -m skb -P 90 gate0 "$neighbour"
check_exit "generic neighbours: native is refused" 4 "generic mode, which can not be changed" \
	gate attach gate0 --mode native
check_exit "generic neighbours: attach joins them" 0 "generic, .*dispatcher" gate attach gate0
check_eq "generic neighbours: the order" "$(order)" "50:sipward 90:neighbour"
check "generic neighbours: replace" gate attach gate0 --replace
check "generic neighbours: detach" gate detach gate0
check_eq "generic neighbours: they are left alone" "$(order)" "90:neighbour"
in_ns gate xdp-loader unload gate0 --all

in_ns gate ip link set dev gate0 xdp obj "$neighbour" sec xdp
check_exit "a program outside the dispatcher is named" 4 '"neighbour".*xdp off' gate attach gate0
check_exit "doctor says what mends it" 1 'ip link set dev gate0 xdp off' gate doctor gate0
