#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Two gates that face each other, each with the filter challenging: whatever is forged in the name of
# one and sent to the other has one answer at most, and nothing goes on between them.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" facing
need_root
need python3
need_bpffs
left=192.0.2.1 right=192.0.2.2

ns_add left
ns_add right
veth left eth0 $left/24 right eth0 $right/24
mkdir "$pin_dir"

sipward() { # SIDE ARGUMENT...
	local side=$1
	shift
	in_ns "$side" "$BUILD/sipward" --state "$tmp/$side" --pin-dir "$pin_dir/$side" "$@"
}

tidy() {
	sipward left detach eth0
	sipward right detach eth0
} >/dev/null 2>&1

challenges_itself() { # SIDE
	sipward "$1" status | grep -q '^challenges *by the filter'
}

gate_start() { # SIDE ADDRESS UPSTREAM
	{
		sipward "$1" settings health-interval 0
		sipward "$1" credentials create phones --realm sip.example
		sipward "$1" user add phones alice --password-stdin <<<Correct1Horse
		sipward "$1" trunk create default --domain '*' --upstream "sip:$3"
		sipward "$1" trunk attach default --credentials phones
		sipward "$1" trunk set default --challenge filter
		sipward "$1" mode enforce
	} >"$tmp/$1.setup" 2>&1
	start_in "$1" "$1" "$sipwardd" --state "$tmp/$1" --pin-dir "$pin_dir/$1" --interface eth0 \
		--listen "udp:$2:5060"
	wait_for 5 challenges_itself "$1" || { cat "$tmp/$1.log"; exit 1; }
}

# "MET CHALLENGED": packets to its SIP port that a gate has met, and those of them that its filter
# answered.
counted() { # SIDE
	sipward "$1" --json counters | python3 -c '
import json, sys
packets = {c["reason"]: c["packets"] for c in json.load(sys.stdin)["reasons"]}
print(sum(packets.values()) - packets["other"], packets["challenged"])'
}

met_more() { # SIDE COUNT
	local now
	now=$(counted "$1")
	[ "${now% *}" -gt "$2" ]
}

# The start line and To field decide what the message is; the rest makes it larger than its answer.
message() { # START-LINE CSEQ-METHOD TO [FIELD]
	printf '%s\r\n' "$1" "Via: SIP/2.0/UDP $left:5060;branch=z9hG4bK-$RANDOM;rport" \
		"From: <sip:alice@$left>;tag=a$RANDOM" "To: $3" "Call-ID: $RANDOM-$RANDOM@$left" \
		"CSeq: 1 $2" "X-Long: $(printf '%0400d' 0)" ${4:+"$4"} ""
}

# Sends standard input to the right gate's side, whoever it shall come from.
forge() { # SOURCE DESTINATION
	in_ns left python3 -c '
import socket, struct, sys
source, destination, text = *map(socket.inet_aton, sys.argv[1:]), sys.stdin.buffer.read()
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
s.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, source,
                     destination) +
         struct.pack("!HHHH", 5060, 5060, 8 + len(text), 0) + text, (sys.argv[2], 0))' "$1" "$2"
}

# One message from standard input. Leaves what came of it: packets that the right gate met, those that
# came back, challenges by either.
exchange() { # SOURCE DESTINATION
	local left_before right_before left_after right_after
	left_before=$(counted left) right_before=$(counted right)
	forge "$1" "$2"
	wait_for 5 met_more right "${right_before% *}"
	sleep 0.2
	left_after=$(counted left) right_after=$(counted right)
	there=$((${right_after% *} - ${right_before% *}))
	back=$((${left_after% *} - ${left_before% *}))
	challenges=$((${left_after#* } + ${right_after#* } - ${left_before#* } - ${right_before#* }))
}

# The message goes one way, one packet at most the other.
ends() { # CHALLENGES NAME, message on standard input
	exchange $left $right
	check_eq "$2: nothing follows it" "$there" 1
	check "$2: one answer at most" [ "$back" -le 1 ]
	check_eq "$2: challenges by the filter" "$challenges" "$1"
}

unanswered() { # NAME SOURCE DESTINATION
	exchange "$2" "$3" < <(message "INVITE sip:1@$right SIP/2.0" INVITE "<sip:1@$right>")
	check_eq "$1: nothing comes of it" "$there back $back challenges $challenges" "1 back 0 challenges 0"
}

requests_end() { # CHALLENGES
	local method
	for method in INVITE REGISTER MESSAGE; do
		ends "$1" $method < <(message "$method sip:1@$right SIP/2.0" $method "<sip:1@$right>")
	done
}

gate_start left $left 198.51.100.1
gate_start right $right 198.51.100.1

# ---- neither has heard of the other ----

requests_end 1
ends 0 "an answered challenge" < <(message "INVITE sip:1@$right SIP/2.0" INVITE "<sip:1@$right>" \
	'Proxy-Authorization: Digest username="x"')
for method in ACK CANCEL OPTIONS; do
	ends 0 $method < <(message "$method sip:1@$right SIP/2.0" $method "<sip:1@$right>;tag=1")
done
for status in "100 Trying" "200 OK" "401 Unauthorized" "407 Proxy Authentication Required"; do
	ends 0 "$status" < <(message "SIP/2.0 $status" INVITE "<sip:1@$right>;tag=1" \
		'Proxy-Authenticate: Digest realm="sip.example", nonce="1", qop="auth"')
done

# ---- addresses that nobody is answered at, or from ----

in_ns left ip route add 224.0.0.0/4 dev eth0
unanswered "the gate's own address as source" $right $right
unanswered "broadcast as source" 192.0.2.255 $right
unanswered "multicast as source" 224.0.0.1 $right
unanswered "to broadcast" $left 192.0.2.255
unanswered "to everybody" $left 255.255.255.255
unanswered "to multicast" $left 224.0.0.1

# ---- each lists the other, and either is the other's upstream ----

for side in left right; do
	sipward $side acl create gates
	sipward $side acl add gates $left $right
	sipward $side trunk attach default --acl gates
done >/dev/null 2>&1
requests_end 1
sipward left upstream add default sip:$right >/dev/null
sipward right upstream add default sip:$left >/dev/null
requests_end 0
