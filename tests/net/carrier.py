# SPDX-License-Identifier: BSD-2-Clause
"""A carrier that asks for credentials by RFC 7616, an implementation apart from the gate's.

The number that is called says what becomes of the call: answer, prack, ring (until it is cancelled),
bye (the carrier hangs up), mute (nothing is heard once credentials have come), 486 or another status
that refuses it; any other is answered. Prints a line for each request as it came: method, CSeq, what its credentials were (none, ok,
stale, wrong), its source, and "!..." for what must not be.
"""
import argparse, hashlib, re, secrets, select, socket, ssl, time

from sip_party import Way

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--port", type=int, default=5060)
    parser.add_argument("--transport", default="udp", choices=["udp", "tcp", "tls"])
    parser.add_argument("--certificate", help="of TLS: this with .pem, and its key with .key")
    parser.add_argument("--realm", default="carrier.example")
    parser.add_argument("--user", default="4930123")
    parser.add_argument("--password", required=True)
    parser.add_argument("--algorithms", default="MD5", help="offered, in order")
    parser.add_argument("--status", type=int, default=407, choices=[401, 407])
    parser.add_argument("--uses", type=int, default=1000, help="of a nonce before it is stale")
    parser.add_argument("--qop", default="auth", help="empty: none is offered")
    parser.add_argument("--challenge", default="INVITE,BYE,REGISTER", help="methods; empty: none")
    parser.add_argument("--min-expires", type=int, default=0)
    parser.add_argument("--grant", type=int, default=0, help="seconds; 0: what is asked for")
    parser.add_argument("--trace", help="a file for all that is received")
    return parser.parse_args()


args = arguments()
own = "%s:%d" % (args.address, args.port)
at = own + ("" if args.transport == "udp" else ";transport=" + args.transport)
trace = open(args.trace, "ab", buffering=0) if args.trace else None
nonces = {}  # uses so far, and the highest count
heard = set()  # branch and method
answers = {}  # of transactions, for retransmissions
invites = {}  # of open INVITEs, by branch
numbers = {}  # the highest CSeq of each call and direction


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    @property
    def method(self):
        return self.start.split()[0]

    @property
    def uri(self):
        return self.start.split()[1]

    @property
    def cseq(self):
        return int(self.get("CSeq").split()[0])

    @property
    def branch(self):
        return re.search("branch=([^;,]*)", self.get("Via")).group(1)


def reply(request, source, status, *fields, keep=True):
    to = request.get("To")
    if status > 100 and "tag=" not in to:
        to += ";tag=carrier"
    lines = ["SIP/2.0 %d Said" % status]
    lines += ["Via: " + v for v in request.all("Via")]
    lines += ["Record-Route: " + v for v in request.all("Record-Route")]
    lines += ["From: " + request.get("From"), "To: " + to, "Call-ID: " + request.get("Call-ID"),
              "CSeq: " + request.get("CSeq"), *fields, "Content-Length: 0", "", ""]
    text = "\r\n".join(lines).encode()
    if keep:
        answers[request.branch, request.method] = text
    source.send(text)


def challenge(request, source, stale):
    nonce = secrets.token_hex(16)
    nonces[nonce] = [0, 0]
    name = "WWW-Authenticate" if args.status == 401 else "Proxy-Authenticate"
    tail = (f', qop="{args.qop}"' if args.qop else "") + (", stale=true" if stale else "")
    reply(request, source, args.status, *(
        f'{name}: Digest realm="{args.realm}", nonce="{nonce}", opaque="0paque", '
        f"algorithm={algorithm}{tail}" for algorithm in args.algorithms.split(",")))


def h(algorithm, text):
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


def judge(request):
    """What its credentials are: none, ok, stale or wrong."""
    name = "Authorization" if args.status == 401 else "Proxy-Authorization"
    if not request.get(name):
        return "none"
    is_ = {k.lower(): a or b for k, a, b in
           re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', request.get(name))}
    algorithm = is_.get("algorithm", "MD5")
    if is_["nonce"] not in nonces or is_["realm"] != args.realm or is_["opaque"] != "0paque" \
            or is_["uri"] != request.uri or algorithm not in args.algorithms.split(","):
        return "wrong"
    ha1 = h(algorithm, f"{args.user}:{args.realm}:{args.password}")
    ha2 = h(algorithm, f"{request.method}:{request.uri}")
    count = "%s:%s:%s:" % (is_["nc"], is_["cnonce"], is_["qop"]) if args.qop else ""
    if is_["username"] != args.user \
            or is_["response"] != h(algorithm, f"{ha1}:{is_['nonce']}:{count}{ha2}"):
        return "wrong"
    used = nonces[is_["nonce"]]
    used[0] += 1
    if used[0] > args.uses or (args.qop and int(is_["nc"], 16) <= used[1]):
        return "stale"
    used[1] = int(is_["nc"], 16) if args.qop else 0
    return "ok"


def name_of(way):
    return "%s:%d" % (way.to or way.sock.getpeername())


def note(request, source, credentials):
    seen = [request.method, "cseq=%d" % request.cseq, credentials, "from=" + name_of(source)]
    call = request.get("Call-ID")
    if request.method in ("ACK", "CANCEL"):
        if request.cseq != numbers.get((call, "INVITE")):
            seen.append("!cseq")
    else:
        if request.cseq <= numbers.get(call, 0):
            seen.append("!cseq")
        numbers[call] = numbers[call, request.method] = request.cseq
    if any(n.lower().startswith("x-sipward-outbound") for n, _ in request.fields):
        seen.append("!outbound-user")
    print(*seen, flush=True)


def hang_up(request, source):
    """As the callee: the route is the INVITE's, as it came."""
    lines = ["BYE %s SIP/2.0" % re.search("<([^>]*)>", request.get("Contact")).group(1),
             f"Via: SIP/2.0/{args.transport.upper()} {own};branch=z9hG4bK{secrets.token_hex(8)};rport",
             "Max-Forwards: 70"]
    lines += ["Route: " + v for v in request.all("Record-Route")]
    lines += ["From: " + request.get("To") + ";tag=carrier", "To: " + request.get("From"),
              "Call-ID: " + request.get("Call-ID"), "CSeq: 1 BYE", "Content-Length: 0", "", ""]
    source.send("\r\n".join(lines).encode())


def take_call(request, source):
    number = request.uri[4:].split("@")[0]
    contact = f"Contact: <sip:{number}@{at}>"
    invites[request.branch] = request
    if "tag=" in request.get("To"):
        reply(request, source, 200, contact)
        return
    if number == "mute":
        return
    if re.fullmatch("[3-6][0-9][0-9]", number):
        reply(request, source, int(number))
    elif number == "ring":
        reply(request, source, 180, contact)
    elif number == "prack":
        reply(request, source, 183, contact, "Require: 100rel", "RSeq: 1")
    else:
        reply(request, source, 200, contact)


def take_prack(request, source):
    invite = next((i for i in invites.values() if i.get("Call-ID") == request.get("Call-ID")), None)
    reply(request, source, 200)
    if not invite or request.get("RAck") != f"1 {invite.cseq} INVITE":
        print("!rack", request.get("RAck"), flush=True)
        return
    reply(invite, source, 200, f"Contact: <sip:prack@{at}>")


def take_cancel(request, source):
    invite = invites.get(request.branch)
    reply(request, source, 200 if invite else 481)
    if invite:
        reply(invite, source, 487)


def take_ack(request, source):
    number = request.uri[4:].split("@")[0]
    invite = next((i for i in invites.values() if i.get("Call-ID") == request.get("Call-ID")), None)
    if number == "bye" and invite and request.branch not in invites:
        hang_up(invite, source)


def take_register(request, source):
    asked = int(request.get("Expires") or 3600)
    if 0 < asked < args.min_expires:
        reply(request, source, 423, "Min-Expires: %d" % args.min_expires)
        return
    granted = min(asked, args.grant) if args.grant else asked
    print("registered", request.get("Contact"), "expires=%d" % granted, flush=True)
    reply(request, source, 200, *(["%s;expires=%d" % ("Contact: " + request.get("Contact"), granted)]
                                  if granted else []))


def take(request, source):
    key = request.branch, request.method
    if key in answers and request.method != "ACK":
        source.send(answers[key])
        return
    if key in heard and request.method != "ACK":
        return
    heard.add(key)
    credentials = judge(request)
    note(request, source, credentials)
    if request.method in args.challenge.split(",") and credentials != "ok":
        challenge(request, source, credentials == "stale")
        return
    taken = {"INVITE": take_call, "PRACK": take_prack, "CANCEL": take_cancel, "ACK": take_ack,
             "REGISTER": take_register}
    if request.method in taken:
        taken[request.method](request, source)
    else:
        reply(request, source, 200)


def accept(listener):
    sock, _ = listener.accept()
    if args.transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.certificate + ".pem", args.certificate + ".key")
        sock = context.wrap_socket(sock, server_side=True)
    return Way(args.transport, sock)


def hear(message):
    if trace:
        trace.write(b"%f from %s\n" % (time.time(), name_of(message.way).encode()) + message.raw)
    text = message.raw.decode(errors="replace")
    if text.startswith("SIP/2.0"):
        print("answer", text.split()[1], flush=True)
    elif text.strip():
        take(Message(text), message.way)


def serve():
    ways, listener = {}, None
    if args.transport == "udp":
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((args.address, args.port))
        ways[udp] = Way("udp", udp)
    else:
        listener = socket.create_server((args.address, args.port))
    while True:
        for sock in select.select([*ways, *filter(None, [listener])], [], [])[0]:
            if sock is listener:
                way = accept(listener)
                ways[way.sock] = way
                continue
            for message in ways[sock].read():
                hear(message)
        ways = {sock: way for sock, way in ways.items() if way.open}


serve()
