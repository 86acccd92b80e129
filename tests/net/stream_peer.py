# SPDX-License-Identifier: BSD-2-Clause
"""A peer of the gate over TCP or TLS that does one odd thing, and prints what came of it.

  ask        an INVITE for a call: the status of its answer
  ask-ping   the same, with keep-alives around it: the status, and the pongs
  split      an INVITE in pieces of --size bytes
  slow       a byte each --pause seconds: after how many seconds the gate closed
  idle       an INVITE, then nothing: likewise
  silent     nothing at all: likewise
  garbage    what is no SIP: "closed"
  many       --count connections: how many of them are answered
  certificate   whom the server's certificate names
"""
import argparse, re, socket, ssl, sys, time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("address")
    parser.add_argument("--port", type=int, default=5060)
    parser.add_argument("--source", default="")
    parser.add_argument("--domain", default="digest.example")
    parser.add_argument("--tls", metavar="NAME", help="as the server's name")
    parser.add_argument("--ca", help="who vouches for it; none: anybody")
    parser.add_argument("--size", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.1)
    parser.add_argument("--count", type=int, default=1)
    return parser.parse_args()


args = arguments()
serial = 0


def connect():
    peer = socket.create_connection((args.address, args.port), 10,
                                    (args.source, 0) if args.source else None)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if args.tls:
        context = ssl.create_default_context(cafile=args.ca)
        if not args.ca:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        peer = context.wrap_socket(peer, server_hostname=args.tls)
    return peer


def invite(peer):
    global serial
    serial += 1
    address, port = peer.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    key = f"{time.time_ns()}{serial}"
    return (f"INVITE sip:1@{args.domain} SIP/2.0\r\n"
            f"Via: SIP/2.0/{'TLS' if args.tls else 'TCP'} {host}:{port};branch=z9hG4bK{key};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:x@{host}>;tag=1\r\nTo: <sip:1@{args.domain}>\r\n"
            f"Call-ID: {key}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{host}>\r\n"
            "Content-Length: 4\r\n\r\nbody").encode()


def answer(peer):
    text = b""
    while b"\r\n\r\n" not in text:
        got = peer.recv(65535)
        if not got:
            return "closed"
        text += got
    return text.split()[1].decode()


def closed_after(peer):
    """Seconds until the gate has closed; what it sends meanwhile does not matter."""
    began = time.time()
    try:
        while peer.recv(65535):
            pass
    except ConnectionError:
        pass
    return round(time.time() - began, 1)


def slow(peer):
    began = time.time()
    peer.settimeout(args.pause)
    for byte in invite(peer):
        try:
            peer.sendall(bytes([byte]))
            if not peer.recv(100):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return round(time.time() - began, 1)


def split(peer):
    message = invite(peer)
    for i in range(0, len(message), args.size):
        peer.sendall(message[i:i + args.size])
        time.sleep(0.001)
    return answer(peer)


def many():
    peers, answered = [], 0
    for _ in range(args.count):
        peers.append(connect())
    for peer in peers:
        try:
            peer.sendall(invite(peer))
            answered += answer(peer) == "407"
        except ConnectionError:
            pass
    return answered


def do():
    if args.what == "many":
        return many()
    peer = connect()
    if args.what == "certificate":
        return dict(x[0] for x in peer.getpeercert()["subject"])["commonName"]
    if args.what in ("ask", "idle"):
        peer.sendall(invite(peer))
        return answer(peer) if args.what == "ask" else closed_after(peer)
    if args.what == "ask-ping":
        peer.sendall(b"\r\n\r\n")
        pong = peer.recv(10)
        peer.sendall(b"\r\n" + invite(peer) + b"\r\n\r\n")
        return f"{answer(peer)} {pong!r}"
    if args.what == "garbage":
        peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return "closed" if closed_after(peer) < 1 else "open"
    return {"slow": slow, "split": split, "silent": closed_after}[args.what](peer)


try:
    print(do())
except ssl.SSLCertVerificationError as error:
    sys.exit(re.sub(r"\s*\(_ssl.*", "", error.verify_message))
