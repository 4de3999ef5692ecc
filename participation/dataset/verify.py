#!/usr/bin/env python3
"""Checks the dataset of a consultation: its files are the signed ones, ballots.csv has exactly the ballots
of the public log, none left out and none added, and they add up to the result. Needs only Python 3.9.
    python3 verify.py [--key KEY] [--checkpoint FILE]... [--json] [PAGE | dataset.zip | FOLDER]
Without an address: the folder it stands in. KEY: verifier key, its last part, fingerprint, or https address
of the channel's actor. FILE: a post with a checkpoint, copied from another server. It does not prove that
all votes were received, nor that each voter is one person; a key from the dataset only shows that it fits
itself: compare the fingerprint elsewhere. Exit: 0 verified, 1 not verified, 2 wrong usage, 3 unreadable."""
import argparse, base64, functools, hashlib, html, io, json, os, re, sys, zipfile
from urllib.request import Request, urlopen
N, TIME = "(?:0|[1-9][0-9]{,14})", '"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"'
ENTRY = re.compile(rf'(ballot)/v1 [A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=|pause/v1 {{"at":{TIME}}}'
                   rf'|resume/v1 {{"at":{TIME},"acceptsUntil":{TIME}}}|rollback/v1 {{"at":{TIME},"databaseOf"'
                   rf':{TIME}}}|void/v1 {{"entry":({N}),"reason":"(?:superseded|withdrawn)"}}')
CLOSE = re.compile(rf'close/v1 {{"at":({TIME}),"early":"(?:[^"\\]|\\.)*","turnout":({N}),'
                   rf'"counts":\[({N}(?:,{N})*)\],"live":({N}),"rows":"(published|withheld)"}}')
ROW = re.compile("([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}),([1-9][0-9]{,3}(?: [1-9][0-9]{,3})*),([0-9a-f]{32})")
KEY = re.compile(r"(?:([^\s+]+/log/[^\s+/]+)\+([0-9a-f]{8})\+)?(A[Q-Za-f][A-Za-z0-9+/]{42})|[0-9a-f]{64}")
NOTE = re.compile(r"(.*\n)\n— (\S+) ([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)\n", re.DOTALL)
SAFE = re.compile(r"https://[^/]|http://(127\.0\.0\.1|\[::1\]|([a-z0-9-]+\.)*localhost)(:[0-9]+)?/")
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # of Ed25519, RFC 8032 §5.1
D = -121665 * pow(121666, -1, P) % P

class Problem(Exception): """What is wrong, where, and the exit code."""
def need(condition, what, where, code=1):
    if not condition: raise Problem(what, where, code)
def sha256(data): return hashlib.sha256(data).digest()
def base64_of(data): return base64.b64encode(data).decode()
def text_of(data): return data.decode(errors="backslashreplace")  # no form has the \xNN for what is not UTF-8
def at(number): return f"log.txt, line {number + 1} (entry {number})"
def key_id(origin, key): return sha256(origin.encode() + b"\n\x01" + key)[:4]
def fingerprint(key): return sha256(base64.b64decode(key[-44:])[1:]).hex() if KEY.fullmatch(key)[3] else key
def parse(text, where):  # JSON; objects become lists of pairs, and a number the bytes that it is written with
    try: return json.loads(text, object_pairs_hook=list, parse_int=str.encode, parse_float=str)
    except (ValueError, RecursionError): raise Problem("this is not JSON", where, 1) from None

def add(p, q):  # points of the curve as X, Y, Z, T (RFC 8032 §5.1.4)
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * D * p[3] * q[3] % P, 2 * p[2] * q[2]
    return (b - a) * (d - c) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P
def point(raw):  # §5.1.3; None where the bytes stand for no point
    sign, y = divmod(int.from_bytes(raw, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    x = root if root * root % P == square else root * pow(2, (P - 1) // 4, P) % P
    x = x if x % 2 == sign else P - x
    return (x, y, 1, x * y % P) if x < P and y < P and x * x % P == square else None
def signature_fits(key, message, signature):  # §5.1.7: S is below the order, R is [S]B - [k]A to the byte
    base, a, s = point(b"\x58" + b"\x66" * 31), point(key), int.from_bytes(signature[32:], "little")
    if s >= ORDER or not a: return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    terms = [total := (0, 1, 1, 0), base, minus_a := (P - a[0], a[1], 1, P - a[3]), add(base, minus_a)]
    for i in reversed(range(253)): total = add(add(total, total), terms[(s >> i & 1) + 2 * (k >> i & 1)])
    x, y = (n * pow(total[2], -1, P) % P for n in total[:2])
    return (y + (x % 2 << 255)).to_bytes(32, "little") == signature[:32]
def signed(note, origin, key, where):  # the text of a note (c2sp.org/signed-note) with one signature, by key
    found = NOTE.fullmatch(note if type(note) is str else "")
    signature = base64.b64decode(found[3]) if found and found[2] == origin else b""
    need(signature[:4] == key_id(origin, key), "this is not signed with the trusted key", where)
    need(signature_fits(key, found[1].encode(errors="replace"), signature[4:]), "forged signature", where)
    return found[1].split("\n")[:-1]
def fetch(url, accept="*/*"):
    need(SAFE.match(url), "this is no https address", url, 2)
    with urlopen(Request(url, headers={"Accept": accept}), timeout=60) as answer:
        need(SAFE.match(answer.geturl()), "this leads to an address that is not https", url, 3)
        return answer.read(1 << 30)
def trusted(key):  # the verifier key, KEY or fingerprint that --key means
    texts = [key]
    def keep(member): texts.append(str(member.get("value")) if member.get("type") == "PropertyValue" else "")
    if "://" in key: json.loads(fetch(key, "application/activity+json"), object_hook=keep)
    words = html.unescape(re.sub("<[^>]*>", " ", " ".join(texts))).split()
    keys = [word for word in words if KEY.fullmatch(word)]
    need(keys, "no key of a log stands here", key, 3 if "://" in key else 2)
    return keys[0]
def open_dataset(place):  # the names of its files (in a zip: if stored or deflated), and what opens one
    if os.path.isdir(place):
        names = [name for name in os.listdir(place) if os.path.isfile(os.path.join(place, name))]
        return names, lambda name: open(os.path.join(place, name), "rb")
    url = re.sub(r"(?<!\.zip)/*([?#].*)?$", "/dataset.zip", place, count=1)
    archive = zipfile.ZipFile(io.BytesIO(fetch(url)) if "://" in place else place)
    return [info.filename for info in archive.infolist() if info.compress_type in (0, 8)], archive.open

def check_files(place, trust, report):  # 1. each file is there once and as it was signed, in a zip no other
    names, opened = open_dataset(place)
    def read(name, size):
        need(names.count(name) == 1, "this file is missing, or there twice", name)
        with opened(name) as file: return file.read(size + 1)
    found = KEY.fullmatch(text_of(read("key.txt", 1000)).removesuffix("\n"))
    need(found and found[1], "this is no verifier key", "key.txt")
    origin, key, own = found[1], base64.b64decode(found[3])[1:], fingerprint(found[3])
    report.update(origin=origin, fingerprint=report["fingerprint"] or own)
    need(trust in ("", own, found[0], found[3]), f"here is another key, with fingerprint {own}", "key.txt")
    need(key_id(origin, key).hex() == found[2], "this is no verifier key", "key.txt")
    lines, files = signed(text_of(read("manifest.txt", 1 << 20)), origin, key, "manifest.txt"), {}
    need(lines[:2] == [origin, "inspraak dataset v1"], "this is not the manifest", "manifest.txt, line 1")
    for number, line in enumerate(lines[2:], 3):
        found = re.fullmatch("([0-9a-f]{64}) (0|[1-9][0-9]{,8}) ([A-Za-z0-9_][A-Za-z0-9._-]*)", line)
        fits = found and found[3] > next(reversed(files), "")
        need(fits, "this is not hash, size and name of the next file", f"manifest.txt, line {number}")
        data = files[found[3]] = read(found[3], int(found[2]))
        need([sha256(data).hex(), str(len(data))] == [found[1], found[2]], "this is another file", found[3])
    others = sorted(set(names) - set(files) - {"manifest.txt"})
    need(not others or os.path.isdir(place), "the manifest does not have this", " ".join(others[:1]))
    report["notes"] += [f"{name} does not belong to the dataset and was not checked." for name in others]
    return lambda name: text_of(files.get(name, b"")), origin, key
def pasted(path, origin):  # the checkpoints in a copied post, by their words: servers rewrite white space
    with open(path, "rb") as file: text = " ".join(re.sub("<[^>]*>", " ", text_of(file.read())).split())
    found = re.findall(rf"(?<!\S)({re.escape(origin)}) (\S+) (\S+) (— \S+ \S+)", text)
    need(found, f"no checkpoint of {origin} stands here", path)
    return [("{}\n{}\n{}\n\n{}\n".format(*parts), path) for parts in found]
def check_checkpoints(own, copies, entries, origin, key):  # 2. each is signed, with the root of the entries
    @functools.lru_cache(None)
    def root(start, end):  # of a Merkle tree, RFC 6962 §2.1
        if end == start + 1: return sha256(b"\0" + entries[start].encode())
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return sha256(b"\1" + root(start, middle) + root(middle, end))
    need(type(own) is list and own, "there are no checkpoints", "checkpoints.json")
    own, size = [(note, f"checkpoints.json, checkpoint {number}") for number, note in enumerate(own, 1)], 0
    for number, (note, where) in enumerate(own + copies, 1):
        lines, least = signed(note, origin, key, where), size + 1 if number <= len(own) else 1
        size = int(lines[1]) if len(lines) == 3 and lines[0] == origin and re.fullmatch(N, lines[1]) else 0
        need(size >= least, "this is no checkpoint of this log, or not larger than the one before", where)
        need(size <= len(entries), "it is newer than the dataset: log.txt has fewer entries", where)
        need(base64_of(root(0, size)) == lines[2], f"this is not the root of {size} entries", where)
        need(size == len(entries) or number != len(own), "the last one must be of all entries", where)
def check_log(entries, question):  # 3. it opens with the question, closes, and voids only ballots that count
    live, close = {}, CLOSE.fullmatch(entries[-1])
    need(entries[0].startswith("open/v1 {"), "this is not open/v1", at(0))
    for number, entry in enumerate(entries[1:-1], 1):
        form = ENTRY.fullmatch(entry)
        need(form, "no entry like this may stand here", at(number))
        if form[1]: need(live.setdefault(entry, number) == number, "this ballot is there already", at(number))
        voided = live.pop(entries[min(int(form[2]), number)], None) if form[2] else None
        need(not form[2] or voided == int(form[2]), "this voids no earlier ballot that counts", at(number))
    need(close, "this is not close/v1", at(len(entries) - 1))
    need(question == entries[0][8:], "this is not the JSON of entry 0", "question.json")
    asked = dict(pairs := parse(question, "question.json"))
    types = [type(asked.get(name)) for name in ("question", "options", "perOption", "batchSize")]
    good = types == [str, list, bool, bytes] and asked.get("kind") in ("single-choice", "multiple-choice")
    good = good and len(asked) == len(pairs) and {type(option) for option in asked["options"]} == {str}
    need(good, "this question does not have the form of open/v1", "question.json")
    return asked, live, [*close.groups(), at(len(entries) - 1)]
def check_rows(rows, asked, live, origin):  # 4. each row is a ballot that counts, each of these has a row
    counts, before, waiting = [0] * len(asked["options"]), "", dict(live)
    most = 1 if asked["perOption"] or asked["kind"] == "single-choice" else len(counts)
    for number, line in enumerate(rows, 2):
        row, where = ROW.fullmatch(line), f"ballots.csv, line {number}"
        need(row and row[1] > before, "this is no row, or its code is there twice or out of order", where)
        before, chosen = row[1], [int(n) for n in row[2].split()]
        need(chosen == sorted(set(chosen))[:most] and chosen[-1] <= len(counts), "impossible options", where)
        ballot = sha256(f"inspraak ballot v1\n{origin}\n{row[1]}\n{row[2]}\n{row[3]}\n".encode())
        need(waiting.pop("ballot/v1 " + base64_of(ballot), 0), "no ballot in log.txt is this row", where)
        for n in chosen: counts[n - 1] += 1
    need(not waiting, "this ballot has no row in ballots.csv", at(min(waiting.values(), default=0)))
    return counts
def check(args, report):  # all of it, and 5. the rows add up to what close/v1 and result.json say
    trust = trusted(args.key) if args.key else ""
    report.update(fingerprint=fingerprint(trust) if trust else None, where=args.dataset)
    file, origin, key = check_files(args.dataset, trust, report)
    entries, rows = (file(name).removesuffix("\n").split("\n") for name in ("log.txt", "ballots.csv"))
    copies = [copy for path in args.checkpoint for copy in pasted(path, origin)]
    check_checkpoints(parse(file("checkpoints.json"), "checkpoints.json"), copies, entries, origin, key)
    asked, live, (closed, turnout, counts, count, rows_are, last) = check_log(entries, file("question.json"))
    turnout, counts, options = int(turnout), [int(n) for n in counts.split(",")], asked["options"]
    need(rows.pop(0) == "code,options,nonce", "this is not the header line", "ballots.csv, line 1")
    sums = check_rows(rows, asked, live if rows_are == "published" else {}, origin)
    need(rows_are == "withheld" or sums == counts, "the counts are not the sums of the rows", last)
    need(rows_are != "withheld" or turnout < int(asked["batchSize"]), "too many rows are withheld", last)
    need(int(count) == len(live), "live is not the number of ballots that count", last)
    need(asked["perOption"] or turnout == len(live), "turnout is not the number of ballots", last)
    need(max(counts) <= turnout <= sum(counts) and len(counts) == len(options), "impossible counts", last)
    want = [("turnout", b"%d" % turnout), ("counts", [b"%d" % n for n in counts]), ("options", options),
            ("closed", closed.strip('"')), ("entries", b"%d" % len(entries))]
    need(parse(file("result.json"), "result.json") == want, "this is not what log.txt says", "result.json")
    report["notes"] += ["The turnout is the node's word."] * asked["perOption"]
    report["notes"] += ["The rows are withheld: the counts are the node's word."] * (rows_are == "withheld")
    report.update(verified=True, where=None, question=asked["question"], turnout=turnout, counts=counts,
                  entries=len(entries), rows=len(rows))
    return [asked["question"], *map("{}: {}".format, options, counts), f"Ballots: {turnout}"]
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--key")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    args, code, lines = parser.parse_args(), 0, []
    report = dict.fromkeys("fingerprint origin problem where question turnout counts entries rows".split())
    report.update(verified=False, anchored=bool(args.key or args.checkpoint), notes=[], where=args.key)
    try: lines = check(args, report)
    except Problem as problem: report["problem"], report["where"], code = problem.args
    except (Exception, KeyboardInterrupt) as error:  # a damaged zip, no network, no memory and the like
        place, code = getattr(error, "filename", "") or report["where"], 3
        report.update(problem=f"this could not be read ({type(error).__name__}: {error})", where=place)
    if not report["anchored"]: report["notes"] += ["No --key: this only shows that the dataset fits itself."]
    lines += ["Log: {origin}\nFingerprint of the trusted key: {fingerprint}".format(**report)]
    lines += report["notes"] + ["NOT VERIFIED: {problem}, {where}".format(**report) if code else "Verified."]
    sys.stdout.reconfigure(errors="replace")  # and no control characters of strangers
    print(re.sub(r"[^\n -~\xa0-\U0010ffff]", "?", json.dumps(report) if args.json else "\n".join(lines)))
    sys.exit(code)
if __name__ == "__main__": main()
