#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the upstream is told, and what customers may not tell it. sipp and baresip are the customers.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" context
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

# A call that both sides see go by their scenarios. What the PBX heard is $tmp/heard, without carriage
# returns.
call() { # DOMAIN SCENARIO [OPTION...]
	local domain=$1 scenario=$2
	shift 2
	pbx || return
	in_ns customer sipp -sf "$scenario" -i $customer -p 5062 -m 1 -d 100 -nostdin -s 1000 \
		-key domain "$domain" -key caller customer -au alice -ap $password -timeout 20 "$@" \
		$gate && wait "${started[pbx]}" && tr -d '\r' <"$tmp/pbx.trace" >"$tmp/heard"
}

pbx() {
	rm -f "$tmp/pbx.trace"
	start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m 1 -nostdin -timeout 20 -trace_msg \
		-message_file "$tmp/pbx.trace" 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

# The lines of the INVITE that the PBX heard, in order, less what changes from call to call.
told() { # REGEX
	sed '/^$/q' <(sed -n '/^INVITE/,$p' "$tmp/heard") | grep -iE -- "$1" | tr '\n' '|'
}

{
	sipward trunk create address --domain address.example --upstream sip:$pbx:5060
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward trunk create both --domain both.example --upstream sip:$pbx:5060
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward acl create office
	sipward acl add office $customer
	sipward trunk attach address --acl office
	sipward trunk attach digest --credentials phones
	sipward trunk attach both --acl office
	sipward trunk attach both --credentials phones
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --listen udp:$gate:5060 \
	--listen udp:10.9.0.1:5060 --log-level debug
wait_for 5 grep -q '^info ready' "$tmp/daemon.log"

# ---- who was let in, and how ----

check "admitted by address" call address.example $scenarios/call.xml
check_eq "the PBX is told address and trunk" "$(told '^x-sipward')" \
	"X-Sipward-Auth-Type: ip_acl|X-Sipward-Source-IP: $customer|X-Sipward-Trunk: address|"
check "admitted by credential" call digest.example $scenarios/call_digest.xml
check_eq "the PBX is told the user too, and who it is" "$(told '^x-sipward|^p-asserted')" \
	"P-Asserted-Identity: <sip:alice@sip.example>|X-Sipward-Auth-Type: credential|X-Sipward-Auth-User: alice|X-Sipward-Source-IP: $customer|X-Sipward-Trunk: digest|"
check_eq "and gets no credentials" "$(grep -ci '^\(proxy-\)\?authorization' "$tmp/heard")" 0
check "admitted by both" call both.example $scenarios/call_digest.xml
check_match "the PBX is told so" "$(told '^x-sipward')" 'Auth-Type: ip_acl_and_credential.*Auth-User: alice'

# ---- what customers say ----

change settings reserved-headers 'PH-* ClientRegion'
check "a customer that forges all of it" call address.example $scenarios/caller.xml
check_eq "is not heard, in no request" "$(grep -c forged "$tmp/heard")" 0
check_eq "other fields are" "$(grep -c '^X-Kept: yes' "$tmp/heard")" 2
check_match "so are credentials for another realm" "$(told '^proxy-auth')" 'realm="pbx.example"'
change settings header-prefix X-Acme-
check "with another prefix" call address.example $scenarios/caller.xml
check_eq "the same is told by other names" "$(told '^x-acme|^x-sipward')" \
	"X-Acme-Auth-Type: ip_acl|X-Acme-Source-IP: $customer|X-Acme-Trunk: address|"
check_eq "and forged ones are not heard" "$(grep -c forged "$tmp/heard")" 0
change settings header-prefix default

# ---- a phone ----

baresip_call() {
	mkdir -p "$tmp/baresip"
	cat >"$tmp/baresip/config" <<-CONF
		sip_listen $customer:5062
		module_path /usr/lib/baresip/modules
		module g711.so
		module_tmp account.so
		module_app menu.so
	CONF
	echo "<sip:alice@digest.example;transport=udp>;outbound=\"sip:$gate:5060\";auth_user=alice;auth_pass=$password;regint=0" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	in_ns customer ip route replace default via $gate src $customer
	in_ns customer timeout 15 baresip -4 -f "$tmp/baresip" -e '/dial sip:03012345@digest.example' \
		-t 2 </dev/null
}

if command -v baresip >/dev/null; then
	change trunk set digest --e164 normalize --country-code 49 --international-prefix 00 --national-prefix 0
	change trunk set digest --caller-id private
	pbx
	baresip_call >"$tmp/baresip.log" 2>&1
	check "baresip: calls and hangs up, normalised and private" wait "${started[pbx]}"
	tr -d '\r' <"$tmp/pbx.trace" >"$tmp/heard"
	check_match "its call is +493012345" "$(told '^INVITE')" '^INVITE sip:\+493012345@'
	check_eq "its From tells nothing" "$(grep '^From:' "$tmp/heard" | grep -vc anonymous.invalid)" 0
	check_match "the PBX alone is told who it is" "$(told '^p-asserted|^privacy')" \
		'Privacy: id\|P-Asserted-Identity: <sip:alice@sip.example>'
else
	skip "baresip: calls and hangs up" "baresip is not installed"
fi
