"""event_lines.py - a stream of events, held to its schema and to its rules."""

import json
import pathlib

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] /
                     'schemas/mxc-event.schema.json').read_text())
TYPES = {'string': str, 'integer': int, 'boolean': bool}


def wrong(event):
    """What the schema has against one event, or None."""
    kind = SCHEMA['$defs'].get(event.get('event'))
    if kind is None:
        return f'no such kind: {event}'
    missing = set(kind['required']) - set(event)
    unknown = set(event) - set(kind['properties'])
    if missing or unknown:
        return f'missing {missing}, unknown {unknown}: {event}'
    for name, value in event.items():
        want = kind['properties'][name]
        if want.get('const', value) != value:
            return f'{name}: {event}'
        if 'type' in want and (not isinstance(value, TYPES[want['type']]) or
                               isinstance(value, bool) !=
                               (want['type'] == 'boolean')):
            return f'{name} is not of type {want["type"]}: {event}'
        if value < want.get('minimum', value):
            return f'{name} is too small: {event}'
    return None


def hidden(text):
    """Characters that do something to a reader instead of being seen."""
    return [c for c in text if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or
            0x200b <= ord(c) <= 0x200f or 0x2028 <= ord(c) <= 0x202e or
            0x2060 <= ord(c) <= 0x206f or c == '\ufeff']


def read_events(text):
    """All events of a stream; raises AssertionError where it breaks a rule.

    A last line that was cut is none."""
    events, last, clock = [], 0, 0
    for line in text.split('\n')[:-1]:
        assert len(line) < 16384, len(line)
        event = json.loads(line)
        assert wrong(event) is None, wrong(event)
        missing = event['count'] if event['event'] == 'gap' else 0
        assert event['seq'] == last + missing + 1, (last, event)
        assert event['monotonicUs'] >= clock, (clock, event)
        last, clock = event['seq'], event['monotonicUs']
        for name, value in event.items():
            assert not isinstance(value, str) or not hidden(value), event
            assert not isinstance(value, str) or len(value) <= 1024, event
        events.append(event)
    return events
