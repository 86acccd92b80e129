#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon with the filter: attached by it, found late, replaced; lockouts and proofs reach the maps.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" callf
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

daemon() { # OPTION...
	start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
		--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 "$@"
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
}

customer() { # SCENARIO [OPTION...]
	local scenario=$1
	shift
	rm -f "$tmp/customer.trace"
	in_ns customer sipp -sf "$scenarios/$scenario.xml" -i $customer -p 5062 -m 1 -nostdin \
		-s 1000 -key domain gate.example -au alice -ap $password -timeout 10 -trace_msg \
		-message_file "$tmp/customer.trace" "$@" $gate
}

guesser() {
	customer call_wrong -i $guesser -p 5066 -ap Wrong1Password -max_invite_retrans 1
}

call() {
	start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m 1 -nostdin -timeout 10 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
	customer call_digest && wait "${started[pbx]}"
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

daemon --upstream sip:$pbx:5060 --interface outside
check_match "daemon attaches the filter" "$(cat "$tmp/daemon.log")" \
	'^info filter interface=outside xdp=(native|generic)'
check_match "and makes the default trunk" "$(sipward trunk list)" 'default'
{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk attach default --credentials phones
	sipward mode enforce
} >/dev/null
changes=$(grep -c '^info policy ' "$tmp/daemon.log")
sipward acl create spare >/dev/null
sleep 0.2
check "store change is noticed at once" \
	[ "$(grep -c '^info policy ' "$tmp/daemon.log")" -gt "$changes" ]
check "call through the filter" call
check_match "customer is proven in the filter's map" "$(sipward explain $customer)" 'proven'

for i in 1 2 3 4 5 6 7 8 9 10; do
	guesser >/dev/null 2>&1 || not_ok "guess $i is answered 403"
done
check_match "ten wrong passwords put the source into the map" "$(sipward lockout list)" $guesser
check "where the filter drops it" quietly guesser
check_match "and counts it" "$(packets locked_out)" '^[1-9]'
check "the customer still calls" call
sipward lockout clear $guesser >/dev/null
check "cleared by the command, it is heard again" guesser

check_exit "a second daemon on the same state is refused" 3 'in use by another sipwardd' \
	in_ns gate "$sipwardd" --state "$state" --pin-dir "$pin_dir" --listen udp:$gate:5070

stop daemon KILL
sipward lockout add $guesser --for 60s >/dev/null
before=$(packets locked_out)
quietly guesser >/dev/null 2>&1
check "filter drops on while the daemon is dead" [ "$(packets locked_out)" -gt "$before" ]
daemon --interface outside
check "restarted daemon serves calls" call
check_match "lockout is still there" "$(sipward lockout list)" $guesser

check "filter is replaced under the daemon" sipward attach outside --replace
sipward lockout clear --all >/dev/null
check "customer still calls" call
for i in 1 2 3 4 5 6 7 8 9 10; do
	guesser >/dev/null 2>&1
done
check_match "lockouts reach the new maps" "$(sipward lockout list)" $guesser

in_ns gate ip link del outside
check "loss of the interface is told" wait_for 5 logged '^error filter_lost interface=outside'
veth customer eth0 $customer/24 gate outside $gate/24
addr_add customer eth0 $guesser/24
check "filter is put back when it comes again" \
	wait_for 5 sh -c "nsenter --net=/run/netns/$ns-gate ip link show outside | grep -q xdp"
check "and calls pass" call
check_match "what was locked out still is" "$(sipward lockout list)" $guesser

# The filter goes and comes back while the daemon runs.
stop daemon
check "filter stays when the daemon stops" sipward --json status
sipward detach outside >/dev/null
daemon
check "daemon without a filter says so" logged '^warning no_filter'
check "and serves calls" call
check "filter is attached later" sipward attach outside
check "and found" wait_for 3 logged '^info filter_found'
check "calls go on" call
sipward lockout clear --all >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
	guesser >/dev/null 2>&1
done
check_match "lockouts reach its map" "$(sipward lockout list)" $guesser
stop daemon

cat >"$tmp/bad.conf" <<'CONF'
[sipwardd]
listen = sctp:1.2.3.4
CONF
check_exit "configuration error names file, line, field and value" 2 "bad.conf:2: listen 'sctp:1.2.3.4'" \
	"$sipwardd" --config "$tmp/bad.conf"
check_exit "interface that is not there is an error" 1 'nosuch' \
	in_ns gate "$sipwardd" --state "$state" --pin-dir "$pin_dir" --interface nosuch \
	--listen udp:$gate:5060
