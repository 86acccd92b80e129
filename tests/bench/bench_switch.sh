#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls by digest while the daemon changes from one large policy snapshot to the next.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/../net/lib.sh" switch
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/../net/gate.sh"
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
trunks=10000 prefixes=1000000 calls=1000 rate=100

# Each hundredth trunk has an ACL of its own; all of them together hold the prefixes.
python3 - "$trunks" "$prefixes" "$pbx" >"$tmp/gate.json" <<'EOF'
import json, sys
trunks, prefixes, pbx = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
acls = trunks // 100
each = prefixes // acls
document = {"sipward": {"version": 1}, "settings": {}, "acls": {}, "credentials": {}, "trunks": {}}
for i in range(acls):
    addresses = range(0x0b000000 + i * each, 0x0b000000 + (i + 1) * each)
    document["acls"][f"acl{i}"] = {"entries": [
        ".".join(str(a >> shift & 255) for shift in (24, 16, 8, 0)) for a in addresses]}
for i in range(trunks):
    document["trunks"][f"trunk{i}"] = {
        "domain": f"t{i}.example", "upstream": f"sip:{pbx}", "acls": [f"acl{i % acls}"]}
json.dump(document, sys.stdout)
EOF
{
	sipward apply "$tmp/gate.json"
	sipward settings health-interval 0
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward trunk create calls --domain calls.example --upstream sip:$pbx:5060
	sipward trunk attach calls --credentials phones
} >"$tmp/setup.log" 2>&1 || { cat "$tmp/setup.log"; exit 1; }
start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
	--listen "udp:$gate:5060" --listen udp:10.9.0.1:5060 --log-level info
wait_for 60 grep -q '^info ready' "$tmp/daemon.log" || { cat "$tmp/daemon.log"; exit 1; }

start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m $calls -nostdin -timeout 60 10.9.0.1
wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
start_in customer caller sipp -sf $scenarios/call_digest.xml -i $customer -p 5062 -m $calls \
	-r $rate -nostdin -s 1000 -key domain calls.example -au alice -ap $password -timeout 60 \
	-trace_stat -stf "$tmp/stat" -fd 60 $gate
seconds=1800
while running caller; do
	seconds=$((seconds + 1))
	sipward settings proven-duration $seconds >/dev/null 2>&1
	wait_for 10 eval "grep -c '^info policy' $tmp/daemon.log | grep -qx $((seconds - 1800))"
done
wait "${started[caller]}"
lost=$(awk -F';' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "FailedCall(C)") column = i }
	END { print column ? $column : "?" }' "$tmp/stat")
again=$(awk -F';' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "Retransmissions(C)") column = i }
	END { print column ? $column : "?" }' "$tmp/stat")
switches=$(grep -c '^info policy' "$tmp/daemon.log")
row "switches of a snapshot of $trunks trunks, $prefixes prefixes, meanwhile" "$switches" - - -
row "calls lost of $calls, at $rate a second" "$lost" calls "<= 0" \
	"$([ "$lost" = 0 ] && echo ok || echo MISSED)"
row "messages that sipp had to repeat" "$again" - - -
