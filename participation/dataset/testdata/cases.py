"""Datasets by name, right ones and wrong ones. Where verify.py must find what is wrong stands in the Go test."""
import base64, json, zipfile

from ballotlog import ORDER, Dataset, Signer, b64, compact, tree

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


# Right ones.
@case
def single(): return Dataset().sealed()
@case
def multiple(): return Dataset("multiple-choice", 4).sealed()
@case
def per_option(): return Dataset("multiple-choice", 8).sealed()
@case
def withheld(): return Dataset(ballots=7).sealed()
@case
def withheld_per_option(): return Dataset("multiple-choice", 8, ballots=7).sealed()
@case
def no_ballots(): return Dataset(ballots=0).sealed()
@case
def one_size(): d = Dataset(); d.sizes = []; return d.sealed()


# The files are not those that were signed.
def altered(name, change, sign=False):
    d = Dataset().sealed()
    d.files[name] = change(d.files[name])
    return d.signed() if sign else d


@case
def row_altered(): return altered("ballots.csv", lambda data: data[:-2] + b"0\n" if data[-2:-1] != b"0" else data[:-2] + b"1\n")
@case
def readme_longer(): return altered("README.md", lambda data: data + b"x")
@case
def readme_shorter(): return altered("README.md", lambda data: data[:-1])
@case
def file_missing():
    d = Dataset().sealed(); del d.files["rule.md"]; return d
@case
def file_more():
    d = Dataset().sealed(); d.files["uitleg.html"] = b"<p>x"; return d
@case
def folder_more():
    d = Dataset().sealed(); d.files["map/"] = b""; return d
@case
def file_twice(): d = Dataset().sealed(); return d.zip([("ballots.csv", d.files["ballots.csv"])])
@case
def manifest_twice(): d = Dataset().sealed(); return d.zip([("manifest.txt", d.files["manifest.txt"])])
@case
def packed_with_bzip2(): return Dataset().sealed().zip(method=zipfile.ZIP_BZIP2)
@case
def manifest_missing(): d = Dataset().sealed(); del d.files["manifest.txt"]; return d
@case
def key_missing(): d = Dataset().sealed(); del d.files["key.txt"]; return d
@case
def manifest_altered(): return altered("manifest.txt", lambda data: data.replace(b" rule.md", b" rulE.md"))
@case
def manifest_unsigned(): return altered("manifest.txt", lambda data: data.rpartition(b"\n\n")[0] + b"\n")
@case
def manifest_signed_twice(): return altered("manifest.txt", lambda data: data + data.rpartition(b"\n\n")[2])
@case
def manifest_huge(): return altered("manifest.txt", lambda data: data + b"x" * 3_000_000)
@case
def manifest_not_utf8(): return altered("manifest.txt", lambda data: data.replace(b"rule", b"r\xffle"))
@case
def manifest_of_another_key():
    d = Dataset().sealed(); own, d.signer = d.signer, Signer(d.signer.origin, b"another seed, as long as it is.."); return d.signed()
@case
def manifest_of_another_log():
    d = Dataset().sealed(); d.signer = Signer("gemeente.example/log/other"); return d.signed()
@case
def manifest_origin(): return Dataset().sealed().signed(lambda lines: ["gemeente.example/log/x", *lines[1:]])
@case
def manifest_version(): return Dataset().sealed().signed(lambda lines: [lines[0], "inspraak dataset v2", *lines[2:]])
@case
def manifest_unsorted(): return Dataset().sealed().signed(lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]])
@case
def manifest_name_twice(): return Dataset().sealed().signed(lambda lines: [*lines[:3], lines[2], *lines[3:]])
@case
def manifest_upper_case(): return Dataset().sealed().signed(lambda lines: [*lines[:2], lines[2][:64].upper() + lines[2][64:], *lines[3:]])
@case
def manifest_size_with_zero(): return Dataset().sealed().signed(lambda lines: [*lines[:2], lines[2].replace(" ", " 0", 1), *lines[3:]])
@case
def manifest_path(): return Dataset().sealed().signed(lambda lines: [*lines, "0" * 64 + " 5 z/../../x"])
@case
def manifest_size_wrong(): return Dataset().sealed().signed(lambda lines: [*lines[:2], lines[2].replace(" ", " 1", 1), *lines[3:]])
@case
def needed_missing():
    d = Dataset().sealed(); del d.files["result.json"]; return d.signed()
@case
def log_missing():
    d = Dataset().sealed(); del d.files["log.txt"]; return d.signed()
@case
def key_garbled(): return altered("key.txt", lambda data: data.replace(b"+", b"-", 1), True)
@case
def key_hash_wrong(): return altered("key.txt", lambda data: data.replace(data.split(b"+")[1], b"00000000"), True)
@case
def key_two_lines(): return altered("key.txt", lambda data: data + data, True)
@case
def key_not_utf8(): return altered("key.txt", lambda data: b"\xff" + data, True)
@case
def signature_malleable():
    """S + L is the same signature to a verifier that does not look (RFC 8032 §5.1.7)."""
    def change(data):
        text, _, line = data.decode().rpartition(" ")
        raw = base64.b64decode(line)
        s = int.from_bytes(raw[36:], "little") + ORDER
        return f"{text} {b64(raw[:36] + s.to_bytes(32, 'little'))}\n".encode()
    return altered("manifest.txt", change)
@case
def signature_loose_base64():
    """The last letter before = has bits that a lax decoder throws away."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return altered("manifest.txt", lambda data: data[:-3] + alphabet[alphabet.index(chr(data[-3])) + 1].encode() + data[-2:])


# Checkpoints.
def checkpoints(change):
    d = Dataset().sealed()
    d.files["checkpoints.json"] = json.dumps(change(d, json.loads(d.files["checkpoints.json"]))).encode()
    return d.signed()


@case
def checkpoints_none(): return checkpoints(lambda d, all: [])
@case
def checkpoints_object(): return checkpoints(lambda d, all: {"a": all[0]})
@case
def checkpoints_number(): return checkpoints(lambda d, all: 5)
@case
def checkpoints_hold_a_number(): return checkpoints(lambda d, all: [*all, 5])
@case
def checkpoints_no_json(): return altered("checkpoints.json", lambda data: data[:-1], True)
@case
def checkpoints_deep(): return altered("checkpoints.json", lambda data: b"[" * 200_000, True)
@case
def checkpoints_not_utf8(): return altered("checkpoints.json", lambda data: data.replace(b"gemeente", b"gem\xc3ente"), True)
@case
def checkpoints_surrogate(): return altered("checkpoints.json", lambda data: data.replace(b'["gem', b'["\\ud800gem', 1), True)
@case
def checkpoint_last_missing(): return checkpoints(lambda d, all: all[:-1])
@case
def checkpoint_twice(): return checkpoints(lambda d, all: [all[0], all[0], *all[1:]])
@case
def checkpoint_order(): return checkpoints(lambda d, all: [all[1], all[0], all[2]])
@case
def checkpoint_altered(): return checkpoints(lambda d, all: [all[0], all[1].replace("\n32\n", "\n31\n") if "\n32\n" in all[1] else all[1].replace("\n", "\n1", 1), all[2]])
@case
def checkpoint_wrong_root(): return checkpoints(lambda d, all: [all[0], d.signer.checkpoint(d.log[:5], b"r" * 32), all[2]])
@case
def checkpoint_size_zero(): return checkpoints(lambda d, all: [d.signer.checkpoint([]), *all])
@case
def checkpoint_size_form(): return checkpoints(lambda d, all: [d.signer.note(f"{d.signer.origin}\n01\n{b64(tree(tuple(d.log[:1])))}\n"), *all[1:]])
@case
def checkpoint_too_large(): return checkpoints(lambda d, all: [*all, d.signer.checkpoint([*d.log, "more"])])
@case
def checkpoint_of_another_log(): return checkpoints(lambda d, all: [Signer("gemeente.example/log/other").checkpoint(d.log[:1]), *all[1:]])
@case
def checkpoint_names_another_log(): return checkpoints(lambda d, all: [d.signer.note("x/log/y\n1\n" + all[0].split("\n")[2] + "\n"), *all[1:]])
@case
def checkpoint_in_another_name(): return checkpoints(lambda d, all: [all[0].replace("— gemeente", "— stad"), *all[1:]])
@case
def checkpoint_of_four_lines(): return checkpoints(lambda d, all: [d.signer.note("\n".join(all[0].split("\n")[:3]) + "\nmore\n"), *all[1:]])
@case
def log_altered(): return altered("log.txt", lambda data: data.replace(b"pause/v1", b"pausE/v1"), True)
@case
def log_line_gone(): return altered("log.txt", lambda data: data[:data.index(b"\n") + 1] + data.split(b"\n", 2)[2], True)


# The log, where the node has signed all of it.
def logged(change, **shape):
    d = Dataset(**shape)
    d.sizes = [1]
    change(d)
    return d.sealed()


def at(d, kind):
    return next(n for n, entry in enumerate(d.entries) if entry.startswith(kind))


def replaced(kind, make):
    return logged(lambda d: d.entries.__setitem__(at(d, kind), make(d, d.entries[at(d, kind)])))


def inserted(number, text):
    return logged(lambda d: d.entries.insert(number, text))


def question(change):
    def both(d):
        change(d.question)
        d.entries[0] = "open/v1 " + compact(d.question)
    return logged(both)


@case
def open_missing(): return logged(lambda d: d.entries.__setitem__(0, 'pause/v1 {"at":"2026-03-04T10:00:00Z"}'))
@case
def open_twice(): return logged(lambda d: d.entries.insert(4, d.entries[0]))
@case
def open_not_json(): return logged(lambda d: d.entries.__setitem__(0, 'open/v1 {"consultation":}'))
@case
def open_not_utf8(): return replaced("open/v1", lambda d, entry: entry.replace("raad", "ra\udcffd"))
@case
def open_member_twice(): return replaced("open/v1", lambda d, entry: entry[:-1] + ',"kind":"single-choice"}')
@case
def open_true_as_number(): return question(lambda q: q.update(perOption=0))
@case
def open_batch_is_true(): return question(lambda q: q.update(batchSize=True))
@case
def open_batch_is_text(): return question(lambda q: q.update(batchSize="10"))
@case
def open_kind_unknown(): return question(lambda q: q.update(kind="ranked"))
@case
def open_options_of_numbers(): return question(lambda q: q.update(options=[1, 2, 3]))
@case
def open_without_options(): return question(lambda q: q.pop("options"))
@case
def question_other(): return altered("question.json", lambda data: data.replace(b"bomen", b"asfalt"), True)
@case
def question_newline(): return altered("question.json", lambda data: data + b"\n", True)
@case
def close_missing(): return logged(lambda d: setattr(d, "close", None))
@case
def close_twice(): return logged(lambda d: d.entries.append("close/v1 " + compact(d.close)))
@case
def close_early_in_log(): return logged(lambda d: d.entries.insert(3, "close/v1 " + compact(d.close)))
@case
def destroy_before_close(): return inserted(3, 'destroy/v1 {"step":"done","at":"2026-03-04T10:00:00Z"}')
@case
def entry_unknown(): return inserted(3, "extend/v1 {}")
@case
def entry_empty(): return inserted(3, "")
@case
def entry_with_return(): return replaced("ballot/v1", lambda d, entry: entry + "\r")
@case
def entry_not_utf8(): return inserted(3, "ballot/v1 \udcff")
@case
def pause_with_space(): return replaced("pause/v1", lambda d, entry: entry.replace(":", ": ", 1))
@case
def pause_with_zone(): return replaced("pause/v1", lambda d, entry: entry.replace("Z", "+01:00"))
@case
def rollback_order(): return replaced("rollback/v1", lambda d, entry: 'rollback/v1 {"databaseOf":"2026-03-05T09:00:00Z","at":"2026-03-05T10:00:00Z"}')
@case
def ballot_base64_loose(): return replaced("ballot/v1", lambda d, entry: entry[:-2] + "B=")
@case
def ballot_short(): return replaced("ballot/v1", lambda d, entry: "ballot/v1 " + b64(b"x" * 31))
@case
def ballot_twice(): return logged(lambda d: d.entries.append(d.entries[1]))
@case
def void_itself(): return logged(lambda d: d.entries.append(f'void/v1 {{"entry":{len(d.entries)},"reason":"withdrawn"}}'))
@case
def void_later(): return inserted(1, 'void/v1 {"entry":3,"reason":"withdrawn"}')
@case
def void_the_question(): return logged(lambda d: d.entries.append('void/v1 {"entry":0,"reason":"withdrawn"}'))
@case
def void_twice(): return logged(lambda d: d.entries.append(d.entries[at(d, "void/v1")]))
@case
def void_reason(): return replaced("void/v1", lambda d, entry: entry.replace("superseded", "moderated"))
@case
def void_number_form(): return replaced("void/v1", lambda d, entry: entry.replace('"entry":', '"entry":0'))
@case
def void_true(): return logged(lambda d: d.entries.append('void/v1 {"entry":true,"reason":"withdrawn"}'))
@case
def void_far(): return logged(lambda d: d.entries.append('void/v1 {"entry":999999999,"reason":"withdrawn"}'))
@case
def void_in_secret(): return logged(lambda d: d.entries.append('void/v1 {"entry":1,"reason":"withdrawn"}'))


# Rows, where the node has signed all of it.
def rows(change, **shape):
    return logged(lambda d: change(d.rows, d), **shape)


def retold(d, number, some):
    """The voter of a row is said to have chosen some, and the log bears it out."""
    row = d.rows[number]
    place = d.entries.index(d.entry(row))
    row[1] = some
    d.entries[place] = d.entry(row)


@case
def vote_flipped(): return rows(lambda rows, d: rows[2].__setitem__(1, "2" if rows[2][1] != "2" else "3"))
@case
def row_gone(): return rows(lambda rows, d: rows.pop(2))
@case
def row_more(): return rows(lambda rows, d: rows.append(["ZZZZ-ZZZZ-ZZZZ-ZZZZ", "1", "0" * 32]))
@case
def row_twice(): return rows(lambda rows, d: rows.insert(2, rows[2]))
@case
def rows_unsorted(): return rows(lambda rows, d: rows.reverse())
@case
def row_of_a_void_ballot():
    def change(rows, d):
        entry = next(entry for entry in d.entries[1:] if entry == d.entry(rows[3]))
        d.entries.append(f'void/v1 {{"entry":{d.entries.index(entry)},"reason":"withdrawn"}}')
    return rows(change)
@case
def row_quoted(): return altered("ballots.csv", lambda data: data.replace(b",1,", b',"1",', 1), True)
@case
def row_with_return(): return altered("ballots.csv", lambda data: data.replace(b"\n", b"\r\n"), True)
@case
def row_not_utf8(): return altered("ballots.csv", lambda data: data[:25] + b"\xff" + data[26:], True)
@case
def header_other(): return altered("ballots.csv", lambda data: data.replace(b"nonce", b"noncE"), True)
@case
def header_missing(): return altered("ballots.csv", lambda data: data.split(b"\n", 1)[1], True)
@case
def option_unknown(): return rows(lambda rows, d: retold(d, 0, "4"))
@case
def option_zero(): return rows(lambda rows, d: retold(d, 0, "0"))
@case
def option_padded(): return rows(lambda rows, d: retold(d, 0, "01"))
@case
def options_two_of_single(): return rows(lambda rows, d: retold(d, 0, "1 2"))
@case
def options_descending(): return rows(lambda rows, d: retold(d, 0, "2 1"), kind="multiple-choice")
@case
def options_repeated(): return rows(lambda rows, d: retold(d, 0, "2 2"), kind="multiple-choice")
@case
def options_two_per_option(): return rows(lambda rows, d: retold(d, 0, "1 2"), kind="multiple-choice", options=8)
@case
def code_lower_case():
    def change(rows, d):
        place = d.entries.index(d.entry(rows[-1])); rows[-1][0] = rows[-1][0].lower(); d.entries[place] = d.entry(rows[-1])
    return rows(change)
@case
def nonce_upper_case():
    def change(rows, d):
        place = d.entries.index(d.entry(rows[0])); rows[0][2] = "A" * 32; d.entries[place] = d.entry(rows[0])
    return rows(change)
@case
def rows_though_withheld(): return logged(lambda d: (d.close.update(rows="withheld")), ballots=7, batch=5)
@case
def withheld_but_there(): d = Dataset(ballots=7); d.withheld = False; return d.sealed()
@case
def withheld_too_many(): return logged(lambda d: (d.close.update(rows="withheld"), setattr(d, "withheld", True)))


# Sums.
def closed(**change):
    shape = change.pop("shape", {})
    return logged(lambda d: d.close.update({name: make(d.close[name]) for name, make in change.items()}), **shape)


def resulted(change):
    return logged(lambda d: change(d.result))


@case
def count_shifted(): return closed(counts=lambda counts: [counts[0] + 1, counts[1] - 1, *counts[2:]])
@case
def counts_too_many(): return closed(counts=lambda counts: [*counts, 0])
@case
def counts_form(): return closed(counts=lambda counts: [True, *counts[1:]])
@case
def turnout_more(): return closed(turnout=lambda n: n + 1)
@case
def turnout_more_of_multiple(): return closed(turnout=lambda n: n + 1, shape={"kind": "multiple-choice", "options": 4})
@case
def turnout_text(): return closed(turnout=str)
@case
def turnout_fraction(): return closed(turnout=float)
@case
def live_less(): return closed(live=lambda n: n - 1)
@case
def live_less_withheld(): return closed(live=lambda n: n - 1, shape={"ballots": 7})
@case
def turnout_more_withheld(): return closed(turnout=lambda n: n + 1, shape={"ballots": 7})
@case
def turnout_beyond_the_marks(): return closed(turnout=lambda n: n * 9, shape={"kind": "multiple-choice", "options": 8})
@case
def counts_beyond_the_turnout(): return closed(turnout=lambda n: 1, shape={"kind": "multiple-choice", "options": 8})
@case
def rows_word(): return closed(rows=lambda _: "hidden")
@case
def result_turnout(): return resulted(lambda r: r.update(turnout=r["turnout"] + 1))
@case
def result_counts(): return resulted(lambda r: r.update(counts=r["counts"][::-1]))
@case
def result_options(): return resulted(lambda r: r.update(options=r["options"][::-1]))
@case
def result_closed(): return resulted(lambda r: r.update(closed="2026-03-16T17:03:00Z"))
@case
def result_entries(): return resulted(lambda r: r.update(entries=r["entries"] - 1))
@case
def result_more(): return resulted(lambda r: r.update(more=1))
@case
def result_fraction(): return resulted(lambda r: r.update(turnout=float(r["turnout"])))
@case
def result_list(): return altered("result.json", lambda data: b"[]", True)
@case
def result_empty(): return altered("result.json", lambda data: b"", True)
@case
def result_true():
    def change(d):
        d.result["turnout"] = True
    return logged(change, ballots=1)
@case
def result_member_twice(): return altered("result.json", lambda data: data[:-1] + b',"turnout":1}', True)
@case
def result_huge_number(): return altered("result.json", lambda data: data.replace(b'"entries":', b'"entries":' + b"9" * 9000), True)


# Zips that are none.
@case
def zip_truncated(): data = Dataset().sealed().zip(); return data[:len(data) // 2]
@case
def zip_empty(): return b""
@case
def zip_damaged():
    data = Dataset().sealed().zip(method=zipfile.ZIP_STORED)
    return data.replace(b"Meeste stemmen", b"meeste stemmen", 1)
@case
def zip_is_text(): return b"<html>Not here</html>"
