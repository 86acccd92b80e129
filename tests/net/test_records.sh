#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the call records say of calls that end in each way there is.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" records
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need python3

carrier=$pbx secret=Carrier1Secret

{
	sipward settings lockout-failures 64
	sipward acl create office
	sipward acl add office $customer
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create digest --domain digest.example --upstream sip:$carrier:5060
	sipward trunk attach digest --credentials phones
	for name in address wrong; do
		sipward trunk create $name --domain $name.example
		sipward trunk attach $name --acl office
	done
	sipward upstream add address sip:$carrier:5060
	sipward outbound add address sip:$carrier:5060 4930123 --password-stdin <<<$secret
	sipward outbound add digest sip:$carrier:5060 4930123 --password-stdin <<<$secret
	sipward upstream add wrong sip:$carrier:5061
	sipward outbound add wrong sip:$carrier:5061 4930123 --password-stdin <<<Wrong1Secret
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
printf '%s\n' '[sipwardd]' "call_log = $tmp/calls.jsonl" >"$tmp/sipward.conf"
daemon() {
	start_in gate daemon "$sipwardd" --config "$tmp/sipward.conf" --state "$state" \
		--pin-dir "$pin_dir" --listen udp:$gate:5060 --listen udp:10.9.0.1:5060 \
		--log-level debug
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }
}
daemon
for port in 5060 5061; do
	start_in pbx carrier$port python3 tests/net/carrier.py $carrier --port $port \
		--password $secret --trace "$tmp/carrier$port.trace"
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $carrier:$port"
done

calls() { # SCENARIO SOURCE NUMBER DOMAIN [OPTION...]
	local scenario=$1 source=$2 number=$3 domain=$4
	shift 4
	in_ns customer sipp -sf "$scenario" -i "$source" -p 5062 -m 1 -nostdin -s "$number" \
		-key domain "$domain" -au alice -ap $password -timeout 12 "$@" $gate
}

# There is a record of the number, the same in the list and in the call log, of which (as r) the Python
# expression is true.
record_is() { # NUMBER EXPRESSION
	wait_for 3 find_record "$1" || { tail -1 "$tmp/calls.jsonl"; return 1; }
	python3 - "$2" "$tmp/logged" "$tmp/listed" <<-'END'
		import json, sys
		expression, log, shown = sys.argv[1:]
		r, same = json.load(open(log)), json.load(open(shown))
		c = r["hangup_cause"]
		cause = (c["name"], c["code"], c["direction"], c["status"])
		if r != same:
		    sys.exit("the log: %s\nthe list: %s" % (r, same))
		if not eval("(" + expression + ")"):
		    sys.exit(str(r))
	END
}
find_record() { # NUMBER
	sipward calls --json | grep "\"to\":\"sip:$1@" >"$tmp/listed" &&
		grep "\"to\":\"sip:$1@" "$tmp/calls.jsonl" >"$tmp/logged"
}

refused() { # STATUS: the path of a scenario that expects it
	sed "s/486/$1/" $scenarios/call_busy.xml >"$tmp/call_$1.xml"
	echo "$tmp/call_$1.xml"
}

# ---- silence, which takes half a minute: another port, beside the others ----

refused 408 >/dev/null
start_in customer silence sipp -sf "$tmp/call_408.xml" -i $customer -p 5068 -m 1 -nostdin -s mute \
	-key domain address.example -timeout 45 $gate

# ---- calls that are answered ----

check "a call that the caller ends" calls $scenarios/call.xml $customer 1000 address.example
check "completed" record_is 1000 "cause == ('completed', 4000, 'inbound', 'completed')"
check "with its times" record_is 1000 \
	"r['start_ms'] <= r['answered_ms'] <= r['ended_ms'] - 250 and
	 250 <= r['duration_ms'] < 3000 and r['ended_by'] == 'caller' and r['sip_status'] == 200"
check "and who, whence, whither" record_is 1000 \
	"r['source'] == '$customer:5062' and r['trunk'] == 'address' and
	 r['auth_type'] == 'ip_acl' and r['user'] == '' and r['upstream'] == '$carrier:5060' and
	 r['from'] == 'sip:customer@$customer:5062' and r['to'] == 'sip:1000@address.example' and
	 r['transport'] == 'udp' and r['direction'] == 'inbound'"
check "one that the callee ends" calls $scenarios/call_ended.xml $customer bye address.example
check "completed by the callee" record_is bye \
	"cause[:2] == ('completed', 4000) and r['ended_by'] == 'callee'"
check "a call by digest" calls $scenarios/call_digest.xml $stranger 1001 digest.example
check "names the user" record_is 1001 \
	"r['user'] == 'alice' and r['auth_type'] == 'credential' and cause[1] == 4000"

# ---- calls that are not ----

check "busy" calls $scenarios/call_busy.xml $customer 486 address.example
check "is busy 3010" record_is 486 "cause[:2] == ('busy', 3010) and cause[3] == 'busy' and
	r['sip_status'] == 486 and r['answered_ms'] is None and r['ended_by'] == 'callee'"
check "no answer" calls "$(refused 480)" $customer 480 address.example
check "is no-answer 3000" record_is 480 "cause[1] == 3000 and cause[3] == 'no-answer'"
check "the caller changes its mind" calls $scenarios/call_cancelled.xml $customer ring address.example
check "is cancel 1000" record_is ring "cause[1] == 1000 and cause[3] == 'cancel' and
	r['ended_by'] == 'caller'"
check "the carrier declines" calls "$(refused 603)" $customer 603 address.example
check "is failed 5000" record_is 603 "cause[1] == 5000 and cause[3] == 'failed'"
check "an address that is not listed" calls "$(refused 403)" $stranger 1002 address.example
check "is sip_auth_failed 4210" record_is 1002 \
	"cause == ('sip_auth_failed', 4210, 'inbound', 'failed') and r['sip_status'] == 403 and
	 r['ended_by'] == 'gate' and r['source'] == '$stranger:5062'"
check "a wrong password" calls $scenarios/call_wrong.xml $customer 1003 digest.example \
	-ap Wrong1Password
check "is sip_auth_failed 4210, with who it said to be" record_is 1003 \
	"cause == ('sip_auth_failed', 4210, 'inbound', 'failed') and r['user'] == 'alice'"
check "the carrier refuses our credentials" calls "$(refused 403)" $customer 1004 wrong.example
check "is sip_auth_failed 4240" record_is 1004 \
	"cause == ('sip_auth_failed', 4240, 'outbound', 'failed') and
	 r['upstream'] == '$carrier:5061'"

silent_ended() {
	wait "${started[silence]}"
	local rc=$?
	unset "started[silence]"
	return $rc
}
check "the carrier is silent after our credentials" silent_ended
check "is sip_auth_timeout 4250" record_is mute \
	"cause == ('sip_auth_timeout', 4250, 'outbound', 'timeout') and r['ended_by'] == 'gate'"

# ---- calls that outlive the daemon ----

sed 's/milliseconds="300"/milliseconds="2500"/' $scenarios/call.xml >"$tmp/call_long.xml"
talks() { # NUMBER
	start_in customer talk sipp -sf "$tmp/call_long.xml" -i $customer -p 5062 -m 1 -nostdin \
		-s "$1" -key domain address.example -timeout 12 $gate
	wait_for 3 talking "$1"
}
talking() {
	sipward calls --active --json >"$tmp/active" &&
		grep -q "\"answered_ms\":[0-9].*\"to\":\"sip:$1@" "$tmp/active"
}
ends_well() {
	wait "${started[talk]}"
	local rc=$?
	unset "started[talk]"
	return $rc
}

check "--active shows a call that is answered" talks 2001
check_match "as one that is not over" "$(<"$tmp/active")" \
	'"ended_ms":null,"duration_ms":null.*"hangup_cause":null'
stop daemon
daemon
check "a restart before its BYE" ends_well
check "leaves one record of it, whole" record_is 2001 "cause[1] == 4000 and
	r['duration_ms'] >= 2300 and r['upstream'] == '$carrier:5060' and r['trunk'] == 'address'"
check "another call" talks 2002
sleep 1.1 # issue times are whole seconds
stop daemon KILL
daemon
check "a kill before its BYE" ends_well
check "leaves one record too, from its token" record_is 2002 "cause[1] == 4000 and
	r['trunk'] == 'address' and r['source'].startswith('$customer') and
	1000 <= r['duration_ms'] < 6000"
check_eq "each call has one record" "$(grep -c '"to":"sip:200[12]@' "$tmp/calls.jsonl")" 2
sipward calls --active --json >"$tmp/active"
check_eq "and none is left over" "$(<"$tmp/active")" ''

check "nothing of credentials is in records or log" quietly grep -aqE \
	"$secret|$password|nonce=|response=|Digest" "$tmp/calls.jsonl" "$state/calls.db" \
	"$tmp/daemon.log"
