#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Upstreams that are names, several, silent, unavailable, and back: sipp as PBXs and as customer.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" upstreams
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need dnsmasq
pbx2=10.9.0.3 pbx3=10.9.0.4
addr_add pbx eth0 $pbx2/24
addr_add pbx eth0 $pbx3/24

cat >"$tmp/sipward.conf" <<-CONF
	[sipwardd]
	interface = outside
	listen = udp:$gate:5060
	listen = udp:10.9.0.1:5060
	dns_servers = 127.0.0.1
	dns_timeout = 500
CONF
export SIPWARD_CONFIG=$tmp/sipward.conf

daemon() {
	start_in gate daemon "$sipwardd" --config "$SIPWARD_CONFIG" --state "$state" \
		--pin-dir "$pin_dir"
	wait_for 3 logged '^info ready'
}

# The SRV records of pbx.example, and what else there is to be said.
dns() { # TTL OPTION...
	local ttl=$1
	shift
	[ -z "${started[dns]-}" ] || stop dns
	start_in gate dns dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --user=root \
		--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \
		--local=/example/ --local-ttl="$ttl" --host-record=a.example,$pbx \
		--host-record=b.example,$pbx2 --host-record=c.example,$pbx3 "$@"
	wait_for 5 in_ns gate sh -c 'ss -Hlun | grep -q 127.0.0.1:53'
}

srv() { # NAME TARGET PRIORITY
	echo "--srv-host=$1,$2,5060,$3,1"
}

# A PBX that takes calls until it is stopped. Its trace is $tmp/NAME.trace.
pbx() { # NAME ADDRESS [SCENARIO]
	rm -f "$tmp/$1.trace"
	start_in pbx "$1" sipp -sf "$scenarios/${3:-pbx_health}.xml" -i "$2" -p 5060 -nostdin \
		-trace_msg -message_file "$tmp/$1.trace" 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $2:5060"
}

# How many calls it has been offered; a retransmission is none.
calls_of() { # NAME
	awk '/^INVITE /{invite = 1} invite && /^Call-ID:/{print; invite = 0}' "$tmp/$1.trace" \
		2>/dev/null | sort -u | wc -l
}

customer() { # DOMAIN [OPTION...]
	local domain=$1
	shift
	in_ns customer sipp -sf $scenarios/call_answered.xml -i $customer -p 5062 -m 1 -nostdin \
		-s 1000 -key domain "$domain" -timeout 30 "$@" $gate
}

# One call, answered by that PBX alone.
call_reaches() { # NAME DOMAIN
	local before
	before=$(calls_of "$1")
	customer "$2" && [ "$(calls_of "$1")" -eq $((before + 1)) ]
}

# The same within so many milliseconds, and not less than so many.
call_takes() { # LEAST MOST NAME DOMAIN
	local least=$1 most=$2 began=${EPOCHREALTIME/./} took
	shift 2
	call_reaches "$@" || return
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	echo "took $took ms"
	[ "$took" -ge "$least" ] && [ "$took" -le "$most" ]
}

# What the daemon tells of a place, in the words of Python.
health() { # ADDRESS EXPRESSION
	python3 -c "import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect('$state/control')
s.sendall(b'{\"ask\":\"upstreams\"}\n')
rows = json.loads(s.makefile().readline())['upstreams']
it, = [row for row in rows if row['address'] == 'udp/$1:5060']
print($2)"
}

health_is() { # ADDRESS EXPRESSION
	[ "$(health "$@")" = True ]
}

downs() { # how often any upstream went down
	grep -c '^warning upstream_down' "$tmp/daemon.log"
}

explained() { # ADDRESS
	sipward --json explain "$1" | python3 -c 'import json, sys
it = json.load(sys.stdin)
print(it["filter"]["reason"], it["upstream"])'
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

# ---- names ----

{
	sipward acl create office
	sipward acl add office $customer
	sipward mode enforce
	sipward settings health-interval 1
	sipward settings failover-timeout 1500
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
check_match "a name that DNS does not tell is taken all the same" \
	"$(sipward trunk create named --domain named.example --upstream sip:pbx.example 2>&1)" \
	'^note: sip:pbx.example is not resolved yet: .*; it is tried again as the daemon starts'
sipward trunk attach named --acl office >/dev/null 2>&1
check "the daemon does not wait for DNS" daemon
pbx one $pbx
pbx two $pbx2
pbx three $pbx3
check "meanwhile a call" quietly customer named.example
check "is answered 503" logged '^info refused .*uri=sip:1000@named.example .*status=503 cause=no_upstream'
check "and the failure is told" \
	wait_for 9 logged '^warning host_failed host=sip:pbx.example .*kept=0'

dns 1 "$(srv _sip._udp.pbx.example a.example 10)" "$(srv _sip._udp.pbx.example b.example 20)"
kill -HUP "${started[daemon]}"
check "SIGHUP has the name resolved at once" \
	wait_for 3 logged "host_changed host=sip:pbx.example came=\"udp/$pbx:5060 udp/$pbx2:5060\""
check "a call goes to the first target" wait_for 2 call_reaches one named.example
check_eq "not to the second" "$(calls_of two)" 0
check_eq "the filter lists the first" "$(explained $pbx)" "listed True"
check_eq "and the second" "$(explained $pbx2)" "listed True"
check_eq "nobody else" "$(explained $pbx3)" "unlisted False"

dns 1 "$(srv _sip._udp.pbx.example a.example 20)" "$(srv _sip._udp.pbx.example b.example 10)"
check "new priorities of the records are followed" wait_for 12 call_reaches two named.example
dns 60 "$(srv _sip._udp.pbx.example a.example 10)" "$(srv _sip._udp.other.example c.example 10)" \
	--naptr-record=pbx.example,10,10,s,SIP+D2U,,_sip._udp.other.example
check "a NAPTR record is followed to other targets" wait_for 12 call_reaches three named.example
check_eq "the filter lists these" "$(explained $pbx3)" "listed True"
check_eq "the old ones no more" "$(explained $pbx)" "unlisted False"
dns 60 "$(srv _sip._udp.pbx.example a.example 10)"
check_match "an upstream given by name is resolved as it is given" \
	"$(sipward trunk set named --upstream 'sip:pbx.example;transport=udp')" \
	"^sip:pbx.example;transport=udp: udp/$pbx:5060\$"
check "so that a call goes there" wait_for 2 call_reaches one named.example
stop dns
kill -HUP "${started[daemon]}"
check "while DNS fails" \
	wait_for 4 logged '^warning host_failed host="sip:pbx.example;transport=udp" .*kept=1'
check "calls go on" call_reaches one named.example

# ---- several, by priority ----

cat >"$tmp/change.py" <<-PY
	import json, sys
	it = json.load(sys.stdin)
	it["trunks"]["main"] = {"domain": "main.example", "acls": ["office"], "upstreams":
	    [{"uri": "sip:$pbx:5060", "priority": 10}, {"uri": "sip:$pbx2:5060", "priority": 20}]}
	del it["trunks"]["named"]
	print(json.dumps(it))
PY
sipward export 2>/dev/null | python3 "$tmp/change.py" >"$tmp/gate.json"
change apply "$tmp/gate.json"
check_eq "upstreams given by address are listed too" "$(explained $pbx2)" "listed True"
check "a call goes to the upstream of the lower priority number" call_reaches one main.example
check "whose health is told" wait_for 4 health_is $pbx \
	"it['state'] == 'up' and it['last'] == 200 and it['answered_s'] <= 2 and it['latency_ms'] < 1000"
check_match "also by the list" "$(sipward upstream list main)" \
	"^main +sip:$pbx:5060 +10 +1 +udp/$pbx:5060 +up +200 +[0-9]+ "

stop one KILL
check "as it is killed, a call goes on by the other after the failover time" \
	call_takes 1400 4000 two main.example
check "OPTIONS that are not answered are told" wait_for 8 logged \
	"^warning upstream_down address=$pbx:5060 uri=sip:$pbx:5060"
check "and shown" health_is $pbx "it['state'] == 'down' and it['failures'] >= 2"
check_match "and listed" "$(sipward upstream list main)" "udp/$pbx:5060 +down +200 +[0-9]+ "
check "from then on a call does not wait" call_takes 0 1300 two main.example
pbx one $pbx
check "it comes back, as OPTIONS tell" wait_for 8 logged "^info upstream_up address=$pbx:5060"
check "and calls with it" call_reaches one main.example

start_in customer load sipp -sf $scenarios/call_answered.xml -i $customer -p 5064 -m 60 -r 10 \
	-nostdin -s 1000 -key domain main.example -timeout 30 $gate
sleep 2
stop one KILL
sleep 2
pbx one $pbx
check "of 60 calls, as an upstream dies and comes back, none is lost" wait "${started[load]}"
check "the other took its share" [ "$(calls_of two)" -gt 5 ]

# ---- one that is there and takes no calls ----

check "both are up" wait_for 8 health_is $pbx "it['state'] == 'up'"
before=$(downs)
stop one
pbx one $pbx pbx_unavailable
check "a call that is answered 503 goes on at once" call_takes 0 1300 two main.example
check_eq "it had been offered there" "$(calls_of one)" 1
check "the upstream is left alone" health_is $pbx "it['state'] == 'waiting' and it['wait_s'] <= 4"
check "by the next call" call_takes 0 1300 two main.example
check_eq "which is not offered there" "$(calls_of one)" 1
sleep 4
check "after Retry-After" call_reaches two main.example
check_eq "it is offered calls again" "$(calls_of one)" 2
check_eq "for all that it never counted as down" "$(downs)" "$before"
