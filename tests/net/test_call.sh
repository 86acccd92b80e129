#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Real calls by sipp: a customer and a PBX, each on its own side of a gate with two interfaces.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" call
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
addr_add customer eth0 2001:db8:1::2/64
addr_add gate outside 2001:db8:1::1/64

daemon() {
	start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
		--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --listen 'udp:[2001:db8:1::1]:5060' \
		--log-level debug
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
}

# A PBX that takes one call by the scenario. Its trace is $tmp/pbx.trace.
pbx() { # SCENARIO [OPTION...]
	local scenario=$1
	shift
	rm -f "$tmp/pbx.trace"
	start_in pbx pbx sipp -sf "$scenarios/$scenario.xml" -i $pbx -p 5060 -m 1 -nostdin \
		-timeout 60 -trace_msg -message_file "$tmp/pbx.trace" "$@" 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

# Whether the PBX's call went by its scenario.
pbx_done() {
	wait "${started[pbx]}"
}

# A call, or several, by the scenario; fails unless all went by it.
customer() { # SCENARIO DOMAIN [OPTION...]
	local scenario=$1 domain=$2
	shift 2
	rm -f "$tmp/customer.trace"
	in_ns customer sipp -sf "$scenarios/$scenario.xml" -i $customer -p 5062 -m 1 -nostdin \
		-s 1000 -key domain "$domain" -au alice -ap $password -timeout 60 -trace_msg \
		-message_file "$tmp/customer.trace" "$@" $gate
}

guesser() { # SCENARIO DOMAIN [OPTION...]
	customer "$@" -i $guesser -p 5066 -ap Wrong1Password
}

stranger() { # SCENARIO DOMAIN
	customer "$@" -i $stranger -p 5066
}

# A call that both sides see go by their scenarios.
call() { # PBX-SCENARIO CUSTOMER-SCENARIO DOMAIN [OPTION...]
	local scenario=$1
	shift
	pbx "$scenario" || return
	customer "$@" && pbx_done
}

{
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward trunk create address --domain address.example --upstream sip:$pbx:5060
	sipward trunk create both --domain both.example --upstream sip:$pbx:5060
	sipward trunk create dead --domain dead.example --upstream sip:10.9.0.99:5060
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward acl create office
	sipward acl add office $customer 2001:db8:1::2
	sipward trunk attach digest --credentials phones
	sipward trunk attach address --acl office
	sipward trunk attach dead --acl office
	sipward trunk attach both --acl office
	sipward trunk attach both --credentials phones
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }

daemon

# A silent upstream takes 32 s: meanwhile the rest.
start_in customer silent sipp -sf $scenarios/call_timeout.xml -i $customer -p 5090 -m 1 -nostdin \
	-s 1000 -key domain dead.example -timeout 60 $gate

check "call by digest" call pbx call_digest digest.example
check_eq "credentials never reach the upstream" "$(grep -ci authorization "$tmp/pbx.trace")" 0
check_match "upstream learns who was admitted" "$(cat "$tmp/pbx.trace")" \
	'^X-Sipward-Auth-User: alice'
check_eq "both interfaces record the route" \
	"$(grep -m1 -A3 '^INVITE' "$tmp/pbx.trace" | grep -cE '^Record-Route: <sip:[0-9a-f]+@(10.9.0.1|198.51.100.1):5060;lr>')" 2
check "call by address" call pbx call address.example
check_eq "without a challenge" "$(grep -c '^SIP/2.0 407' "$tmp/customer.trace")" 0
check "call by address and digest" call pbx call_digest both.example
check "digest alone is not enough where both are asked" \
	stranger call_refused both.example
check "address that is not listed is refused" stranger call_refused address.example
check "re-INVITE, and BYE from the far side" call pbx_hangs_up call_held address.example
check "busy far side" call pbx_busy call_busy address.example
check "call cancelled while it rings" call pbx_ringing call_cancelled address.example
check "CANCEL as the far side answers" call pbx_answers_cancel call_cancelled_late address.example
check "provisional responses with PRACK, and UPDATE" call pbx_prack call_prack address.example
check_eq "each PRACK names its INVITE" "$(grep -c '^RAck: [12] 1 INVITE' "$tmp/pbx.trace")" 2
check "REFER, and the NOTIFY that follows" call pbx_referred call_refers address.example
check "an offer in the 200, its answer in the ACK" call pbx_offers call_offerless address.example
check "INVITE that arrives twice" call pbx_slow call_twice address.example
check_eq "is forwarded once" "$(grep -c '^INVITE' "$tmp/pbx.trace")" 1
check "INVITE of more than 4 kB, in fragments" call pbx call_big address.example
check_match "reaches the far side whole" "$(cat "$tmp/pbx.trace")" 'a=x-pad:x*59'
check "phone registers with the gate" customer register digest.example

pbx pbx
check "call over IPv6 to an IPv4 upstream" in_ns customer sipp -sf $scenarios/call.xml \
	-i 2001:db8:1::2 -p 5062 -m 1 -nostdin -s 1000 -key domain address.example -timeout 30 \
	'[2001:db8:1::1]'
check "seen from the far side" pbx_done

# Calls while the store changes and the daemon is told to reload.
rm -f "$tmp/pbx.trace"
start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m 60 -nostdin -timeout 60 10.9.0.1
wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
start_in customer caller sipp -sf $scenarios/call_digest.xml -i $customer -p 5062 -m 60 -r 30 -nostdin \
	-s 1000 -key domain digest.example -au alice -ap $password -timeout 60 $gate
for i in 1 2 3 4 5 6 7 8 9 10; do
	kill -HUP "${started[daemon]}"
	sipward acl add office "192.0.2.$i" >/dev/null 2>&1
	sleep 0.2
done
check "60 calls through reloads and store changes" wait "${started[caller]}"
check "all of them whole" pbx_done
check_match "reload is logged" "$(cat "$tmp/daemon.log")" '^info reloaded'

# Challenges that nobody answers take no memory.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/${started[daemon]}/status"; }
customer call_challenged digest.example -m 500 -r 500 >/dev/null 2>&1
before=$(resident)
check "8000 challenges, none answered" customer call_challenged digest.example -m 8000 -r 4000
# Two pages for each place of a batch that was never reached before: 512 kB.
check "leave the memory where it was" [ "$(($(resident) - before))" -le 640 ]

# Guessing, refused ten times, then not answered at all.
for i in 1 2 3 4 5 6 7 8 9 10; do
	guesser call_wrong digest.example >/dev/null 2>&1 || not_ok "guess $i is answered 403"
done
check "ten wrong passwords lock a source out" quietly guesser call_wrong digest.example \
	-max_invite_retrans 1
check_match "it asks" "$(cat "$tmp/customer.trace")" '^INVITE'
check_eq "and hears nothing" "$(grep -c '^SIP/2.0' "$tmp/customer.trace")" 0
check_match "the log names the user tried" "$(cat "$tmp/daemon.log")" \
	"^info refused source=$guesser:5066 method=INVITE .*trunk=digest user=alice auth=credential status=403 cause=bad_credentials$"
check_eq "and holds no empty field" "$(grep -cE '=""|status=0' "$tmp/daemon.log")" 0
check_match "lockout is logged" "$(cat "$tmp/daemon.log")" "^info locked_out source=$guesser"
check "others are not touched by it" call pbx call_digest digest.example

check "silent upstream ends in 408" wait "${started[silent]}"

# A call through a restart: transactions are lost, the dialog is not.
pbx pbx
start_in customer caller sipp -sf $scenarios/call_long.xml -i $customer -p 5062 -m 1 -nostdin -s 1000 \
	-key domain digest.example -au alice -ap $password -timeout 30 $gate
wait_for 5 grep -q 'method=ACK.*cause=in_dialog' "$tmp/daemon.log"
stop daemon KILL
daemon
check "call outlives kill -9 of the daemon" wait "${started[caller]}"
check "and ends at the far side" pbx_done
