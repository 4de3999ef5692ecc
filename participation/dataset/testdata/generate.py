"""Writes datasets into a folder, for the tests of verify.py. The same arguments give the same bytes.

    python3 generate.py OUT           every case as OUT/NAME.zip, and keys and posts that go with them
    python3 generate.py OUT BALLOTS   one large dataset, OUT/large.zip
"""
import hashlib, os, sys

from ballotlog import Dataset, Signer
from cases import CASES


def main():
    out = sys.argv[1]
    if len(sys.argv) > 2:
        with open(os.path.join(out, "large.zip"), "wb") as file:
            file.write(Dataset(ballots=int(sys.argv[2])).sealed().zip())
        return
    for name, make in CASES.items():
        made = make()
        with open(os.path.join(out, name + ".zip"), "wb") as file:
            file.write(made if isinstance(made, bytes) else made.zip())
    d = Dataset().sealed()
    other = Signer(d.signer.origin, b"another seed, as long as it is..")
    elsewhere = Signer("gemeente.example/log/other")
    posts = {
        "key": d.signer.key, "verifier": d.signer.verifier, "fingerprint": hashlib.sha256(d.signer.public).hexdigest(),
        "other-key": other.key, "other-log": elsewhere.verifier,
        "other-fingerprint": hashlib.sha256(other.public).hexdigest(),
        "post": "Het telboek — vandaag:   " + " \t".join(d.signer.checkpoint(d.log[:9]).split()) + " #inspraak",
        "posts": "<p>" + "</p><p>".join(("<br>".join(signer.checkpoint(d.log[:n]).split()))
                                        for signer, n in ((d.signer, 20), (elsewhere, 3), (d.signer, 7))) + "</p>",
        "post-forged": other.checkpoint(d.log[:9]), "post-newer": d.signer.checkpoint([*d.log, "destroy"]),
        "post-split": d.signer.checkpoint([*d.log[:8], "ballot/v1 x"]), "post-elsewhere": elsewhere.checkpoint(d.log[:9]),
        "post-cut": d.signer.checkpoint(d.log[:9])[:80], "post-altered": d.signer.checkpoint(d.log[:9]).replace("\n9\n", "\n8\n")}
    for name, text in posts.items():
        with open(os.path.join(out, name + ".txt"), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
