#!/usr/bin/env python3
r"""A chat client for Hubbub, written from docs/protocol.md with Python's standard library alone.

    python3 examples/client.py --name 지우 --room "Design Review" --send "Ship it." "On it."
    python3 examples/client.py --name Megan --room "Design Review" --history --follow
    tail -f log | python3 examples/client.py --name Log --room Operations --follow

Signs in, joins the room and prints each entry as a line of its own, `seq<TAB>name<TAB>text`, with line feeds,
tabs and backslashes of the text written as \n, \t and \\. Everything else goes to stderr. A lost socket, a server
that restarts or a store that does not answer make it wait and try again: no message is lost or doubled by that,
and no line is printed twice.

    --url URL           the server (http://127.0.0.1:3000)
    --name NAME         who to be
    --room ROOM         where to go; the room is created if there is none
    --send TEXT ...     send these messages
    --expect N          wait until N entries were seen in total
    --history           print the whole log from its first entry on, not only the newest 50
    --follow            go on until interrupted, and send the lines of stdin (a terminal, a pipe or a file)
    --timeout S         give up after S seconds (60; with --follow never)
    --cookie-file FILE  keep the session in this file, and use the one that is there

Exit code: 0 everything sent is acknowledged and everything expected was seen, 1 it is not, 2 usage.

How it is built, from below: `WebSocket` is RFC 6455, `Session` signs in, `Timeline` is a cursor over the room's
log, `Outbox` is a producer of messages, `Client` brings them together.
"""
import argparse, base64, collections, hashlib, http.client, json, os, queue, random, secrets
import signal, socket, ssl, stat, sys, threading, time
from urllib.parse import unquote, urlencode, urlsplit

PATIENCE = 10   # seconds for an HTTP answer, a handshake, a write or a join
SILENCE, PONG = 40, 5
IN_FLIGHT, FRAME = 16, 65_536
WEEK = 7 * 24 * 3600
START = (0, "0" * 16)   # seq and id before the first entry


class Fatal(Exception):
    """There is no point in trying again."""


class Lost(Exception):
    """The socket or the server is gone: try again. `code` is the one that the socket was closed with."""
    def __init__(self, why, code=None):
        super().__init__(f"{code or ''} {why}".strip())
        self.code = code


def say(*words):
    print("client:", *words, file=sys.stderr, flush=True)


class Pause:
    """Growing, jittered pauses: up to 0.25 s, 0.5 s, 1 s … 15 s."""
    tries = 0

    def next(self):
        self.tries += 1
        return min(15, 0.125 * 2 ** min(self.tries, 10)) * random.uniform(0.5, 1)


class WebSocket:
    """A client's side of RFC 6455, for text messages. Whatever goes wrong raises `Lost`."""
    CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10

    def __init__(self, url, cookie):
        at, secure = urlsplit(url), url.startswith("https:")
        self.buffer, self.parts, self.heard = b"", b"", time.monotonic()
        try:
            self.socket = socket.create_connection((at.hostname, at.port or (443 if secure else 80)), PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=at.hostname)
        except OSError as error:
            raise Lost(f"cannot connect: {error}")
        key = base64.b64encode(os.urandom(16)).decode()
        self._write(f"GET /ws HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Protocol: hubbub.v1\r\nCookie: {cookie}\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.buffer:
            if time.monotonic() - self.heard > PATIENCE or len(self.buffer) > FRAME:
                raise self._lost("no handshake")
            self._read(PATIENCE)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        if " 101 " not in status or headers.get("sec-websocket-accept") != base64.b64encode(proof).decode():
            raise self._lost(f"{status!r} is no WebSocket")

    def send(self, text):
        self._frame(self.TEXT, text.encode())

    def receive(self, timeout):
        """The next text message, or None if there is none for `timeout` seconds."""
        until = time.monotonic() + timeout
        while True:
            final, kind, data = self._parse()
            if kind is None:
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._read(left)
            elif kind == self.PING:
                self._frame(self.PONG, data)
            elif kind == self.CLOSE:
                self._frame(self.CLOSE, data[:2])
                raise self._lost(data[2:].decode(errors="replace"), int.from_bytes(data[:2], "big") or 1005)
            elif kind in (self.TEXT, self.CONTINUATION):
                self.parts += data
                if final:
                    message, self.parts = self.parts, b""
                    return message.decode(errors="replace")

    def close(self):
        try:
            self._frame(self.CLOSE, (1000).to_bytes(2, "big"))
            until = time.monotonic() + 1
            while time.monotonic() < until:   # the server's answer raises Lost
                self.receive(0.2)
        except Lost:
            pass
        self.socket.close()

    def _frame(self, kind, data):
        size, mask = len(data), os.urandom(4)
        length = (bytes([0x80 | size]) if size < 126 else
                  bytes([0x80 | 126]) + size.to_bytes(2, "big") if size < 1 << 16 else
                  bytes([0x80 | 127]) + size.to_bytes(8, "big"))
        self._write(bytes([0x80 | kind]) + length + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def _parse(self):
        """Takes a frame off the buffer: is it the last of its message, its kind, its data."""
        data = self.buffer
        start = {126: 4, 127: 10}.get(data[1] & 0x7F, 2) if len(data) >= 2 else 2
        if len(data) < start:
            return None, None, None
        if data[0] & 0x70 or data[1] & 0x80:
            raise self._lost("the server broke the rules of framing")
        end = start + (int.from_bytes(data[2:start], "big") if start > 2 else data[1])
        if len(data) < end:
            return None, None, None
        self.buffer = data[end:]
        return bool(data[0] & 0x80), data[0] & 0x0F, data[start:end]

    def _read(self, timeout):
        try:
            self.socket.settimeout(max(timeout, 0.001))
            data = self.socket.recv(1 << 18)
        except socket.timeout:
            return
        except OSError as error:
            raise self._lost(error)
        if not data:
            raise self._lost("closed without a word", 1006)
        self.buffer += data
        self.heard = time.monotonic()

    def _write(self, data):
        try:
            self.socket.settimeout(PATIENCE)
            self.socket.sendall(data)
        except OSError as error:
            raise self._lost(error)

    def _lost(self, why, code=None):
        self.socket.close()
        return Lost(why, code)


class Session:
    """Who we are to the server: a cookie, which may be kept in a file."""
    def __init__(self, url, name, room, file):
        self.url, self.name, self.room, self.file, self.cookie = url, name, room, file, None
        if file and os.path.exists(file):
            with open(file, encoding="utf-8") as kept:
                kept = json.load(kept)
            if (kept["url"], kept["name"]) == (url, name):
                self.cookie = kept["cookie"]

    def enter(self):
        """Creates the room with the session that we have, or signs in. Returns the room's key."""
        key = self._post("/rooms", {"room": self.room})[0] if self.cookie else None
        if key is not None:
            return key
        self.cookie = None
        key, answer = self._post("/signin", {"name": self.name, "room": self.room})
        set_cookies = answer.headers.get_all("Set-Cookie", [])
        self.cookie = "; ".join(cookie.split(";")[0] for cookie in set_cookies) or None   # whatever it is called
        if key is None or not self.cookie:
            why = "the name or the room is not acceptable, or the name is taken" if answer.status == 422 else ""
            raise Fatal(f"error {answer.status} {answer.reason} {why}")
        if self.file:
            with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as kept:
                json.dump({"url": self.url, "name": self.name, "cookie": self.cookie}, kept)
        return key

    def _post(self, path, fields):
        at = urlsplit(self.url)
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        connection = kind(at.hostname, at.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        try:
            connection.request("POST", path, urlencode(fields), headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Lost(f"cannot sign in: {error}")
        finally:
            connection.close()
        if answer.status in (502, 503, 504):
            raise Lost(f"{path} answered {answer.status} {answer.reason}")
        where = urlsplit(answer.getheader("Location", "")).path
        return unquote(where[3:]) if answer.status == 303 and where.startswith("/r/") else None, answer


class Timeline:
    """A cursor over the room's log. Shows each entry once and in order."""
    def __init__(self, show, whole):
        self.show, self.whole = show, whole
        self.cursor = None
        self.ids = {}        # seq: id, of the newest entries that we have
        self.shown = START   # seq and id of the last entry shown
        self.held = []       # entries that are not shown until those before them are here
        self.seen = 0

    def page(self, how, page):
        """What comes with `joined` and `reset`."""
        entries, end = page["entries"], page["cursor"]
        if how == "resumed":
            for entry in entries:
                self.append(entry)
            if self.cursor != end:
                raise Lost("the page does not end at its cursor")
            return
        if how == "reset":
            say("reset: the log is not the one it was; entries may have been lost")
            self.shown, self.seen = START, 0
        if how == "jumped" and not self.whole:
            say(f"jumped: some entries after {self.shown[0]} are not shown")
        self._check(entries, end["seq"], end["id"])
        self.cursor, self.held = end, entries
        self.ids = {entry["seq"]: entry["id"] for entry in entries}
        if not self.whole or not page["older"]:
            self._release()

    def append(self, entry):
        """An entry that came by itself has to be the next one, or a repeat."""
        seq, end = entry["seq"], self.cursor
        if (entry["epoch"], seq, entry["prev"]) == (end["epoch"], end["seq"] + 1, end["id"]):
            self.cursor = {"epoch": entry["epoch"], "seq": seq, "id": entry["id"]}
            self.ids[seq] = entry["id"]
            self.ids.pop(seq - 5000, None)
            if self.held:
                self.held.append(entry)
            else:
                self._show(entry)
        elif entry["epoch"] != end["epoch"] or self.ids.get(seq) != entry["id"]:
            raise Lost(f"entry {seq} does not follow entry {end['seq']}")

    def missing(self):
        """What to ask `history` for: the entries before this seq, or None."""
        return self.held[0]["seq"] if self.held else None

    def history(self, page):
        """The answer to that."""
        self._check(page["entries"], self.held[0]["seq"] - 1, self.held[0]["prev"])
        self.held = [entry for entry in page["entries"] if entry["seq"] > self.shown[0]] + self.held
        if not page["older"] or self.held[0]["seq"] == self.shown[0] + 1:
            self._release()

    def _release(self):
        if self.held and self.held[0]["seq"] == self.shown[0] + 1 and self.held[0]["prev"] != self.shown[1]:
            raise Lost("the older entries do not lead to the newer ones")
        held, self.held = self.held, []
        for entry in held:
            self._show(entry)

    def _check(self, entries, seq, name):
        """Each follows the one before it, and the last has this seq and id."""
        for entry in reversed(entries):
            if (entry["seq"], entry["id"]) != (seq, name):
                raise Lost(f"entry {entry['seq']} is not the one before {seq + 1}")
            seq, name = seq - 1, entry["prev"]

    def _show(self, entry):
        self.shown = (entry["seq"], entry["id"])
        self.seen += 1
        if entry["body"]["kind"] == "message":
            self.show(entry)


class Outbox:
    """A producer: numbers messages, keeps them until they are answered, and sends them again.

    After a refusal nothing is sent until everything under way is answered, so that the refusals of what came
    behind the first are not taken for answers to the second attempt."""
    def __init__(self):
        self.p, self.n = secrets.token_hex(8), 1   # the next number
        self.texts = collections.deque()           # not numbered yet
        self.unanswered = {}                       # n: (text, since when), rising
        self.under_way = set()                     # numbers that this socket owes an answer
        self.unfit = []                            # numbers whose text was refused, and which are not used up
        self.last = None                           # of `out_of_order`
        self.again, self.not_before, self.pause = False, 0, Pause()
        self.newest = self.failed = 0              # seq of the newest entry of ours; how many were refused for good

    def add(self, text):
        if len(text) > FRAME // 12 or any("\ud800" <= c <= "\udfff" for c in text):
            self._fail("text_too_long or text_invalid (not sent)", text)   # would cost us the socket
        else:
            self.texts.append(text)

    def left(self):
        return len(self.texts) + len(self.unanswered)

    def reconnected(self):
        self.under_way, self.last, self.again, self.not_before = set(), None, True, 0

    def pump(self, send):
        """Sends what may be sent now."""
        if self.again:
            if self.under_way or time.monotonic() < self.not_before:
                return
            self._settle()
            for n in self.unanswered:
                self._send(send, n)
        while self.texts and len(self.unanswered) < IN_FLIGHT:
            self.unanswered[self.n] = (self.texts.popleft(), time.monotonic())
            self._send(send, self.n)
            self.n += 1

    def committed(self, n, seq):
        """By its `ack` or its entry, whichever comes first."""
        if self.unanswered.pop(n, None):
            self.newest, self.pause.tries = seq, 0

    def refused(self, n, code, last, retry):
        if n not in self.unanswered:
            return
        self.again = True
        if code == "not_joined":
            raise Lost(code)
        if code in ("unavailable", "out_of_order") or retry:
            if time.monotonic() > self.not_before:
                self.not_before = time.monotonic() + self.pause.next()
            if code == "out_of_order":
                self.last = max(last, self.last or 0)
        else:
            self._fail(code, self.unanswered.pop(n)[0])
            if code != "conflict":   # text_empty, text_too_long, text_invalid
                self.unfit.append(n)

    def _settle(self):
        """Decides under which numbers to send the unanswered again."""
        if any(time.monotonic() - since > WEEK for _, since in self.unanswered.values()):
            raise Fatal("a message was not answered for 7 days")
        oldest = min([*self.unanswered, *self.unfit], default=self.n)
        if self.last is not None and self.last + 1 < oldest:
            say("the store has lost this producer; going on as another")
            self.p = secrets.token_hex(8)
            self.unanswered = dict(enumerate(self.unanswered.values(), 1))
            self.n = len(self.unanswered) + 1
        else:   # nothing behind an unfit text was committed, so it moves up
            self.unanswered = {n - sum(u < n for u in self.unfit): m for n, m in self.unanswered.items()}
            self.n -= len(self.unfit)
        self.unfit, self.last, self.again = [], None, False

    def _send(self, send, n):
        self.under_way.add(n)
        send({"t": "send", "p": self.p, "n": n, "text": self.unanswered[n][0]})

    def _fail(self, code, text):
        self.failed += 1
        say(f"error {code}: {text[:40]!r}")


class Client:
    def __init__(self, options):
        self.options = options
        self.session = Session(options.url, options.name, options.room, options.cookie_file)
        self.timeline, self.outbox, self.pause = Timeline(self.show, options.history), Outbox(), Pause()
        self.room = self.me = self.socket = self.joined = self.pinged = self.asked = None
        self.lines = queue.Queue(maxsize=IN_FLIGHT)
        self.until = time.monotonic() + (options.timeout or float("inf"))
        for text in options.send:
            self.outbox.add(text)

    def run(self):
        if self.options.follow and readable(sys.stdin):
            threading.Thread(target=self.read_lines, daemon=True).start()
        while True:
            try:
                self.connect()
                while not self.done():
                    self.turn()
                return
            except Lost as lost:
                if lost.code in (1007, 1009):
                    raise Fatal(f"error {lost}: a bug of this client")
                if lost.code == 4001:
                    self.room = self.session.cookie = None
                if self.socket:
                    self.socket.socket.close()
                pause = self.pause.next()
                say(f"{lost}; trying again in {pause:.1f} s")
                time.sleep(max(0, min(pause, self.until - time.monotonic())))
                self.check_time()

    def connect(self):
        """Opens a socket and joins the room there; a socket that we had is closed after that."""
        if self.room is None:
            self.room = self.session.enter()
        new, old = WebSocket(self.options.url, self.session.cookie), self.socket
        self.me = self.answer(new, "hello")["me"]["id"]
        cursor = {"cursor": self.timeline.cursor} if self.timeline.cursor else {}
        new.send(json.dumps({"t": "join", "room": self.room, **cursor}))
        joined = self.answer(new, "joined")
        self.socket, self.joined, self.pinged, self.asked = new, time.monotonic(), None, None
        if old:
            old.close()
        self.outbox.reconnected()
        self.turn_to(joined)

    def answer(self, socket, kind):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            frame = json.loads(socket.receive(0.5) or "{}")
            if frame.get("t") == kind:
                return frame
            if frame.get("t") == "error":
                self.failed(frame)
        raise Lost(f"no {kind}")

    def turn(self):
        """Sends what there is to send, and takes what has come."""
        self.check_time()
        if not self.outbox.texts and not self.lines.empty():
            self.outbox.add(self.lines.get())
        self.outbox.pump(self.send)
        if self.timeline.held and not self.asked:
            self.asked = self.timeline.missing()
            self.send({"t": "history", "epoch": self.timeline.cursor["epoch"], "before": self.asked})
        message, now = self.socket.receive(0.1), time.monotonic()
        if message:
            self.take(json.loads(message))
        if now - self.joined > 10:
            self.pause.tries = 0
        if now - self.socket.heard < SILENCE:
            self.pinged = None
        elif self.pinged is None:
            self.pinged = now
            self.socket.send('{"t":"ping"}')
        elif now - self.pinged > PONG:
            raise Lost("the server is silent")

    def take(self, frame):
        kind = frame.get("t")
        if kind == "move":
            self.move()
        elif kind == "error":
            self.failed(frame)
        elif frame.get("room") != self.room:
            return
        elif kind == "entry":
            self.timeline.append(frame["entry"])
            self.find_ours([frame["entry"]])
        elif kind == "reset":
            self.asked = None
            self.turn_to(frame)
        elif kind == "history" and frame["before"] == self.asked:
            self.asked = None
            self.timeline.history(frame["page"])
        elif kind in ("ack", "refused") and frame["p"] == self.outbox.p:
            self.outbox.under_way.discard(frame["n"])
            if kind == "ack":
                self.outbox.committed(frame["n"], frame["at"]["seq"])
            else:
                self.outbox.refused(frame["n"], frame["code"], frame.get("last"), frame.get("retry"))

    def turn_to(self, frame):
        """`joined` or `reset`: what they say of the log."""
        if frame["how"] == "reset":
            self.outbox.newest = 0
        self.timeline.page(frame["how"], frame["page"])
        self.find_ours(frame["page"]["entries"])

    def find_ours(self, entries):
        for entry in entries:
            if (entry["by"], entry["p"]) == (self.me, self.outbox.p):
                self.outbox.committed(entry["n"], entry["seq"])

    def move(self):
        old = self.socket
        try:
            self.connect()
        except Lost as lost:
            if self.socket is not old:
                raise
            say(f"cannot move: {lost}")   # the old socket is still good for a while

    def failed(self, frame):
        again = frame.get("retry") or frame["code"] == "epoch_unknown"   # joining again tells
        raise (Lost if again else Fatal)(f"error {frame['code']}: {frame.get('detail')}")

    def send(self, frame):
        self.socket.send(json.dumps({"room": self.room, **frame}, ensure_ascii=False))

    def show(self, entry):
        text = entry["body"]["text"].replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")
        print(entry["seq"], entry["name"], text, sep="\t", flush=True)

    def done(self):
        line, box = self.timeline, self.outbox
        return not (self.options.follow or box.left() or line.held or line.cursor["seq"] < box.newest
                    or line.seen < self.options.expect)

    def check_time(self):
        if time.monotonic() > self.until:
            raise Fatal(f"time is over; {self.timeline.seen} entries were seen")

    def read_lines(self):
        for line in sys.stdin:
            if line.strip():
                self.lines.put(line.rstrip("\n"))


def readable(stream):
    mode = os.fstat(stream.fileno()).st_mode if stream and not stream.closed else 0
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or (mode and stream.isatty())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("--name", required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--send", nargs="+", action="extend", default=[], metavar="TEXT")
    parser.add_argument("--expect", type=int, default=0, metavar="N")
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--timeout", type=float, metavar="S")
    parser.add_argument("--cookie-file", metavar="FILE")
    options = parser.parse_args()
    if options.timeout is None and not options.follow:
        options.timeout = 60
    for stream in filter(None, (sys.stdin, sys.stdout, sys.stderr)):
        stream.reconfigure(encoding="utf-8", errors="replace")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    client = Client(options)
    try:
        client.run()
    except KeyboardInterrupt:
        pass
    except (Fatal, BrokenPipeError) as error:
        say(error)
        client.outbox.failed += 1
    if client.socket:
        client.socket.close()
    if client.outbox.left():
        say(f"{client.outbox.left()} messages are not acknowledged")
    return 1 if client.outbox.failed or client.outbox.left() else 0


if __name__ == "__main__":
    sys.exit(main())
