#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Four workers, with and without steering: calls by UDP and TCP, what holds over all of them, overload,
# and a stop and start amid calls. Other tests run so with SIPWARD_WORKERS=4 SIPWARD_STEERING=no.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" workers
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

# Options come last: they count over those of SIPWARD_WORKERS.
daemon() { # STEERING [OPTION...]
	start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" --listen udp:$gate:5060 \
		--listen udp:10.9.0.1:5060 --listen tcp:$gate:5060 --log-level debug --workers 4 \
		--steering "$@"
	wait_for 5 logged '^info ready .*workers=4' || { cat "$tmp/daemon.log"; exit 1; }
}

{
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward trunk create few --domain few.example --upstream sip:$pbx:5060 --calls 5
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk attach digest --credentials phones
	sipward acl create office
	sipward acl add office $customer
	sipward trunk attach few --acl office
	sipward settings source-rate 100000
	sipward settings source-burst 10000
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }

pbx() { # SCENARIO [OPTION...]
	local scenario=$1
	shift
	start_in pbx pbx sipp -sf "$scenarios/$scenario.xml" -i $pbx -p 5060 -nostdin -timeout 60 "$@" 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}
customer() { # SCENARIO DOMAIN [OPTION...]
	local scenario=$1 domain=$2
	shift 2
	in_ns customer sipp -sf "$scenarios/$scenario.xml" -i $customer -p 5062 -nostdin -s 1000 \
		-key domain "$domain" -au alice -ap $password -timeout 30 "$@" $gate
}
calls() { # COUNT [OPTION...]
	pbx pbx -m "$1" && customer call_digest digest.example -m "$@" && wait "${started[pbx]}"
}
# Of the daemon's counters.
counter() { # NAME
	sipward --json status | python3 -c "import json, sys
print(json.load(sys.stdin)['daemon_status']['proxy']['$1'])"
}
at_least() { # NUMBER NAME
	[ "$(counter "$2")" -ge "$1" ]
}

for steering in no yes; do
	daemon $steering
	case=", steering $steering"
	check_eq "four sockets an address$case" \
		"$(in_ns gate ss -Hlnut "src $gate:5060" | awk '{ print $1 }' | sort | uniq -c | tr -s ' \n' ' ')" " 4 tcp 4 udp "
	for workers in 1 4; do
		check_exit "a daemon with $workers workers that wants the same port is refused$case" 3 \
			'another program has this port' in_ns gate "$sipwardd" --state "$tmp/other" \
			--pin-dir "$pin_dir" --workers $workers --listen udp:$gate:5060
		check_exit "and the same TCP port$case" 3 'another program has this port' in_ns gate \
			"$sipwardd" --state "$tmp/other" --pin-dir "$pin_dir" --workers $workers \
			--listen tcp:$gate:5060
	done
	check "100 calls by digest$case" calls 100 -r 100
	check_eq "each forwarded once$case" "$(counter forwarded)" 100
	passed=$(counter passed_on)
	if [ $steering = no ]; then
		check "packets of one source go to their workers" [ "$passed" -ge 100 ]
	else
		check "the kernel has found the worker of nearly all" [ "$passed" -le 20 ]
	fi
	check "40 calls over one connection, which one worker has$case" calls 40 -r 100 -t t1
	check "and over one connection a call$case" calls 20 -r 100 -t tn -max_socket 100
	check_eq "no mailbox was full$case" "$(counter not_passed_on)" 0

	# Twelve at once, of which five may be.
	pbx pbx -m 12
	customer call few.example -m 12 -r 1000 >/dev/null 2>&1
	check_eq "a limit of calls holds over all workers$case" "$(counter too_many_calls)" 7
	stop pbx KILL
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		customer call_wrong digest.example -m 1 -i $guesser -p 5066 -ap Wrong1Password >/dev/null 2>&1
	done
	check_match "ten guesses lock a source out whoever reads them$case" "$(cat "$tmp/daemon.log")" \
		"^info locked_out source=$guesser"
	sipward lockout clear $guesser >/dev/null

	# A call over a stop and a start.
	pbx pbx -m 4
	before=$(counter dialog_forwarded)
	start_in customer caller sipp -sf $scenarios/call_long.xml -i $customer -p 5062 -m 4 -r 100 -nostdin \
		-s 1000 -key domain digest.example -au alice -ap $password -timeout 30 $gate
	wait_for 5 at_least $((before + 4)) dialog_forwarded
	check_eq "all workers' calls are listed$case" "$(sipward --json calls --active | wc -l)" 4
	check "the daemon stops while calls are up$case" stop daemon
	daemon $steering
	check "calls outlive that$case" wait "${started[caller]}"
	check "and end at the far side$case" wait "${started[pbx]}"
	check "the daemon ends in order$case" stop daemon
done

# ---- draining ----

daemon no
pbx pbx_slow -m 1
start_in customer caller sipp -sf $scenarios/call.xml -i $customer -p 5062 -m 1 -nostdin -s 1000 \
	-key domain few.example -timeout 30 $gate
wait_for 5 logged 'forwarded source='
kill -TERM "${started[daemon]}"
wait_for 5 logged '^info stopping'
customer call few.example -m 1 -p 5068 -trace_msg -message_file "$tmp/late.trace" >/dev/null 2>&1
check_match "a call that comes during a stop is refused" "$(cat "$tmp/late.trace")" 'SIP/2.0 503'
check_match "and may come again" "$(cat "$tmp/late.trace")" 'Retry-After: [0-9]'
wait "${started[daemon]}"
check_eq "the daemon stops in order" $? 0
check_eq "all is answered by then" "$(grep -c not_drained "$tmp/daemon.log")" 0
daemon no
check "the call that rang goes on" wait "${started[caller]}"
check "to its end" wait "${started[pbx]}"

# ---- overload ----

change settings overload-backlog 50
pbx pbx -m 1
before=$(counter dialog_forwarded) # by the calls above
start_in customer caller sipp -sf $scenarios/call_long.xml -i $customer -p 5062 -m 1 -nostdin \
	-s 1000 -key domain digest.example -au alice -ap $password -timeout 60 \
	-max_non_invite_retrans 50 $gate
wait_for 5 at_least $((before + 1)) dialog_forwarded
kill -STOP "${started[daemon]}"
start_in customer flood sipp -sf $scenarios/call_challenged.xml -i $customer -p 5069 -nostdin -s 1000 \
	-key domain digest.example -r 3000 -l 3000 $gate
wait_for 5 in_ns gate sh -c "ss -Hlun 'sport = 5060' | awk '\$2 > 1000000 { n++ } END { exit !n }'"
stop flood KILL
kill -CONT "${started[daemon]}"
check "too much at once is refused" wait_for 5 at_least 1 overloaded
check "calls in progress go on" wait "${started[caller]}"
check "to their end" wait "${started[pbx]}"
check "later all is as ever" calls 5
