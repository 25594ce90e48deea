"""Who is on call when, by another way than the program's: Python's own time zones, and lists of everything that begins or ends.

Reads a list of cases as JSON and writes for each the spans of people between two instants, in nanoseconds of Unix time. A case has
`from`, `until` (seconds) and `layers`; a layer has `zone`, `members` (lists of people), `shift_hours`, `first` (an hour of the clock on
the wall), `days` (0 is Monday) and `hours` (minutes from midnight), empty for all.
"""

import json
import sys
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def instant(wall, zone):
    """An hour of the clock on the wall. Where there is none it moves with the clock; of two the first: `fold` is 0."""
    there = wall.replace(tzinfo=zone, fold=0)
    return int((there.astimezone(timezone.utc) - EPOCH) // timedelta(seconds=1))


def listed(layer, begin, end):
    zone = ZoneInfo(layer["zone"])
    first = datetime.fromisoformat(layer["first"])
    length = timedelta(hours=layer["shift_hours"])
    turns, number, wall = [], 0, first
    while True:
        at = instant(wall, zone)
        if at > end + 3 * 86400:
            break
        turns.append((at, number))
        number, wall = number + 1, wall + length
    opened = []
    if layer["days"] or layer["hours"]:
        day = (EPOCH + timedelta(seconds=begin)).date() - timedelta(days=4)
        last = (EPOCH + timedelta(seconds=end)).date() + timedelta(days=4)
        while day <= last:
            if not layer["days"] or day.weekday() in layer["days"]:
                midnight = datetime.combine(day, time(0))
                for start, stop in layer["hours"] or [[0, 1440]]:
                    if stop <= start:
                        stop += 1440
                    a = instant(midnight + timedelta(minutes=start), zone)
                    b = instant(midnight + timedelta(minutes=stop), zone)
                    if a < b:
                        opened.append((a, b))
            day += timedelta(days=1)
    else:
        opened.append((-(10**12), 10**12))
    # The last turn that has begun: in order of their begins, the greatest number so far.
    turns.sort()
    greatest, begun = [], -1
    for at, number in turns:
        begun = max(begun, number)
        greatest.append((at, begun))
    return {"members": layer["members"], "turns": greatest, "open": sorted(opened)}


def spans(case):
    begin, end = case["from"], case["until"]
    layers = [listed(layer, begin, end) for layer in case["layers"]]
    events = {begin}
    for layer in layers:
        events.update(at for at, _ in layer["turns"])
        events.update(at for span in layer["open"] for at in span)
    found = []
    at_turn, at_open = [0] * len(layers), [0] * len(layers)
    for at in sorted(event for event in events if begin <= event < end):
        people = []
        for index, layer in enumerate(layers):
            turns, opened = layer["turns"], layer["open"]
            while at_turn[index] < len(turns) and turns[at_turn[index]][0] <= at:
                at_turn[index] += 1
            while at_open[index] < len(opened) and opened[at_open[index]][1] <= at:
                at_open[index] += 1
            # Spans may overlap: one that begins later is looked at, too.
            near = opened[at_open[index] : at_open[index] + 6]
            is_open = any(a <= at < b for a, b in near)
            if at_turn[index] == 0 and index > 0:
                continue
            if is_open:
                number = turns[at_turn[index] - 1][1] if at_turn[index] else 0
                people = layer["members"][number % len(layer["members"])]
        if not found or found[-1][1] != people:
            found.append([at, people])
    return found


json.dump([spans(case) for case in json.load(sys.stdin)], sys.stdout)
