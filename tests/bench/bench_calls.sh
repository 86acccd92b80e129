#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# CPU time of an authenticated, forwarded, answered and ended call: INVITE, 407, ACK, INVITE with
# digest, 180, 200, ACK, BYE, 200, by real sipp on both sides; beside Kamailio, stateful, with the
# same rules (permissions, auth with nonce_count, record_route, t_relay), where it is installed.
. "$(dirname "$0")/../net/lib.sh" benchcalls
need_root
need_bpffs
need sipp
calls=${BENCH_CALLS:-3000} rate=${BENCH_CALL_RATE:-150}

row() { # name, value, unit, target, met
	printf '%s\t%s\t%s\t%s\t%s\n' "$@"
}

ns_add out
ns_add gate
ns_add pbx
veth out eth0 10.9.0.2/24 gate eth0 10.9.0.1/24
veth gate inside 10.9.1.1/24 pbx eth0 10.9.1.2/24
in_ns out ip route add default via 10.9.0.1
in_ns pbx ip route add default via 10.9.1.1

# Of one or several processes, in clock ticks of 10 ms.
cpu_ms() {
	local pid
	for pid; do cat "/proc/$pid/stat"; done | awk '{ ms += ($14 + $15) * 10 } END { print ms }'
}

sipp_calls() { # port, calls
	in_ns out sipp "10.9.0.1:$1" -sf tests/net/sipp/call_digest.xml -i 10.9.0.2 -p 5062 \
		-s 100 -key domain gate.example -au alice -ap Correct-Horse-7 -m "$2" -r "$rate" \
		-l 500 -nostdin -timeout 120 >"$tmp/sipp.log" 2>&1
}

# Leaves us_each; fails if a call did.
measure() { # port, pids...
	local port=$1 cpu
	shift
	sipp_calls "$port" 100 || return 1
	cpu=$(cpu_ms "$@")
	sipp_calls "$port" "$calls" || return 1
	us_each=$(awk -v ms=$(($(cpu_ms "$@") - cpu)) -v n="$calls" 'BEGIN { printf "%.0f", ms * 1000 / n }')
}

mkdir -p "$tmp/state"
sipward() { "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@" >/dev/null 2>&1; }
sipward settings health-interval 0
sipward credentials create users --realm gate.example
echo Correct-Horse-7 | sipward user add users alice --password-stdin
sipward acl create customers
sipward acl add customers 10.9.0.0/24
sipward trunk create main --domain '*' --upstream sip:10.9.1.2:5060
sipward trunk attach main --acl customers
sipward trunk attach main --credentials users
start_in pbx pbx sipp -sf tests/net/sipp/pbx.xml -i 10.9.1.2 -p 5060 -nostdin
start_in gate sipwardd "$BUILD/sipwardd" --state "$tmp/state" --pin-dir "$pin_dir" \
	--listen udp:10.9.0.1:5060 --listen udp:10.9.1.1:5060 --log-level warning
wait_for 5 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5060" || exit 1
if ! measure 5060 "${started[sipwardd]}"; then
	echo "calls failed through sipwardd: $(tail -n 3 "$tmp/sipp.log")"
	exit 1
fi
ours=$us_each
row "authenticated, forwarded, answered call, sipwardd, CPU" "$ours" us - -
stop sipwardd

if ! command -v kamailio >/dev/null; then
	echo "kamailio is not installed: no comparison (apt-get install kamailio)"
	exit 0
fi
modules=$(dirname "$(dpkg -L kamailio | grep '/tm\.so$')")
printf '1 10.9.0.0 24\n' >"$tmp/address"
cat >"$tmp/kamailio.cfg" <<EOF
children=1
auto_aliases=no
log_stderror=yes
debug=0
mpath="$modules"
listen=udp:10.9.0.1:5070
listen=udp:10.9.1.1:5070
mhomed=1
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
start_in gate kamailio kamailio -f "$tmp/kamailio.cfg" -DD -E -m 64 -M 8 -Y "$tmp" -P "$tmp/kamailio.pid"
if ! wait_for 30 in_ns gate sh -c "ss -lun | grep -q 10.9.0.1:5070"; then
	grep -iE "error|critical" "$tmp/kamailio.log" | head -n 5
	exit 0
fi
# shellcheck disable=SC2046 # a list of processes
if ! measure 5070 $(pgrep -P "${started[kamailio]}"); then
	echo "calls failed through kamailio: $(tail -n 3 "$tmp/kamailio.log")"
	exit 0
fi
row "the same, Kamailio, stateful, one worker, CPU" "$us_each" us - -
row "Kamailio's CPU time a call, in sipwardd's" \
	"$(awk -v a="$us_each" -v b="$ours" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }')" times ">= 4" \
	"$(awk -v a="$us_each" -v b="$ours" 'BEGIN { print (a >= 4 * b ? "ok" : "MISSED") }')"
stop kamailio
