# SPDX-License-Identifier: BSD-2-Clause
"""Calls through the gate by every transport, with both sides in one hand: run by test_transports.sh,
one line a case. Where it prints "restart TERM" or "restart KILL" the gate is to be restarted so, and a line
sent when it is there again."""
import argparse, sys, time, traceback

from sip_party import Message, Party, answer, begin, established, host_of, taken

parser = argparse.ArgumentParser()
parser.add_argument("--namespaces", required=True, help="prefix of their names")
parser.add_argument("--certificates", required=True, help="directory")
args = parser.parse_args()

CA = args.certificates + "/ca.pem"
CLIENT = args.certificates + "/client"
CUSTOMER, PBX = args.namespaces + "-customer", args.namespaces + "-pbx"
customer = Party(CUSTOMER, "198.51.100.2", "198.51.100.1", CLIENT, CA)
customer6 = Party(CUSTOMER, "2001:db8:1::2", "2001:db8:1::1", CLIENT, CA)
pbx = Party(PBX, "10.9.0.2", "10.9.0.1", args.certificates + "/pbx", CA)
pbx6 = Party(PBX, "2001:db8:9::2", "2001:db8:9::1", args.certificates + "/pbx", CA)
GATE_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}
SDP = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
# What nobody would write, and what must not be broken: the signature is over other fields.
ODD = ("Identity: eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0In0.eyJkZXN0Ijp7fX0.c2ln;"
       "info=<https://cert.example/a.pem>;alg=ES256;ppt=\"shaken\"",
       "sUbJeCt :  two  spaces,\ttab and a fold\r\n \t goes on",
       "X-Empty:", "k: 100rel , timer", "User-Agent:none", "X-Bytes: \udcc3\udca4\udcff",
       "Content-Type: multipart/mixed;boundary=\"--b\"")
MULTIPART = (b"----b\r\nContent-Type: application/sdp\r\n\r\n" + SDP +
             b"\r\n----b\r\nContent-Type: application/isup\r\n\r\n\x01\x00\xff\r\n\r\n\r\n----b--\r\n")
failures = 0


def case(name, run, *arguments, **named):
    global failures
    parties = customer, customer6, pbx, pbx6
    try:
        run(*arguments, **named)
        for party in parties:
            party.poll(0)
            more = [message.raw for message in party.heard if not party.has_again(message)]
            assert not more, f"one more at {party.address}: {more[0]}"
            party.heard = []
        print(f"ok {name}", flush=True)
    except Exception:
        failures += 1
        text = traceback.format_exc().strip().splitlines()
        print(f"not ok {name}: {text[-1]}", *text, sep="\n# ", flush=True)
        for party in parties:
            party.count(0.3)


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def untouched(message):
    """What is left of a message without what a proxy may write."""
    ours = ("via", "record-route", "max-forwards", "route", "x-sipward-", "p-asserted-identity")
    return [line for line in message.raw.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
            if not line.lower().startswith(tuple(word.encode() for word in ours))], message.body


def sent(raw):
    return untouched(Message(raw, None))


def check_marks(request, caller, way, callee, kind):
    """Via and Record-Route tell each side what it can reach."""
    gate = f"{host_of(callee.gate)}:{GATE_PORT[kind]}"
    via = request.all("Via")
    assert via[0].startswith(f"SIP/2.0/{kind.upper()} {gate};branch="), via
    assert via[1].startswith(f"SIP/2.0/{way.kind.upper()} "), via
    assert f"received={caller.address}" in via[1], via
    outside = f"{host_of(caller.gate)}:{GATE_PORT[way.kind]}"
    marks = request.all("Record-Route")
    equal([mark.split("@")[1] for mark in marks],
          [side + ("" if k == "udp" else f";transport={k}") + ";lr>"
           for side, k in ((gate, kind), (outside, way.kind))][:len(marks)])
    equal(len(marks), 2 if outside != gate or way.kind != kind else 1)


def ring(caller, way, callee, uri, body=SDP, headers=()):
    """An INVITE is sent, heard as it was, and rings."""
    call = begin(caller, way, uri)
    raw = call.say("INVITE", headers, body)
    request = callee.hear("INVITE")
    trying = caller.hear("100")
    equal(trying.way.sock, way.sock)
    equal(untouched(request), sent(raw))
    request.way.send(answer(request, 180, contact=f"sip:c@{callee.at(request.way.kind)}"))
    equal(caller.hear("180").way.sock, way.sock)
    return call, request


def connect(caller, way, callee, uri, kind, **more):
    """An established call, from both sides."""
    call, request = ring(caller, way, callee, uri, **more)
    check_marks(request, caller, way, callee, kind)
    equal(request.way.kind, kind)
    raw = answer(request, 200, ODD, MULTIPART, contact=f"sip:c@{callee.at(kind)}")
    request.way.send(raw)
    response = caller.hear("200")
    equal(response.way.sock, way.sock)
    equal(untouched(response), sent(raw))
    established(call, response)
    call.say("ACK", cseq=1)
    callee.hear("ACK")
    return call, taken(callee, request)


def exchange(asks, answers, callee, method, status=200, **more):
    """A request in the call and its answer; the request as it was heard."""
    asks.say(method, **more)
    request = callee.hear(method)
    if method == "INVITE":
        asks.party.hear("100")
    request.way.send(answer(request, status, contact=f"sip:y@{callee.at(request.way.kind)}"))
    equal(asks.party.hear(str(status)).way.sock, asks.way.sock)
    if method == "INVITE":
        asks.say("ACK", cseq=asks.cseq)
        callee.hear("ACK")
    return request


def call_both_ways(caller, kind_in, callee, kind_out, domain):
    way = caller.open(kind_in)
    for ender in "caller", "callee":
        call, other = connect(caller, way, callee, f"sip:1@{domain}", kind_out, headers=ODD,
                              body=MULTIPART)
        exchange(call, other, callee, "INVITE", body=SDP)
        exchange(other, call, caller, "INVITE", body=SDP)
        if ender == "caller":
            exchange(call, other, callee, "BYE")
        else:
            exchange(other, call, caller, "BYE")


def methods_both_ways(kind_in, kind_out, domain):
    way = customer.open(kind_in)
    call, other = connect(customer, way, pbx, f"sip:1@{domain}", kind_out)
    for method in "INFO", "UPDATE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "WEATHER":
        exchange(call, other, pbx, method)
        exchange(other, call, customer, method)
    exchange(call, other, pbx, "REFER", 202, headers=["Refer-To: <sip:2@elsewhere.example>"])
    exchange(other, call, customer, "NOTIFY", headers=["Event: refer", "Subscription-State: active"])
    exchange(call, other, pbx, "BYE")


def third_party_control(kind_in, kind_out, domain):
    """The offer is in the 200, the answer in the ACK (RFC 3725 §4.1)."""
    way = customer.open(kind_in)
    call, request = ring(customer, way, pbx, f"sip:1@{domain}", body=b"")
    request.way.send(answer(request, 200, ["Content-Type: application/sdp"], SDP,
                            contact=f"sip:c@{pbx.at(kind_out)}"))
    response = customer.hear("200")
    equal(response.body, SDP)
    established(call, response)
    call.say("ACK", ["Content-Type: application/sdp"], MULTIPART, cseq=1)
    equal(pbx.hear("ACK").body, MULTIPART)
    exchange(taken(pbx, request), call, customer, "BYE")


def cancelled(kind_in, kind_out, domain, race):
    way = customer.open(kind_in)
    call = begin(customer, way, f"sip:1@{domain}")
    via = customer.via(kind_in)
    call.say("INVITE", body=SDP, via=via)
    request = pbx.hear("INVITE")
    customer.hear("100")
    request.way.send(answer(request, 180, contact=f"sip:c@{pbx.at(kind_out)}"))
    customer.hear("180")
    call.say("CANCEL", via=via, cseq=1)
    assert customer.hear("200").get("CSeq") == "1 CANCEL"
    cancel = pbx.hear("CANCEL")
    equal(cancel.all("Via"), request.all("Via")[:1])
    equal(cancel.start.split()[1], request.start.split()[1])
    cancel.way.send(answer(cancel, 200 if not race else 481))
    if not race:
        request.way.send(answer(request, 487))
        acknowledged = pbx.hear("ACK")
        equal(acknowledged.all("Via"), request.all("Via")[:1])
        call.remote = customer.hear("487").get("To")
        call.say("ACK", via=via, cseq=1)
        return
    # The callee had picked up before it heard that the caller did not want it any more.
    request.way.send(answer(request, 200, contact=f"sip:c@{pbx.at(kind_out)}"))
    established(call, customer.hear("200"))
    call.say("ACK", cseq=1)
    pbx.hear("ACK")
    exchange(call, None, pbx, "BYE")


def upstream_reopens(kind_in):
    """Its connection is closed in a call; each side's next request opens another."""
    way = customer.open(kind_in)
    call, other = connect(customer, way, pbx, "sip:1@tcp.example", "tcp")
    pbx.close_streams()
    time.sleep(0.2)
    exchange(call, other, pbx, "INFO")
    pbx.close_streams()
    other.way = pbx.open("tcp")
    exchange(other, call, customer, "INFO")
    pbx.close_streams()
    time.sleep(0.2)
    exchange(call, other, pbx, "BYE")


def caller_reopens(kind):
    """Its connection is gone: requests go to where its Contact says."""
    way = customer.open(kind)
    call, other = connect(customer, way, pbx, "sip:1@udp.example", "udp")
    customer.close_streams()
    time.sleep(0.2)
    other.say("BYE")
    request = customer.hear("BYE")
    equal(request.way.kind, kind)
    request.way.send(answer(request, 200))
    pbx.hear("200")


def upstream_restarts(kind_in, kind_out, end_streams):
    """Its machine knows nothing of the connection any more, and says so when it is asked by it."""
    domain = f"sip:1@{kind_out}.example"

    def vanish():
        time.sleep(0.05)  # more than a tick of the gate's clock after the request before
        end_streams(pbx)

    way = customer.open(kind_in)
    call, other = connect(customer, way, pbx, domain, kind_out)
    vanish()
    exchange(call, other, pbx, "INFO")
    call.say("INVITE", body=SDP)
    request = pbx.hear("INVITE")
    customer.hear("100")
    request.way.send(answer(request, 200, contact=f"sip:c@{pbx.at(kind_out)}"))
    customer.hear("200")
    vanish()
    call.say("ACK", cseq=call.cseq, body=SDP)
    equal(pbx.hear("ACK").body, SDP)
    vanish()
    exchange(call, other, pbx, "BYE")
    vanish()
    call, other = connect(customer, way, pbx, domain, kind_out)
    exchange(call, other, pbx, "BYE")


def caller_reopens_for_ack(kind):
    way = customer.open(kind)
    call, other = connect(customer, way, pbx, "sip:1@udp.example", "udp")
    other.say("INVITE", body=SDP)
    request = customer.hear("INVITE")
    pbx.hear("100")
    request.way.send(answer(request, 200, contact=f"sip:c@{customer.at(kind)}"))
    pbx.hear("200")
    customer.close_streams()
    time.sleep(0.2)
    other.say("ACK", cseq=other.cseq)
    equal(customer.hear("ACK").way.kind, kind)
    call.way = customer.open(kind)
    exchange(call, other, pbx, "BYE")


def caller_closes_too_early(kind):
    """The answer goes to where its Via says (RFC 3261 §18.2.2)."""
    way = customer.open(kind)
    _, request = ring(customer, way, pbx, "sip:1@udp.example")
    customer.close_streams()
    time.sleep(0.2)
    request.way.send(answer(request, 486))
    pbx.hear("ACK")
    equal(customer.hear("486").way.kind, kind)


def over_a_restart(signal):
    """Each side opens its connections anew, and the call goes on."""
    calls = [connect(customer, customer.open(kind_in), pbx, f"sip:1@{kind_out}.example", kind_out)
             for kind_in in KINDS for kind_out in KINDS]
    print(f"restart {signal}", flush=True)
    sys.stdin.readline()
    for party in customer, pbx:
        equal(party.count(0.3), 0)
    for call, other in calls:
        call.way, other.way = customer.open(call.kind), pbx.open(other.kind)
        exchange(call, other, pbx, "INVITE", body=SDP)
        exchange(other, call, customer, "INFO")
        exchange(*((call, other, pbx) if other.kind == "udp" else (other, call, customer)), "BYE")


def retransmissions(kind_out, domain, expected):
    way = customer.open("udp")
    call = begin(customer, way, f"sip:1@{domain}")
    raw = call.say("INVITE", body=SDP)
    request = pbx.hear("INVITE")
    customer.hear("100")
    for _ in range(3):
        way.send(raw)
        customer.hear("100")
    equal(pbx.count(1.8), expected)
    final = answer(request, 486)
    request.way.send(final)
    pbx.hear("ACK")
    customer.hear("486")
    # The caller has lost it: it is sent again to UDP, and the upstream's is acknowledged again.
    pbx.acknowledged.clear()
    request.way.send(final)
    pbx.hear("ACK")
    customer.hear("486")
    call.say("ACK", via=[line for line in raw.decode().split("\r\n") if line.startswith("Via")][0],
             cseq=1)
    equal(customer.count(1.2), 0)


def failure_over_stream(kind_in):
    """A final response is not repeated where the transport is reliable."""
    way = customer.open(kind_in)
    call, request = ring(customer, way, pbx, "sip:1@udp.example")
    request.way.send(answer(request, 486))
    pbx.hear("ACK")
    customer.hear("486")
    equal(customer.count(1.2), 0)


def large(size, kind):
    way = customer.open("udp")
    call, other = connect(customer, way, pbx, "sip:1@large.example", kind, body=b"x" * size)
    exchange(call, other, pbx, "BYE")


def large_later():
    """A call that began small grows."""
    way = customer.open("udp")
    call, other = connect(customer, way, pbx, "sip:1@large.example", "udp")
    equal(exchange(call, other, pbx, "INVITE", body=b"x" * 1400).way.kind, "tcp")
    exchange(call, other, pbx, "BYE")


def huge(kind_in, kind_out, domain):
    way = customer.open(kind_in)
    call, request = ring(customer, way, pbx, f"sip:1@{domain}", body=b"y" * 60000)
    check_marks(request, customer, way, pbx, kind_out)
    raw = answer(request, 200, ODD, b"z" * 60000, contact=f"sip:c@{pbx.at(kind_out)}")
    request.way.send(raw)
    response = customer.hear("200")
    equal(untouched(response), sent(raw))
    established(call, response)
    call.say("ACK", cseq=1, body=b"y" * 60000)
    equal(len(pbx.hear("ACK").body), 60000)
    exchange(call, None, pbx, "BYE")


def to_destination(kind_in, kind_out, domain):
    """The other way: from the upstream to the customer's fixed URI."""
    way = pbx.open(kind_in)
    call, other = connect(pbx, way, customer, f"sip:1@{domain}", kind_out)
    exchange(call, other, customer, "INVITE", body=SDP)
    exchange(other, call, pbx, "INVITE", body=SDP)
    exchange(call, other, customer, "BYE")
    call, other = connect(pbx, way, customer, f"sip:1@{domain}", kind_out)
    exchange(other, call, pbx, "BYE")
    customer.close_streams()
    time.sleep(0.2)


def alias(with_alias):
    """Requests to a host that offers its connection take it (RFC 5923)."""
    customer.close_streams()
    way = customer.open("tcp")
    via = customer.via("tcp", ";alias" if with_alias else "")
    call = begin(customer, way, "sip:1@udp.example")
    call.say("OPTIONS", via=via, cseq=1)
    request = pbx.hear("OPTIONS")
    request.way.send(answer(request, 200))
    customer.hear("200")
    call = begin(pbx, pbx.open("udp"), "sip:1@destination-tcp.example")
    via = pbx.via("udp")
    call.say("INVITE", body=SDP, via=via)
    request = customer.hear("INVITE")
    equal(request.way.sock is way.sock, with_alias)
    pbx.hear("100")
    request.way.send(answer(request, 486))
    customer.hear("ACK")
    call.remote = pbx.hear("486").get("To")
    call.say("ACK", via=via, cseq=1)
    customer.close_streams()
    time.sleep(0.2)


def refused(way, uri, status):
    call = begin(customer, way, uri)
    call.say("INVITE", body=SDP)
    equal(customer.hear(str(status)).way.sock, way.sock)


def client_certificate():
    way = customer.open("tls", certificate=CLIENT)
    call, other = connect(customer, way, pbx, "sip:1@certificate.example", "udp")
    exchange(call, other, pbx, "INFO")
    refused(customer.open("tls"), "sip:1@certificate.example", 403)
    refused(customer.open("tcp"), "sip:1@certificate.example", 403)
    # The token alone does not do, over another connection.
    call.way = customer.open("tls")
    call.say("INFO")
    customer.hear("403")
    call.way = way
    exchange(call, other, pbx, "BYE")


def named_upstream():
    """Its certificate is for the host name in the trunk's URI (RFC 5922)."""
    pbx.close_streams()
    time.sleep(0.2)
    way = customer.open("udp")
    call, other = connect(customer, way, pbx, "sip:1@named.example", "tls")
    assert "carrier.example" in pbx.asked_for, pbx.asked_for
    exchange(call, other, pbx, "INFO")
    exchange(other, call, customer, "BYE")


def impostor():
    """It is another's: neither by that one's connection, which is there, nor by a new one."""
    way = customer.open("udp")
    call = begin(customer, way, "sip:1@impostor.example")
    via = customer.via("udp")
    call.say("INVITE", body=SDP, via=via)
    customer.hear("100")
    until = time.time() + 4
    while not customer.heard and time.time() < until:
        pbx.poll(0.05)  # takes part in the handshake
        customer.poll(0.05)
    call.remote = customer.hear("503").get("To")
    call.say("ACK", via=via, cseq=1)
    assert "impostor.example" in pbx.asked_for, pbx.asked_for


def sips():
    refused(customer.open("udp"), "sips:1@tls.example", 416)
    refused(customer.open("tcp"), "sips:1@tls.example", 416)
    refused(customer.open("tls"), "sips:1@udp.example", 503)
    way = customer.open("tls")
    call, request = ring(customer, way, pbx, "sips:1@tls.example")
    equal(request.way.kind, "tls")
    for mark in request.all("Record-Route"):
        assert mark.startswith("<sips:"), mark
    request.way.send(answer(request, 200, contact=f"sips:c@{host_of(pbx.address)}"))
    established(call, customer.hear("200"))
    call.say("ACK", cseq=1)
    pbx.hear("ACK")
    exchange(call, None, pbx, "INFO")
    call.way, call.kind = customer.open("tcp"), "tcp"
    call.say("INFO")
    customer.hear("416")
    call.way, call.kind = way, "tls"
    exchange(call, None, pbx, "BYE")


KINDS = ("udp", "tcp", "tls")
for kind_in in KINDS:
    for kind_out in KINDS:
        case(f"{kind_in} to {kind_out}", call_both_ways, customer, kind_in, pbx, kind_out,
             f"{kind_out}.example")
        case(f"{kind_in} to {kind_out}, from the upstream", to_destination, kind_in, kind_out,
             f"destination-{kind_out}.example")
for kind in KINDS:
    case(f"{kind} over IPv6 to tcp over IPv4", call_both_ways, customer6, kind, pbx, "tcp", "tcp.example")
    case(f"{kind} to {kind} over IPv6", call_both_ways, customer, kind, pbx6, kind, f"six-{kind}.example")
for kind_in, kind_out in (("udp", "tcp"), ("tcp", "udp"), ("tls", "tcp")):
    domain = f"{kind_out}.example"
    case(f"{kind_in} to {kind_out}: requests of every method in a call, REFER too", methods_both_ways,
         kind_in, kind_out, domain)
    case(f"{kind_in} to {kind_out}: an offer in the 200, the answer in the ACK", third_party_control,
         kind_in, kind_out, domain)
    case(f"{kind_in} to {kind_out}: CANCEL", cancelled, kind_in, kind_out, domain, False)
    case(f"{kind_in} to {kind_out}: CANCEL that comes too late", cancelled, kind_in, kind_out, domain,
         True)
for kind in KINDS:
    case(f"the upstream's connection is closed in a call from {kind}", upstream_reopens, kind)
for kind in "tcp", "tls":
    case(f"the caller's connection over {kind} is closed in a call", caller_reopens, kind)
    case(f"the caller's connection over {kind} is closed before the ACK", caller_reopens_for_ack, kind)
    case(f"the upstream forgets its connection over {kind}", upstream_restarts, "udp", kind,
         Party.forget_streams)
    case(f"the upstream breaks its connection over {kind}", upstream_restarts, "tcp", kind,
         Party.break_streams)
    case(f"the caller's connection over {kind} is closed before the answer", caller_closes_too_early,
         kind)
    case(f"no response is repeated over {kind}", failure_over_stream, kind)
for signal in "TERM", "KILL":
    case(f"calls by every transport go on over a stop and a start ({signal})", over_a_restart, signal)
case("retransmissions are absorbed, and sent over UDP", retransmissions, "udp", "udp.example", 2)
case("none are sent over TCP", retransmissions, "tcp", "tcp.example", 0)
case("a small request goes by UDP where both are offered", large, 10, "udp")
case("one of more than 1300 bytes by TCP", large, 1400, "tcp")
case("in a call too", large_later)
for kind_in, kind_out in (("udp", "udp"), ("udp", "tcp"), ("tcp", "udp"), ("tls", "tls")):
    case(f"60 kB both ways, {kind_in} to {kind_out}", huge, kind_in, kind_out, f"{kind_out}.example")
case("a connection that its peer offers is taken for requests", alias, True)
case("another is not", alias, False)
case("a trunk that asks for client certificates", client_certificate)
case("an upstream that shows a certificate for its host name", named_upstream)
case("one that shows another's", impostor)
case("sips: by TLS alone", sips)
sys.exit(1 if failures else 0)
