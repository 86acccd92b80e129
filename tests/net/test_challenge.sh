#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The filter answers first requests itself: clients as Debian ships them register and call, and the
# daemon never hears of a request without credentials.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" challenge
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

have() { # COMMAND: counts as skipped what needs it
	command -v "$1" >/dev/null || { skip "$1" "is not installed"; return 1; }
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --interface outside \
	--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --log-level debug
wait_for 5 logged '^info ready' || { cat "$tmp/daemon.log"; exit 1; }
{
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create default --domain '*' --upstream sip:$pbx:5060
	sipward trunk attach default --credentials phones
	sipward mode enforce
} >/dev/null 2>&1
start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -nostdin 10.9.0.1
wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"

calls() { # [OPTION...]
	in_ns customer sipp -sf $scenarios/call_digest.xml -i $customer -p 5062 -m 3 -nostdin \
		-s 1000 -key domain gate.example -au alice -ap $password -timeout 10 "$@" $gate
}

challenged_by_daemon() {
	grep -c '^debug challenged' "$tmp/daemon.log"
}

challenged_by_filter() { # COUNT: more than that
	[ "$(packets challenged)" -gt "$1" ]
}

# ---- a veth that may lose what is transmitted ----

check "auto: the daemon challenges on a veth, whose other end may have no program" calls
check_eq "and the filter does not" "$(packets challenged)" 0
check_match "status tells" "$(sipward status)" '^challenges +by the daemon'

# ---- by the filter ----

in_ns customer ip link set dev eth0 xdp obj "$BUILD/sipward.bpf.o" sec xdp ||
	skip_all "the other end of the veth takes no program"
change trunk set default --challenge filter
before=$(challenged_by_daemon)
check "sipp: calls through" calls
check "each was challenged by the filter" challenged_by_filter 2
check "which took the ACK for its answer" test "$(packets challenge_ack)" -gt 2
check_eq "the daemon challenged none" "$(challenged_by_daemon)" "$before"
check_match "status tells that too" "$(sipward status)" '^challenges +by the filter'
check_match "and doctor that the kernel takes it" "$(sipward doctor outside)" '^ok +challenges'
check_match "and explain" "$(sipward explain $customer)" 'challenge'

if have baresip; then
	seen=$(packets challenged)
	mkdir -p "$tmp/baresip"
	cat >"$tmp/baresip/config" <<-CONF
		sip_listen $customer:5062
		module_path /usr/lib/baresip/modules
		module g711.so
		module_tmp account.so
		module_app menu.so
	CONF
	echo "<sip:alice@$gate;transport=udp>;auth_user=alice;auth_pass=$password;regint=60" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	in_ns customer timeout 15 baresip -4 -f "$tmp/baresip" -e "/dial sip:1000@$gate" -t 4 \
		>"$tmp/baresip.log" 2>&1 </dev/null
	check "baresip: registers" grep -q '200 OK' "$tmp/baresip.log"
	check "baresip: calls" grep -q 'Call established' "$tmp/baresip.log"
	check "challenged by the filter" challenged_by_filter $((seen + 1))
fi

linphone_says() { # REGEX
	wait_for 15 grep -q "$1" "$tmp/linphone/log"
}

# It wants its database's directory and a route to the internet to start, no sound card.
if have linphonec; then
	seen=$(packets challenged)
	mkdir -p "$tmp/linphone/.local/share/linphone"
	mkfifo "$tmp/linphone/commands"
	cat >"$tmp/linphone/rc" <<-CONF
		[sip]
		sip_port=5062
		default_proxy=0
		[auth_info_0]
		username=alice
		passwd=$password
		realm=sip.example
		[proxy_0]
		reg_proxy=sip:$gate
		reg_identity=sip:alice@$gate
		reg_sendregister=1
	CONF
	in_ns customer ip route add default via $gate
	start_in customer linphone env HOME="$tmp/linphone" sh -c \
		"exec linphonec -c ~/rc -d 6 -l ~/log <~/commands"
	exec 5<>"$tmp/linphone/commands"
	check "linphone: registers" linphone_says LinphoneRegistrationOk
	echo "call sip:1000@$gate" >&5
	check "linphone: calls" linphone_says LinphoneCallStreamsRunning
	echo terminate >&5
	check "linphone: hangs up" linphone_says LinphoneCallReleased
	stop linphone
	check "challenged by the filter, for either" challenged_by_filter $((seen + 1))
fi

check_eq "still the daemon challenged none" "$(challenged_by_daemon)" "$before"

# Its request is smaller than the answer, for which a packet in a veth may have no room.
if have sipsak; then
	check "sipsak: registers, whoever challenges" in_ns customer timeout 15 sipsak -U \
		-H $customer -s sip:alice@$gate -u alice -a $password -x 60
fi

# ---- when it shall not ----

seen=$(packets challenged)
change trunk set default --challenge daemon
check "daemon: calls go on" calls
check_eq "without the filter" "$(packets challenged)" "$seen"
change trunk set default --challenge filter
change mode monitor
check "mode monitor: calls go on" calls
check "the filter counts what it would challenge" challenged_by_filter "$seen"
change mode enforce
stop daemon
seen=$(packets challenged)
check "a daemon that has stopped" quietly calls -max_invite_retrans 1
check_eq "challenges nobody by the filter" "$(packets challenged)" "$seen"
