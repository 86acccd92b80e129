#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# TCP and TLS to a whole gate: sipp, openssl s_client, and peers that are slow, idle or strange.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" stream
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need openssl python3
addr_add customer eth0 2001:db8:1::2/64
addr_add gate outside 2001:db8:1::1/64

{
	authority
	certify a DNS:a.example
	certify b DNS:b.example
	certify client DNS:client.example
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk attach digest --credentials phones
	sipward settings source-rate 100000
	sipward settings source-burst 10000
} >"$tmp/setup.log" 2>&1

cat >"$tmp/gate.conf" <<CONF
[sipwardd]
state = $state
pin_dir = $pin_dir
log_level = debug
tls_certificate = a.example $tmp/a.pem $tmp/a.key
tls_certificate = b.example $tmp/b.pem $tmp/b.key
tls_client_ca = $tmp/ca.pem
tls_ca = $tmp/ca.pem
tcp_connections_per_source = 20
tcp_idle_timeout = 3
tcp_message_timeout = 2
tls_handshake_timeout = 2
CONF
start_in gate daemon "$sipwardd" --config "$tmp/gate.conf"
wait_for 5 logged '^info ready' || { cat "$tmp/setup.log" "$tmp/daemon.log"; exit 1; }
check_eq "udp and tcp are listened on, and tls where there is a certificate" \
	"$(in_ns gate ss -Hltun | awk '{ print $1, $5 }' | sort -u | tr '\n' ' ')" \
	"tcp 0.0.0.0:5060 tcp 0.0.0.0:5061 tcp [::]:5060 tcp [::]:5061 udp 0.0.0.0:5060 udp [::]:5060 "

peer() { # WHAT [OPTION...]
	local what=$1
	shift
	in_ns customer python3 tests/net/stream_peer.py "$what" $gate "$@" 2>&1
}
by_tls() { # WHAT NAME [OPTION...]
	peer "$1" --port 5061 --tls "$2" --ca "$tmp/ca.pem" "${@:3}"
}
challenged() { # [SIPP-OPTION...]
	in_ns customer sipp -sf $scenarios/call_challenged.xml -i $customer -nostdin -s 1000 \
		-key domain digest.example -timeout 30 -p 5062 "$@"
}

check "sipp is challenged over UDP" challenged -m 20 $gate
check "over one TCP connection" challenged -t t1 -m 200 -r 200 $gate
check "over a TCP connection a call" challenged -t tn -max_socket 1000 -m 15 -r 100 $gate
check "over IPv6" challenged -t t1 -m 20 -i 2001:db8:1::2 "[2001:db8:1::1]"
check_eq "a message that comes byte by byte is answered" "$(peer split)" 407
check_eq "a keep-alive too" "$(peer ask-ping)" "407 b'\\r\\n'"
check_eq "both by TLS" "$(by_tls ask-ping a.example)" "407 b'\\r\\n'"
check_eq "each domain has its certificate" \
	"$(by_tls certificate a.example) $(by_tls certificate b.example)" "a.example b.example"
check_match "other names get the first" "$(by_tls ask c.example)" "Hostname mismatch"

s_client() { # OPTION...
	in_ns customer timeout 10 openssl s_client -connect $gate:5061 -servername a.example \
		-CAfile "$tmp/ca.pem" -verify_return_error "$@" </dev/null 2>&1
}
for suite in ECDHE-RSA-AES256-GCM-SHA384 DHE-RSA-AES256-GCM-SHA384; do
	check_match "TLS 1.2 with $suite" "$(s_client -tls1_2 -cipher $suite)" "Cipher is $suite"
done
check_match "TLS 1.3" "$(s_client -tls1_3)" "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"
check_match "TLS 1.1 is refused" "$(s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0')" "alert protocol version"
check_match "CBC suites are refused" "$(s_client -tls1_2 -cipher ECDHE-RSA-AES256-SHA)" "alert handshake failure"
check_match "clients are asked for a certificate" \
	"$(s_client -cert "$tmp/client.pem" -key "$tmp/client.key")" "^CN = authority"
check_match "nobody renegotiates" "$(in_ns customer timeout 10 openssl s_client -connect $gate:5061 \
	-tls1_2 < <(echo R; sleep 1) 2>&1)" "no renegotiation"

# What strangers may not do.
check_match "a byte now and then is closed after 2 s" "$(peer slow)" '^(2|3)\.'
start_in customer held python3 tests/net/stream_peer.py silent $gate
check "the kernel asks whether the other end of a connection lives" wait_for 6 in_ns gate sh -c \
	"ss -Htno state established sport = :5060 | grep -q 'timer:(keepalive'"
stop held
check_match "an idle connection after 3 s" "$(peer idle)" '^(3|4)\.'
check_match "a connection that never says a word after 2 s" "$(peer silent)" '^(2|3)\.'
check_eq "what is no SIP at once" "$(peer garbage)" closed
check_match "the log tells why" "$(cat "$tmp/daemon.log")" \
	"^info misbehaved remote=$customer:[0-9]+ transport=tcp cause=\"?Not SIP"
check_match "and who is slow" "$(cat "$tmp/daemon.log")" "cause=\"message took too long\"$"
check_match "no SIP to the TLS port is a broken handshake" "$(peer ask --port 5061)" 'closed|reset'
check_match "which is logged" "$(cat "$tmp/daemon.log")" "transport=tls cause="
check_eq "20 connections a source" "$(peer many --count 30)" 20
check_eq "others have theirs" "$(peer ask --source $stranger)" 407

# Reload.
certify b DNS:b2.example >/dev/null 2>&1
kill -HUP "${started[daemon]}"
wait_for 5 logged '^info reloaded'
check_match "a new certificate is shown after SIGHUP" "$(by_tls ask b.example)" "Hostname mismatch"
certify b DNS:b.example >/dev/null 2>&1
chmod 644 "$tmp/b.key"
kill -HUP "${started[daemon]}"
check "a key that others may read is refused, and it says so" wait_for 5 \
	logged '^error tls_failed error=.*others than its owner .*chmod 0600'
check_eq "those of before serve on" "$(by_tls ask a.example)" 407
check_match "the old ones" "$(by_tls ask b.example)" "Hostname mismatch"

# Figures.
check_match "status tells of connections" "$(sipward status)" '[0-9]+ of 10000 connections from others'
check_match "and what became of them" "$(sipward status)" \
	'^network .*connections_accepted [0-9]+.*connections_refused [1-9].*handshakes_failed [1-9]'
kill -USR1 "${started[daemon]}"
check "SIGUSR1 logs them" wait_for 5 logged '^info stats .*not_framed=1 too_slow=1'
check "the daemon ends in order" stop daemon
chmod 600 "$tmp/b.key"
echo "tls_cbc_suites = yes" >>"$tmp/gate.conf"
start_in gate daemon "$sipwardd" --config "$tmp/gate.conf"
wait_for 5 logged '^info ready'
for suite in ECDHE-RSA-AES256-SHA DHE-RSA-AES128-SHA256; do
	check_match "on request TLS 1.2 with $suite" "$(s_client -tls1_2 -cipher $suite)" "Cipher is $suite"
done
check_match "never without forward secrecy" "$(s_client -tls1_2 -cipher AES256-SHA)" "alert handshake failure"
check_match "who knows better gets it" "$(s_client -tls1_2)" "Cipher is ECDHE-RSA-AES256-GCM-SHA384"
stop daemon
chmod 644 "$tmp/b.key"
check_exit "at the start the key stops it" 1 'b.key: others than its owner' \
	in_ns gate "$sipwardd" --config "$tmp/gate.conf"
check_exit "as does tls without a certificate" 2 'listen tls:0.0.0.0:5061: there is no tls_certificate' \
	in_ns gate "$sipwardd" --state "$state" --pin-dir "$pin_dir" --listen tls:0.0.0.0:5061
