# SPDX-License-Identifier: BSD-2-Clause
"""What no honest party sends, by UDP and by TCP: run by test_bad_input.sh, one line a case. The answer
is a 4xx that RFC 3261 allows, or silence; nothing that is not whole goes on; calls go on."""
import argparse, sys, time, traceback

from sip_party import Party, answer, begin, established, host_of, joined

parser = argparse.ArgumentParser()
parser.add_argument("--namespaces", required=True, help="prefix of their names")
parser.add_argument("--stranger", required=True, help="an address at the customer's that no ACL lists")
args = parser.parse_args()

CUSTOMER, PBX = args.namespaces + "-customer", args.namespaces + "-pbx"
customer = Party(CUSTOMER, "198.51.100.2", "198.51.100.1")
stranger = Party(CUSTOMER, args.stranger, "198.51.100.1")
pbx = Party(PBX, "10.9.0.2", "10.9.0.1")
SDP = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
URI = "sip:1@udp.example"
failures = 0


def case(name, run, *arguments):
    global failures
    try:
        run(*arguments)
        for party in customer, stranger, pbx:
            assert party.count(0.1) == 0, f"one more at {party.address}"
        canary()
        print(f"ok {name}", flush=True)
    except Exception:
        failures += 1
        text = traceback.format_exc().strip().splitlines()
        print(f"not ok {name}: {text[-1]}", *text, sep="\n# ", flush=True)
        for party in customer, stranger, pbx:
            party.count(0.3)
        time.sleep(4)


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def canary():
    """A request of the same customer passes as ever."""
    begin(customer, customer.open("udp"), URI).say("OPTIONS", cseq=1)
    request = pbx.hear("OPTIONS")
    request.way.send(answer(request, 200))
    customer.hear("200")


def message(way, headers=(), body=SDP, length=None, vias=None, uri=URI, party=customer):
    """An OPTIONS out of dialog: it needs no ACK whatever becomes of it."""
    call = begin(party, way, uri)
    lengths = [f"Content-Length: {len(body)}"] if length is None else length
    return joined([f"OPTIONS {uri} SIP/2.0", *(vias or [party.via(way.kind)]), "Max-Forwards: 70",
                   f"From: {call.local}", f"To: {call.remote}", f"Call-ID: {call.call_id}",
                   "CSeq: 1 OPTIONS", *headers, *lengths], body)


def passes(raw, way, party=customer):
    """It reaches the PBX, whose answer comes back; the request as the PBX heard it."""
    way.send(raw)
    request = pbx.hear("OPTIONS")
    request.way.send(answer(request, 200))
    equal(party.hear("200").way.sock, way.sock)
    return request


def refused(raw, way, *statuses):
    way.send(raw)
    try:
        heard = customer.hear("SIP/2.0")
    except AssertionError as error:
        raise AssertionError(f"{raw[-400:]!r} is not answered") from error
    assert int(heard.start.split()[1]) in statuses, heard.start
    equal(heard.way.sock, way.sock)
    equal(pbx.count(0.1), 0)


def ended(way, seconds=2):
    """The gate closes the connection."""
    until = time.time() + seconds
    while way.open and time.time() < until:
        customer.poll(0.1)
    assert not way.open, "the connection is still open"


def thousands_of_fields(kind):
    way = customer.open(kind)
    refused(message(way, [f"X-{n}: y" for n in range(4000)]), way, 400)
    refused(message(way, ["Via: SIP/2.0/UDP 192.0.2.1"] * 2000), way, 400)
    refused(message(way, ["Route: <sip:192.0.2.1;lr>"] * 2000), way, 400)


def much_header(kind):
    way = customer.open(kind)
    long = "X-Long: " + "y" * 60000
    request = passes(message(way, [long]), way)
    assert long in request.lines, "the field was changed"
    equal(request.body, SDP)
    # It leaves longer than it came: by UDP that is more than a datagram holds.
    refused(message(way, ["X-Long: " + "y" * 65000]), way, 400, 513)
    if kind == "tcp":
        way.send(message(way, ["X-Long: " + "y" * 66000]))
        ended(way)
    way = customer.open(kind)
    request = passes(message(way, ["X-Folded: a" + "\r\n b" * 3000]), way)
    assert "\r\n b" * 3000 in "\r\n".join(request.lines)


def spirals(kind):
    way = customer.open(kind)
    raw = message(way)
    request = passes(raw, way)
    again = lambda uri: raw.replace(URI.encode() + b" SIP", uri.encode() + b" SIP", 1).replace(
        b"Via: ", "\r\n".join([customer.via(kind), *(f"Via: {v}" for v in request.all("Via")[:1]),
                               "Via: "]).encode(), 1)
    refused(again(URI), way, 482)
    equal(len(passes(again("sip:2@udp.example"), way).all("Via")), 4)
    for hops, status in ((0, 483), (1, None)):
        few = message(way).replace(b"Max-Forwards: 70", f"Max-Forwards: {hops}".encode())
        if status:
            refused(few, way, status)
        else:
            equal(passes(few, way).get("Max-Forwards"), "0")


def forged_via(kind):
    way = customer.open(kind)
    other = customer.via(kind).replace(customer.address, "192.0.2.99")
    via = passes(message(way, vias=[other]), way).all("Via")[1]
    assert f"received={customer.address}" in via, via
    # That of the gate itself, below its own, with a branch that it has never written.
    gate = f"Via: SIP/2.0/{kind.upper()} {host_of(customer.gate)}:5060;branch=z9hG4bK{'0' * 36}"
    passes(message(way, vias=[customer.via(kind), gate]), way)
    passes(message(way, vias=[gate + ";rport" if kind == "udp" else gate]), way)
    for wrong in "Via: SIP/2.0/UDP", "Via: ;;;", "Via: SIP/2.0/TCP [::1", "X: no Via":
        way.send(message(way, vias=[wrong]))
        customer.poll(0.3)
        assert all(heard.is_a("400") for heard in customer.heard), customer.heard[0].raw
        customer.heard = []
        equal(pbx.count(0.1), 0)


def forged_routes(kind):
    way = customer.open(kind)
    token = "04" + "0" * 92
    forged = [f"Route: <sip:{token}@{customer.gate}:5060;lr>", "Route: <sip:192.0.2.99;lr>",
              f"Record-Route: <sip:{token}@{customer.gate}:5060;lr>"]
    request = passes(message(way, forged), way)
    equal(request.all("Route"), [])
    # Those of a genuine call, in the hands of another.
    call = begin(customer, way, URI)
    call.say("INVITE", body=SDP)
    request = pbx.hear("INVITE")
    customer.hear("100")
    request.way.send(answer(request, 200, contact=f"sip:c@{pbx.at('udp')}"))
    established(call, customer.hear("200"))
    call.say("ACK", cseq=1)
    pbx.hear("ACK")
    call.party, call.way = stranger, stranger.open(kind)
    for method in "BYE", "INFO", "REFER":
        call.say(method)
        stranger.hear("403")
    call.way.send(call.request("ACK", cseq=1))
    equal(pbx.count(0.3), 0)
    call.party, call.way = customer, way
    call.say("BYE")
    request = pbx.hear("BYE")
    request.way.send(answer(request, 200))
    customer.hear("200")


def forged_responses(kind):
    way = customer.open(kind)
    way.send(message(way))
    request = pbx.hear("OPTIONS")
    good = answer(request, 200)
    at = good.index(b"branch=z9hG4bK") + len("branch=z9hG4bK")
    forgers = stranger.open(kind), pbx.open(kind), way
    for place in range(at, at + 16, 3):  # the keyed hash; the rest says nothing about who may
        digit = b"0" if good[place:place + 1] != b"0" else b"1"
        for forger in forgers:
            forger.send(good[:place] + digit + good[place + 1:])
    vias = request.all("Via")
    for lines in (vias[:1], vias[1:], [], [vias[0]] * 2, vias[::-1], vias + vias):
        forged = joined(["SIP/2.0 200 OK", *(f"Via: {via}" for via in lines),
                         *(line for line in good.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
                           if not line.startswith("Via"))], b"")
        if lines not in (vias + vias,):
            for forger in forgers:
                forger.send(forged)
    equal(customer.count(0.4) + stranger.count(0) + pbx.count(0), 0)
    request.way.send(good)
    customer.hear("200")


def responses_to_nobody(kind):
    ways = customer.open(kind), stranger.open(kind), pbx.open(kind)
    for way, party in zip(ways, (customer, stranger, pbx)):
        for status in 100, 180, 200, 302, 407, 487, 503, 699:
            for method in "INVITE", "OPTIONS", "CANCEL", "WEATHER":
                way.send(joined([f"SIP/2.0 {status} Whatever", party.via(kind),
                                 "Via: SIP/2.0/UDP 10.9.0.2:5060;branch=z9hG4bKnobody",
                                 "From: <sip:a@b>;tag=1", "To: <sip:c@d>;tag=2", f"Call-ID: {status}",
                                 f"CSeq: 1 {method}", "Content-Length: 0"], b""))
    equal(customer.count(0.4) + stranger.count(0) + pbx.count(0), 0)


def lying_lengths(kind):
    for length in (["Content-Length: abc"], ["Content-Length: -1"], ["Content-Length: 4294967296"],
                   ["Content-Length: 41", "Content-Length: 0"], ["Content-Length: 41", "l: 41"],
                   ["Content-Length: 4 1"], ["Content-Length: +41"], ["Content-Length:"]):
        way = customer.open(kind)
        raw = message(way, length=length)
        if kind == "udp":
            refused(raw, way, 400)
        else:
            way.send(raw)
            ended(way)
    way = customer.open(kind)
    raw = message(way, length=["Content-Length: 1000"])
    if kind == "udp":
        refused(raw, way, 400)
    else:
        # The rest does not come in time.
        way.send(raw)
        ended(way, 6)
    # What is beyond the length is no part of it.
    way = customer.open(kind)
    way.send(message(way, length=["Content-Length: 4"]))
    request = pbx.hear("OPTIONS")
    equal(request.body, SDP[:4])
    if kind == "tcp":
        ended(way)
    request.way.send(answer(request, 200))
    customer.hear("200")


def byte_by_byte(kind):
    way = customer.open(kind)
    began = time.time()
    for byte in message(way):
        try:
            way.send(bytes([byte]))
        except OSError:
            break
        customer.poll(1 if kind == "tcp" else 0)
        if not way.open:
            break
    equal(pbx.count(0), 0)
    if kind == "tcp":
        assert 2 < time.time() - began < 9, time.time() - began


for kind in "udp", "tcp":
    for text, run in (("thousands of header fields", thousands_of_fields),
                      ("64 kB of header", much_header), ("spirals and loops", spirals),
                      ("forged Via", forged_via), ("forged Route and Record-Route", forged_routes),
                      ("forged responses", forged_responses),
                      ("responses to nobody", responses_to_nobody),
                      ("lengths that lie", lying_lengths), ("a byte at a time", byte_by_byte)):
        case(f"{text}, {kind}", run, kind)
sys.exit(1 if failures else 0)
