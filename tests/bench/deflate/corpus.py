#!/usr/bin/python3
"""Makes a corpus of web text: corpus.py DIRECTORY.

Part is made up, always the same (among it page.html, the page of shared/bench's gzip case); part is
copied from what Debian has installed, an even sample by name and size.
"""
import json
import os
import random
import string
import sys

ROOTS = ('/usr/share/doc', '/usr/share/javascript', '/usr/share/gitweb', '/usr/share/gtk-doc',
         '/usr/share/nginx', '/usr/lib/node_modules', '/usr/lib/python3',
         '/usr/share/icons/Adwaita')
SAMPLES = {'.html': 24, '.css': 8, '.js': 20, '.json': 12, '.svg': 12}
SMALLEST, LARGEST = 3_000, 250_000


def page(rnd, size):
    words = [''.join(rnd.choices(string.ascii_lowercase, k=rnd.randint(2, 9))) for _ in range(800)]
    html = '<html><body>\n' + '\n'.join(
        f'<p class="{rnd.choice(words)}">{" ".join(rnd.choices(words, k=20))}</p>'
        for _ in range(200))
    return (html * (size // len(html) + 1))[:size]


def records(rnd, count):
    def name():
        return rnd.choice('Ada Bo Cleo Dan Eva Finn Gil Hal Ines Jo'.split())
    return json.dumps([{
        'id': i, 'name': name(), 'email': f'{name().lower()}{rnd.randint(1, 999)}@example.org',
        'active': rnd.random() < 0.7, 'score': round(rnd.gauss(50, 12), 3),
        'tags': rnd.sample(['red', 'green', 'blue', 'fast', 'slow', 'new'], rnd.randint(0, 3)),
        'updated': f'2024-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}T10:00:00Z',
    } for i in range(count)], indent=1)


def drawing(rnd, count):
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1000">']
    for i in range(count):
        points = ' '.join(f'L{rnd.randint(0, 9999) / 10} {rnd.randint(0, 9999) / 10}'
                          for _ in range(rnd.randint(2, 12)))
        lines.append(f'<path id="p{i}" fill="#{rnd.randint(0, 0xffffff):06x}" d="M0 0 {points}z"/>')
    return '\n'.join(lines) + '\n</svg>\n'


def installed(suffix, count):
    found = []
    for root in ROOTS:
        for folder, folders, files in os.walk(root):
            folders.sort()
            found += [os.path.join(folder, f) for f in files if f.endswith(suffix)]
    found = [f for f in found
             if not os.path.islink(f) and SMALLEST <= os.path.getsize(f) <= LARGEST]
    found.sort(key=lambda f: (os.path.getsize(f), f))
    step = max(1, len(found) / count)
    return [found[int(i * step)] for i in range(min(count, len(found)))]


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    rnd = random.Random(1)
    for name, text in (('page.html', page(rnd, 20480)), ('made.json', records(rnd, 400)),
                       ('made.svg', drawing(rnd, 300))):
        with open(os.path.join(out, name), 'w', encoding='utf-8') as f:
            f.write(text)
    for suffix, count in SAMPLES.items():
        for i, source in enumerate(installed(suffix, count)):
            with open(source, 'rb') as f:
                data = f.read()
            with open(os.path.join(out, f'{i:02}{suffix}'), 'wb') as f:
                f.write(data)


main()
