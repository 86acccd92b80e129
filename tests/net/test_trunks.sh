#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Which trunk a call means, and who may call through it, with callers as Debian ships them.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" trunks
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

# ---- the gate, and a PBX that takes every call ----

{
	sipward settings lockout-failures 100
	sipward acl create office
	sipward acl create branch
	sipward acl add office $customer
	sipward acl add branch $guesser
	sipward credentials create phones --realm sip.example
	sipward credentials create visitors --realm visitors.example
	sipward user add phones alice --password-stdin <<<$password
	sipward user add visitors door-1 --password-stdin <<<Open1Sesame
	for name in acme address digest both open; do
		sipward trunk create $name --domain $name.example --upstream sip:$pbx:5060
	done
	sipward trunk set acme --aliases eu.acme.example,us.acme.example
	sipward trunk create app --user app42 --domain app.example --upstream sip:$pbx:5060
	sipward trunk create off --domain off.example --upstream sip:$pbx:5060
	sipward trunk create default --domain '*' --upstream sip:$pbx:5060
	for name in acme address both app off default; do sipward trunk attach $name --acl office; done
	for name in digest both acme; do sipward trunk attach $name --credentials phones; done
	sipward trunk detach acme --acl office
	sipward trunk attach digest --credentials visitors
	sipward trunk attach address --acl branch
	sipward trunk set off --enabled no
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --log-level debug
start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -nostdin 10.9.0.1
wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }
wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"

# ---- callers ----

# Calls by a scenario file; what the gate says of it meanwhile is in $tmp/said.
sipp_calls() { # FILE SOURCE USER DOMAIN [OPTION...]
	local file=$1 source=$2 user=$3 domain=$4 before rc=0
	shift 4
	before=$(wc -l <"$tmp/daemon.log")
	in_ns customer sipp -sf "$file" -i "$source" -p 5062 -m 1 -nostdin -s "$user" \
		-key domain "$domain" -au alice -ap $password -timeout 10 "$@" $gate || rc=$?
	tail -n +$((before + 1)) "$tmp/daemon.log" >"$tmp/said"
	return $rc
}

# The call goes through the trunk.
reaches() { # TRUNK SCENARIO SOURCE USER DOMAIN [OPTION...]
	local trunk=$1 scenario=$2
	shift 2
	sipp_calls "$scenarios/$scenario.xml" "$@" &&
		grep -q "forwarded .*method=INVITE .*trunk=$trunk " "$tmp/said"
}

# The call is refused, for the cause the log names.
meets() { # STATUS CAUSE SOURCE USER DOMAIN
	local status=$1 cause=$2
	shift 2
	sed "s/403/$status/" $scenarios/call_refused.xml >"$tmp/refused.xml"
	sipp_calls "$tmp/refused.xml" "$@" && grep -q "refused .*cause=$cause" "$tmp/said"
}

guesses() { # DOMAIN
	sipp_calls $scenarios/call_wrong.xml $customer 1000 "$1" -ap Wrong1Password &&
		grep -q 'refused .*cause=bad_credentials' "$tmp/said"
}

# ---- how a trunk is found ----

check "application: sip:app42@app.example" reaches app call $customer app42 app.example
check "application: a number in its place reaches the default trunk" \
	reaches default call $customer 4989123456 app.example
check "domain: any user" reaches acme call_digest $customer 1000 acme.example
check "domain: without regard to case" reaches acme call_digest $customer 1000 ACME.Example
check "alias: eu.acme.example" reaches acme call_digest $customer 1000 eu.acme.example
check "alias: us.acme.example" reaches acme call_digest $customer 1000 us.acme.example
check "no alias: asia.acme.example is the default trunk's" \
	reaches default call $customer 1000 asia.acme.example
check "default: the gate's own address" reaches default call $customer 1000 $gate
sed 's/To: <sip:\[service\]@\[domain\]>/To: <sip:app42@app.example>/' $scenarios/call_refused.xml \
	>"$tmp/to.xml"
check "To: names no trunk, the Request-URI's refuses" sipp_calls "$tmp/to.xml" $customer 1000 off.example
check_match "and it is the Request-URI's that is logged" "$(<"$tmp/said")" 'refused .*trunk=off '

# ---- the four types, with their right and wrong callers ----

check "ip_acl: a listed address" reaches address call $customer 1000 address.example
check "ip_acl: another is refused" meets 403 address_refused $stranger 1000 address.example
check "credential: the right password, from anywhere" \
	reaches digest call_digest $stranger 1000 digest.example
check "credential: a wrong one is refused" guesses digest.example
check "ip_acl_and_credential: both" reaches both call_digest $customer 1000 both.example
check "ip_acl_and_credential: a wrong password is refused" guesses both.example
check "ip_acl_and_credential: another address is refused before any challenge" \
	meets 403 address_refused $stranger 1000 both.example
check "none: who has not registered is busy" meets 486 not_registered $customer 1000 open.example

# Alice registers with the trunk of her domain, then calls as sip:alice@acme.example.
sed 's/@FIELDS@/Contact: <sip:alice@'$customer':5062>/; s/@STATUS@/200/' \
	$scenarios/register_fields.xml >"$tmp/register.xml"
sed 's/<sip:customer@\[local_ip\]:\[local_port\]>;tag/<sip:alice@acme.example>;tag/' \
	$scenarios/call.xml >"$tmp/alice.xml"
sed 's/403/486/; s/<sip:customer@\[local_ip\]:\[local_port\]>;tag/<sip:alice@acme.example>;tag/' \
	$scenarios/call_refused.xml >"$tmp/alice_refused.xml"
check "none: alice registers elsewhere" sipp_calls "$tmp/register.xml" $customer alice acme.example
check "none: and may call" sipp_calls "$tmp/alice.xml" $customer 1000 open.example
check_match "by her registration" "$(<"$tmp/said")" 'forwarded .*trunk=open .*cause=by_registration'
check "none: but not from another address" \
	sipp_calls "$tmp/alice_refused.xml" $stranger 1000 open.example
check_match "and the log says so" "$(<"$tmp/said")" 'has registered from another address'
sed 's/@FIELDS@/Contact: <sip:alice@'$customer':5062>/; s/<recv response="401".*/<recv response="403"\/>/; /<recv response="403"\/>/q' \
	$scenarios/register_fields.xml >"$tmp/register.xml"
echo '</scenario>' >>"$tmp/register.xml"
check "none: nobody registers there" sipp_calls "$tmp/register.xml" $customer alice open.example

# ---- many to many, disabled ----

check "two ACLs on one trunk: the other's address" reaches address call $guesser 1000 address.example
check "but not where that ACL is not attached" meets 403 address_refused $guesser app42 app.example
check "one list on two trunks: alice on the second" reaches acme call_digest $customer 1000 acme.example
check "a disabled trunk refuses" meets 403 trunk_disabled $customer 1000 off.example
sipward trunk set off --enabled yes >/dev/null 2>&1
check "once it is enabled the next call goes through" reaches off call $customer 1000 off.example
sipward acl remove office $customer >/dev/null 2>&1
check "an address taken off the ACL is refused at the next call" \
	meets 403 address_refused $customer 1000 off.example

# ---- baresip ----

# It must find a route and no DNS: the gate is its outbound proxy.
baresip_calls() { # USER PASSWORD URI
	mkdir -p "$tmp/baresip"
	printf '%s\n' "sip_listen $customer:5063" "module_path /usr/lib/baresip/modules" \
		"module g711.so" "module_tmp account.so" "module_app menu.so" >"$tmp/baresip/config"
	echo "<sip:$1@acme.example;transport=udp>;outbound=\"sip:$gate:5060\";auth_user=$1;auth_pass=$2;regint=0" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	in_ns customer baresip -4 -f "$tmp/baresip" -e "/dial $3" -t 2 </dev/null
}

if command -v baresip >/dev/null; then
	in_ns customer ip route replace default via $gate
	baresip_calls alice $password sip:1000@us.acme.example >"$tmp/baresip.log" 2>&1
	check_match "baresip: alias domain, by digest" "$(<"$tmp/daemon.log")" \
		'forwarded .*sip:1000@us.acme.example.*trunk=acme user=alice .*cause=by_credential'
	baresip_calls door-1 Open1Sesame sip:1000@digest.example >"$tmp/baresip.log" 2>&1
	check_match "baresip: the second list of a trunk, in its own realm" "$(<"$tmp/daemon.log")" \
		'forwarded .*trunk=digest user=door-1 .*cause=by_credential'
else
	skip "baresip" "baresip is not installed"
fi
