#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls from a PBX to carriers that ask for credentials, and the registrations that the gate keeps there.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" outbound
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need python3 openssl

carrier=$pbx second=10.9.0.3 secret=Carrier1Secret
addr_add pbx eth0 $second/24

# ---- the gate; trunks differ in where they go ----

outbound() { # TRUNK ADDRESS USER [OPTION...], the password on standard input
	local trunk=$1 address=$2 user=$3
	shift 3
	sipward outbound add "$trunk" "sip:$address" "$user" --password-stdin "$@"
}

{
	sipward settings failover-timeout 1s
	sipward acl create office
	sipward acl add office $customer
	authority
	certify gate IP:$gate IP:10.9.0.1
	certify carrier IP:$carrier
	certify impostor IP:$second
	for port in 5070 5071 5072 5073 5074; do
		sipward trunk create c$port --domain c$port.example --upstream sip:$carrier:$port
		sipward trunk attach c$port --acl office
	done
	for port in 5070 5072 5073 5074; do outbound c$port $carrier:$port 4930123 <<<$secret; done
	outbound c5071 $carrier:5071 4930123 --realm carrier.example <<<$secret
	outbound c5070 $carrier:5070 4930999 --realm carrier.example <<<Other1Secret
	sipward trunk set c5070 --outbound-user yes
	sipward trunk create wrong --domain wrong.example --upstream sip:$second:5070
	sipward trunk attach wrong --acl office
	outbound wrong $second:5070 4930123 <<<Wrong1Secret
	sipward trunk create none --domain none.example --upstream sip:$carrier:5076
	sipward trunk attach none --acl office
	sipward trunk create two --domain two.example
	sipward upstream add two sip:$second:5071 --priority 1
	sipward upstream add two sip:$second:5072 --priority 2
	sipward trunk attach two --acl office
	outbound two $second:5071 4930123 <<<$secret
	outbound two $second:5072 4930456 <<<Backup1Secret
	sipward trunk create kamailio --domain kamailio.example --upstream sip:$carrier:5080
	sipward trunk attach kamailio --acl office
	sipward destination add kamailio sip:$customer:5064
	outbound kamailio $carrier:5080 4930123 --register yes --expires 60 <<<$secret
	for kind in tcp tls; do
		uri="sip:$carrier:5077;transport=$kind"
		sipward trunk create $kind --domain $kind.example --upstream "$uri"
		sipward trunk attach $kind --acl office
		sipward outbound add $kind "$uri" 4930123 --password-stdin --register yes --expires 60 \
			<<<$secret
	done
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
cat >"$tmp/gate.conf" <<CONF
[sipwardd]
state = $state
pin_dir = $pin_dir
log_level = debug
listen = udp:$gate:5060
listen = udp:10.9.0.1:5060
listen = tcp:10.9.0.1:5060
listen = tls:10.9.0.1:5061
tls_certificate = gate.example $tmp/gate.pem $tmp/gate.key
tls_ca = $tmp/ca.pem
CONF
start_in gate daemon "$sipwardd" --config "$tmp/gate.conf"
wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }

# What it says is in $tmp/NAME.log, what it hears in $tmp/NAME.trace.
carrier_is() { # NAME ADDRESS PORT [OPTION...]
	local name=$1 address=$2 port=$3
	shift 3
	start_in pbx "$name" python3 tests/net/carrier.py "$address" --port "$port" \
		--password $secret --trace "$tmp/$name.trace" "$@"
	wait_for 20 in_ns pbx sh -c "ss -Hlnut | grep -q $address:$port" ||
		not_ok "the carrier $name listens"
}

# By a scenario, of the PBX whose address is listed.
pbx_calls() { # SCENARIO NUMBER DOMAIN [OPTION...]
	local scenario=$1 number=$2 domain=$3
	shift 3
	in_ns customer sipp -sf "$scenario" -i $customer -p 5062 -m 1 -nostdin -s "$number" \
		-key domain "$domain" -timeout 12 "$@" $gate
}

said() { # NAME: the requests that the carrier heard, without their source
	sed -n 's/ from=.*//p' "$tmp/$1.log"
}

said_is() { [ "$(said "$1")" = "$2" ]; }

# In the end: the carrier may hear the last ACK when the caller has been told already.
check_said() { # WHAT NAME WANT
	wait_for 5 said_is "$2" "$3"
	check_eq "$1" "$(said "$2")" "$3"
}

last_call() { sipward calls --limit 1 --json; }
call_was() { last_call | grep -qE "$1"; }

# ---- MD5 by 407, and the numbers of a whole call ----

carrier_is md5 $carrier 5070
check "a call to a carrier that answers 407" pbx_calls $scenarios/call.xml 1000 c5070.example
check_said "the INVITE is answered once; ACK and BYE follow its number" md5 \
	$'INVITE cseq=1 none\nACK cseq=1 none\nINVITE cseq=2 ok\nACK cseq=2 none\nBYE cseq=3 ok'
check "a second call" pbx_calls $scenarios/call.xml 1000 c5070.example
check_eq "has credentials at once" "$(said md5 | tail -n +6)" \
	$'INVITE cseq=1 ok\nACK cseq=1 none\nBYE cseq=2 ok'
check "a cancelled one" pbx_calls $scenarios/call_cancelled.xml ring c5070.example
heard() { [ "$(said "$1" | wc -l)" -ge "$2" ]; }
wait_for 5 heard md5 11
check_eq "its CANCEL and ACK bear its number" "$(said md5 | tail -n +9)" \
	$'INVITE cseq=1 ok\nCANCEL cseq=1 none\nACK cseq=1 none'
check_match "the realm is learned" "$(sipward outbound list c5070 --json | tr -d '\n')" \
	'"user": "4930123", *"realm": *"carrier.example"'
sealed() { # USER TRUNK: whether its password is kept
	python3 - "$state/sipward.db" "$@" <<-'END'
		import sqlite3, sys
		rows = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(
		    "SELECT length(o.sealed) > 0 FROM outbound o JOIN peer p ON p.id = o.peer_id"
		    " JOIN trunk t ON t.id = p.trunk_id WHERE o.user = ? AND t.name = ?", sys.argv[2:])
		sys.exit(not rows.fetchone()[0])
	END
}
check "before a realm is known its password is kept" sealed 4930123 c5073
check "and then not any more" quietly sealed 4930123 c5070
stop md5

# ---- SHA-256 by 401, each nonce for one request: every request of the call is challenged ----

carrier_is sha $carrier 5071 --algorithms SHA-256,MD5 --status 401 --uses 1
check "PRACK, re-INVITE and BYE, each nonce for one request" \
	pbx_calls $scenarios/call_reinvite.xml prack c5071.example
check_said "their numbers" sha \
	$'INVITE cseq=10 none\nACK cseq=10 none\nINVITE cseq=11 ok\nPRACK cseq=12 stale\nACK cseq=11 none\nINVITE cseq=13 stale\nACK cseq=13 none\nINVITE cseq=14 ok\nACK cseq=14 none\nBYE cseq=15 stale\nBYE cseq=16 ok'
check_match "the stronger algorithm is answered" "$(<"$tmp/sha.trace")" 'algorithm=SHA-256'
check "and not the weaker" quietly grep -aq 'Authorization.*algorithm=MD5' "$tmp/sha.trace"
check "nothing was out of order" quietly grep -q '!' "$tmp/sha.log"
stop sha

# ---- over connections, with the strongest of three algorithms ----

for kind in tcp tls; do
	name=carrier-$kind
	carrier_is $name $carrier 5077 --transport $kind --certificate "$tmp/carrier" \
		--algorithms MD5,SHA-512-256,SHA-256
	check "a call over $kind is authenticated" pbx_calls $scenarios/call.xml 1000 $kind.example
	check_eq "and its numbers" "$(said $name | grep -v REGISTER)" \
		$'INVITE cseq=1 none\nACK cseq=1 none\nINVITE cseq=2 ok\nACK cseq=2 none\nBYE cseq=3 ok'
	check_match "with the strongest" "$(<"$tmp/$name.trace")" \
		"^Proxy-Authorization: .*algorithm=SHA-512-256"
	check "and no other" quietly grep -qaE 'Authorization: .*algorithm=(MD5|SHA-256)' \
		"$tmp/$name.trace"
	change outbound set $kind "sip:$carrier:5077;transport=$kind" 4930123 --expires 61s # tries again at once
	check "a registration over $kind" wait_for 10 grep -q \
		"^registered <sip:4930123@10.9.0.1:506.;transport=$kind> expires=6[01]" "$tmp/$name.log"
	check "nothing was out of order" quietly grep -q '!' "$tmp/$name.log"
	stop $name
done
carrier_is impostor $carrier 5077 --transport tls --certificate "$tmp/impostor"
sed 's/486/503/' $scenarios/call_busy.xml >"$tmp/call_503.xml"
check "a carrier with the certificate of another gets no call" \
	pbx_calls "$tmp/call_503.xml" 1000 tls.example
check_said "nor anything else" impostor ''
stop impostor

# ---- the carrier hangs up ----

carrier_is ends $carrier 5072 --qop ''
check "a call without qop that the carrier ends" pbx_calls $scenarios/call_ended.xml bye c5072.example
check "its BYE is answered" wait_for 5 grep -q '^answer 200' "$tmp/ends.log"
stop ends

# ---- what is refused (for what is not answered, see test_records.sh) ----

carrier_is wrong $second 5070
sed 's/486/403/' $scenarios/call_busy.xml >"$tmp/call_403.xml"
check "a wrong password: the PBX gets 403" pbx_calls "$tmp/call_403.xml" 1000 wrong.example
check_said "after one try: the nonce was fresh" wrong \
	$'INVITE cseq=1 none\nACK cseq=1 none\nINVITE cseq=2 wrong\nACK cseq=2 none'
check "the record says sip_auth_failed 4240" wait_for 3 call_was '"sip_auth_failed", *"code": *4240'
stop wrong

# ---- another realm, and who else might ask ----

carrier_is realm $carrier 5074
check "a call teaches the realm" pbx_calls $scenarios/call.xml 1000 c5074.example
stop realm
carrier_is realm2 $carrier 5074 --realm other.example
check "another realm later: 403" pbx_calls "$tmp/call_403.xml" 1000 c5074.example
check_match "is not answered" "$(said realm2 | head -2)" '^INVITE cseq=1 wrong'
check "with a digest of its own" quietly grep -aq 'realm="other.example"' "$tmp/realm2.trace"
stop realm2

carrier_is none $carrier 5076
sed 's/486/407/' $scenarios/call_busy.xml >"$tmp/call_407.xml"
check "a carrier that we have no credential for: the PBX gets its 407" \
	pbx_calls "$tmp/call_407.xml" 1000 none.example
check_said "and nobody answers it" none $'INVITE cseq=1 none\nACK cseq=1 none'
stop none

# ---- X-Sipward-Outbound-User ----

carrier_is realm3 $carrier 5070 --realm other.example
sed 's/Max-Forwards: 70/&\n      X-Sipward-Outbound-User: 4930999/' "$tmp/call_403.xml" \
	>"$tmp/chosen_403.xml"
check "a chosen credential of another realm: 403" \
	pbx_calls "$tmp/chosen_403.xml" 1000 c5070.example
check_said "nothing was answered" realm3 $'INVITE cseq=1 none\nACK cseq=1 none'
check "the record says sip_auth_failed 4240" wait_for 3 call_was '"sip_auth_failed", *"code": *4240'
stop realm3

sed 's/Max-Forwards: 70/&\n      X-Sipward-Outbound-User: 4930999/' $scenarios/call.xml >"$tmp/chosen.xml"
carrier_is chosen $carrier 5070 --user 4930999 --password Other1Secret
check "the call chooses its credential" pbx_calls "$tmp/chosen.xml" 1000 c5070.example -timeout 5
check_match "which is the one answered with" "$(<"$tmp/chosen.trace")" 'username="4930999"'
check "and the field is never forwarded" quietly grep -q '!outbound-user' "$tmp/chosen.log"
stop chosen

# ---- two carriers ----

carrier_is backup $second 5072 --user 4930456 --password Backup1Secret
check "the first carrier is silent: the second gets its own credential" \
	pbx_calls $scenarios/call.xml 1000 two.example
check_match "by its name" "$(<"$tmp/backup.trace")" 'username="4930456"'
check "and no other" quietly grep -aq 'username="4930123"' "$tmp/backup.trace"
stop backup

# ---- registrations ----

registers() { # OPTION...: at the carrier on port 5075
	sipward trunk create reg --domain reg.example --upstream sip:$carrier:5075
	outbound reg $carrier:5075 4930777 --register yes --expires 60 <<<$secret
}
state_is() { # USER REGEX
	sipward outbound list --json | tr -d '\n' | grep -qE "\"user\": \"$1\",[^}]*$2"
}
heard_registers() { # NAME COUNT: credentials that were right
	[ "$(grep -c '^REGISTER .* ok ' "$tmp/$1.log")" -ge "$2" ]
}

carrier_is reg $carrier 5075 --user 4930777 --status 401 --min-expires 120 --grant 4
registers >/dev/null 2>&1
check "a credential that registers does" wait_for 8 state_is 4930777 '"until": [0-9]+, *"status": 200'
check_match "after 401 and 423, over one nonce, with one Call-ID and rising numbers" "$(said reg)" \
	'^REGISTER cseq=1 none$'
check_eq "these are" "$(said reg | head -3)" \
	$'REGISTER cseq=1 none\nREGISTER cseq=2 ok\nREGISTER cseq=3 ok'
check_match "with its contact here" "$(<"$tmp/reg.log")" \
	'registered <sip:4930777@10.9.0.1:5060> expires=4'
check "and again before half of what was granted is over twice" wait_for 6 heard_registers reg 4
check "nothing was out of order" quietly grep -q '!' "$tmp/reg.log"
sipward outbound remove reg sip:$carrier:5075 4930777 >/dev/null 2>&1
check "once the credential goes it is removed" wait_for 5 grep -q 'expires=0' "$tmp/reg.log"
stop reg

outbound reg $carrier:5075 4930777 --register yes --expires 60 <<<$secret >/dev/null 2>&1
check "nobody answers: it is not registered" wait_for 8 logged \
	'registration_failed .*user=4930777 status=0 failures=1'
check "and the list says so" state_is 4930777 '"until": null, *"status": null'
carrier_is late $carrier 5075 --user 4930777
check "it is tried again" wait_for 15 state_is 4930777 '"until": [0-9]+, *"status": 200'

# ---- Kamailio ----

if command -v kamailio >/dev/null; then
	cat >"$tmp/kamailio.cfg" <<-END
		listen=udp:$carrier:5080
		children=1
		log_stderror=yes
		auto_aliases=no
		mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
		loadmodule "tm.so"
		loadmodule "sl.so"
		loadmodule "rr.so"
		loadmodule "pv.so"
		loadmodule "siputils.so"
		loadmodule "textops.so"
		loadmodule "usrloc.so"
		loadmodule "registrar.so"
		loadmodule "auth.so"
		modparam("usrloc", "db_mode", 0)
		modparam("auth", "nonce_expire", 3)
		modparam("auth", "nonce_count", 1)
		modparam("auth", "qop", "auth")
		modparam("auth", "algorithm", "@ALGORITHM@")
		request_route {
			if (is_method("ACK|CANCEL")) {
				if (has_totag()) { loose_route(); }
				t_relay();
				exit;
			}
			if (is_method("REGISTER")) {
				if (!pv_www_authenticate("carrier.example", "$secret", "0")) {
					www_challenge("carrier.example", "1");
					exit;
				}
				save("location");
				exit;
			}
			t_newtran();
			if (has_totag()) {
				if (src_port == 5060 && !pv_proxy_authenticate("carrier.example", "$secret", "0")) {
					proxy_challenge("carrier.example", "1");
					exit;
				}
				consume_credentials();
				loose_route();
				t_relay();
				exit;
			}
			record_route();
			if (src_port == 5095) {
				if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
				t_relay();
				exit;
			}
			if (!pv_proxy_authenticate("carrier.example", "$secret", "0")) {
				proxy_challenge("carrier.example", "1");
				exit;
			}
			consume_credentials();
			rewritehostport("$carrier:5090");
			t_relay();
		}
	END
	sed -i 's/@ALGORITHM@/SHA-256/' "$tmp/kamailio.cfg"
	carrier_is behind $carrier 5090 --challenge ''
	start_in pbx kamailio kamailio -f "$tmp/kamailio.cfg" -DD -E -m 16 -M 2 -Y "$tmp"
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $carrier:5080"
	change outbound set kamailio sip:$carrier:5080 4930123 --expires 61s # tries again at once
	check "Kamailio: registered, by SHA-256" wait_for 20 state_is 4930123 \
		'"registers": true, *"expires_s": 61, *"until": [0-9]+, *"status": 200'
	check "a call through it" pbx_calls $scenarios/call.xml 1000 kamailio.example
	sleep 4.2 # Kamailio counts whole seconds
	check "another, when the nonce is too old" \
		pbx_calls $scenarios/call_reinvite.xml prack kamailio.example
	check_eq "is challenged once more" "$(said behind | sed -n '4,9s/ [a-z]*$//p')" \
		$'INVITE cseq=11\nPRACK cseq=12\nACK cseq=11\nINVITE cseq=13\nACK cseq=13\nBYE cseq=14'
	check "and nothing was out of order behind it" quietly grep -q '!' "$tmp/behind.log"
	start_in customer phone sipp -sf $scenarios/pbx.xml -i $customer -p 5064 -nostdin $gate
	wait_for 5 in_ns customer sh -c "ss -Hlun | grep -q $customer:5064"
	check "a call from it to our contact reaches the PBX" in_ns pbx sipp -sf $scenarios/call.xml \
		-i $carrier -p 5095 -m 1 -nostdin -s 4930123 -key domain $carrier -timeout 10 \
		$carrier:5080
	stop phone
	# Kamailio challenges what the gate says in dialog, too.
	start_in customer phone sipp -sf $scenarios/pbx_ends.xml -i $customer -p 5064 -m 1 \
		-nostdin -timeout 15 $gate
	wait_for 5 in_ns customer sh -c "ss -Hlun | grep -q $customer:5064"
	check "and is ended by the PBX" in_ns pbx sipp -sf $scenarios/call_ended.xml \
		-i $carrier -p 5095 -m 1 -nostdin -s 4930123 -key domain $carrier -timeout 10 \
		$carrier:5080
	check "to whom Kamailio's challenge was not shown" wait "${started[phone]}"
else
	skip "Kamailio as the carrier" "kamailio is not installed"
fi

# ---- the end ----

stop daemon
check_match "a stop removes the registration" "$(tail -1 "$tmp/late.log")" 'expires=0'
check "no password, nonce or digest was logged" \
	quietly grep -aqE "$secret|nonce=|response=" "$tmp/daemon.log"
