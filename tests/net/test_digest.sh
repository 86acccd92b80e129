#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Digest, complete: what every client can do with sipp and baresip, the rest with a client of ours.
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/lib.sh" digest
need python3
# shellcheck source=tests/net/gate.sh
. "$(dirname "$0")/gate.sh"

key_file=$tmp/nonce.key
other_state=$tmp/other

# Two gates that share a file; the second serves for the tests of that alone.
daemon() { # NAME STATE PORT
	start_in gate "$1" "$sipwardd" --config "$tmp/$1.conf" --state "$2" \
		--pin-dir "$pin_dir" --listen "udp:$gate:$3" --listen "udp:10.9.0.1:$3" \
		--log-level debug
	wait_for 5 grep -q '^info ready' "$tmp/$1.log" || { cat "$tmp/$1.log"; exit 1; }
}

setup() { # STATE
	local state=$1
	set -e
	sipward settings health-interval 0
	sipward settings nonce-lifetime 10
	sipward settings nonce-rotation 10
	sipward settings user-names-utf8 on
	# Failures are what is tested here, over and over from one address.
	sipward settings lockout-failures 64
	sipward credentials create phones --realm sip.example
	sipward user add phones alice --password-stdin <<<$password
	sipward user add phones bob --password-stdin <<<$password
	sipward user add phones jäsøn --password-stdin <<<$password
	sipward credentials create desks --realm desk.example
	sipward user add desks dora --password-stdin <<<$password
	for trunk in plain strong sess lenient; do
		sipward trunk create $trunk --domain $trunk.example --upstream sip:$pbx:5060
		sipward trunk attach $trunk --credentials phones
	done
	sipward trunk attach strong --credentials desks
	sipward trunk set strong --algorithms sha-512-256,sha-256,md5
	sipward trunk set sess --algorithms sha-512-256,sha-256,md5 --sess yes --ratchet no
	sipward trunk set lenient --allow-no-qop yes --auth-int yes --userhash yes
	sipward mode enforce
}

umask 077
openssl rand -hex 32 >"$key_file"
for name in daemon other; do
	printf '[sipwardd]\nnonce_key_file = %s\n' "$key_file" >"$tmp/$name.conf"
done
for where in "$state" "$other_state"; do
	(setup "$where") >/dev/null 2>"$tmp/setup.log" || { cat "$tmp/setup.log"; exit 1; }
done
daemon daemon "$state" 5060
daemon other "$other_state" 5070
ready_s=$SECONDS

# What our client hears, such as "401 200".
hears() { # DOMAIN [OPTION...]
	local domain=$1
	shift
	in_ns customer python3 tests/net/digest_client.py "$gate:${port:-5060}" --domain "$domain.example" \
		--password "$password" "$@" 2>&1 | sed 's/ *$//'
}

# Returns once the process does not run any more.
halt() { # NAME
	kill -STOP "${started[$1]}"
	wait_for 5 grep -q '^State:.*stopped' "/proc/${started[$1]}/status"
}

# These take their time. A challenge reaches baresip, but is not read until its nonce has ended; two
# handshakes last over a rotation.
if command -v baresip >/dev/null; then
	in_ns customer ip route replace default via $gate
	mkdir -p "$tmp/baresip"
	cat >"$tmp/baresip/config" <<-CONF
		sip_listen $customer:5062
		module_path /usr/lib/baresip/modules
		module_tmp account.so
		module_app menu.so
	CONF
	echo "<sip:bob@plain.example;transport=udp>;outbound=\"sip:$gate:5070\";auth_user=bob;auth_pass=$password;regint=60" \
		>"$tmp/baresip/accounts"
	touch "$tmp/baresip/contacts"
	halt other
	start_in customer baresip baresip -4 -f "$tmp/baresip" -t 40
	wait_for 15 in_ns gate sh -c "ss -Hlun 'sport = 5070' | awk '\$2 > 0 { n++ } END { exit !n }'"
	halt baresip
	kill -CONT "${started[other]}"
	wait_for 15 grep -q 'challenged.*bob' "$tmp/other.log"
	# A nonce of a gate's first second bears the time of the next. Not later: after 32 s baresip
	# gives its request up, and begins anew without having read the challenge.
	start awake sh -c "sleep 13 && kill -CONT ${started[baresip]}"
fi
# A gate does not take nonces from before its own start, by either's clock.
past() { # SECONDS SINCE
	[ "$((SECONDS - $2))" -ge "$1" ]
}
wait_for 5 past 3 "$ready_s"
start_in customer slow python3 tests/net/digest_client.py $gate:5060 --domain plain.example \
	--password $password --until 10
start_in customer slow_other python3 tests/net/digest_client.py $gate:5060 --domain plain.example \
	--password $password --until 10 --answer-to $gate:5070

# ---- algorithms ----

pbx() {
	start_in pbx pbx sipp -sf $scenarios/pbx.xml -i $pbx -p 5060 -m 1 -nostdin -timeout 30 10.9.0.1
	wait_for 5 in_ns pbx sh -c "ss -Hlun | grep -q $pbx:5060"
}
sipp_call() { # SCENARIO DOMAIN PASSWORD
	rm -f "$tmp/customer.trace"
	in_ns customer sipp -sf "$scenarios/$1.xml" -i $customer -p 5064 -m 1 -nostdin -s 1000 \
		-key domain "$2" -au alice -ap "$3" -timeout 20 -trace_msg \
		-message_file "$tmp/customer.trace" $gate
}
call() { # DOMAIN PASSWORD
	pbx && sipp_call call_digest "$1" "$2" && wait "${started[pbx]}"
}

check "sipp calls by MD5" call plain.example $password
check "sipp calls by auth-int" call lenient.example $password
check_match "as its trace shows" "$(cat "$tmp/customer.trace")" 'qop=auth-int'
check "sipp with a wrong password is refused" sipp_call call_wrong plain.example Wrong1Password

check_eq "SHA-256 and SHA-512-256 where offered" \
	"$(hears strong --user jäsøn --algorithm SHA-256) $(hears strong --user jäsøn --algorithm SHA-512-256)" \
	"401 200 401 200"
check_match "an algorithm that is not offered is not to be had" "$(hears plain --algorithm SHA-256)" \
	'^401: SHA-256 is not offered'
for algorithm in MD5 SHA-256 SHA-512-256; do
	check_eq "$algorithm-sess" "$(hears sess --algorithm $algorithm-sess --times 2)" "401 200 200"
done
check_match "plain forms are not offered beside -sess" "$(hears sess --algorithm MD5)" 'not offered'
check_eq "several realms on one trunk: the other one's user" \
	"$(hears strong --realm desk.example --user dora --algorithm SHA-256)" "401 200"
check_eq "and no user of the one in the other" \
	"$(hears strong --realm desk.example --user alice --algorithm SHA-256)" "401 403"
check_eq "a header for each realm and algorithm, in order" \
	"$(hears strong --algorithm none | sed -nE 's/^WWW.*algorithm=([^,]*), realm="([a-z]*).*/\1 \2/p' | tr '\n' ,)" \
	"SHA-512-256 desk,SHA-256 desk,MD5 desk,SHA-512-256 sip,SHA-256 sip,MD5 sip,"

# ---- the ratchet ----

check_eq "a user may begin with MD5" "$(hears strong --algorithm MD5)" "401 200"
check_eq "and go on to SHA-256" "$(hears strong --algorithm SHA-256)" "401 200"
check_eq "but not back" "$(hears strong --algorithm MD5)" "401 401"

# ---- qop ----

check_eq "auth-int by our client" "$(hears lenient --qop auth-int)" "401 200"
check_eq "auth-int where it is not offered" "$(hears plain --qop auth-int)" "401 400"
check_eq "without qop only where allowed" "$(hears plain --qop none)" "401 400"
check_eq "and a nonce serves once" "$(hears lenient --qop none --times 2)" "401 200 401 stale"
check_eq "with qop it serves by its counts" "$(hears plain --times 3)" "401 200 200 200"
check_eq "each of them once" "$(hears plain --times 2 --replay)" "401 200 401 stale"

# ---- user names ----

check_eq "UTF-8 user name" "$(hears plain --user jäsøn)" "401 200"
check_eq "UTF-8 user name as username*" "$(hears plain --user jäsøn --form extended)" "401 200"
check_eq "hashed user name where offered" "$(hears lenient --user jäsøn --form userhash)" "401 200"
check_eq "hashed user name where not offered" "$(hears plain --form userhash)" "401 401"
check_eq "name@realm where the list does not say so" "$(hears plain --user alice@sip.example)" \
	"401 403"
sipward credentials set phones --user-at-realm yes >/dev/null 2>&1
at_realm() {
	[ "$(hears plain --user alice@sip.example)" = "401 200" ]
}
check "name@realm where it does" wait_for 2 at_realm

# ---- gates that share their key ----

wait "${started[slow]}"
check_match "a client is not refused for a rotation in the middle of its handshake" \
	"$(cat "$tmp/slow.log")" '^401 200'
wait "${started[slow_other]}"
check_match "nor at another gate" "$(cat "$tmp/slow_other.log")" '^401 200'

check_eq "a nonce of one gate serves at another with the same key" \
	"$(hears plain --answer-to $gate:5070)" "401 200"
openssl rand -hex 32 >"$key_file"
kill -HUP "${started[daemon]}"
wait_for 5 grep -q '^info reloaded' "$tmp/daemon.log"
check_eq "a gate with a new key takes nonces of the old one for their life" \
	"$(port=5070 hears plain --answer-to $gate:5060)" "401 200"
check_eq "one with the old key asks again for an answer to the new one's" \
	"$(hears plain --answer-to $gate:5070)" "401 401"
check_match "a key file that anybody can read is refused" \
	"$(chmod 644 "$key_file"; "$sipwardd" --config "$tmp/other.conf" --state "$tmp/third" 2>&1)" \
	'nonce_key_file .*chmod 0600'
chmod 600 "$key_file"

# ---- a new password ----

new_password=Another1Horse
sipward user passwd phones alice --password-stdin <<<$new_password >/dev/null
check "the very next call with the old password is refused" \
	sipp_call call_wrong plain.example $password
check "and with the new one it is taken" call plain.example $new_password
in_ns customer python3 tests/net/digest_client.py $gate:5060 --domain plain.example \
	--password $new_password >"$tmp/once" 2>&1
check_eq "at the registrar too" "$(sed 's/ *$//' "$tmp/once")" "401 200"

# ---- what has taken its time ----

if [ -n "${started[baresip]:-}" ]; then
	wait "${started[awake]}"
	stale() {
		grep -q 'method=REGISTER.*bob.*cause=expired_nonce' "$tmp/other.log"
	}
	check "baresip: is told that its nonce has ended" wait_for 5 stale
	check "baresip: and takes another" wait_for 5 grep -q '^debug registered.*user=bob' "$tmp/other.log"
else
	skip "baresip" "is not installed"
fi
check_eq "no password, response or nonce in the log" \
	"$(grep -ciE "$password|$new_password|response=|[0-9a-f]{64}" "$tmp/daemon.log")" 0
