#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Host names in ACLs: what DNS says of them passes the filter, and what it no longer says does not.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" hosts
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need dnsmasq

gate6=2001:db8:5::1 customer6=2001:db8:5::2 guesser6=2001:db8:5::66
addr_add gate outside $gate6/64
addr_add customer eth0 $customer6/64
addr_add customer eth0 $guesser6/64

cat >"$tmp/sipward.conf" <<-CONF
	[sipwardd]
	interface = outside
	upstream = sip:$pbx:5060
	listen = udp:$gate:5060
	listen = udp:[$gate6]:5060
	dns_servers = 127.0.0.1
	dns_timeout = 500
CONF
export SIPWARD_CONFIG=$tmp/sipward.conf

daemon() {
	start_in gate daemon "$sipwardd" --config "$SIPWARD_CONFIG" --state "$state" \
		--pin-dir "$pin_dir"
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
}

dns() {
	start_in gate dns dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --user=root \
		--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \
		--addn-hosts="$tmp/names" --local=/example/ --local-ttl=1 \
		--srv-host=_sip._udp.example,sip.example,5060 \
		--srv-host=_sip._udp.example,other.example,5060
	wait_for 5 in_ns gate sh -c 'ss -Hlun | grep -q 127.0.0.1:53'
}

names() { # LINE...
	printf '%s\n' "$@" >"$tmp/names"
}

packets() { # REASON
	sipward --json counters | python3 -c "import json, sys
for c in json.load(sys.stdin)['reasons']:
    if c['reason'] == '$1': print(c['packets'])"
}

knock() { # ADDRESS
	local to=$gate
	[[ $1 != *:* ]] || to=$gate6
	in_ns customer python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 5099))
s.sendto(b"OPTIONS sip:gate SIP/2.0\r\n\r\n", (sys.argv[2], 5060))' "$1" "$to"
}

# A packet from there is counted under the reason.
judged() { # REASON ADDRESS
	local before
	before=$(packets "$1")
	knock "$2"
	[ "$(packets "$1")" -gt "$before" ]
}

logged() { # REGEX
	grep -qE "$1" "$tmp/daemon.log"
}

shown() { # REGEX
	sipward acl show office | grep -qE "$1"
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

names "$customer sip.example" "$customer6 sip.example" "$stranger other.example"
dns
daemon
{
	sipward acl create office
	sipward trunk attach default --acl office
	sipward mode enforce
} >/dev/null

check_match "a host name is resolved as it is added" "$(sipward acl add office sip.example)" \
	"^sip.example: $customer $customer6\$"
check "its IPv4 address passes the filter" judged listed $customer
check "its IPv6 address too" judged listed $customer6
check "another address does not" judged unlisted $guesser
check_match "the list counts it" "$(sipward acl list)" '^office +0 +1 +1'
check_exit "a mistyped address is no host name" 2 'not an IPv4 or IPv6 address' \
	sipward acl add office 192.0.2.300

names "$guesser sip.example" "$guesser6 sip.example" "$stranger other.example"
kill -HUP "${started[dns]}"
check "when the record has changed, the new address passes" \
	wait_for 9 shown "^ +$guesser\$"
check "and what came and went is told" \
	wait_for 2 logged "host_changed .*came=\"$guesser $guesser6\" went=\"$customer $customer6\""
check "in IPv4" judged listed $guesser
check "and IPv6" judged listed $guesser6
check "the old one does not" judged unlisted $customer
check "nor that of IPv6" judged unlisted $customer6

stop dns
check "while DNS fails a warning is logged" \
	wait_for 9 logged '^warning host_failed host=sip.example .*kept=2'
check "acl show tells the failure" shown 'failed: sip.example: .*; next try in'
check "the addresses are kept" judged listed $guesser
check_exit "acl refresh fails" 1 '1 of 1 host names could not be resolved' sipward acl refresh
check_match "a host can be added meanwhile" "$(sipward acl add office _sip._udp.example 2>&1)" \
	'note: _sip._udp.example is not resolved yet: .*; the daemon tries on'

names "$customer sip.example" "$stranger other.example"
dns
check "when DNS is back the daemon recovers" wait_for 14 logged 'host_recovered host=sip.example'
check_eq "the warning was logged once" "$(grep -c '^warning host_failed' "$tmp/daemon.log")" 1
check "the service's targets are resolved" wait_for 8 judged listed $stranger
check "the host's new address passes" judged listed $customer
check "the kept one does not any more" judged unlisted $guesser

stop daemon
names "$guesser sip.example"
kill -HUP "${started[dns]}"
sleep 0.1
check "without a daemon acl refresh does the same" sipward acl refresh office
check "so that the new address passes" judged listed $guesser
check "the old one does not" judged unlisted $customer
sipward acl remove office SIP.example. _sip._udp.example >/dev/null
check "with the host name its addresses go" judged unlisted $guesser
