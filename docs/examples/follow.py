"""Counts the replies that are shown, by day: python3 follow.py https://inspraak.example"""
import collections
import json
import sys
import urllib.request

address, replies = sys.argv[1] + "/api/v1/events?limit=200", {}
more = True
while more:
    with urllib.request.urlopen(address) as answer:
        page = json.load(answer)
    for event in page["events"]:
        reply = event.get("reply", {"hidden": True, "number": 0})
        if reply.get("hidden") or reply.get("deleted"):
            replies.pop(reply["number"], None)  # our copy goes too
        else:
            replies[reply["number"]] = reply
    address, more = page["next"], page["more"]  # keep address: tomorrow it gives what is new
days = collections.Counter(reply["receivedAt"][:10] for reply in replies.values())
for day, number in sorted(days.items()):
    print(day, number)
