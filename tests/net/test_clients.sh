#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients and scanners as Debian ships them, against a gate with the filter attached.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" client
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

have() { # COMMAND: counts as skipped what needs it
	command -v "$1" >/dev/null || { skip "$1" "is not installed"; return 1; }
}

# A PBX that takes one call by the scenario; all that it hears is added to $tmp/pbx.trace.
pbx() { # SCENARIO
	start_in pbx pbx sipp -sf "$scenarios/$1.xml" -i $pbx -p 5060 -m 1 -nostdin -timeout 15 \
		-trace_msg -message_file "$tmp/pbx.trace" -message_overwrite false 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

pbx_done() {
	wait "${started[pbx]}"
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --interface outside \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --log-level debug
wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }
{
	sipward acl create office
	sipward acl add office $customer
	sipward trunk create office --domain office.example --upstream sip:$pbx:5060
	sipward trunk attach office --acl office
	sipward mode enforce
} >/dev/null 2>&1

# The clients bind to no address: the route says which one they take.
from() { # SOURCE COMMAND...
	in_ns customer ip route replace $gate dev eth0 src "$1"
	shift
	in_ns customer timeout 15 "$@"
}

# ---- a trunk by address alone: who is not listed hears nothing at all ----

check_match "who is not listed meets the filter" "$(sipward status)" 'unlisted.*drop'
if have sipsak; then
	check_match "sipsak: listed source has its OPTIONS answered" \
		"$(from $customer sipsak -vv -H $customer -s sip:$gate)" '^SIP/2.0 200'
	check_eq "sipsak: unlisted source hears nothing" \
		"$(from $stranger timeout 2 sipsak -vv -H $stranger -s sip:$gate | grep -c '^SIP/2.0')" 0
fi
if have svmap; then
	check_match "svmap: learns nothing" "$(from $stranger svmap -x $stranger $gate 2>&1)" \
		'found nothing'
fi

# ---- a trunk by digest ----

{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create phones --domain '*' --upstream sip:$pbx:5060
	sipward trunk attach phones --credentials phones
} >/dev/null

if have svmap; then
	check_match "svmap: learns nothing where digest is asked either" \
		"$(from $stranger svmap -x $stranger $gate 2>&1)" 'found nothing'
fi

# baresip calls and hangs up after the given time, if nobody does before.
baresip_call() { # SECONDS
	mkdir -p "$tmp/baresip"
	cat >"$tmp/baresip/config" <<-CONF
		sip_listen $customer:5062
		module_path /usr/lib/baresip/modules
		module g711.so
		module_tmp account.so
		module_app menu.so
	CONF
	echo "<sip:alice@sip.example;transport=udp>;outbound=\"sip:$gate:5060\";auth_user=alice;auth_pass=$password;regint=0" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	from $customer baresip -4 -f "$tmp/baresip" -e '/dial sip:1000@sip.example' -t "$1" \
		</dev/null
}

if have baresip; then
	in_ns customer ip route replace default via $gate
	pbx pbx
	baresip_call 2 >"$tmp/baresip.log" 2>&1
	check "baresip: calls with digest and hangs up" pbx_done
	pbx pbx_ends
	baresip_call 4 >>"$tmp/baresip.log" 2>&1
	check "baresip: calls with digest and is hung up" pbx_done
fi

if have sipsak; then
	check "sipsak: registers with digest" from $customer sipsak -U -H $customer \
		-s sip:alice@$gate -u alice -a $password -x 60
fi

if [ -s "$tmp/pbx.trace" ]; then
	check_eq "no credentials reached the PBX" "$(grep -ciE 'authorization|alice.*nonce' "$tmp/pbx.trace")" 0
	check_match "the PBX knows who called" "$(cat "$tmp/pbx.trace")" '^X-Sipward-Auth-User: alice'
fi

# ---- guessing ----

# What svwar says about a user, less what differs from call to call.
svwar_says() { # METHOD USER
	echo "$2" >"$tmp/users"
	from $stranger svwar -x $stranger --force -m "$1" -d "$tmp/users" $gate 2>&1 |
		sed -E "s/$2/USER/g; s/(tag|branch|nonce|rport|Call-ID)(=|: )[^ ;,\\]*/\\1/g"
}

if have svwar; then
	for method in REGISTER INVITE; do
		says=$(svwar_says $method alice)
		check_match "svwar: $method is answered" "$says" 'SIP/2.0 40[17]'
		check_eq "svwar: $method tells no user from another" "$(svwar_says $method mallory)" \
			"$says"
	done
fi
if have svcrack; then
	{
		for i in {1..15}; do echo "Wrong${i}Password"; done
		echo $password
	} >"$tmp/passwords"
	from $guesser svcrack -x $guesser -u alice -d "$tmp/passwords" $gate >"$tmp/svcrack" 2>&1
	check_eq "svcrack: does not find the password" "$(grep -c $password "$tmp/svcrack")" 0
	check_match "svcrack: is locked out" "$(sipward lockout list)" $guesser
fi
