# SPDX-License-Identifier: BSD-2-Clause
"""Registers with digest as RFC 7616 has it, in the forms that no packaged client knows; an
implementation apart from the gate's. Prints the status of each answer: "401 200"."""
import argparse, hashlib, re, socket, sys, time, urllib.parse

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("gate", help="ADDRESS:PORT")
    parser.add_argument("--answer-to", help="another gate, for the answer")
    parser.add_argument("--domain", required=True)
    parser.add_argument("--realm", default="sip.example")
    parser.add_argument("--user", default="alice")
    parser.add_argument("--password", required=True)
    parser.add_argument("--algorithm", default="MD5")
    parser.add_argument("--qop", default="auth", choices=["auth", "auth-int", "none"])
    parser.add_argument("--form", default="plain", choices=["plain", "extended", "userhash"])
    parser.add_argument("--times", type=int, default=1, help="answers over one nonce")
    parser.add_argument("--replay", action="store_true", help="each of them with the count 1")
    parser.add_argument("--until", type=float, default=0, help="answer at a multiple of so many s")
    return parser.parse_args()


args = arguments()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(5)
own_user = urllib.parse.quote(args.user.split("@")[0])
serial = 0


def ask(gate, credentials=""):
    """The answer's status and text."""
    global serial
    serial += 1
    host, port = gate.split(":")
    udp.connect((host, int(port)))
    own = "%s:%d" % udp.getsockname()
    udp.send((
        f"REGISTER sip:{args.domain} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{time.time_ns()};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{own_user}@{args.domain}>;tag=1\r\n"
        f"To: <sip:{own_user}@{args.domain}>\r\nCall-ID: {time.time_ns()}\r\n"
        f"CSeq: {serial} REGISTER\r\nContact: <sip:{own_user}@{own}>\r\n{credentials}"
        "Content-Length: 0\r\n\r\n").encode())
    text = udp.recv(65535).decode()
    return int(text.split()[1]), text


def challenge(text):
    """The nonce for our realm and algorithm, None if that is not offered."""
    for line in text.split("\r\n"):
        if line.startswith("WWW-Authenticate:") and f"algorithm={args.algorithm}," in line \
                and f'realm="{args.realm}"' in line:
            return re.search('nonce="([^"]*)"', line).group(1)
    return None


def answer(nonce, count):
    sess = args.algorithm.endswith("-sess")
    base = args.algorithm[:-5] if sess else args.algorithm
    uri, cnonce, nc = "sip:" + args.domain, "c0ffee", "%08x" % count

    def h(text):
        return hashlib.new(HASHES[base], text.encode()).hexdigest()

    ha1 = h(f"{args.user}:{args.realm}:{args.password}")
    if sess:
        ha1 = h(f"{ha1}:{nonce}:{cnonce}")
    ha2 = h(f"REGISTER:{uri}" + (":" + h("") if args.qop == "auth-int" else ""))
    if args.qop == "none":
        tail, response = "", h(f"{ha1}:{nonce}:{ha2}")
    else:
        tail = f', qop={args.qop}, nc={nc}, cnonce="{cnonce}"'
        response = h(f"{ha1}:{nonce}:{nc}:{cnonce}:{args.qop}:{ha2}")
    name = {
        "plain": f'username="{args.user}"',
        "extended": "username*=UTF-8''" + "".join("%%%02X" % b for b in args.user.encode()),
        "userhash": f'username="{h(args.user + ":" + args.realm)}", userhash=true',
    }[args.form]
    return (f'Authorization: Digest {name}, realm="{args.realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm={args.algorithm}{tail}\r\n')


if args.until and args.until - time.time() % args.until > 7:
    time.sleep(4)  # the nonce must live until then
status, text = ask(args.gate)
seen = [status]
nonce = challenge(text)
if nonce is None:
    sys.exit(f"{status}: {args.algorithm} is not offered:\n{text}")
if args.until:
    time.sleep(args.until - time.time() % args.until + 0.2)
for i in range(args.times):
    status, text = ask(args.answer_to or args.gate,
                       answer(nonce, 1 if args.replay else i + 1))
    seen.append(status)
print(*seen, "stale" if "stale=true" in text else "", sep=" ", end="")
