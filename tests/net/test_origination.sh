#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls from an upstream to the customer: to registered phones, all at once, and to fixed destinations.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" origination
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

lines_pbx=10.9.0.3
addr_add pbx eth0 $lines_pbx/24

{
	sipward settings failover-timeout 1s
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create phones --domain phones.example --upstream sip:$pbx:5060
	sipward trunk attach phones --credentials phones
	sipward trunk create lines --domain lines.example --upstream sip:$lines_pbx:5060
	sipward destination add lines sip:$customer:5070 --priority 1
	sipward destination add lines "sip:$customer:5071;transport=tcp" --priority 2
	sipward trunk set lines --upstream-trusted no
	sipward header add lines 'X-Line: seven of nine'
	sipward header add phones 'X-Phone: yes'
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --listen tcp:$gate:5060 --log-level debug
wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }

# Somebody at the customer's who takes one call; what is heard is in $tmp/NAME.trace.
taker() { # NAME PORT SCENARIO [OPTION...]
	local name=$1 port=$2 scenario=$3
	shift 3
	rm -f "$tmp/$name.trace"
	start_in customer "$name" sipp -sf "$scenarios/$scenario.xml" -i $customer -p "$port" -m 1 \
		-nostdin -timeout 15 -trace_msg -message_file "$tmp/$name.trace" "$@" $gate
	wait_for 5 in_ns customer sh -c "ss -Hlntu | grep -q $customer:$port"
}

done_well() { # NAME: it has taken its call to the end
	wait "${started[$1]}"
	local rc=$?
	unset "started[$1]"
	return $rc
}

registers() { # PORT
	sed "s/@FIELDS@/Contact: <sip:alice@$customer:$1>/; s/@STATUS@/200/" \
		$scenarios/register_fields.xml >"$tmp/register.xml"
	in_ns customer sipp -sf "$tmp/register.xml" -i $customer -p "$1" -m 1 -nostdin -s alice \
		-key domain phones.example -au alice -ap $password -timeout 10 $gate
}

upstream_calls() { # SCENARIO ADDRESS USER DOMAIN
	in_ns pbx sipp -sf "$1" -i "$2" -p 5060 -m 1 -nostdin -s "$3" -key domain "$4" -timeout 12 \
		10.9.0.1
}

# ---- two contacts of one user ----

check "alice registers one phone" registers 5064
check "and another" registers 5065
taker first 5064 pbx_ringing
taker second 5065 pbx_slow
check "a call to her rings both, and one answers" \
	upstream_calls $scenarios/call.xml $pbx alice phones.example
check "the other is cancelled" done_well first
check "and the call ends where it was answered" done_well second
check_match "with the trunk's header field" "$(<"$tmp/second.trace")" '^X-Phone: yes'

record_is() { # REGEX: that of the last call
	sipward --json calls --limit 1 | grep -qE "$1"
}
check "the record says which" wait_for 3 record_is "\"upstream\":\"$customer:5065\""
taker first 5064 pbx_slow
taker second 5065 pbx_ringing
check "the first may be the one who answers" \
	upstream_calls $scenarios/call.xml $pbx alice phones.example
check "to the end" done_well first
check "the record says so too" wait_for 3 record_is "\"upstream\":\"$customer:5064\""
stop second

taker first 5064 pbx_busy
taker second 5065 pbx_slow
check "one is busy: the other still gets the call" \
	upstream_calls $scenarios/call.xml $pbx alice phones.example
check "the busy one was acknowledged" done_well first
check "and the other has talked" done_well second

taker first 5064 pbx_busy
taker second 5065 pbx_busy
check "both are busy: the upstream hears so" \
	upstream_calls $scenarios/call_busy.xml $pbx alice phones.example
check "the first was acknowledged" done_well first
check "and the second" done_well second

taker first 5064 pbx_ringing
taker second 5065 pbx_ringing
# Either may ring late.
sed 's/<recv response="\(200\|487\)"\/>/<recv response="180" optional="true"\/>\n  &/' \
	$scenarios/call_cancelled.xml >"$tmp/cancelled.xml"
check "the upstream changes its mind" \
	upstream_calls "$tmp/cancelled.xml" $pbx alice phones.example
check "the first is cancelled" done_well first
check "and the second" done_well second

# ---- fixed destinations ----

taker udp 5070 pbx
check "a call to the first destination, by UDP" \
	upstream_calls $scenarios/call.xml $lines_pbx 4930100 lines.example
check "reaches it" done_well udp
check_match "under the number that was called" "$(<"$tmp/udp.trace")" \
	"^INVITE sip:4930100@$customer:5070 SIP/2.0"
check_match "with the trunk's header field" "$(<"$tmp/udp.trace")" '^X-Line: seven of nine'

taker tcp 5071 pbx -t t1
check "the first is silent: the second, by TCP" \
	upstream_calls $scenarios/call.xml $lines_pbx 4930100 lines.example
check "reaches it" done_well tcp
check_match "in its own words" "$(<"$tmp/tcp.trace")" \
	"^INVITE sip:4930100@$customer:5071;transport=tcp SIP/2.0"
check_match "and the header field is there too" "$(<"$tmp/tcp.trace")" '^X-Line: seven of nine'

# ---- who calls (RFC 3325) ----

asserts() { # PRIVACY
	sed "s/Max-Forwards: 70/&\n      P-Asserted-Identity: <sip:+4930555@carrier.example>$1/" \
		$scenarios/call.xml >"$tmp/asserts.xml"
	taker line 5070 pbx
	upstream_calls "$tmp/asserts.xml" $lines_pbx 4930100 lines.example && done_well line
}

check "an upstream that is not trusted asserts an identity" asserts ''
check "the customer is not told" quietly grep -q '^P-Asserted-Identity' "$tmp/line.trace"
change trunk set lines --upstream-trusted yes
check "one that is trusted does" asserts ''
check_match "the customer is told" "$(<"$tmp/line.trace")" \
	'^P-Asserted-Identity: <sip:\+4930555@carrier.example>'
check "the caller wants privacy" asserts '\n      Privacy: ID'
check "the customer is not told" quietly grep -q '^P-Asserted-Identity' "$tmp/line.trace"

# ---- baresip ----

registered_from() { sipward registration list | grep -q "$1"; } # ENDPOINT

if command -v baresip >/dev/null; then
	mkdir -p "$tmp/baresip"
	printf '%s\n' "sip_listen $customer:5066" "module_path /usr/lib/baresip/modules" \
		"module g711.so" "module_tmp account.so" "module_app menu.so" >"$tmp/baresip/config"
	echo "<sip:alice@phones.example;transport=udp>;outbound=\"sip:$gate:5060\";auth_user=alice;auth_pass=$password;regint=60;answermode=auto" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	in_ns customer ip route replace default via $gate
	sipward registration remove phones alice >/dev/null 2>&1
	start_in customer baresip baresip -4 -f "$tmp/baresip" -t 12
	check "baresip registers" wait_for 5 registered_from $customer:5066
	check "and answers a call from the upstream" \
		upstream_calls $scenarios/call.xml $pbx alice phones.example
else
	skip "baresip" "baresip is not installed"
fi
