#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Lockouts with the real filter: what a forger can and can not do, a real guesser, ACLs and time,
# doubling, the settings, IPv6.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" lockout
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

gate6=2001:db8:1::1 proven=198.51.100.3

forger_add
addr_add customer eth0 $proven/24
addr_add gate outside $gate6/48
for host in 1::7 1::a 1::b 2::7 100::7 1ff::7; do
	addr_add customer eth0 "2001:db8:1:$host/48"
done
next=100

tidy() {
	sipward detach outside
} >/dev/null 2>&1

# A source that nobody has heard of before, in $fresh.
fresh() {
	fresh=198.51.100.$((next++))
	addr_add customer eth0 "$fresh/24"
}

attempt() { # KIND SOURCE COUNT
	case $2 in
	*:*) in_ns customer tests/net/attempt "$1" "$2" $gate6 "$3" ;;
	*) in_ns customer tests/net/attempt "$1" "$2" $gate "$3" ;;
	esac
}

forge() { # KIND SOURCE COUNT
	in_ns forger tests/net/attempt --forge "$1" "$2" $gate "$3"
}

times() { # COUNT STATUS: so many of it, as attempt prints them
	printf "$2 %.0s" $(seq "$1") | sed 's/ $//'
}

locked() { # SOURCE
	sipward lockout list | grep -qE "^$1(/[0-9]+)? "
}

# A field of what explain tells as JSON.
told() { # SOURCE EXPRESSION
	sipward --json explain "$1" | python3 -c "import json, sys; it = json.load(sys.stdin); print($2)"
}

has_reason() { # SOURCE REASON: of the filter
	[ "$(told "$1" "it['filter']['reason']")" = "$2" ]
}

# Of the daemon's own counters.
counted() { # NAME
	sipward --json status | python3 -c "import json, sys
print(json.load(sys.stdin)['daemon_status']['proxy']['$1'])"
}

# How long the daemon said each lockout of the source would last.
durations() { # SOURCE
	sed -n "s/^info locked_out source=$1 seconds=\([0-9]*\).*/\1/p" "$tmp/daemon.log" | xargs
}

set_to() { # NAME VALUE...
	while [ $# -gt 0 ]; do
		sipward settings "$1" "$2" >/dev/null || not_ok "settings $1 $2"
		shift 2
	done
}

calls() { # NAME SOURCE PORT SCENARIO DOMAIN: 30 calls, 15 a second, in the background
	start_in customer "$1" sipp -sf "$scenarios/$4.xml" -i "$2" -p "$3" -m 30 -r 15 -nostdin \
		-s 1000 -key domain "$5" -au alice -ap $password -timeout 20 $gate
}

start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --interface outside \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --listen "udp:[$gate6]:5060"
wait_for 5 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }
{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward acl create office
	sipward acl add office $customer
	sipward acl create others
	sipward acl add others 192.0.2.9
	sipward trunk create address --domain address.example --upstream sip:$pbx:5060
	sipward trunk attach address --acl office
	sipward trunk create other --domain other.example --upstream sip:$pbx:5060
	sipward trunk attach other --acl others
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward trunk attach digest --credentials phones
	sipward mode enforce
} >/dev/null 2>&1 || exit 1
start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -nostdin 10.9.0.1

forged_packets_lock_out_strangers_only() {
	local row kind name victim
	calls proven $proven 5064 call_digest digest.example
	check "a call by digest proves its source" wait_for 5 has_reason $proven proven
	calls listed $customer 5064 call address.example
	for row in "call other.example=refused address" "forged=forged nonce" \
		"malformed=malformed credentials"; do
		kind=${row%=*} name=${row#*=}
		fresh
		for victim in $customer $proven $fresh; do
			forge "$kind" "$victim" 30
		done
		check "$name, forged: lock out the stranger they name" wait_for 3 locked "$fresh"
		check "$name, forged: not the listed source" quietly locked $customer
		check "$name, forged: not the proven source" quietly locked $proven
		check_eq "$name, forged: are soft evidence, told by explain" \
			"$(told "$fresh" "'%(grade)s %(soft)d %(hard)d' % it['evidence']")" "soft 10 0"
	done
	check "the listed source's calls go on meanwhile" wait "${started[listed]}"
	check "the proven source's calls go on meanwhile" wait "${started[proven]}"
	check_eq "nothing is held against the listed source" \
		"$(told $customer "it['evidence']['vouched'], it['evidence']['last']")" "listed None"
	check_eq "nothing is held against the proven source" \
		"$(told $proven "it['evidence']['vouched'], it['evidence']['last']")" "proven None"
}

# Hard evidence counts against everybody: who sends it has received the challenge.
hard_evidence_locks_out_the_listed_too() {
	check_eq "a listed source's wrong passwords are answered" \
		"$(attempt wrong $customer 10)" "$(times 10 403)"
	check "and lock it out" locked $customer
	check_exit "explain tells grade, counts, first and last evidence" 0 \
		"failures +10 hard and 0 soft; 10 within 60 s lock out.*best evidence +hard.*last reason +credential.*first failure +2[0-9-]+ [0-9:]+.*last failure +2[0-9-]+ [0-9:]+" \
		sipward explain $customer
	sipward lockout clear $customer >/dev/null
	check_eq "lockout clear ends it" "$(attempt "call other.example" $customer 1)" 403
}

# svcrack asks for a challenge with a REGISTER of its own before each guess, and goes on with the
# next guess when nothing has come for 5 ms: a guess is a REGISTER with credentials.
svcrack_is_locked_out_at_the_eleventh_guess() {
	local i before seen
	have_svcrack || return
	for i in {1..30}; do echo "Wrong${i}Password"; done >"$tmp/passwords"
	echo $password >>"$tmp/passwords"
	in_ns customer ip route replace $gate dev eth0 src $guesser
	before=$(packets locked_out)
	start_in customer svcrack svcrack -v -x $guesser -u alice --domain digest.example \
		-d "$tmp/passwords" $gate
	check "svcrack: the filter drops what it sends on" wait_for 8 locked_out_since "$before"
	stop svcrack
	in_ns customer ip route del $gate dev eth0
	check_eq "svcrack: ten guesses are answered, the eleventh is not" \
		"$(grep -c "^info refused source=$guesser:.*cause=bad_credentials" "$tmp/daemon.log")" 10
	check_eq "svcrack: does not find the password, which would have come later" \
		"$(grep -c $password "$tmp/svcrack.log")" 0
	check_match "svcrack: lockout list tells reason, failures, since and until" \
		"$(sipward lockout list)" \
		"^$guesser +credential +10 +2[0-9-]+ [0-9:]+ +2[0-9-]+ [0-9:]+ +[0-9]+ s"
	before=$(packets locked_out)
	seen=$(counted received)
	check_eq "its next request is not answered" "$(attempt "call other.example" $guesser 1)" "-"
	check_eq "but counted as locked_out by the filter" "$(packets locked_out)" $((before + 1))
	check_eq "and never seen by the daemon" "$(counted received)" "$seen"
}

locked_out_since() { # COUNT
	[ "$(packets locked_out)" -gt "$1" ]
}

have_svcrack() {
	command -v svcrack >/dev/null || { skip svcrack "is not installed"; return 1; }
}

an_acl_does_not_end_a_lockout() {
	fresh
	set_to lockout-failures 3 lockout-duration 6
	check_eq "refusals are answered up to the third" \
		"$(attempt "call other.example" "$fresh" 4)" "403 403 403 -"
	sipward acl add office "$fresh" >/dev/null
	check_eq "adding it to an ACL changes nothing" "$(attempt "call other.example" "$fresh" 1)" "-"
	check_eq "explain says so" "$(told "$fresh" "it['filter']['reason'], it['listed']")" \
		"locked_out True"
	check "until it ends" wait_for 10 quietly locked "$fresh"
	check_eq "then it passes as listed" "$(told "$fresh" "it['filter']['reason']")" listed
	check_eq "and is answered" "$(attempt "call other.example" "$fresh" 1)" 403
}

refusals_and_wrong_passwords_share_the_counter() {
	fresh
	set_to lockout-failures 6 lockout-duration 60
	check_eq "three refusals" "$(attempt "call other.example" "$fresh" 3)" "403 403 403"
	check "do not lock out" quietly locked "$fresh"
	check_eq "and three wrong passwords" "$(attempt wrong "$fresh" 4)" "403 403 403 -"
	check "do together" locked "$fresh"
	check_eq "explain tells both" "$(told "$fresh" \
		"'%(soft)d %(hard)d %(reason)s' % it['evidence']")" "3 3 credential"
}

window_and_count_are_obeyed() {
	fresh
	set_to lockout-failures 2 lockout-window 4
	check_eq "one failure" "$(attempt "call other.example" "$fresh" 1)" 403
	sleep 4.1
	check_eq "and another one after the window" "$(attempt "call other.example" "$fresh" 1)" 403
	check "do not lock out" quietly locked "$fresh"
	check_eq "a second one within it" "$(attempt "call other.example" "$fresh" 1)" 403
	check "does" locked "$fresh"
	set_to lockout-window default
}

repeat_offenders_are_locked_out_longer() {
	fresh
	set_to lockout-failures 1 lockout-duration 3 lockout-ceiling 9
	for _ in 1 2 3; do
		wait_for 15 quietly locked "$fresh"
		attempt "call other.example" "$fresh" 1 >/dev/null
	done
	check_eq "each lockout is twice as long as the last, up to the ceiling" \
		"$(durations "$fresh")" "3 6 9"
	check_eq "explain tells how long the next would be" \
		"$(told "$fresh" "it['evidence']['next_lockout_s']")" 9
	set_to lockout-ceiling 0 lockout-failures default lockout-duration default
}

ipv6_sources_are_prefixes() {
	set_to lockout-failures 10
	attempt "call other.example" 2001:db8:1:1::7 5 >/dev/null
	attempt "call other.example" 2001:db8:1:1::a 4 >/dev/null
	check "nine failures of a /64 do not lock it out" quietly locked 2001:db8:1:1::
	check_eq "the tenth, from another address of it" \
		"$(attempt "call other.example" 2001:db8:1:1::b 2)" "403 -"
	check_match "does, all of it" "$(sipward lockout list)" '^2001:db8:1:1::/64 +address +10 '
	check_eq "another /64 is another source" \
		"$(attempt "call other.example" 2001:db8:1:2::7 1)" 403
	check_exit "source-v6-bits is settable, and says what ends with it" 0 "note: .*end" \
		sipward settings source-v6-bits 56
	check_eq "lockouts of the former width end" "$(sipward lockout list | grep -c ^2001)" 0
	check_eq "half of the failures from one /64" \
		"$(attempt "call other.example" 2001:db8:1:100::7 5)" "$(times 5 403)"
	check_eq "half from another one of the same /56" \
		"$(attempt "call other.example" 2001:db8:1:1ff::7 6)" "$(times 5 403) -"
	check_match "lock out the /56" "$(sipward lockout list)" '^2001:db8:1:100::/56 +address +10 '
	check_eq "the neighbouring /56 is not" \
		"$(attempt "call other.example" 2001:db8:1:2::7 1)" 403
	check_exit "lockout clear takes the prefix as it is printed" 0 "" \
		sipward lockout clear 2001:db8:1:100::/56
	check_eq "and ends it" "$(attempt "call other.example" 2001:db8:1:100::7 1)" 403
	check_exit "but no other width" 2 "an address or its /56" \
		sipward lockout clear 2001:db8:1:100::/64
	check_exit "a width beyond a /64 is refused" 2 "" sipward settings source-v6-bits 65
}

# Who lets it through all the same: the daemon with lockout-action reject.
rejecting_answers_without_state() {
	local before
	fresh
	before=$(counted locked_out)
	set_to lockout-failures 2 lockout-action reject
	check_eq "lockout-action reject: 403 for all" \
		"$(attempt "call address.example" "$fresh" 4)" "403 403 403 403"
	check_eq "of which the daemon counts two as locked_out" "$(counted locked_out)" $((before + 2))
}

forged_packets_lock_out_strangers_only
hard_evidence_locks_out_the_listed_too
svcrack_is_locked_out_at_the_eleventh_guess
an_acl_does_not_end_a_lockout
refusals_and_wrong_passwords_share_the_counter
window_and_count_are_obeyed
repeat_offenders_are_locked_out_longer
ipv6_sources_are_prefixes
rejecting_answers_without_state
