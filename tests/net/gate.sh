# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after lib.sh by tests of the whole gate: a customer (who has the addresses of a guesser and
# a stranger too) outside, the gate with an interface on either side, a PBX inside.
need_root
need sipp
need_bpffs

gate=198.51.100.1 customer=198.51.100.2 guesser=198.51.100.66 stranger=198.51.100.67 pbx=10.9.0.2
password=Correct1Horse
scenarios=tests/net/sipp
state=$tmp/state

ns_add customer
ns_add gate
ns_add pbx
veth customer eth0 $customer/24 gate outside $gate/24
veth gate inside 10.9.0.1/24 pbx eth0 $pbx/24
addr_add customer eth0 $guesser/24
addr_add customer eth0 $stranger/24

sipward() {
	in_ns gate "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" "$@"
}
