#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Caller policy, per trunk: what the PBX gets of numbers and identities, and how many calls. sipp is
# customer and PBX.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" caller
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

# A PBX for the whole test, by the scenario. What it hears and says is added to $tmp/pbx.trace.
pbx() { # SCENARIO [OPTION...]
	local scenario=$1
	shift
	start_in pbx pbx sipp -sf "$scenarios/$scenario.xml" -i $pbx -p 5060 -nostdin -trace_msg \
		-message_file "$tmp/pbx.trace" -message_overwrite false "$@" 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

# A customer's sipp. What the PBX hears of it is $tmp/heard, without carriage returns.
customer() { # SCENARIO NUMBER CALLER [OPTION...]
	local scenario=$1 number=$2 caller=$3 rc=0 before
	shift 3
	before=$(stat -c %s "$tmp/pbx.trace" 2>/dev/null || echo 0)
	rm -f "$tmp/customer.trace"
	in_ns customer sipp -sf "$scenarios/$scenario.xml" -i $customer -p 5062 -m 1 -d 100 -nostdin \
		-s "$number" -key domain trunk.example -key caller "$caller" -timeout 20 -trace_msg \
		-message_file "$tmp/customer.trace" "$@" $gate || rc=$?
	tail -c "+$((before + 1))" "$tmp/pbx.trace" | tr -d '\r' >"$tmp/heard"
	return $rc
}

call() { # NUMBER CALLER [OPTION...]
	customer caller "$@"
}

# The refusal that a call meets, and that the PBX hears nothing of it.
refused() { # STATUS NUMBER CALLER
	local status=$1
	shift
	customer caller_refused "$@" && grep -q "^SIP/2.0 $status" "$tmp/customer.trace" &&
		[ ! -s "$tmp/heard" ]
}

heard() { # REGEX: a line that the PBX heard
	grep -E -- "$1" "$tmp/heard"
}

# The lines of a request as the PBX heard it.
lines_of() { # METHOD REGEX
	awk -v method="$1" '/^[A-Z]+ sip:/ { on = $1 == method } /^SIP\/2.0/ { on = 0 } on' "$tmp/heard" |
		grep -iE -- "$2"
}

{
	sipward trunk create main --domain trunk.example --upstream sip:$pbx:5060
	sipward acl create office
	sipward acl add office $customer
	sipward trunk attach main --acl office
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward user add phones bob --password-stdin <<<$password
	sipward trunk create phones --domain phones.example --upstream sip:$pbx:5060
	sipward trunk attach phones --credentials phones
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --listen udp:$gate:5060 \
	--listen udp:10.9.0.1:5060 --log-level debug
wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
pbx pbx

# ---- the called number ----

check "off: any number passes" call 0110 customer
check_match "off: as it was dialled" "$(heard '^INVITE')" '^INVITE sip:0110@trunk.example SIP/2.0'

change trunk set main --e164 require
check "require: +digits pass" call +493012345 customer
check_match "require: as they were dialled" "$(heard '^INVITE')" '^INVITE sip:\+493012345@trunk'
check "require: 0049 is refused" refused 484 00493012345 customer

change trunk set main --e164 normalize --country-code 49 --international-prefix 00 --national-prefix 0
for dialled in +493012345 00493012345 03012345 030-123.45; do
	check "normalize: $dialled is called" call $dialled customer
	check_match "normalize: $dialled is +493012345" "$(heard '^INVITE')" \
		'^INVITE sip:\+493012345@trunk.example SIP/2.0'
done
check_match "normalize: To stays as it was" "$(heard '^To: <sip:030-123.45@')" .
check "normalize: 112 is refused" refused 484 112 customer
check "normalize: a name is refused" refused 484 reception customer

# ---- the number shown ----

change trunk set main --caller-id refuse
change caller add main +49301111 '+4989*'
check "refuse: a listed number passes" call 03012345 +49301111
check_match "refuse: as it was shown" "$(heard '^From: "Alice Example" <sip:\+49301111@')" .
check "refuse: so does a listed prefix, dialled nationally" call 03012345 08912345
check "refuse: another is answered 403" refused 403 03012345 +49301112
check_match "refuse: the log says why" "$(cat "$tmp/daemon.log")" \
	'^info refused .*trunk=main auth=ip_acl status=403 cause=caller_not_allowed$'

change trunk set main --caller-id private
check "private: a listed number passes" call 03012345 +49301111
check_eq "private: unchanged" "$(grep -ci '^Privacy\|anonymous' "$tmp/heard")" 0
check "private: so does another" call 03012345 +49301112
check_eq "private: with the tag alone of its From, in INVITE, ACK and BYE" \
	"$(for m in INVITE ACK BYE; do lines_of $m '^From:' | sed 's/tag=.*/tag=/'; done | uniq -c | tr -s ' ')" \
	' 3 From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag='
check_eq "private: Privacy: id in each" "$(heard '^Privacy: id$' | wc -l)" 3
check_match "private: Contact keeps host and port" "$(heard '^Contact')" \
	"^Contact: <sip:anonymous@$customer:5062>"
check_eq "private: nothing shows the number or the name" "$(grep -c '49301112\|Alice' "$tmp/heard")" 0
check_eq "private: the caller finds its own From in each answer" \
	"$(tr -d '\r' <"$tmp/customer.trace" | grep -c '^From: "Alice Example" <sip:+49301112@')" \
	"$(tr -d '\r' <"$tmp/customer.trace" | grep -c '^From:')"
change trunk set main --caller-id off

# ---- the identity asserted ----

check "without a number or user" call 03012345 customer
check_eq "nothing is asserted, whatever the customer says" \
	"$(heard '^(P-|p-|Remote)' | wc -l)" 0
change trunk set main --number +49309999
check "with the trunk's number" call 03012345 customer
for method in INVITE BYE; do
	check_eq "it is asserted in $method" "$(lines_of $method '^(p-|remote-)' | tr '\n' ' ')" \
		'P-Asserted-Identity: <sip:+49309999@trunk.example;user=phone> P-Asserted-Identity: <tel:+49309999> '
done
change trunk set main --assert-identity no
check "not where the trunk says no" call 03012345 customer
check_eq "there is none" "$(grep -ci '^P-Asserted' "$tmp/heard")" 0
change trunk set main --assert-identity yes

stop pbx
pbx pbx_asserts -key privacy user
check "the PBX asserts who was called" call 03012345 customer
check_match "the customer learns it" "$(tr -d '\r' <"$tmp/customer.trace")" \
	'^P-Asserted-Identity: <sip:called@pbx.example>'
change trunk set main --upstream-trusted no
check "from an upstream that is not trusted" call 03012345 customer
check_eq "it does not" "$(grep -c 'called@pbx' "$tmp/customer.trace")" 0
change trunk set main --upstream-trusted yes
stop pbx
pbx pbx_asserts -key privacy 'header;ID'
check "the PBX asks for privacy" call 03012345 customer
check_eq "the customer learns nothing" "$(grep -c 'called@pbx' "$tmp/customer.trace")" 0
stop pbx
pbx pbx

# ---- how many calls ----

change trunk set main --calls 2
start_in customer held sipp -sf $scenarios/caller.xml -i $customer -p 5070 -m 2 -r 10 -d 3000 -nostdin \
	-s 03012345 -key domain trunk.example -key caller customer -timeout 20 $gate
two_talk() { [ "$(grep -c 'method=ACK.*cause=in_dialog' "$tmp/daemon.log")" -ge $((acks + 2)) ]; }
acks=$(grep -c 'method=ACK.*cause=in_dialog' "$tmp/daemon.log")
wait_for 5 two_talk
check "calls=2: the third is answered 503" refused 503 03012345 customer
check_match "with Retry-After" "$(cat "$tmp/customer.trace")" '^Retry-After: 1'
check_match "the log says why" "$(cat "$tmp/daemon.log")" '^info refused .*status=503 cause=too_many_calls$'
check "the two end" wait "${started[held]}"
check "after a BYE the next passes" call 03012345 customer

change trunk set main --calls 0 --calls-per-second 3
customer caller 03012345 customer -m 6 -r 100 >/dev/null 2>&1
check_eq "calls-per-second=3: three of six pass" "$(heard '^INVITE' | wc -l)" 3
check_match "others are answered 503" "$(cat "$tmp/customer.trace")" '^SIP/2.0 503'
check_eq "the log says why, for three" \
	"$(grep -c '^info refused .*status=503 cause=calls_per_second$' "$tmp/daemon.log")" 3

# ---- how many calls of one user ----

# By digest, to the end of the scenario; sipp's own options name the user.
user_calls() { # SCENARIO [OPTION...]
	local scenario=$1
	shift
	in_ns customer sipp -sf "$scenario" -i $customer -p 5072 -m 1 -nostdin -s 1000 \
		-key domain phones.example -ap $password -timeout 20 "$@" $gate
}
held_talks() { [ "$(grep -c 'method=ACK.*cause=in_dialog' "$tmp/daemon.log")" -gt "$acks" ]; }

sed 's/403/503/' $scenarios/call_wrong.xml >"$tmp/busy.xml"
sed 's/<pause milliseconds="300"/<pause milliseconds="4000"/' $scenarios/call_digest.xml >"$tmp/held.xml"
change trunk set phones --user-calls 1
acks=$(grep -c 'method=ACK.*cause=in_dialog' "$tmp/daemon.log")
start_in customer held sipp -sf "$tmp/held.xml" -i $customer -p 5074 -m 1 -nostdin -s 1000 \
	-key domain phones.example -au alice -ap $password -timeout 20 $gate
wait_for 5 held_talks
check "user-calls=1: a user's second is answered 503" user_calls "$tmp/busy.xml" -au alice
check_match "the log says whose" "$(cat "$tmp/daemon.log")" \
	'^info refused .*trunk=phones user=alice auth=credential status=503 cause=too_many_calls$'
check "another user's passes" user_calls $scenarios/call_digest.xml -au bob
check "the first one ends" wait "${started[held]}"
check "after it the next passes" user_calls $scenarios/call_digest.xml -au alice

change trunk set phones --user-calls 0 --user-calls-per-second 1
user_calls $scenarios/call_digest.xml -au alice -m 4 -r 100 >/dev/null 2>&1
check_eq "user-calls-per-second=1: three of four are refused" \
	"$(grep -c '^info refused .*user=alice auth=credential status=503 cause=calls_per_second$' "$tmp/daemon.log")" 3
check "another user's passes all the same" user_calls $scenarios/call_digest.xml -au bob
