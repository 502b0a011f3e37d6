"""Every way that is tried. A vector's name is the path that the canary would hear."""

from __future__ import annotations

import json

SPECIAL_V4 = """0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 169.254.0.1
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.254 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1
192.168.255.254 198.18.0.1 198.19.255.254 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 168.63.129.16"""
SPECIAL_V6 = """:: ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1::1 2001:0:7f00:1:: 2001:db8::1 2001:2::1
2001:10::1 3fff::1 5f00::1 100::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 2606:2800::5efe:127.0.0.1
2001:0:5db8:d70e::80ff:fffe 0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001"""
SPELLINGS = """2130706433 017700000001 0x7f000001 0x7F.0x0.0x0.0x1 0177.0.0.1 0177.0.0.01 00000177.0.0.1 127.1 127.0.1
0x7f.1 0177.1 127.0x1 0 0x0 00 127.0.0.1. 2130706433. localhost LOCALHOST localhost. LocalHost. 167772161 0xA9FEA9FE
2852039166 0251.0376.0251.0376 169.254.43518 10.1 192.168.1 0xa.1"""
IDN = [
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127.0.0.1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "loc\u00adalhost",
    "ⅼocalhost",
    "0ｘ7f.1",
    "127%2e0%2e0%2e1",
]
NAMES = """loopback.canary.test loopback6.canary.test private.canary.test metadata.canary.test mapped.canary.test
mixed.canary.test mixed6.canary.test rebinding.canary.test none.canary.test loopback.canary.test. LOOPBACK.canary.test"""


def hosts() -> list[str]:
    """As they stand in a URL."""
    v6 = [f"[{host}]" for host in SPECIAL_V6.split()]
    return [*SPECIAL_V4.split(), *v6, *SPELLINGS.split(), *IDN, *NAMES.split()]


def confusions(trusted: str, port: int) -> list[str]:
    """Addresses that look like the trusted origin to one parser and like the canary to another."""
    host = trusted.removeprefix("http://")
    return [
        f"http://{host}@127.0.0.1:{port}/x",
        f"http://{host}%40127.0.0.1:{port}/x",
        f"http://user:secret@127.0.0.1:{port}/x",
        f"http://@127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}\\@{host}/x",
        f"http://{host}\\@127.0.0.1:{port}/x",
        f"http:\\\\127.0.0.1:{port}/x",
        f"http:/\\127.0.0.1:{port}/x",
        f"http:127.0.0.1:{port}/x",
        f"http:///127.0.0.1:{port}/x",
        f"HTTP://127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}#@{host}/x",
        f"http://127.0.0.1:{port}?@{host}/x",
        f"http://{host}.127.0.0.1:{port}/x",
        f"http://127.0.0.1:0{port}/x",
        f"http://127.0.0.1:{port}/{host}/..",
        f"http://127.0.0\t.1:{port}/x",
        f"http://127.0.0.1\n:{port}/x",
        f" http://127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}\x00@{host}/x",
        f"https://127.0.0.1:{port}/x",
        f"//127.0.0.1:{port}/x",
    ]


# --- what a page can do -----------------------------------------------------------------------------------------

MARKUP = {
    "img.svg": '<img src="{u}">',
    "srcset.svg": '<img srcset="{u} 1x">',
    "picture.svg": '<picture><source srcset="{u}"><img></picture>',
    "input-image.svg": '<input type="image" src="{u}">',
    "body-background.svg": '<table background="{u}"><tr><td>x</table>',
    "script.js": '<script src="{u}"></script>',
    "module.js": '<script type="module" src="{u}"></script>',
    "import-map.js": '<script type="module">import "mapped"</script>',
    "stylesheet.css": '<link rel="stylesheet" href="{u}">',
    "css-import.css": '<style>@import url("{u}");</style>',
    "css-image.svg": '<div style="background:url({u})">x</div>',
    "css-mask.svg": '<div style="mask-image:url({u})">x</div>',
    "css-border.svg": '<div style="border:3px solid;border-image-source:url({u})">x</div>',
    "css-list.svg": '<ul style="list-style-image:url({u})"><li>x</ul>',
    "css-content.svg": "<style>#c::after{{content:url({u})}}</style><p id=c>x",
    "css-image-set.svg": '<div style="background-image:image-set(url({u}) 1x)">x</div>',
    "font.woff2": '<style>@font-face{{font-family:f;src:url({u})}}</style><p style="font-family:f">x',
    "video.mp4": '<video src="{u}" preload="auto" muted autoplay></video>',
    "video-poster.svg": '<video poster="{u}"></video>',
    "video-source.mp4": '<video preload="auto"><source src="{u}"></video>',
    "audio.mp3": '<audio src="{u}" preload="auto"></audio>',
    "object.html": '<object data="{u}"></object>',
    "embed.html": '<embed src="{u}">',
    "iframe.html": '<iframe src="{u}"></iframe>',
    "srcdoc.svg": "<iframe srcdoc=\"<img src='{u}'>\"></iframe>",
    "sandboxed.html": '<iframe sandbox src="{u}"></iframe>',
    "data-frame.svg": "<iframe src=\"data:text/html,<img src='{u}'>\"></iframe>",
    "meta-refresh.html": "<iframe srcdoc=\"<meta http-equiv=refresh content='0;url={u}'>\"></iframe>",
    "svg-image.svg": '<svg><image href="{u}" width="9" height="9"/></svg>',
    "svg-fe-image.svg": '<svg><filter id=f><feImage href="{u}"/></filter><rect width="9" height="9" filter="url(#f)"/></svg>',
    "preload.js": '<link rel="preload" as="script" href="{u}">',
    "modulepreload.js": '<link rel="modulepreload" href="{u}">',
    "prefetch.html": '<link rel="prefetch" href="{u}">',
    "preconnect": '<link rel="preconnect" href="{o}">',
    "dns-prefetch": '<link rel="dns-prefetch" href="{o}">',
    "favicon.ico": '<link rel="icon" href="{u}">',
    "manifest.json": '<link rel="manifest" href="{u}">',
    "form.html": '<form action="{u}" method="post" target="ff" id="form"></form><iframe name="ff"></iframe>',
    "form-get.html": '<form action="{u}" target="fg" id="form2"></form><iframe name="fg"></iframe>',
    "ping": '<a href="#here" ping="{u}" id="ping">x</a>',
    "new-window.html": '<a href="{u}" target="_blank" id="blank">x</a>',
    "speculation.html": '<script type="speculationrules">{{"prerender":[{{"urls":["{u}"],"eagerness":"immediate"}}]}}</script>',
    "track.vtt": '<video src="/silence.mp4" crossorigin><track default kind="captions" src="{u}"></video>',
}
SCRIPT = {
    "fetch": "fetch(u)",
    "fetch-no-cors": "fetch(u, {mode: 'no-cors'})",
    "fetch-post": "fetch(u, {method: 'POST', body: 'x', mode: 'no-cors'})",
    "fetch-keepalive": "fetch(u, {method: 'POST', body: 'x', keepalive: true, mode: 'no-cors'})",
    "fetch-preflight": "fetch(u, {headers: {'X-Any': 'x'}})",
    "fetch-unencrypted-to-tls": "fetch(u.replace('http:', 'https:'))",
    "xhr": "const x = new XMLHttpRequest(); x.open('GET', u); x.send()",
    "beacon": "navigator.sendBeacon(u, 'x')",
    "websocket": "new WebSocket(u.replace('http', 'ws'))",
    "websocket-tls": "new WebSocket(u.replace('http', 'wss'))",
    "event-stream": "new EventSource(u)",
    "dynamic-import.js": "import(u)",
    "image-object.svg": "new Image().src = u",
    "worker-fetch": "new Worker(blob(`fetch('${u}')`))",
    "worker-import.js": "new Worker(blob(`importScripts('${u}')`))",
    "worker-module.js": "new Worker(blob(`import '${u}'`), {type: 'module'})",
    "worker-websocket": "new Worker(blob(`new WebSocket('${u.replace('http', 'ws')}')`))",
    "nested-worker": "new Worker(blob(`new Worker(URL.createObjectURL(new Blob([\"fetch('${u}')\"])))`))",
    "shared-worker": "new SharedWorker('/script?' + encodeURIComponent(`fetch('${u}')`))",
    "service-worker": "navigator.serviceWorker.register('/script?' + encodeURIComponent(`fetch('${u}')`))",
    "service-worker-import.js": "navigator.serviceWorker.register('/script?' + encodeURIComponent(`importScripts('${u}')`), {scope: '/s/'})",
    "paint-worklet.js": "CSS.paintWorklet.addModule(u)",
    "audio-worklet.js": "new AudioContext().audioWorklet.addModule(u)",
    "font-face.woff2": "new FontFace('g', `url(${u})`).load()",
    "frame-location.html": "frame(f => { f.contentWindow.location = u })",
    "frame-meta.html": "frame(f => { f.srcdoc = `<meta http-equiv=refresh content='0;url=${u}'>` })",
    "frame-javascript.html": "frame(f => { f.src = `javascript:location='${u}'` })",
    "open.html": "window.open(u)",
    "xml-stylesheet.css": "frame(f => { f.src = '/xml?' + encodeURIComponent(u) })",
    "refresh-header.html": "frame(f => { f.src = '/refresh?' + encodeURIComponent(u) })",
    "csp-report": "frame(f => { f.src = '/csp?' + encodeURIComponent(u) })",
    "shadow.css": "document.body.attachShadow; const d = document.createElement('div'); document.body.append(d);"
    " d.attachShadow({mode: 'open'}).innerHTML = `<link rel=stylesheet href='${u}'>`",
    "stun": "const p = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:' + port}]}); p.createDataChannel('x');"
    " p.createOffer().then(o => p.setLocalDescription(o))",
    "turn-tcp": "const p = new RTCPeerConnection({iceTransportPolicy: 'relay', iceServers: [{urls: 'turn:127.0.0.1:' + port"
    " + '?transport=tcp', username: 'x', credential: 'x'}]}); p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o))",
    "web-transport": "new WebTransport(u.replace('http:', 'https:'))",
    "form-submit": "document.getElementById('form').submit(); document.getElementById('form2').submit()",
    "clicks": "for (const id of ['ping', 'blank']) document.getElementById(id).click()",
}
REDIRECTS = {f"redirect-{code}-{depth}": (code, depth) for code in (301, 302, 303, 307, 308) for depth in (1, 3)}
HELPERS = """
const blob = text => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
const frame = act => { const f = document.createElement('iframe'); document.body.append(f); act(f) };
const attempt = (name, act) => { try { Promise.resolve(act()).catch(() => 0) } catch (e) { console.log(name, e) } };
"""

# A vector alone on its page, because it takes the page away.
TAKEN_AWAY = {
    "top-download.bin": '<a href="{u}" download id="d">x</a><script>d.click()</script>',
    "top-location.html": "<script>location = '{u}'</script>",
    "top-replace.html": "<script>location.replace('{u}')</script>",
    "top-meta.html": '<meta http-equiv="refresh" content="0;url={u}">',
    "top-form.html": '<form action="{u}" method="post" id="f"></form><script>f.submit()</script>',
}


def mechanisms_page(origin: str) -> str:
    """All of MARKUP, SCRIPT and REDIRECTS on one page, against the canary at `origin`."""
    port = origin.rpartition(":")[2]
    lines = [
        f'<!doctype html><script type="importmap">{{"imports":{{"mapped":"{origin}/import-map.js"}}}}</script><body style="background:#345">'
    ]
    lines += [text.format(u=f"{origin}/{name}", o=origin) for name, text in MARKUP.items()]
    lines.append(f"<script>const port = '{port}';{HELPERS}")
    for name, code in SCRIPT.items():
        lines.append(f"attempt('{name}', () => {{ const u = '{origin}/{name}'; {code} }});")
    for name, (code, depth) in REDIRECTS.items():
        lines.append(
            f"attempt('{name}', () => fetch('/redirect/{code}/{depth}/{origin}/{name}', {{mode: 'no-cors'}}));"
        )
    return "\n".join([*lines, "</script>"])


def addresses_page(port: int, trusted: str) -> str:
    """A request to every spelling of every closed address, as an image (also those that `fetch` would refuse to parse)."""
    fetched = [f"http://{host}:{port}/host-{number}" for number, host in enumerate(hosts())]
    shown = [url.replace("/x", f"/confusion-{number}") for number, url in enumerate(confusions(trusted, port))]
    return (
        f"<!doctype html><body style='background:#345'><script>{HELPERS}\n"
        f"for (const u of {json.dumps(shown)}) attempt(u, () => {{ new Image().src = u }});\n"
        f"for (const u of {json.dumps(fetched)}) attempt(u, () => fetch(u, {{mode: 'no-cors'}}))</script>"
    )
