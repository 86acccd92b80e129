#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A customer on a changing address, whom no ACL knows: once authenticated it keeps full service while
# a flood of forged sources spends what strangers may send.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" proven
need python3
[ -x "$BUILD/tests/tools/sipflood" ] || skip_all "sipflood is not built"
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

calls=40 rate=20 number=1000 first=198.51.100.3 second=198.51.100.4 third=198.51.100.5

forger_add
addr_add customer eth0 $first/24

tidy() {
	sipward detach outside
} >/dev/null 2>&1

# Calls by digest at the fixed rate; the columns of sipp's statistics tell how they went.
customer_calls() { # NAME SOURCE
	rm -f "$tmp/$1.csv"
	in_ns customer sipp -sf $scenarios/call_digest.xml -i "$2" -p 5062 -m $calls -r $rate -nostdin \
		-s $number -key domain gate.example -au alice -ap $password -timeout 20 \
		-trace_stat -stf "$tmp/$1.csv" $gate >/dev/null 2>&1
}

statistic() { # NAME COLUMN
	python3 -c "import csv, sys
print(list(csv.DictReader(open('$tmp/$1.csv'), delimiter=';'))[-1]['$2(C)'])"
}

verdict() { # SOURCE
	sipward --json explain "$1" |
		python3 -c "import json, sys; print(json.load(sys.stdin)['filter']['reason'])"
}

is_judged() { # SOURCE REASON
	[ "$(verdict "$1")" = "$2" ]
}

# On each CPU, as a network card would spread it: the budget of strangers is one of each CPU.
flood_begin() { # REASON: what it is counted as, once the budget is spent
	local before cpu
	before=$(packets "$1")
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		start_in forger "flood$cpu" taskset -c $cpu "$BUILD/tests/tools/sipflood" 60 $gate 4000
	done
	check "a forged flood spends what strangers may send" wait_for 5 counted_since "$1" "$before"
}

flood_end() {
	local cpu
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		check "the flood on CPU $cpu went on all the time" running "flood$cpu"
		stop "flood$cpu"
	done
}

counted_since() { # REASON COUNT
	[ "$(packets "$1")" -gt $(($2 + 1000)) ]
}

start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --interface outside \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --upstream sip:$pbx:5060
wait_for 5 logged '^info ready' || { cat "$tmp/daemon.log"; exit 1; }
{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk attach default --credentials phones
	sipward settings cpu-rate 10
	sipward settings cpu-burst 100
	sipward mode enforce
} >/dev/null 2>&1 || exit 1
start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -nostdin 10.9.0.1

# How many of ten new addresses get an answer to their first request.
strangers_answered() {
	local i
	for i in {100..109}; do
		addr_add customer eth0 198.51.100.$i/24
		in_ns customer tests/net/attempt "call gate.example" 198.51.100.$i $gate 1
	done | grep -vc '^-'
}

a_customer_keeps_full_service_during_a_flood() {
	local answered
	check_eq "no ACL knows the customer" "$(verdict $first)" unlisted_pass
	check "calls without a flood" customer_calls quiet $first
	check_eq "the customer is proven" "$(verdict $first)" proven
	flood_begin rate_limited
	check "calls during the flood" customer_calls flooded $first
	check_eq "as many as without" "$(statistic flooded SuccessfulCall)" \
		"$(statistic quiet SuccessfulCall)"
	check_eq "which are all" "$(statistic flooded SuccessfulCall)" $calls
	echo "# of $calls calls $(statistic quiet Retransmissions) messages were sent again without, \
$(statistic flooded Retransmissions) with the flood"
	check "hardly a message had to be sent again" \
		[ "$(statistic flooded Retransmissions)" -le $((calls / 10)) ]
	answered=$(strangers_answered)
	echo "# of 10 strangers $answered were answered meanwhile"
	check "strangers mostly find the budget spent" [ "$answered" -lt 5 ]
	flood_end
}

a_customer_who_moves_is_proven_anew() {
	in_ns customer ip addr del $first/24 dev eth0
	addr_add customer eth0 $second/24
	check_eq "nobody knows the new address" "$(verdict $second)" unlisted_pass
	check "its calls authenticate" customer_calls moved $second
	check_eq "and prove it" "$(verdict $second)" proven
	flood_begin rate_limited
	check "calls from there during another flood" customer_calls again $second
	check_eq "are all whole" "$(statistic again SuccessfulCall)" $calls
	flood_end
}

a_proof_ends() {
	calls=1
	change settings proven-duration 1
	check "a call renews the proof for as long as is set" customer_calls last $second
	check "then the source is a stranger again" wait_for 10 is_judged $second unlisted_pass
}

# A veth transmits what its other end has a program for.
a_stranger_gets_through_where_the_filter_challenges() {
	if ! in_ns customer ip link set dev eth0 xdp obj "$BUILD/sipward.bpf.o" sec xdp; then
		skip "a stranger, and the filter challenging" "the other end of the veth takes no program"
		return
	fi
	calls=5 number=+493012345678901234567 # a request must not be smaller than its answer
	change settings proven-duration 600
	change trunk set default --challenge filter
	addr_add customer eth0 $third/24
	flood_begin challenged
	check "a stranger calls during the flood" customer_calls stranger $third
	check_eq "each call is whole" "$(statistic stranger SuccessfulCall)" $calls
	check_eq "the stranger is proven" "$(verdict $third)" proven
	flood_end
}

a_customer_keeps_full_service_during_a_flood
a_customer_who_moves_is_proven_anew
a_proof_ends
a_stranger_gets_through_where_the_filter_challenges
