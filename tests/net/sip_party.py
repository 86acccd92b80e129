# SPDX-License-Identifier: BSD-2-Clause
"""Parties of a call that a test holds in one hand: each lives in a network namespace and speaks UDP,
TCP and TLS, so that what one sends can be compared with what the other gets, byte by byte."""
import contextlib, ctypes, os, select, socket, ssl, struct, time

CLONE_NEWNET = 0x40000000
TCP_REPAIR = 19
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(namespace):
    """Sockets made here belong to the namespace."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


class Message:
    def __init__(self, raw, way):
        self.raw, self.way = raw, way
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        self.start = self.lines[0]

    def all(self, name):
        return [line.split(":", 1)[1].strip() for line in self.lines[1:]
                if line.split(":", 1)[0].strip().lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    def is_a(self, word):
        return self.start.startswith((word + " ", f"SIP/2.0 {word}"))


class Way:
    """A socket and who is at its other end."""

    def __init__(self, kind, sock, to=None):
        self.kind, self.sock, self.to, self.rest, self.open = kind, sock, to, b"", True

    def send(self, raw):
        raw = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
        if self.kind == "udp":
            self.sock.sendto(raw, self.to)
        else:
            self.sock.sendall(raw)

    def close(self):
        self.open = False
        self.sock.close()

    def read(self):
        """The messages that have come."""
        if self.kind == "udp":
            raw, source = self.sock.recvfrom(65535)
            return [Message(raw, Way("udp", self.sock, source))]
        try:
            got = self.sock.recv(65535)
        except ssl.SSLWantReadError:
            return []
        except (ConnectionError, ssl.SSLError):
            got = b""
        if not got:
            self.close()
            return []
        self.rest += got
        while self.kind == "tls" and self.sock.pending():
            self.rest += self.sock.recv(65535)
        return list(self.cut())

    def cut(self):
        while b"\r\n\r\n" in self.rest:
            head = self.rest.split(b"\r\n\r\n")[0]
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.split(b":")[0].strip().lower() in (b"content-length", b"l")][0]
            total = len(head) + 4 + length
            if len(self.rest) < total:
                return
            yield Message(self.rest[:total], self)
            self.rest = self.rest[total:]


def joined(lines, body):
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def host_of(address):
    return f"[{address}]" if ":" in address else address


class Party:
    """Listens on UDP and TCP port 5060 and, with a certificate, on TLS port 5061."""

    def __init__(self, namespace, address, gate, certificate=None, ca=None):
        self.namespace, self.address, self.gate, self.ca = namespace, address, gate, ca
        self.serial, self.heard, self.ways, self.listeners = 0, [], [], {}
        self.acknowledged = set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.family = family
        with inside(namespace):
            self.udp = socket.socket(family, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.udp.bind((address, 5060))
            for kind, port in (("tcp", 5060), ("tls", 5061)):
                self.listeners[socket.create_server((address, port), family=family)] = kind
        self.ways.append(Way("udp", self.udp))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.asked_for = []  # the names that TLS clients wanted
        self.context.sni_callback = lambda sock, name, context: self.asked_for.append(name)
        if certificate:
            self.context.load_cert_chain(certificate + ".pem", certificate + ".key")

    def open(self, kind, certificate=None, port=None):
        """The way to the gate: over a stream a new connection."""
        if kind == "udp":
            return Way("udp", self.udp, (self.gate, port or 5060))
        with inside(self.namespace):
            sock = socket.create_connection((self.gate, port or (5061 if kind == "tls" else 5060)),
                                            5, (self.address, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "tls":
            context = ssl.create_default_context(cafile=self.ca)
            if certificate:
                context.load_cert_chain(certificate + ".pem", certificate + ".key")
            sock = context.wrap_socket(sock, server_hostname=self.gate)
        self.ways.append(Way(kind, sock))
        return self.ways[-1]

    def accept(self, listener):
        sock, _ = listener.accept()
        sock.settimeout(5)
        if self.listeners[listener] == "tls":
            try:
                sock = self.context.wrap_socket(sock, server_side=True)
            except OSError:  # we are not who the client wants
                return
        self.ways.append(Way(self.listeners[listener], sock))

    def poll(self, seconds):
        self.ways = [way for way in self.ways if way.open]
        by_sock = {way.sock: way for way in self.ways}
        ready = select.select([*by_sock, *self.listeners], [], [], seconds)[0]
        for sock in ready:
            if sock in self.listeners:
                self.accept(sock)
            else:
                self.heard += by_sock[sock].read()

    def hear(self, word, seconds=4):
        """The next message; it must be the request or response that is named."""
        until = time.time() + seconds
        while not self.heard:
            if time.time() > until:
                raise AssertionError(f"{self.address} waits for {word} in vain")
            self.poll(0.1)
        message = self.heard.pop(0)
        if self.has_again(message):
            return self.hear(word, until - time.time())
        if message.is_a("ACK"):
            self.acknowledged.add(call_and_number(message))
        if not message.is_a(word):
            raise AssertionError(f"{self.address} waits for {word}, got:\n{message.raw[:3000].decode()}")
        return message

    def count(self, seconds):
        """How many messages come within the time."""
        until = time.time() + seconds
        while time.time() < until:
            self.poll(max(0, until - time.time()))
        n, self.heard = sum(not self.has_again(message) for message in self.heard), []
        return n

    def has_again(self, message):
        """An ACK whose connection has ended soon after it may come by another one once more."""
        return message.is_a("ACK") and call_and_number(message) in self.acknowledged

    def close_streams(self):
        for way in self.ways:
            if way.kind != "udp":
                way.close()

    def break_streams(self):
        """They end with a reset, which may cross what is being sent."""
        for way in self.ways:
            if way.kind != "udp":
                way.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_streams()

    def forget_streams(self):
        """They end without a word, as when the machine has gone down and up again."""
        for way in self.ways:
            if way.kind != "udp":
                way.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.close_streams()

    def at(self, kind):
        """Where it takes requests."""
        host, port = host_of(self.address), 5061 if kind == "tls" else 5060
        return f"{host}:{port}" + ("" if kind == "udp" else f";transport={kind}")

    def via(self, kind, extra=""):
        self.serial += 1
        host, port = host_of(self.address), 5061 if kind == "tls" else 5060
        return (f"Via: SIP/2.0/{kind.upper()} {host}:{port};rport;"
                f"branch=z9hG4bK{time.time_ns()}{self.serial}{extra}")


class Dialog:
    """One side's view of a call."""

    def __init__(self, party, way, kind, local, remote, call_id, target, routes=()):
        self.party, self.way, self.kind, self.cseq = party, way, kind, 1
        self.local, self.remote, self.call_id = local, remote, call_id
        self.target, self.routes = target, list(routes)

    def request(self, method, headers=(), body=b"", via="", cseq=None):
        if method not in ("ACK", "CANCEL") and cseq is None:
            self.cseq += 1
        lines = [f"{method} {self.target} SIP/2.0", via or self.party.via(self.kind),
                 "Max-Forwards: 70", *(f"Route: {route}" for route in self.routes),
                 f"From: {self.local}", f"To: {self.remote}", f"Call-ID: {self.call_id}",
                 f"CSeq: {cseq or self.cseq} {method}",
                 f"Contact: <sip:x@{self.party.at(self.kind)}>", *headers,
                 f"Content-Length: {len(body)}"]
        return joined(lines, body)

    def say(self, method, headers=(), body=b"", **more):
        raw = self.request(method, headers, body, **more)
        self.way.send(raw)
        return raw


def begin(party, way, uri, extra_via=""):
    """A dialog that the party is about to begin, as its caller."""
    party.serial += 1
    call_id = f"{time.time_ns()}{party.serial}@{host_of(party.address)}"
    dialog = Dialog(party, way, way.kind, f"<sip:x@{host_of(party.address)}>;tag=a{party.serial}",
                    f"<{uri}>", call_id, uri)
    dialog.cseq = 0
    dialog.extra_via = extra_via
    return dialog


def answer(request, status, headers=(), body=b"", contact=None, tag="callee"):
    """The response to a request as it was heard; not sent yet."""
    to = request.get("To") + ("" if ";tag=" in request.get("To") or status == 100 else f";tag={tag}")
    lines = [f"SIP/2.0 {status} Whatever", *(f"Via: {v}" for v in request.all("Via")),
             *(f"Record-Route: {v}" for v in request.all("Record-Route")),
             f"From: {request.get('From')}", f"To: {to}", f"Call-ID: {request.get('Call-ID')}",
             f"CSeq: {request.get('CSeq')}", *headers]
    if contact:
        lines.append(f"Contact: <{contact}>")
    return joined([*lines, f"Content-Length: {len(body)}"], body)


def call_and_number(message):
    return message.get("Call-ID"), message.get("CSeq")


def contact_uri(message):
    return message.get("Contact").strip("<>")


def established(dialog, response):
    """The caller has heard the 2xx."""
    dialog.remote = response.get("To")
    dialog.target = contact_uri(response)
    dialog.routes = response.all("Record-Route")[::-1]


def taken(party, request, tag="callee"):
    """The callee's view of the call that the INVITE begins."""
    return Dialog(party, request.way, request.way.kind, f"{request.get('To')};tag={tag}",
                  request.get("From"), request.get("Call-ID"), contact_uri(request),
                  request.all("Record-Route"))
