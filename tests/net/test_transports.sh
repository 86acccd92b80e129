#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls by every transport to every other, over IPv4 and IPv6, in both directions.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" transports
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need openssl python3 dnsmasq
addr_add customer eth0 2001:db8:1::2/64
addr_add gate outside 2001:db8:1::1/64
addr_add pbx eth0 2001:db8:9::2/64
addr_add gate inside 2001:db8:9::1/64

tidy() {
	sipward detach outside
} >/dev/null 2>&1

trunk() { # NAME URI [OPTION...]
	local name=$1 uri=$2
	shift 2
	sipward trunk create "$name" --domain "$name.example" --upstream "$uri" "$@"
	sipward trunk attach "$name" --acl office
}

{
	authority
	certify gate IP:$gate IP:10.9.0.1 IP:2001:db8:1::1 IP:2001:db8:9::1
	certify pbx IP:$pbx IP:2001:db8:9::2 DNS:carrier.example
	certify client IP:$customer IP:2001:db8:1::2
	sipward acl create office
	sipward acl add office $customer 2001:db8:1::2
	trunk udp sip:$pbx:5060
	trunk tcp "sip:$pbx:5060;transport=tcp"
	trunk tls "sip:$pbx:5061;transport=tls"
	trunk six-udp "sip:[2001:db8:9::2]:5060"
	trunk six-tcp "sip:[2001:db8:9::2]:5060;transport=tcp"
	trunk six-tls "sip:[2001:db8:9::2]:5061;transport=tls"
	trunk named "sip:carrier.example:5061;transport=tls"
	trunk impostor "sip:impostor.example:5061;transport=tls"
	trunk large sip:$pbx:5060
	sipward upstream add large "sip:$pbx:5060;transport=tcp" --priority 20
	trunk certificate sip:$pbx:5060 --client-certificate yes
	for kind in udp tcp tls; do
		trunk destination-$kind sip:$pbx:5060
		sipward destination add destination-$kind \
			"sip:$customer:$([ $kind = tls ] && echo 5061 || echo 5060);transport=$kind"
	done
	sipward trunk create digest --domain digest.example --upstream "sip:$pbx:5060;transport=tcp"
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk attach digest --credentials phones
	sipward mode enforce
} >"$tmp/setup.log" 2>&1

cat >"$tmp/gate.conf" <<CONF
[sipwardd]
state = $state
pin_dir = $pin_dir
log_level = debug
tls_certificate = gate.example $tmp/gate.pem $tmp/gate.key
tls_client_ca = $tmp/ca.pem
tls_ca = $tmp/ca.pem
dns_servers = 127.0.0.1
CONF
start_in gate dns dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --user=root --no-hosts \
	--listen-address=127.0.0.1 --bind-interfaces --no-resolv --local=/example/ \
	--host-record=carrier.example,$pbx --host-record=impostor.example,$pbx
wait_for 5 in_ns gate sh -c 'ss -Hlun | grep -q 127.0.0.1:53'
daemon() {
	start_in gate daemon "$sipwardd" --config "$tmp/gate.conf"
	wait_for 5 logged '^info ready' || { cat "$tmp/setup.log" "$tmp/daemon.log"; exit 1; }
}
daemon

# Real clients.
sipp_call() { # CUSTOMER-TRANSPORT PBX-TRANSPORT CUSTOMER-SCENARIO PBX-SCENARIO DOMAIN
	local rc=0
	start_in pbx pbx sipp -t "$2" -sf "$scenarios/$4.xml" -i $pbx -p 5060 -m 10 -nostdin -timeout 30 \
		-max_socket 1000 10.9.0.1:5060
	wait_for 5 in_ns pbx sh -c "ss -Hltun | grep -q $pbx:5060"
	in_ns customer sipp -t "$1" -sf "$scenarios/$3.xml" -i $customer -p 5062 -m 10 -r 50 -nostdin \
		-s 1000 -key domain "$5" -au alice -ap $password -timeout 30 -max_socket 1000 $gate || rc=1
	wait "${started[pbx]}" && return $rc
}
for in in u1 t1 tn; do
	check "sipp: $in to u1" sipp_call $in u1 call pbx udp.example
	check "sipp: $in to t1" sipp_call $in t1 call pbx tcp.example
	check "sipp: $in to t1, re-INVITE, and the far side hangs up" \
		sipp_call $in t1 call_held pbx_hangs_up tcp.example
	check "sipp: $in to u1, cancelled" sipp_call $in u1 call_cancelled pbx_ringing udp.example
	check "sipp: $in to t1, by digest" sipp_call $in t1 call_digest pbx digest.example
done

for name in carrier impostor; do
	check "$name.example is resolved" wait_for 10 logged \
		"host_changed host=\"?sip:$name.example:5061;transport=tls\"? came=\"?tls/$pbx:5061"
done
coproc cases { exec python3 tests/net/transport_cases.py --namespaces "$ns" --certificates "$tmp" 2>&1; }
cases_pid=$!
while read -r word signal rest <&"${cases[0]}"; do
	echo "$word $signal $rest"
	[ "$word" = restart ] || continue
	stop daemon "$signal"
	daemon
	echo >&"${cases[1]}"
done
wait "$cases_pid" || failures=1
check_match "the log tells of certificates that were not shown" "$(cat "$tmp/daemon.log")" \
	"^info refused source=$customer:.*trunk=certificate .*status=403 cause=no_client_certificate$"
check_match "and of a server that is not who it should be" "$(cat "$tmp/daemon.log")" \
	"^info connection_failed remote=$pbx:5061 transport=tls cause=\"hostname mismatch\"$"

# What no honest peer does to a connection.
locked() { sipward lockout list | grep -qE "^$1(/[0-9]+)? "; }
peer() { # SOURCE WHAT [OPTION...]
	in_ns customer python3 tests/net/stream_peer.py "$2" $gate --source "$1" "${@:3}" 2>&1
}
sipward attach outside >/dev/null 2>"$tmp/attach.log" || cat "$tmp/attach.log"
sipward unlisted limit >/dev/null
sipward settings source-rate 1000 >/dev/null
wait_for 5 logged '^info filter'
for _ in 1 2 3 4 5 6 7 8 9; do peer $guesser garbage >/dev/null; done
check "nine times garbage lock nobody out" quietly locked $guesser
peer $guesser garbage >/dev/null
check "the tenth does" wait_for 5 locked $guesser
more_locked_out() { [ "$(packets locked_out)" -gt "$1" ]; }
for port in 5060 5061; do
	before=$(packets locked_out)
	start_in customer ask python3 tests/net/stream_peer.py ask $gate --source $guesser --port $port
	check "the filter drops and counts it on port $port" wait_for 10 more_locked_out "$before"
	stop ask
	check_eq "and nothing is answered" "$(cat "$tmp/ask.log")" ""
done
for _ in 1 2 3 4 5 6 7 8 9 10; do peer $stranger ask --port 5061 >/dev/null; done
check "ten failed handshakes lock a source out" wait_for 5 locked $stranger
check_eq "the customer calls on" "$(peer $customer ask)" 407
