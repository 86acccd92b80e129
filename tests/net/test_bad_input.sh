#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What no honest party sends to a whole gate, by UDP and by TCP.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" bad
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"
need python3

{
	sipward trunk create udp --domain udp.example --upstream sip:$pbx:5060
	sipward acl create office
	sipward acl add office $customer
	sipward trunk attach udp --acl office
	sipward settings lockout-failures 64
	sipward settings source-rate 100000
	sipward settings source-burst 10000
	sipward mode enforce
} >"$tmp/setup.log" 2>&1

cat >"$tmp/gate.conf" <<CONF
[sipwardd]
state = $state
pin_dir = $pin_dir
tcp_message_timeout = 3
CONF
start_in gate daemon "$sipwardd" --config "$tmp/gate.conf"
wait_for 5 logged '^info ready' || { cat "$tmp/setup.log" "$tmp/daemon.log"; exit 1; }

python3 tests/net/bad_cases.py --namespaces "$ns" --stranger $stranger || failures=1
check "all this was one daemon's" running daemon
check "which ends in order" stop daemon
