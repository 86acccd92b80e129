#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The three ways to attach, each met by a real packet: allowed, blocked, allowed. And what an operator
# reads with bpftool.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" attach
need_root
need ip nsenter bpftool xdp-loader
need_bpffs
[ -x "$BUILD/sipward" ] || skip_all "$BUILD/sipward is not built"

state=$tmp/state
mkdir "$state"

sipward() {
	in_ns gate "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" "$@"
}

# Whether a SIP request from outside is heard on the gate.
heard() {
	local before
	before=$(udp_received)
	in_ns out bash -c 'printf "OPTIONS sip:gate SIP/2.0\r\n\r\n" >/dev/udp/192.0.2.2/5060'
	wait_for "${1:-2}" more_than "$before"
}

# Datagrams that reached the gate's IP stack; nobody listens, so they count as without a port.
udp_received() {
	# shellcheck disable=SC2016
	in_ns gate awk '/^Udp: [0-9]/ { print $2 + $3 }' /proc/net/snmp
}

more_than() {
	[ "$(udp_received)" -gt "$1" ]
}

unheard() {
	! heard 1
}

map_of() { # NAME
	local program map
	program=$(in_ns gate bpftool net show dev gate0 | sed -n 's/.* id \([0-9]*\).*/\1/p')
	bpftool prog show id "$program" | grep -q ' name sipward ' ||
		program=$(bpftool prog show name sipward | sed -n 's/^\([0-9]*\): .*/\1/p' | tail -n1)
	for map in $(bpftool prog show id "$program" | sed -n 's/.*map_ids \([0-9,]*\).*/\1/p' | tr , ' '); do
		bpftool map show id "$map" | grep -q " name $1 " && echo "$map"
	done
}

# What sipward does with maps, however it found them.
works() { # WAY
	check "$1: status names the interface" grep -q gate0 <(sipward status)
	check "$1: monitoring drops nothing" heard
	check "$1: enforce" sipward mode enforce
	check "$1: unlisted drop" sipward unlisted drop
	check "$1: a stranger is blocked" unheard
	check "$1: the packet is counted" grep -qE 'unlisted +drop +[1-9]' <(sipward counters)
	check "$1: the source is named" grep -q 192.0.2.1 <(sipward drops)
	check "$1: unlisted reject" sipward unlisted reject
	check "$1: allowed again" heard
	check "$1: lockout" sipward lockout add 192.0.2.1 --for 60s
	check "$1: the locked-out source is blocked" unheard
	check "$1: the lockout is listed" grep -q 192.0.2.1 <(sipward lockout list)
	check "$1: explain says why" grep -q 'locked' <(sipward explain 192.0.2.1)
}

reads_well() {
	check_match "bpftool: counters by name" "$(bpftool map dump id "$(map_of counters)")" \
		'"packets": [0-9]+'
	check_match "bpftool: drops name the reason" "$(bpftool map dump id "$(map_of drops)")" \
		'"last_reason": "SIPWARD_LOCKED_OUT"'
	check_match "bpftool: lockouts name the reason" "$(bpftool map dump id "$(map_of lockouts)")" \
		'"reason": "SIPWARD_LOCKOUT_MANUAL"'
	check_match "scripts/monitor: reasons and sources" "$(in_ns gate scripts/monitor gate0 0)" \
		'locked_out.*packets|192\.0\.2\.1.*locked_out'
	bpftool map update id "$(map_of acl_v4)" key 32 0 0 0 198 51 100 7 value 1 0 0 0 9 0 0 0
	check_match "bpftool: acl_v4 shows addresses as bytes" \
		"$(bpftool map dump id "$(map_of acl_v4)" | tr -d '\n ')" \
		'"prefix_len":32,"addr":\[198,51,100,7\]'
}

ns_add out
ns_add gate
veth out out0 192.0.2.1/24 gate gate0 192.0.2.2/24
check "without a filter the packet arrives" heard

check "sipward attach" sipward attach gate0
works "sipward attach"
reads_well
check_exit "attach twice is refused" 4 'already' sipward attach gate0
check "attach --replace" sipward attach gate0 --replace
check "the lockout outlives --replace" unheard
check "clear" sipward lockout clear --all
check "detach" sipward detach gate0
check "detached: allowed" heard
check "nothing stays pinned" test ! -e "$pin_dir"

for tool in ip xdp-loader; do
	check "$tool attaches the object" in_ns gate scripts/attach gate0 "$tool"
	works "$tool"
	check "$tool detaches it" in_ns gate scripts/detach gate0 "$tool"
	check "$tool: detached: allowed" heard
done
