# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # tests/net/lib.sh assigns
# What benches in shell share; sourced after tests/net/lib.sh. The gate and Kamailio stand side by
# side in the namespace "gate", at 10.9.0.1, ports 5060 and 5070.

row() { # name, value, unit, target, met
	local IFS=$'\t'
	echo "$*"
}

# A caller outside, the gate, a PBX inside.
make_lab() {
	ns_add out
	ns_add gate
	ns_add pbx
	veth out eth0 10.9.0.2/24 gate eth0 10.9.0.1/24
	veth gate inside 10.9.1.1/24 pbx eth0 10.9.1.2/24
	in_ns out ip route add default via 10.9.0.1
	in_ns pbx ip route add default via 10.9.1.1
}

# The gate, with one trunk for all: alice from the prefix, by digest, to the upstream.
start_gate() { # PREFIX UPSTREAM [OPTION...]
	local prefix=$1 upstream=$2
	shift 2
	mkdir -p "$tmp/state"
	sipward() { "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@" >/dev/null 2>&1; }
	sipward settings health-interval 0
	sipward credentials create users --realm gate.example
	echo Correct-Horse-7 | sipward user add users alice --password-stdin
	sipward acl create customers
	sipward acl add customers "$prefix"
	sipward trunk create main --domain '*' --upstream "$upstream"
	sipward trunk attach main --acl customers
	sipward trunk attach main --credentials users
	start_in gate sipwardd "$sipwardd" --state "$tmp/state" --pin-dir "$pin_dir" \
		--listen udp:10.9.0.1:5060 --log-level warning "$@"
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

# The rules of the gate as a Kamailio script, stateful: alice from the prefixes, by digest with
# nonce_count, to the upstream 10.9.1.2, with Record-Route.
start_stateful_kamailio() { # PREFIX...
	printf '1 %s\n' "${@//\// }" >"$tmp/address"
	start_kamailio -m 1024 -M 16 <<EOF
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "permissions.so"
loadmodule "auth.so"
modparam("permissions", "address_file", "$tmp/address")
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "nid_pool_no", 1)
request_route {
	if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (has_totag()) {
		if (loose_route()) { t_relay(); exit; }
		if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
		sl_send_reply("404", "Not here"); exit;
	}
	if (is_method("ACK")) { t_check_trans(); exit; }
	if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
	t_check_trans();
	if (!allow_source_address("1")) { sl_send_reply("403", "Forbidden"); exit; }
	if (!pv_proxy_authenticate("gate.example", "Correct-Horse-7", "0")) {
		auth_challenge("gate.example", "1");
		exit;
	}
	consume_credentials();
	if (is_method("INVITE|SUBSCRIBE")) record_route();
	\$du = "sip:10.9.1.2:5060";
	if (!t_relay()) sl_reply_error();
}
EOF
}
