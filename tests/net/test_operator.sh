#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What an operator meets on a bad day, provoked for real: each trouble has a clear sentence and the
# exit code the manual gives it, nothing is lost or half-applied, and what heals it is said.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" oper
need_root
need_bpffs
need ip nsenter unshare setpriv python3

ns_add gate
ns_add peer

link_up() {
	veth gate eth0 192.0.2.1/24 peer eth0 192.0.2.2/24
}
link_up || skip_all "no veth"

state=$tmp/state
cli() { in_ns gate "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" "$@"; }

# Without any configuration file of this machine.
daemon=("$sipwardd" --config /dev/null --state "$state" --pin-dir "$pin_dir")
once() { in_ns gate timeout -k 5 10 "${daemon[@]}" "$@"; }

# A value of the command's JSON, by a Python expression over `it`.
value() { # EXPRESSION COMMAND...
	local expression=$1
	shift
	cli --json "$@" | python3 -c "import json,sys; it=json.load(sys.stdin); print($expression)"
}

logged() { # NAME REGEX
	grep -qE -- "$2" "$tmp/$1.log"
}

serve() { # NAME [OPTION...]
	local name=$1
	shift
	start_in gate "$name" "${daemon[@]}" "$@"
	wait_for 10 logged "$name" '^info ready'
}

# The daemon answers OPTIONS of a listed source with 200, and so tells that it lives and decides.
options() { # SOURCE
	in_ns peer python3 - "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind((sys.argv[1], 0))
		s.settimeout(3)
		port = s.getsockname()[1]
		s.sendto((f"OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
		          f"Via: SIP/2.0/UDP {sys.argv[1]}:{port};branch=z9hG4bK{port}\r\n"
		          f"From: <sip:a@peer>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: {port}\r\n"
		          f"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(),
		         ("192.0.2.1", 5060))
		print(s.recv(2000).split(b"\r\n")[0].decode())
	END
}

prefixes() { # COUNT
	python3 -c "for i in range($1): print(f'10.{i >> 16}.{i >> 8 & 255}.{i & 255}')"
}

full_disk() {
	local disk=$tmp/disk
	mkdir "$disk"
	mount -t tmpfs -o size=600k none "$disk" || {
		skip "a full disk" "no tmpfs"
		return
	}
	mkdir "$disk/state"
	prefixes 60000 >"$tmp/many"
	local state=$disk/state
	cli attach eth0 >/dev/null 2>&1
	cli acl create office >/dev/null
	check_exit "a full disk is told" 1 "^sipward: $disk/state/sipward.db: the disk is full$" \
		cli acl import office "$tmp/many"
	check_eq "and nothing of the import is there" "$(value "it['prefixes']" status)" 0
	check_exit "once there is room changes are taken" 0 "ACL office: 1 added" \
		cli acl add office 192.0.2.2
	head -c 1M /dev/zero >"$disk/filler" 2>/dev/null
	check_exit "with no room left status tells what the filter does all the same" 1 \
		"the disk is full.*eth0: native.*mode +monitor" cli status
	check_exit "and the filter can be taken off" 0 "detached from eth0" cli detach eth0
	check_exit "a daemon says why it does not start" 1 'error="[^"]*: the disk is full"' \
		in_ns gate timeout -k 5 10 "$sipwardd" --config /dev/null --state "$disk/new" \
		--pin-dir "$pin_dir"
	rm "$disk/filler"
	check_eq "what was stored is still there" "$(value "len(it['entries'])" acl show office)" 1
	umount "$disk"
}

# Runs a command where /sys can be changed and nobody else sees it; first SETUP is done there.
own_sys() { # SETUP COMMAND...
	unshare --mount --propagation unchanged \
		bash -c 'mount --make-rprivate /sys && eval "$1" && shift && exec "$@"' own_sys "$@"
}

bpffs_missing() {
	# A mount namespace of its own, whose bpffs is gone.
	bare() { own_sys 'umount -l /sys/fs/bpf' "$@"; }
	local run=(nsenter --net="/run/netns/$ns-gate")
	check_exit "a missing bpffs is mounted" 0 "attached to eth0.*detached from eth0" \
		bare "${run[@]}" sh -c "'$BUILD/sipward' --state '$state' --pin-dir '$pin_dir' attach eth0
			'$BUILD/sipward' --state '$state' --pin-dir '$pin_dir' detach eth0"
	check_exit "where that is not allowed, what to do is said" 5 \
		"no bpffs on /sys/fs/bpf.*mount -t bpf bpf /sys/fs/bpf|CAP_SYS_ADMIN" \
		bare "${run[@]}" setpriv --bounding-set=-sys_admin "$BUILD/sipward" \
		--state "$state" --pin-dir "$pin_dir" attach eth0
	check_exit "doctor names the mending command" 1 "mend: mount -t bpf bpf /sys/fs/bpf" \
		bare "${run[@]}" "$BUILD/sipward" --pin-dir "$pin_dir" doctor eth0
	check_exit "a pin directory elsewhere is refused" 3 "$tmp is not on a bpffs" \
		in_ns gate "$BUILD/sipward" --state "$state" --pin-dir "$tmp/pins" attach eth0
	check_eq "and nothing is attached" "$(value "len(it['attachments'])" status)" 0
}

# Runs a command with no capabilities but those named, as the service does.
with_caps() { # cap,cap,... COMMAND...
	local caps=$1
	shift
	in_ns gate setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,+${caps//,/,+}" "$@"
}

capabilities() {
	local service caps cli=("$BUILD/sipward" --state "$state" --pin-dir "$pin_dir")
	service=$(sed -n 's/^CapabilityBoundingSet=//p' dist/sipward.service)
	caps=$(tr 'A-Z ' 'a-z,' <<<"${service//CAP_/}")
	check_exit "without capabilities attaching says which are missing" 5 \
		"attaching needs root, or the capabilities it lacks: CAP_NET_ADMIN and CAP_SYS_ADMIN" \
		in_ns gate setpriv --bounding-set=-all "${cli[@]}" attach eth0
	check_exit "CAP_BPF and CAP_PERFMON do not suffice" 5 "it lacks: CAP_SYS_ADMIN" \
		with_caps bpf,perfmon,net_admin "${cli[@]}" attach eth0
	check_exit "nor does it without CAP_NET_ADMIN" 5 "it lacks: CAP_NET_ADMIN$" \
		with_caps sys_admin "${cli[@]}" attach eth0
	check_exit "a daemon without them does not start" 1 "the capabilities it lacks" \
		with_caps bpf,perfmon,net_admin timeout 10 "${daemon[@]}" --interface eth0
	check_eq "and nothing is attached" "$(value "len(it['attachments'])" status)" 0
	check_exit "an ordinary user is told" 5 "Permission denied|CAP_NET_ADMIN" \
		in_ns gate setpriv --reuid=65534 --regid=65534 --clear-groups "${cli[@]}" attach eth0
	check_exit "and status claims nothing that it can not know" 5 \
		"takes root.*can not be told|Permission denied" \
		in_ns gate setpriv --reuid=65534 --regid=65534 --clear-groups "${cli[@]}" status

	# The unit's set, its read-only /sys and its no-new-privileges do.
	start_in gate unit unshare --mount --propagation unchanged bash -c \
		'mount --make-rprivate /sys && mount -o remount,bind,ro /sys && exec "$@"' unit \
		setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,+${caps//,/,+}" \
		"${daemon[@]}" --interface eth0 --listen udp:192.0.2.1:700
	check "with the capabilities of the systemd unit it attaches and serves" \
		wait_for 10 logged unit '^info ready'
	check "and follows the store" cli acl create unit
	cli acl delete unit >/dev/null
	running unit || not_ok "it goes on" "it ended"
	check_exit "status without privileges tells what it can" 5 "takes root.*daemon +running" \
		in_ns gate setpriv --bounding-set=-all "${cli[@]}" status
	stop unit
	cli detach eth0 >/dev/null
}

foreign_program() {
	if ! command -v xdp-loader >/dev/null || ! command -v clang >/dev/null; then
		skip "a foreign program" "no xdp-loader or clang"
		return
	fi
	printf '%s\n' '__attribute__((section("xdp"), used)) int other(void *c) { return 2; }' \
		'char l[] __attribute__((section("license"), used)) = "GPL";' >"$tmp/other.c"
	if ! clang -target bpf -O2 -g -c "$tmp/other.c" -o "$tmp/other.o" ||
		! in_ns gate xdp-loader load eth0 "$tmp/other.o"; then
		skip "a foreign program" "xdp-loader can not load one here"
		return
	fi
	local before
	before=$(in_ns gate ip -d link show eth0 | grep -o 'prog/xdp.*')
	if [[ $before == *dispatcher* ]]; then
		check_exit "the filter goes beside another program" 0 "beside others" cli attach eth0
		cli detach eth0 >/dev/null
	else
		check_exit "a program that takes none beside it is named" 4 \
			'holds another XDP program, "other" .id [0-9]+.*ip link set dev eth0 xdp off' \
			cli attach eth0
		check_exit "also with --replace" 4 'another XDP program, "other"' \
			cli attach eth0 --replace
		check_exit "the daemon says so" 3 'another XDP program' once --interface eth0
		check_eq "and it stays untouched" \
			"$(in_ns gate ip -d link show eth0 | grep -o 'prog/xdp.*')" "$before"
		check "no pins are left" test ! -e "$pin_dir"
	fi
	in_ns gate xdp-loader unload eth0 --all
}

configuration() {
	local conf=$tmp/c.conf
	local with=("$sipwardd" --state "$state" --pin-dir "$pin_dir" --config "$conf")
	refused() { # NAME REGEX CONTENT
		printf '%b' "$3" >"$conf"
		check_exit "$1" 2 "c\.conf$2" in_ns gate timeout 10 "${with[@]}"
	}
	refused "an unknown key" ":2: unknown key 'colour': there are interface, upstream" \
		'[sipwardd]\ncolour = red\n'
	refused "a key in another section" ":2: key 'state' is in section \[x\]" '[x]\nstate = /s\n'
	refused "a key in no section" ":1: key 'state' stands before the line \[sipwardd\]" \
		'state = /s\n'
	refused "a line that is neither" ":2: not a \[section\] or a key = value" '[sipwardd]\nstate\n'
	refused "the first of two errors is told" ":1: not a \[section\]" '[sipwardd\nstate = /s\n'
	refused "a key given twice" ":3: interface 'eth1' is given a second time" \
		'[sipwardd]\ninterface = eth0\ninterface = eth1\n'
	refused "an indented line is a line of its own" ":3: log_level 'loud' is none of error" \
		'[sipwardd]\ninterface = eth0\n  log_level = loud\n'
	refused "a line too long" ":2: the line is longer than [0-9]+ bytes" \
		"[sipwardd]\nupstream = sip:$(printf '%0300d' 0)\nlog_level = loud\n"
	refused "a long comment is no trouble, and lines are counted right" ":3: log_level 'loud'" \
		"[sipwardd]\n# $(printf '%0300d' 0)\nlog_level = loud\n"
	refused "an address without transport" ":2: listen '192.0.2.1' is not udp:ADDRESS" \
		'[sipwardd]\nlisten = 192.0.2.1\n'
	refused "an address given twice" ":3: listen 'udp:192.0.2.1:5060' is given twice" \
		'[sipwardd]\nlisten = udp:192.0.2.1\nlisten = udp:192.0.2.1:5060\n'
	refused "an empty value" ":2: upstream is empty: leave the line out" \
		'[sipwardd]\nupstream =\n'
	printf '[sipwardd]\nupstream = 192.0.2.9\n' >"$conf"
	check_exit "a wrong upstream" 2 'upstream ..192.0.2.9..: must be sip:HOST' \
		in_ns gate timeout 10 "${with[@]}"
	rm "$conf"
	check_exit "a missing file" 2 "c\.conf: No such file" "${with[@]}"
	mkdir "$conf"
	check_exit "a directory" 2 "c\.conf is a directory" "${with[@]}"
	rmdir "$conf"
	: >"$conf"
	chmod 000 "$conf"
	check_exit "an unreadable file" 2 "c\.conf: Permission denied" \
		setpriv --bounding-set=-all --inh-caps=-all "${with[@]}"
	start_in gate empty "${with[@]}"
	check "an empty file means the defaults" wait_for 10 logged empty '^info ready'
	stop empty
	check_exit "an unknown option" 2 "unrecognized option '--bogus'" once --bogus
	check_exit "an unknown address" 1 "198.51.100.1:5060: no interface has this address" \
		once --listen udp:198.51.100.1:5060
	check_exit "an unknown interface" 1 'interface ."nosuch0' once --interface nosuch0
}

two_daemons() {
	serve first --interface eth0 --upstream sip:192.0.2.9
	check_exit "a second daemon on the state directory is refused" 3 \
		"state '$state' is in use by another sipwardd: stop it, or give" once
	check_exit "one on the same port too" 3 \
		"listen udp:0.0.0.0:5060: another program has this port .ss -lunp tells which" \
		once --state "$tmp/other"
	stop first
	serve first --interface eth0 --upstream sip:192.0.2.10
	check "another upstream than the trunk has is not taken silently" logged first \
		'^warning upstream_ignored upstream="?sip:192.0.2.10"? trunk=default has="?sip:192.0.2.9'
	stop first
}

# Whatever becomes of the store, calls are served by what was known, and one line tells.
broken_store() {
	cli acl create friends >/dev/null
	cli acl add friends 192.0.2.2 >/dev/null 2>&1
	cli trunk attach default --acl friends >/dev/null 2>&1
	serve broken --interface eth0
	cp "$state/sipward.db" "$tmp/good.db"
	rm -f "$state"/sipward.db-wal
	: >"$state/sipward.db"
	kill -HUP "${started[broken]}"
	check "a store that can not be read is told after SIGHUP" \
		wait_for 5 logged broken '^error store_failed error=.* effect="calls and filter go on'
	check "and that the reload failed" wait_for 5 logged broken '^error reload_failed'
	check_eq "calls go on" "$(options 192.0.2.2)" "SIP/2.0 200 OK"
	sleep 2.2
	check_eq "it is told once, not each second" "$(grep -c store_failed "$tmp/broken.log")" 1
	stop broken
	rm -f "$state"/sipward.db*
	cp "$tmp/good.db" "$state/sipward.db"
	serve restored --interface eth0
	check_eq "a store put back from a backup is served" "$(options 192.0.2.2)" "SIP/2.0 200 OK"
	check_exit "and reconciled" 0 "0 added, 0 changed, 0 removed" cli reconcile
	kill -HUP "${started[restored]}"
	check "SIGHUP reloads" wait_for 5 logged restored '^info reloaded'
	stop restored
}

# What systemd is told, by the unit's own command for `systemctl reload-or-restart`.
service_manager() {
	local reload
	reload=$(sed -n 's/^ExecReload=//p' dist/sipward.service)
	start manager python3 -uc "import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('$tmp/notify')
while True: print(*s.recv(4096).decode().split())"
	wait_for 5 test -S "$tmp/notify"
	export NOTIFY_SOCKET=$tmp/notify
	serve managed --interface eth0
	unset NOTIFY_SOCKET
	told() { [ "$(sed 's/ MONOTONIC_USEC=[0-9][0-9]*$//' "$tmp/manager.log" | tr '\n' ' ')" = "$1 " ]; }
	check "systemd hears when the daemon is ready" wait_for 5 told READY=1
	check "the unit's command to reload is taken" env MAINPID="${started[managed]}" sh -c "$reload"
	check "it hears of a reload and its end" wait_for 5 told "READY=1 RELOADING=1 READY=1"
	stop managed
	check "and of a stop" wait_for 5 told "READY=1 RELOADING=1 READY=1 STOPPING=1"
	stop manager
}

daemon_killed() {
	cli mode enforce >/dev/null
	serve victim --interface eth0
	stop victim KILL
	check_match "after kill -9 the filter stays" "$(cli status)" "eth0: native.*"
	check_match "and status tells that the daemon is gone" "$(cli status)" "daemon +not running"
	local began=${EPOCHREALTIME/./}
	serve again --interface eth0
	check_eq "a restart serves again" "$(options 192.0.2.2)" "SIP/2.0 200 OK"
	check "within a second or so" test $((${EPOCHREALTIME/./} - began)) -lt 3000000
	stop again
}

# kill -9 in the middle of a large import: all of it or nothing, and the next change heals the maps.
import_killed() {
	local seconds list entries
	prefixes 200000 >"$tmp/many"
	for seconds in 0.1 0.25 0.35 0.45 0.55 0.7; do
		list=killed-after-$seconds
		cli acl create "$list" >/dev/null
		cli trunk attach default --acl "$list" >/dev/null
		start_in gate import "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" \
			acl import "$list" "$tmp/many"
		sleep "$seconds"
		stop import KILL
		entries=$(value "len(it['entries'])" acl show "$list")
		check_match "$list: all is stored or nothing" "$entries" '^(0|200000)$'
		echo "# $entries stored, in step with the filter: $(value "it['in_step']" status)"
		cli acl add friends 192.0.2.77 >/dev/null
		cli acl remove friends 192.0.2.77 >/dev/null
		check_eq "$list: the next change heals" "$(value "it['in_step']" status)" True
		check_exit "$list: maps and store agree" 0 "0 added, 0 changed, 0 removed" cli reconcile
		cli trunk detach default --acl "$list" >/dev/null
		cli acl delete "$list" >/dev/null
	done
	cli acl import friends "$tmp/many" >/dev/null
	check_match "all of it is in force" "$(cli explain 10.3.13.63)" "passes its SIP packets .listed"
}

interface_vanishes() {
	serve keeper --interface eth0
	in_ns gate ip link del eth0
	check "a vanished interface is told by the daemon, with what follows" wait_for 5 logged keeper \
		'^error filter_lost interface=eth0 effect="nothing is filtered there" mend='
	check_match "and by status" "$(cli status)" "none has the filter.*did the interface vanish"
	check_exit "attaching to it says what is wrong" 3 '"eth0": there is none of this name' \
		cli attach eth0
	check_exit "changes are taken meanwhile" 0 "1 added" cli acl add friends 198.51.100.9
	link_up
	attached() { cli status | grep -q 'eth0: native'; }
	check "when it comes back the daemon attaches again" wait_for 5 attached
	check_eq "with all that was changed" "$(value "it['in_step']" status)" True
	check_eq "and serves" "$(options 192.0.2.2)" "SIP/2.0 200 OK"
	stop keeper
	in_ns gate ip link del eth0
	link_up
	check_match "without a daemon status names the command" "$(cli status)" "sipward attach IF"
	check_exit "and it works" 0 "attached to eth0" cli attach eth0
	check_match "with the maps of before" "$(cli explain 10.3.13.63)" "passes its SIP packets"
	check_exit "the filter comes off" 0 "detached from eth0" cli detach eth0
}

installation() {
	local root=$tmp/root want
	want="/etc/bash_completion.d/sipward /etc/sipward/sipward.conf"
	want+=" /etc/systemd/system/sipward.service /usr/local/lib/sipward/sipward.bpf.o"
	want+=" /usr/local/sbin/sipward /usr/local/sbin/sipwardd"
	want+=" /usr/local/share/man/man5/sipward.conf.5 /usr/local/share/man/man8/sipward.8"
	want+=" /usr/local/share/man/man8/sipwardd.8"
	files() { (cd "$root" && find . ! -type d | sort | sed 's/^\.//' | tr '\n' ' ' | sed 's/ $//'); }
	DESTDIR=$root scripts/install >/dev/null
	check_eq "everything is installed, and nothing else" "$(files)" "$want"
	start_in gate delivered "$root/usr/local/sbin/sipwardd" --pin-dir "$pin_dir" \
		--config "$root/etc/sipward/sipward.conf" --state "$tmp/delivered"
	check "the daemon takes the configuration as delivered" \
		wait_for 10 logged delivered '^info ready'
	stop delivered
	echo "# mine" >>"$root/etc/sipward/sipward.conf"
	DESTDIR=$root scripts/install >/dev/null
	check_match "an edited configuration is kept" "$(<"$root/etc/sipward/sipward.conf")" "# mine"
	DESTDIR=$root scripts/install --remove >/dev/null
	check_eq "uninstalling leaves the configuration alone" "$(files)" /etc/sipward/sipward.conf
	if command -v systemd-analyze >/dev/null; then
		sed 's|@SBINDIR@/sipwardd|/bin/true|' dist/sipward.service >"$tmp/sipward.service"
		check_exit "the unit is sound" 0 '^$' systemd-analyze verify --man=no \
			"$tmp/sipward.service"
	fi
	command -v man >/dev/null || return 0
	local page
	for page in man/*; do
		check_exit "$page has no warnings" 0 '^$' \
			sh -c "man --warnings -E UTF-8 -l '$page' 2>&1 >/dev/null"
	done
}

tidy() {
	umount -l "$tmp/disk" 2>/dev/null
}

installation
full_disk
bpffs_missing
capabilities
foreign_program
configuration
two_daemons
broken_store
service_manager
daemon_killed
import_killed
interface_vanishes
