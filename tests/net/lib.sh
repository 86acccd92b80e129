# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the net tests share. A test sources this, then prints one line a case through ok, not_ok,
# skip or one of the checks below; the exit code and all cleaning up come from here.
#
#	. "$(dirname "$0")/lib.sh" gate		# the word keeps names of two tests apart
#	ns_add out; ns_add gate
#	veth out eth0 192.0.2.1/24 gate eth0 192.0.2.2/24
#	check "gate answers" in_ns out ping -c1 192.0.2.2
#
# Names a test may use: $ns (prefix of its namespaces), $pin_dir (its own directory on bpffs), $tmp
# (its own directory for files), $BUILD, $sipwardd (the daemon).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# What scripts/deps installs comes before anything of the same name.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export BUILD=${BUILD:-build}

ns=sw-${1:-test}-$$
pin_dir=/sys/fs/bpf/$ns
tmp=$(mktemp -d)
failures=0
declare -A started=()
namespaces=()

# The daemon that every test starts: `make check WORKERS=4 STEERING=no` gives it so many workers.
sipwardd=$BUILD/sipwardd
if [ -n "${SIPWARD_WORKERS:-}" ]; then
	sipwardd=$tmp/sipwardd
	printf '#!/bin/sh\nexec "%s" --workers %s --steering %s "$@"\n' "$(realpath "$BUILD/sipwardd")" \
		"$SIPWARD_WORKERS" "${SIPWARD_STEERING:-yes}" >"$sipwardd"
	chmod +x "$sipwardd"
fi

ok() { # NAME
	echo "ok $1"
}

not_ok() { # NAME [WHY]
	failures=$((failures + 1))
	echo "not ok $1${2:+: $2}"
}

skip() { # NAME WHY
	echo "skip $1: $2"
}

# Ends the test with everything skipped.
skip_all() { # WHY
	skip "$(basename "$0" .sh)" "$1"
	exit 0
}

# The command succeeds. What it prints is shown only if it does not.
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$tmp/check" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "'$*' exited with $?"
		sed 's/^/# /' "$tmp/check"
	fi
}

# The command ends with the given exit code, and what it prints matches the extended regex.
check_exit() { # NAME CODE REGEX COMMAND...
	local name=$1 want=$2 regex=$3 rc=0
	shift 3
	"$@" >"$tmp/check" 2>&1 || rc=$?
	if [ "$rc" -eq "$want" ] && [[ $(<"$tmp/check") =~ $regex ]]; then
		ok "$name"
	else
		not_ok "$name" "'$*' exited with $rc, want $want and /$regex/"
		sed 's/^/# /' "$tmp/check"
	fi
}

check_eq() { # NAME GOT WANT
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "got '$2', want '$3'"
	fi
}

check_match() { # NAME TEXT REGEX
	if grep -qE -- "$3" <<<"$2"; then
		ok "$1"
	else
		not_ok "$1" "no /$3/ in '$2'"
	fi
}

need() { # COMMAND...
	local command
	for command; do
		command -v "$command" >/dev/null || skip_all "$command is not installed"
	done
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
}

need_bpffs() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || skip_all "no bpffs"
}

# Tries the command every 50 ms until it succeeds.
wait_for() { # SECONDS COMMAND...
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

ns_add() { # NAME
	ip netns add "$ns-$1" || skip_all "no network namespaces"
	namespaces+=("$ns-$1")
	in_ns "$1" ip link set lo up
}

# `ip netns exec` would mount another /sys, and bpffs with it would be gone.
in_ns() { # NAME COMMAND...
	local name=$1
	shift
	nsenter --net="/run/netns/$ns-$name" "$@"
}

# Joins two namespaces. IPv6 addresses take effect at once.
veth() { # NS IF ADDR/LEN NS IF ADDR/LEN
	ip link add "$2" netns "$ns-$1" type veth peer name "$5" netns "$ns-$4" || return
	veth_end "$1" "$2" "$3" && veth_end "$4" "$5" "$6" &&
		wait_for 5 carrier "$1" "$2" && wait_for 5 carrier "$4" "$5"
}

# What is sent before the kernel has noticed the carrier is lost.
carrier() { # NS IF
	in_ns "$1" ip -br link show dev "$2" | grep -q ' UP '
}

veth_end() { # NS IF ADDR/LEN
	in_ns "$1" ip link set "$2" up && addr_add "$1" "$2" "$3"
}

addr_add() { # NS IF ADDR/LEN
	case $3 in
	*:*) in_ns "$1" ip addr add "$3" dev "$2" nodad ;;
	*) in_ns "$1" ip addr add "$3" dev "$2" ;;
	esac
}

# Starts a command that stop or the end of the test ends; its output goes to $tmp/NAME.log.
start() { # NAME COMMAND...
	local name=$1
	shift
	if [ "$(type -t "$1")" = function ]; then
		not_ok "start $name" "$1 is a function: its process could not be found again"
		return 1
	fi
	"$@" >"$tmp/$name.log" 2>&1 </dev/null &
	started[$name]=$!
}

# The same inside a namespace.
start_in() { # NAMESPACE NAME COMMAND...
	local where=$1 name=$2
	shift 2
	start "$name" nsenter --net="/run/netns/$ns-$where" "$@"
}

running() { # NAME
	kill -0 "${started[$1]}" 2>/dev/null
}

stop() { # NAME [SIGNAL]
	kill -"${2:-TERM}" "${started[$1]}" 2>/dev/null
	wait "${started[$1]}" 2>/dev/null
	unset "started[$1]"
}

# A test that has more to tidy defines tidy().
cleanup() {
	local rc=$? name
	trap - EXIT INT TERM HUP
	if [ "$(type -t tidy)" = function ]; then tidy; fi
	# Kamailio's processes would outlive their first one.
	for name in "${!started[@]}"; do
		pkill -KILL -P "${started[$name]}"
		stop "$name" KILL
	done
	for name in "${namespaces[@]}"; do ip netns del "$name" 2>/dev/null; done
	rm -rf "$pin_dir" "$pin_dir-new" "$pin_dir-old" "$tmp"
	if [ "$rc" -eq 0 ] && [ "$failures" -gt 0 ]; then rc=1; fi
	exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
