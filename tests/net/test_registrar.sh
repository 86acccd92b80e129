#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The registrar with phones as Debian ships them: who registers, how long it lasts, who is called.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" reg
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

daemon() {
	rm -f "$tmp/daemon.log"
	start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
		--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --log-level debug
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
}

# A phone's REGISTER, repeated with its password; FIELDS are lines of their own, parted by a bar.
register() { # USER FIELDS STATUS
	local fields=${2//|/\\n      }
	sed "s#@FIELDS@#$fields#; s#@STATUS@#$3#" $scenarios/register_fields.xml >"$tmp/register.xml"
	rm -f "$tmp/register.trace"
	in_ns customer sipp -sf "$tmp/register.xml" -i $customer -p 5070 -m 1 -nostdin -s "$1" \
		-key domain phones.example -au alice -ap $password -timeout 5 -trace_msg \
		-message_file "$tmp/register.trace" $gate
}

# What the list says of alice, one VALUE a line.
alice() { # KEY
	sipward registration list phones --json | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["user"] == "alice": print(row[sys.argv[1]])' "$1"
}

contacts_are() { # CONTACT...
	[ "$(alice contact | sort | xargs)" = "$*" ]
}

# A call from the PBX's own address.
upstream_calls() { # SCENARIO USER
	in_ns pbx sipp -sf "$1" -i $pbx -p 5060 -m 1 -nostdin -s "$2" -key domain phones.example \
		-timeout 10 10.9.0.1
}

upstream_meets() { # STATUS USER
	sed "s/403/$1/" $scenarios/call_refused.xml >"$tmp/refused.xml"
	upstream_calls "$tmp/refused.xml" "$2"
}

# A phone where the REGISTERs came from, which takes one call.
phone() {
	rm -f "$tmp/phone.trace"
	start_in customer phone sipp -sf $scenarios/pbx.xml -i $customer -p 5070 -m 1 -nostdin \
		-timeout 10 -trace_msg -message_file "$tmp/phone.trace" $gate
	wait_for 5 in_ns customer sh -c "ss -Hlun | grep -q $customer:5070"
}

phone_done() {
	wait "${started[phone]}"
}

daemon || { cat "$tmp/daemon.log"; exit 1; }
{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create phones --domain phones.example --upstream sip:$pbx:5060
	sipward trunk attach phones --credentials phones
	sipward trunk create open --domain open.example --upstream sip:$pbx:5060
	sipward mode enforce
} >/dev/null 2>&1

# ---- sipp: the rules of RFC 3261 §10.3 ----

nat='sip:alice@192.168.1.20:5062'
check "sipp: registers from behind a NAT" register alice "Contact: <$nat>|Expires: 600" 200
check_match "the answer lists the binding" "$(cat "$tmp/register.trace")" \
	"^Contact: <$nat>;expires=600;q=1.000"
check "the list shows it" wait_for 5 contacts_are $nat
check_eq "with the address it came from" "$(alice received)" "$customer:5070"
check_match "and for people" "$(sipward registration list)" "alice +$nat +$customer:5070 +[0-9.]+ min"
check "nobody registers another's address" register bob "Contact: <$nat>" 403
check "too short an interval is refused" register alice "Contact: <$nat>;expires=5" 423
check_match "and the shortest one told" "$(cat "$tmp/register.trace")" '^Min-Expires: 60'
# ---- calls to them ----

phone
check "PBX calls the contact" upstream_calls $scenarios/call.xml alice
check "at the address it registered from, both ways to the BYE" phone_done
check_match "by the contact it registered" "$(cat "$tmp/phone.trace")" "^INVITE $nat SIP/2.0"
check "who is not known is not found" upstream_meets 404 mallory

# ---- several contacts ----

check "Contact: * without Expires: 0 is refused" register alice 'Contact: *' 400
check "sipp: registers several contacts" register alice \
	'Contact: <sip:alice@192.168.1.21>;q=0.5, <sip:alice@192.168.1.22>;q=0.2|Contact: <sip:alice@192.168.1.23>;expires=0' 200
check_eq "the answer lists all by preference" \
	"$(grep '^Contact: .*expires=.*q=' "$tmp/register.trace" | grep -oE '@192.168.1.2[0-9]' | uniq | xargs)" \
	'@192.168.1.20 @192.168.1.21 @192.168.1.22'
check "the list shows them" wait_for 5 contacts_are $nat sip:alice@192.168.1.21 \
	sip:alice@192.168.1.22

# ---- the operator, restarts, and a kill ----

check "one registration is removed" sipward registration remove phones alice --contact \
	sip:alice@192.168.1.21
check_exit "once" 3 'there is none' sipward registration remove phones alice --contact \
	sip:alice@192.168.1.21
check "sipp: refreshes another" register alice 'Contact: <sip:alice@192.168.1.22>;q=0.2' 200
check_eq "the daemon has removed it too" "$(grep -c '^Contact: .*192.168.1.21.*expires' "$tmp/register.trace")" 0
stop daemon
daemon
check_match "a restart knows them" "$(cat "$tmp/daemon.log")" 'registrations_loaded count=2'
register alice 'Contact: <sip:alice@192.168.1.24>;q=0.9' 200 >/dev/null 2>&1
sleep 1 # what was answered so long ago must outlive what comes now
stop daemon KILL
daemon
check_match "a kill loses none" "$(cat "$tmp/daemon.log")" 'registrations_loaded count=3'
for contact in 192.168.1.22 192.168.1.24; do
	sipward registration remove phones alice --contact "sip:alice@$contact" >/dev/null
done
phone
check "PBX calls after both" upstream_calls $scenarios/call.xml alice
check "and reaches the phone" phone_done

# ---- a trunk without rules: whoever is registered ----

# A call to the open trunk with a From of the given user.
open_call() { # SCENARIO USER [OPTION...]
	local scenario=$1 user=$2
	shift 2
	sed "s/^      From: <[^>]*>/      From: <sip:$user@phones.example>/" "$scenario" >"$tmp/open.xml"
	in_ns customer sipp -sf "$tmp/open.xml" -i $customer -p 5072 -m 1 -nostdin -s 1000 \
		-key domain open.example -timeout 10 "$@" $gate
}

pbx() {
	start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m 1 -nostdin -timeout 10 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

sed 's/403/486/' $scenarios/call_refused.xml >"$tmp/busy.xml"
pbx
check "registered user calls through a trunk without rules" open_call $scenarios/call.xml alice
check "and reaches the PBX" wait "${started[pbx]}"
check "user who is not registered is told busy" open_call "$tmp/busy.xml" bob
check "From of a registered user proves nothing elsewhere" open_call "$tmp/busy.xml" alice \
	-i $stranger

check "sipp: Contact: * removes all" register alice 'Contact: *|Expires: 0' 200
check "the list is empty" wait_for 5 contacts_are ''
check "user without registrations is unavailable" upstream_meets 480 alice
check "and told busy on the trunk without rules" open_call "$tmp/busy.xml" alice

# ---- a trunk whose upstream is the registrar ----

policies=$(grep -c '^info policy' "$tmp/daemon.log")
follows() {
	[ "$(grep -c '^info policy' "$tmp/daemon.log")" -gt "$policies" ]
}
sipward trunk set phones --register upstream >/dev/null 2>&1
wait_for 5 follows
start_in pbx pbx sipp -sf $scenarios/pbx_registrar.xml -i $pbx -p 5060 -m 1 -nostdin -timeout 10 10.9.0.1
wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
check "REGISTER goes on to the upstream where the trunk says so" register alice \
	"Contact: <$nat>|Expires: 600" 200
check "which sees it" wait "${started[pbx]}"
check_eq "and nothing is bound here" "$(alice contact)" ''
sipward trunk set phones --register gate >/dev/null 2>&1

# ---- baresip ----

if command -v baresip >/dev/null; then
	for setting in 'min 1' 'default 4' 'max 4'; do
		# shellcheck disable=SC2086
		sipward settings register-$setting
	done >/dev/null 2>&1
	in_ns customer ip route replace default via $gate
	mkdir -p "$tmp/baresip"
	cat >"$tmp/baresip/config" <<-CONF
		sip_listen $customer:5062
		module_path /usr/lib/baresip/modules
		module uuid.so
		module g711.so
		module_tmp account.so
		module_app menu.so
	CONF
	echo "<sip:alice@phones.example;transport=udp>;outbound=\"sip:$gate:5060\";sipnat=outbound;auth_user=alice;auth_pass=$password;regint=4;answermode=auto" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	start_in customer baresip baresip -4 -f "$tmp/baresip" -t 20
	registered() { # TIMES
		[ "$(grep -c '^debug registered' "$tmp/daemon.log")" -ge "$1" ]
	}
	before=$(grep -c '^debug registered' "$tmp/daemon.log")
	check "baresip: registers" wait_for 5 registered $((before + 1))
	is_baresip() {
		alice user_agent | grep -q baresip
	}
	check "baresip: is listed" wait_for 3 is_baresip
	check_match "baresip: its instance is kept" "$(alice instance)" '^<urn:uuid:[0-9a-f-]+>$'
	check_eq "and its flow" "$(alice reg_id)" 1
	check "baresip: is called by the PBX" upstream_calls $scenarios/call.xml alice
	check "baresip: registers again" wait_for 8 registered $((before + 3))
	stop baresip
	check "baresip: unregisters as it ends" wait_for 3 contacts_are ''

	change settings register-max 600
	register alice 'Contact: <sip:alice@192.168.1.20>;expires=600' 200 >/dev/null 2>&1
	sed -i 's/regint=4/regint=0/' "$tmp/baresip/accounts"
	pbx
	in_ns customer baresip -4 -f "$tmp/baresip" -e '/dial sip:1000@open.example' -t 2 </dev/null \
		>"$tmp/baresip.log" 2>&1
	check "baresip: calls through the trunk without rules" wait "${started[pbx]}"
else
	skip "baresip" "is not installed"
fi

check_eq "no password or nonce in the log" "$(grep -ciE "$password|response=" "$tmp/daemon.log")" 0
