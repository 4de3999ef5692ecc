"""A consultation's log and dataset, written by docs/ballot-log.md alone.

It shares no line with verify.py: signatures are made by affine arithmetic, trees by the recursion of RFC 6962.
"""
import base64, hashlib, io, json, os, random, warnings, zipfile
from functools import lru_cache

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = (-121665 * pow(121666, PRIME - 2, PRIME)) % PRIME
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960)


def plus(p, q):
    (x1, y1), (x2, y2) = p, q
    k = CURVE_D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + k, -1, PRIME) % PRIME,
            (y1 * y2 + x1 * x2) * pow(1 - k, -1, PRIME) % PRIME)


@lru_cache(None)
def doubled(n):
    return BASE if n == 0 else plus(doubled(n - 1), doubled(n - 1))


def times(scalar):
    total = (0, 1)
    for bit in range(256):
        if scalar >> bit & 1:
            total = plus(total, doubled(bit))
    return total


def encoded(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


@lru_cache(None)
def expanded(seed):
    half = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(half[:32], "little") & (2**254 - 8) | 2**254
    return scalar, half[32:], encoded(times(scalar))


@lru_cache(None)
def ed25519(seed, message):
    """RFC 8032 §5.1.6."""
    scalar, prefix, public = expanded(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % ORDER
    first = encoded(times(r))
    k = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little")
    return first + ((r + k * scalar) % ORDER).to_bytes(32, "little")


def b64(data):
    return base64.b64encode(data).decode()


class Signer:
    def __init__(self, origin, seed=b"a seed of thirty-two bytes......"):
        self.origin, self.seed, self.public = origin, seed, expanded(seed)[2]
        self.id = hashlib.sha256(origin.encode() + b"\n\x01" + self.public).digest()[:4]
        self.key = b64(b"\x01" + self.public)
        self.verifier = f"{origin}+{self.id.hex()}+{self.key}"

    def note(self, text):
        return f"{text}\n— {self.origin} {b64(self.id + ed25519(self.seed, text.encode()))}\n"

    def checkpoint(self, entries, root=None):
        return self.note(f"{self.origin}\n{len(entries)}\n{b64(root or tree(tuple(entries)))}\n")


@lru_cache(None)
def tree(entries):
    """RFC 6962 §2.1, as it is written there."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0].encode(errors="surrogateescape")).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + tree(entries[:k]) + tree(entries[k:])).digest()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Dataset:
    """A consultation from its first ballot to its files; what a case changes, it changes between the two."""

    def __init__(self, kind="single-choice", options=3, ballots=24, batch=10, seed=1):
        chance = random.Random(f"{kind} {options} {ballots} {seed}")
        self.signer = Signer("gemeente.example/log/k7d2m9")
        self.single, self.per_option = kind == "single-choice", kind != "single-choice" and options > 5
        self.question = {
            "consultation": "k7d2m9", "object": "https://gemeente.example/consultations/k7d2m9",
            "question": "Wat doen we met het plein — bomen of \"bankjes\"?", "text": "Zie **de kaart**.\nReageer <hier>.",
            "language": "nl", "kind": kind, "options": [f"Optie {n}: café" for n in range(1, options + 1)],
            "opens": "2026-03-01T08:00:00Z", "closes": "2026-03-15T17:00:00Z", "results": "at-close", "rule": "1",
            "allowedServers": [], "batchSize": batch, "intervalSeconds": 900, "graceSeconds": 180, "auditorKey": "",
            "perOption": self.per_option, "level": "consult", "promise": "Wij leggen uit wat wij ermee doen.",
            "decidedBy": "de raad", "decidedWhen": "mei 2026", "notOpen": "het budget", "notice": "Dit is geen zienswijze."}
        self.rows, self.turnout, self.entries = [], 0, []
        chosen = []  # per row: the options
        for _ in range(ballots):
            some = sorted(chance.sample(range(1, options + 1), 1 if self.single else chance.randint(1, options)))
            chosen += [[n] for n in some] if self.per_option else [some]
        self.turnout = ballots
        self.rows = [self.row(chance, some) for some in chosen]
        commitments = [self.entry(row) for row in self.rows]
        chance.shuffle(commitments)
        log = ["open/v1 " + compact(self.question)]
        half = len(commitments) // 2
        log += commitments[:half]
        if ballots:
            # A ballot that was superseded and one that was withdrawn, an outage, an older database.
            old = [self.entry(self.row(chance, [1])) for _ in range(2)]
            log += old
            log += ['pause/v1 {"at":"2026-03-04T10:00:00Z"}',
                    'resume/v1 {"at":"2026-03-04T11:00:00Z","acceptsUntil":"2026-03-15T18:00:00Z"}',
                    f'void/v1 {{"entry":{log.index(old[0])},"reason":"superseded"}}',
                    f'void/v1 {{"entry":{log.index(old[1])},"reason":"withdrawn"}}',
                    'rollback/v1 {"at":"2026-03-05T10:00:00Z","databaseOf":"2026-03-05T09:00:00Z"}']
        self.sizes = [1, len(log)] if len(log) > 1 else [1]
        self.entries = log + commitments[half:]
        self.rows.sort()
        self.withheld = ballots < batch
        counts = [sum(n in some for some in chosen) for n in range(1, options + 1)]
        self.close = {"at": "2026-03-15T17:03:00Z", "early": "", "turnout": ballots, "counts": counts,
                      "live": len(commitments), "rows": "withheld" if self.withheld else "published"}
        self.result = {"turnout": ballots, "counts": counts, "options": self.question["options"],
                       "closed": self.close["at"], "entries": len(self.entries) + 1}

    def row(self, chance, some):
        letters = "".join(chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
        code = "-".join(letters[i:i + 4] for i in range(0, 16, 4))
        return [code, " ".join(map(str, some)), f"{chance.getrandbits(128):032x}"]

    def entry(self, row):
        text = "inspraak ballot v1\n" + "".join(line + "\n" for line in [self.signer.origin, *row])
        return "ballot/v1 " + b64(hashlib.sha256(text.encode()).digest())

    def sealed(self):
        """The files, signed: the whole node stands behind what a case changed until here."""
        log = self.entries if self.close is None else self.entries + ["close/v1 " + compact(self.close)]
        self.log = log
        rows = [] if self.withheld else self.rows
        files = {
            "README.md": "# Gegevenskaart\n", "LICENSE.txt": "CC0 1.0\n", "rule.md": "Meeste stemmen gelden.\n",
            "question.json": log[0][len("open/v1 "):], "ballots.csv": "code,options,nonce\n" + "".join(",".join(row) + "\n" for row in rows),
            "servers.csv": "server,ballots\nother,25\n", "refused.csv": "reason,votes\nlate,2\n",
            "result.json": compact(self.result), "integrity.json": '{"label":"ok","share":0.5,"least":-1}',
            "log.txt": "".join(entry + "\n" for entry in log),
            "checkpoints.json": compact([self.signer.checkpoint(log[:n]) for n in [*self.sizes, len(log)]]),
            "key.txt": self.signer.verifier + "\n", "ballots.csv-metadata.json": "{}", "servers.csv-metadata.json": "{}",
            "refused.csv-metadata.json": "{}"}
        self.files = {name: text.encode(errors="surrogateescape") for name, text in files.items()}
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "verify.py"), "rb") as file:
            self.files["verify.py"] = file.read()
        return self.signed()

    def signed(self, change=lambda lines: lines):
        self.files.pop("manifest.txt", None)
        lines = [self.signer.origin, "inspraak dataset v1"] + [
            f"{hashlib.sha256(data).hexdigest()} {len(data)} {name}" for name, data in sorted(self.files.items())]
        self.files["manifest.txt"] = self.signer.note("".join(line + "\n" for line in change(lines))).encode()
        return self

    def zip(self, extra=(), method=zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names that stand twice are what we want
            for name, data in [*self.files.items(), *extra]:
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return buffer.getvalue()
