#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench-flood`: authenticated calls a second while forged INVITEs come in at a fixed rate, from
# addresses that nobody listed and from listed ones, for sipward, for Kamailio and for Kamailio
# behind an nftables set; and for sipward where no address is listed. All of it stands in
# $BUILD/flood: flood.md, flood.svg, flood.png.
. "$(dirname "$0")/../net/lib.sh" benchflood
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
need_root
need_bpffs
need gnuplot kamailio nft
rates=${BENCH_RATES:-100000 250000 500000 1000000 2000000}
rounds=${BENCH_ROUNDS:-3} at_once=32 idle=3
listed=198.18.0.0/15
flood_cpu=0 calls_cpu=1
[ "$(getconf _NPROCESSORS_ONLN)" -ge 2 ] || skip_all "the flood needs a CPU of its own"

# The script and all it starts, but for the flood.
taskset -cp $calls_cpu $$ >/dev/null
out=$BUILD/flood
mkdir -p "$out"

make_lab
in_ns gate ip route add default via 10.9.0.2
# Forged sources are nowhere. A veth takes frames only if its other end makes packets of them.
in_ns out ip link set dev eth0 xdp obj "$BUILD/tests/bench/flood.bpf.o" program internet || exit 1
in_ns gate ethtool -K eth0 gro on
mac=$(in_ns gate ip -br link show dev eth0 | awk '{ print $3 }')

start_in pbx pbx "$BUILD/tests/tools/sipcalls" answer 10.9.1.2:5060
start_gate 10.9.0.0/24 sip:10.9.1.2:5060 --interface eth0 --workers 1 || exit 1
sipward acl add customers $listed
sipward trunk set main --challenge filter
sipward mode enforce
start_stateful_kamailio 10.9.0.0/24 $listed || exit 1

# ---- what is measured, one before each of the servers ----

gate_cli() { in_ns gate "$BUILD/sipward" --state "$tmp/state" --pin-dir "$pin_dir" "$@"; }
put_sipward() { gate_cli attach eth0 && wait_for 10 is_challenging; }
is_challenging() { gate_cli status | grep -q '^challenges by the filter'; }
take_sipward() { gate_cli detach eth0; }
put_open() { sipward trunk detach main --acl customers && put_sipward; }
take_open() { take_sipward && sipward trunk attach main --acl customers; }
put_kamailio() { :; }
take_kamailio() { :; }
put_nftables() {
	in_ns gate nft -f - <<-RULES
		table netdev gate {
			set listed { type ipv4_addr; flags interval; elements = { 10.9.0.0/24, $listed } }
			chain ingress {
				type filter hook ingress device eth0 priority 0; policy accept;
				udp dport 5070 ip saddr != @listed counter drop
			}
		}
	RULES
}
take_nftables() { in_ns gate nft delete table netdev gate; }

port_of() { case $1 in sipward | open) echo 5060 ;; *) echo 5070 ;; esac }

# ---- one cell of the table ----

call_for() { # SECONDSs CALLS_AT_A_TIME: of the server at $port, how many a second
	in_ns out "$BUILD/tests/tools/sipcalls" call 10.9.0.2:5062 "10.9.0.1:$port" alice \
		Correct-Horse-7 "$1" "$2" 2>&1 | awk '/a second/ { print $(NF - 2) }'
}

# "calls a second before the flood, in it, frames a second"
measure() { # WHO random|listed RATE
	local before during sources=()
	port=$(port_of "$1")
	[ "$2" = random ] || sources=("$listed")
	"put_$1" >/dev/null 2>&1
	start_in out flood taskset -c $flood_cpu "$BUILD/tests/tools/xdpflood" eth0 "$mac" \
		"10.9.0.1:$port" "$3" $idle 2 "${sources[@]}"
	begin=${EPOCHREALTIME/./}
	call_for 1s 1 >/dev/null # where nobody is listed, the first call proves the source
	before=$(call_for 1s $at_once)
	sleep "$(((idle * 1000000 + 300000 + begin - ${EPOCHREALTIME/./}) / 1000))e-3"
	during=$(call_for 1s $at_once)
	wait "${started[flood]}"
	unset "started[flood]"
	"take_$1" >/dev/null 2>&1
	echo "$before $during $(awk '/a second/ { print $(NF - 2) }' "$tmp/flood.log")"
}

# Lines "rate kind who", and what was measured.
rm -f "$out/cells.new"
for ((round = 0; round < rounds; round++)); do
	for rate in $rates; do
		for column in random\ {sipward,kamailio,nftables} listed\ {sipward,kamailio,nftables} \
			random\ open; do
			read -r kind who <<<"$column"
			echo "$rate $kind $who $(measure "$who" "$kind" "$rate")" | tee -a "$out/cells.new"
		done
	done
done
mv "$out/cells.new" "$out/cells"

# ---- table and plot ----

# Of each column the most calls at a rate, the machine being shared, the median of what is kept of
# those before, in percent, and the mean of frames: "rate, calls..., kept..., frames...".
sort -n "$out/cells" | awk -v OFS='\t' '
	function median(id, i, j, x) {
		for (i = 2; i <= n[id]; i++)
			for (j = i; j > 1 && kept[id, j - 1] > kept[id, j]; j--) {
				x = kept[id, j]; kept[id, j] = kept[id, j - 1]; kept[id, j - 1] = x
			}
		return kept[id, int((n[id] + 1) / 2)]
	}
	{ which = $2 " " $3; id = $1 " " which; kept[id, ++n[id]] = 100 * $5 / $4; frames[id] += $6
	  if ($4 > most["0 " which]) most["0 " which] = $4
	  if ($5 > most[id]) most[id] = $5
	  if (!($1 in seen)) { seen[$1] = 1; rate[++rates] = $1 } }
	END {
		columns = split("random sipward,random kamailio,random nftables,listed sipward," \
			"listed kamailio,listed nftables,random open", column, ",")
		for (r = 0; r <= rates; r++) {
			line = rate[r] / 1e6; share = ""; held = ""
			for (c = 1; c <= columns; c++) {
				id = rate[r] + 0 " " column[c]
				line = line OFS most[id] + 0
				share = share OFS (r ? sprintf("%.0f", median(id)) : 100)
				held = held OFS (r ? sprintf("%.2f", frames[id] / n[id] / 1e6) : 0)
			}
			print line share held
		}
	}' >"$out/best.tsv"

plot() { # TERMINAL FILE
	gnuplot <<-PLOT
		set terminal $1
		set output "$out/$2"
		set multiplot layout 1,2
		set style data linespoints
		set key outside bottom center horizontal
		set grid
		set xlabel "forged INVITEs, million a second"
		set ylabel "authenticated calls a second"
		set yrange [0:*]
		do for [side = 0:1] {
			set title side ? "forged sources are listed ones" : "forged sources are random"
			plot for [who = 1:3] "$out/best.tsv" using 1:(column(1 + who + 3 * side)) \\
				title word("sipward Kamailio Kamailio+nftables", who) linewidth 2, \\
				"$out/best.tsv" using 1:(side ? NaN : column(8)) \\
				title side ? "" : "sipward,open" linewidth 2
		}
	PLOT
}
plot "svg size 900,400 background rgb 'white'" flood.svg
plot "pngcairo size 1350,600" flood.png

{
	cat <<-PAGE
		# Calls under a flood

		Written on $(date +%F) by \`apt-get install kamailio gnuplot-nox && make bench-flood\`; \`cp build/flood/flood.* docs/\` renews this page.

		![calls a second against forged INVITEs a second](flood.svg)

		Authenticated calls a second (INVITE, 407, ACK, INVITE with digest, 100, 180, 200, ACK, BYE, 200;
		$at_once at a time, as fast as they go) while forged INVITEs of $(awk '{ print $4 }' "$tmp/flood.log") bytes come in through the same interface.
		All have the same rules: an ACL, then digest. Each cell is measured for a second just before the flood and for one in it, in
		$rounds rounds: the most calls of all rounds, and the median of what the flood leaves of those before.

		| forged, Mpps | sipward | Kamailio | Kamailio, nftables set | listed: sipward | Kamailio | Kamailio, nftables set | open: sipward |
		| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
	PAGE
	awk -F'\t' '{
		printf "| %s |", $1
		for (i = 2; i <= 8; i++) printf " %d, %d %%%s |", $i, $(i + 7), $(i + 14) < 0.97 * $1 ? " (" $(i + 14) ")" : ""
		print ""
	}' "$out/best.tsv"
	cat <<-PAGE

		- listed: the forged sources are addresses that the ACL lists. An address set lets them all through; sipward's filter
		  challenges them.
		- open: the trunk has no ACL and asks for digest alone. The filter challenges what it has the time for, and lets pass who
		  brings the nonce back. An address set has nothing to offer here; for Kamailio it is as with listed sources.
		- Where calls are lost to listed sources or strangers, the flood's CPU has no time left: it makes each frame, challenges it
		  and takes in the answer, some 2 µs together, and what does not fit in the veth's one queue is lost, calls among it.
		- 0: the source runs, and sends nothing yet. In brackets: the rate, where the source could not hold that of its row.

		- Machine: $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(getconf _NPROCESSORS_ONLN) CPUs, Linux $(uname -r), one
		  veth with one queue between the internet and the gate.
		- The flood is made on CPU $flood_cpu, whose softirqs also receive it; caller, gate (one worker) and PBX share CPU $calls_cpu.
		- Kamailio $(kamailio -v | awk 'NR == 1 { print $3 }'), one worker, permissions, auth, tm, rr: \`start_stateful_kamailio\` in \`tests/bench/lib.sh\`.
		- nftables: a set of the listed prefixes, drop in the netdev ingress hook of the interface.
		- Source: \`tests/tools/xdpflood\`, frames made by BPF_PROG_RUN; caller and PBX: \`tests/tools/sipcalls\`.
	PAGE
} >"$out/flood.md"
sed -n '/^|/p' "$out/flood.md"
