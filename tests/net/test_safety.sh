#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Point 8, validation and safety of change: the configuration as a document, through a gate that is
# at work; what a kill leaves; who changed what.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" safety
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

daemon() {
	start_in gate daemon "$sipwardd" --state "$state" --pin-dir "$pin_dir" \
		--listen udp:$gate:5060 --listen udp:10.9.0.1:5060 --interface outside
	wait_for 5 grep -q '^info ready' "$tmp/daemon.log"
}

tidy() {
	sipward detach outside
} >/dev/null 2>&1

pbx() { # CALLS
	start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m "$1" -nostdin -timeout 60 \
		10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}

customer() { # SCENARIO DOMAIN [OPTION...]
	local scenario=$1 domain=$2
	shift 2
	in_ns customer sipp -sf "$scenarios/$scenario.xml" -i $customer -p 5062 -m 1 -nostdin \
		-s 1000 -key domain "$domain" -au alice -ap $password -timeout 20 "$@" $gate
}

call() { # SCENARIO DOMAIN
	pbx 1 && customer "$@" && wait "${started[pbx]}"
}

# An INVITE that nobody answers.
unheard() {
	! customer call address.example -max_invite_retrans 1 -timeout 2
}

packets() { # REASON
	sipward --json counters | python3 -c "import json, sys
for c in json.load(sys.stdin)['reasons']:
    if c['reason'] == '$1': print(c['packets'])"
}

export_to() { # FILE
	sipward export --key-file "$tmp/key" >"$1"
}

apply() { # FILE [OPTION...]
	sipward apply --key-file "$tmp/key" "$@"
}

# Writes the document FROM, changed by the Python statement, to TO.
edit() { # FROM TO STATEMENT
	python3 - "$@" <<-'PYTHON'
		import json, sys
		d = json.load(open(sys.argv[1]))
		exec(sys.argv[3])
		json.dump(d, open(sys.argv[2], "w"))
	PYTHON
}

(umask 077; openssl rand -hex 32 >"$tmp/key")
{
	sipward trunk create digest --domain digest.example --upstream sip:$pbx:5060
	sipward trunk create address --domain address.example --upstream sip:$pbx:5060
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward acl create office --note 'main office'
	sipward acl add office $customer
	sipward trunk attach digest --credentials phones
	sipward trunk attach address --acl office
	sipward mode enforce
} >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
daemon

# ---- a document and the store it is of ----

check "configuration is exported" export_to "$tmp/first.json"
check_match "passwords in it are sealed" "$(cat "$tmp/first.json")" '"ha1": "v1:[A-Za-z0-9+/=]{296}"'
check_exit "the store is as its own document says" 0 '^nothing to do' apply "$tmp/first.json"
sipward acl add office 192.0.2.0/24 >/dev/null
sipward trunk set address --e164 require >/dev/null
check_exit "what was changed by hand is told" 0 \
	'^- acl office entry 192.0.2.0/24'$'\n''~ trunk address e164: "require" -> "off"'$'\n''differences: 2' \
	apply "$tmp/first.json" --dry-run
check_match "and still there after a dry run" "$(sipward acl show office)" '192.0.2.0/24'
check_exit "and undone by applying the document" 0 'changes made: 2' apply "$tmp/first.json"
export_to "$tmp/again.json"
check "the export is the same bytes as before" cmp "$tmp/first.json" "$tmp/again.json"
check_match "differences as JSON" "$(sipward acl add office 192.0.2.0/24 >/dev/null
	apply "$tmp/first.json" --json | tr -d ' \n')" \
	'\{"changes":1,"dry_run":false,"differences":\[\{"sign":"-","what":"acloffice'
check_exit "a document may come from standard input" 0 '^nothing to do' \
	apply - <"$tmp/first.json"

# ---- calls go by it ----

edit "$tmp/first.json" "$tmp/closed.json" \
	"d['acls']['office']['entries'] = [{'prefix': '$customer', 'deny': True}]"
check "call by address" call call address.example
denied=$(packets denied)
check "a document that denies the address is applied" apply "$tmp/closed.json"
check "the next call is not heard" unheard
check "as the filter drops it" [ "$(packets denied)" -gt "$denied" ]
check "the first document is applied again" apply "$tmp/first.json"
check "and the next call is answered" call call address.example

# ---- what is wrong changes nothing ----

edit "$tmp/closed.json" "$tmp/wrong.json" "d['trunks']['digest']['e164'] = 'yes'"
check_exit "one wrong value is named" 2 'trunks.digest.e164: must be one of off\|require' \
	apply "$tmp/wrong.json"
edit "$tmp/closed.json" "$tmp/wrong.json" "d['acls']['a\x1b[31m'] = {}"
check_exit "a name can not speak to the terminal" 2 'acls.a\?\[31m: ' apply "$tmp/wrong.json"
edit "$tmp/closed.json" "$tmp/wrong.json" \
	"d['trunks']['address']['upstreams'] = ['sip:no such host']"
check_exit "an upstream that is none is named" 2 'trunks.address.upstreams.0.: upstream' \
	apply "$tmp/wrong.json"
head -c 300 "$tmp/closed.json" >"$tmp/wrong.json"
check_exit "half a document is none" 2 'line 1, column' apply "$tmp/wrong.json"
openssl rand -hex 32 >"$tmp/readable"
chmod 644 "$tmp/readable"
check_exit "a key that others can read is refused" 5 'chmod 600' \
	sipward apply "$tmp/first.json" --key-file "$tmp/readable"
chmod 600 "$tmp/readable"
check_exit "another key opens nothing" 2 'users.alice.ha1: does not open' \
	sipward apply "$tmp/first.json" --key-file "$tmp/readable"
check_exit "and after all this the store is as it was" 0 '^nothing to do' apply "$tmp/first.json"
check_exit "an attached ACL is not deleted; its trunks are named" 4 \
	'attached to trunk "address"; detach' sipward acl delete office
check_exit "nor an attached credential list" 4 'attached to trunk "digest"; detach' \
	sipward credentials delete phones

# ---- who did it ----

check_match "audit tells who and what" "$(sipward audit --last 1)" \
	'^20[0-9-]+ [0-9:]+ +root, sipward +ACL "office": '
SUDO_USER=carol sipward acl create carols >/dev/null
check_match "and who stood behind sudo" "$(sipward audit --since 1m | tail -n 1)" \
	'carol as root, sipward +created ACL "carols"'
check_eq "as JSON too" "$(sipward audit --last 2 --json | python3 -c \
	'import json, sys; print(json.load(sys.stdin)[1]["what"])')" 'created ACL "carols"'
apply "$tmp/first.json" >/dev/null

# ---- kill -9 in the middle ----

edit "$tmp/first.json" "$tmp/old.json" "d['acls']['big'] = {'entries':
	['10.%d.%d.0/24' % (i >> 8, i & 255) for i in range(0, 40000, 2)]}
d['trunks']['address']['acls'] = ['big', 'office']"
edit "$tmp/first.json" "$tmp/new.json" "d['settings']['lockout-failures'] = 7
d['acls']['big'] = {'note': 'new', 'entries':
	['10.%d.%d.0/24' % (i >> 8, i & 255) for i in range(1, 40000, 2)]}
d['trunks']['address']['acls'] = ['big']"
for name in old new; do
	apply "$tmp/$name.json" >/dev/null
	export_to "$tmp/$name.json"
done
killed=0 mixed=0 target=old other=new
for delay in 0.02 0.04 0.06 0.08 0.1 0.12 0.14 0.16 0.2 0.25 0.3 0.4; do
	start_in gate apply "$BUILD/sipward" --state "$state" --pin-dir "$pin_dir" apply \
		--key-file "$tmp/key" "$tmp/$target.json"
	sleep $delay
	running apply && killed=$((killed + 1))
	stop apply KILL
	export_to "$tmp/left.json"
	if cmp -s "$tmp/left.json" "$tmp/$target.json"; then
		name=$target target=$other other=$name
	elif ! cmp -s "$tmp/left.json" "$tmp/$other.json"; then
		mixed=$((mixed + 1))
	fi
done
check "apply was killed at work" [ $killed -ge 3 ]
check_eq "what is left is the old or the new, never a mix" $mixed 0
check "the next one heals all" apply "$tmp/old.json"
check_match "also the filter's maps, to the last rule" "$(sipward reconcile)" \
	' 0 added, 0 changed, 0 removed, 200[0-9]{2} '
apply "$tmp/first.json" >/dev/null

# ---- changes while calls run ----

edit "$tmp/first.json" "$tmp/other.json" "d['settings']['proven-duration'] = 1800
d['acls']['spare'] = {'entries': ['203.0.113.%d' % i for i in range(200)]}
d['credentials']['spare'] = {'realm': 'spare.example'}
d['trunks']['digest']['aliases'] = ['eu.digest.example']
d['trunks']['spare'] = {'domain': 'spare.example', 'upstream': 'sip:$pbx', 'acls': ['spare']}"
calls=200
pbx $calls
start_in customer caller sipp -sf $scenarios/call_digest.xml -i $customer -p 5062 -m $calls -r 40 \
	-nostdin -s 1000 -key domain digest.example -au alice -ap $password -timeout 30 $gate
switches=0
while running caller; do
	apply "$tmp/other.json" >/dev/null && apply "$tmp/first.json" >/dev/null &&
		switches=$((switches + 2))
done
check "no call of $calls is lost" wait "${started[caller]}"
check "the PBX saw each of them to its end" wait "${started[pbx]}"
check "while the configuration changed again and again" [ $switches -ge 10 ]
echo "# $switches switches"

# ---- another gate, made from the document ----

stop daemon
tidy
state=$tmp/second
check "a new store is made from a document" apply "$tmp/first.json"
daemon
check "and its gate admits the same users" call call_digest digest.example
