# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # tests/net/lib.sh assigns
# What benches in shell share; sourced after tests/net/lib.sh. The gate and Kamailio stand side by
# side in the namespace "gate", at 10.9.0.1, ports 5060 and 5070.

row() { # name, value, unit, target, met
	local IFS=$'\t'
	echo "$*"
}

# The gate, with one trunk for all: alice from the prefix, by digest, to the upstream.
start_gate() { # PREFIX UPSTREAM
	mkdir -p "$tmp/state"
	sipward() { "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@" >/dev/null 2>&1; }
	sipward settings health-interval 0
	sipward credentials create users --realm gate.example
	echo Correct-Horse-7 | sipward user add users alice --password-stdin
	sipward acl create customers
	sipward acl add customers "$1"
	sipward trunk create main --domain '*' --upstream "$2"
	sipward trunk attach main --acl customers
	sipward trunk attach main --credentials users
	start_in gate sipwardd "$sipwardd" --state "$tmp/state" --pin-dir "$pin_dir" \
		--listen udp:10.9.0.1:5060 --log-level warning
	wait_for 5 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5060"
}

# Kamailio with one worker and the modules and routes from standard input. Fails, and says why, if
# it is not installed or does not start.
start_kamailio() { # OPTION...
	local modules
	if ! command -v kamailio >/dev/null; then
		echo "kamailio is not installed: no comparison (apt-get install kamailio)"
		return 1
	fi
	modules=$(dirname "$(dpkg -L kamailio | grep '/tm\.so$')")
	{
		printf '%s\n' children=1 auto_aliases=no log_stderror=yes debug=0 "mpath=\"$modules\"" \
			listen=udp:10.9.0.1:5070
		cat
	} >"$tmp/kamailio.cfg"
	start_in gate kamailio kamailio -f "$tmp/kamailio.cfg" -DD -E -Y "$tmp" -P "$tmp/kamailio.pid" "$@"
	wait_for 30 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5070" && return
	grep -iE "error|critical" "$tmp/kamailio.log" | head -n 5
	return 1
}
