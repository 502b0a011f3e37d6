"""Sketches on the libraries that pieces are made with: every frame shows its own moment, at every rate.

Each sketch calls `tick(ms)` in the loop of its library, with the library's own time where it has one. Row 0 of the
picture is the page's time, row 1 the number of calls, row 2 the library's time.
"""

from __future__ import annotations

import functools
import http.server
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from captures.engine.host import EngineHost
from captures.engine.spec import CaptureSpec, Format, Mode
from tests.bundles.packages import installed
from tests.harness.sizes import sampled
from tests.timecode import decode

FRAMES = 12
HEAD = """<!doctype html><meta charset=utf-8>
<style>html, body { margin: 0 } #code { position: absolute; left: 0; top: 0; z-index: 9 }</style>
<canvas id=code width=512 height=64></canvas><main></main>
<script>
const code = document.getElementById('code').getContext('2d');
let calls = 0;
function row(y, ms) {
  for (let bit = 0; bit < 24; bit++) {
    code.fillStyle = (Math.round(ms * 100) >>> bit) & 1 ? '#fff' : '#000';
    code.fillRect(bit * 16, y * 20, 16, 16);
  }
}
function tick(ms) {
  row(0, performance.now());
  row(1, ++calls);
  row(2, ms);
}
</script>"""
P5 = """<script src="/NAME/lib/p5.min.js"></script><script>
function setup() { createCanvas(512, 128); }
function draw() { background(40, 60, 90); circle(frameCount % 512, 100, 20); tick(millis()); }</script>"""
SKETCHES = {
    "p5-1": P5.replace("NAME", "p5-1"),
    "p5-2": P5.replace("NAME", "p5-2"),
    "three": """<script type=importmap>{"imports": {"three": "/three/build/three.module.js"}}</script>
<script type=module>import * as THREE from 'three';
const renderer = new THREE.WebGLRenderer();
renderer.setSize(512, 128);
document.querySelector('main').append(renderer.domElement);
const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera(50, 4, 0.1, 10);
const cube = new THREE.Mesh(new THREE.BoxGeometry(), new THREE.MeshNormalMaterial());
scene.add(cube);
camera.position.z = 3;
renderer.setAnimationLoop((time) => { cube.rotation.y = time / 500; renderer.render(scene, camera); tick(time); });
</script>""",
    "pixi": """<script src="/pixi.js/dist/pixi.min.js"></script><script type=module>
const app = new PIXI.Application();
await app.init({ width: 512, height: 128, preference: 'webgl' });
document.querySelector('main').append(app.canvas);
const box = new PIXI.Graphics().rect(0, 80, 20, 20).fill(0x4080ff);
app.stage.addChild(box);
let passed = 0;
app.ticker.add((ticker) => { passed += ticker.deltaMS; box.x = passed / 20; tick(passed); });</script>""",
    "gsap": """<script src="/gsap/dist/gsap.min.js"></script><div id=box style="width:20px;height:20px;margin-top:80px;background:#48f"></div>
<script>gsap.to('#box', { x: 400, duration: 8, ease: 'none' });
gsap.ticker.add((time) => tick(time * 1000));</script>""",
    "lottie": """<script src="/lottie-web/build/player/lottie.min.js"></script><div id=film style="width:512px;height:128px"></div>
<script>const shape = { ty: 'gr', it: [{ ty: 'rc', p: { k: [0, 0] }, s: { k: [40, 40] }, r: { k: 0 } },
  { ty: 'fl', c: { k: [0.2, 0.5, 1, 1] }, o: { k: 100 } },
  { ty: 'tr', p: { k: [0, 0] }, a: { k: [0, 0] }, s: { k: [100, 100] }, r: { k: 0 }, o: { k: 100 } }] };
const layer = { ty: 4, ip: 0, op: 600, st: 0, shapes: [shape], ks: { p: { a: 1, k: [
  { t: 0, s: [0, 100], i: { x: 1, y: 1 }, o: { x: 0, y: 0 } }, { t: 600, s: [512, 100] }] } } };
const film = lottie.loadAnimation({ container: document.getElementById('film'), renderer: 'svg', loop: true,
  autoplay: true, animationData: { v: '5.7.0', fr: 60, ip: 0, op: 600, w: 512, h: 128, layers: [layer] } });
film.addEventListener('enterFrame', () => tick(film.currentFrame / 60 * 1000));</script>""",
    "tone": """<script src="/tone/build/Tone.js"></script><script>
Tone.getTransport().start();
const next = () => { tick(Tone.immediate() * 1000); requestAnimationFrame(next); };
requestAnimationFrame(next);</script>""",
    "regl": """<script src="/regl/dist/regl.min.js"></script><script>
const canvas = Object.assign(document.createElement('canvas'), { width: 512, height: 128 });
document.querySelector('main').append(canvas);
const regl = createREGL(canvas);
regl.frame(({ time }) => { regl.clear({ color: [time % 1, 0.5, 0.5, 1] }); tick(time * 1000); });</script>""",
    "matter": """<script src="/matter-js/build/matter.min.js"></script><script>
const engine = Matter.Engine.create({ gravity: { y: 0.01 } }), ball = Matter.Bodies.circle(200, 80, 10);
Matter.Composite.add(engine.world, ball);
const render = Matter.Render.create({ element: document.querySelector('main'), engine,
  options: { width: 512, height: 128 } });
Matter.Render.run(render);
Matter.Runner.run(Matter.Runner.create(), engine);
Matter.Events.on(render, 'afterRender', () => tick(engine.timing.timestamp));</script>""",
}
# How far a library's time may be from the page's in one step of a frame, in ms; 0.1 is the grid of the page's clock.
OFF_MS = {
    "gsap": 1.0,  # it rounds
    "lottie": 0.2,
    "regl": 0.2,
    "matter": 17.0,  # it steps by a 60th of a second
}
RATES = (7.5, 24.0, 25.0, 30.0, 50.0, 60.0)
CASES = [(name, fps) for name in SKETCHES for fps in RATES]
GATE = [("p5-1", 24.0), ("three", 25.0), ("pixi", 30.0), ("gsap", 50.0), ("matter", 7.5)]


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.removeprefix("/sketch/")
        if name not in SKETCHES:
            return super().do_GET()
        body = (HEAD + SKETCHES[name]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    folder = installed(Path(__file__).with_name("libraries"))
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "fps"), sampled(CASES, GATE, "the gate has each kind of loop once, and the lowest and highest rates")
)
def test_a_sketch_is_captured_at_its_own_speed(
    host: EngineHost, origin: str, tmp_path: Path, name: str, fps: float
) -> None:
    spec = CaptureSpec(
        url=f"{origin}/sketch/{name}",
        format=Format.WEBP,
        width=512,
        height=128,
        quality=95,
        fps=fps,
        playback_fps=fps,
        duration_ms=int(FRAMES / fps * 1000),
        wait_for_idle=True,
    )
    found = host.capture(spec, tmp_path).result(90)
    assert (found.mode, found.warnings) == (Mode.VIRTUAL, [])
    with Image.open(found.path) as picture:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    page, calls, own = ([decode(frame.crop((0, 20 * y, 512, 20 * y + 16))) for frame in frames] for y in range(3))
    assert len(frames) == FRAMES
    assert [round(time - page[0], 1) for time in page] == pytest.approx(
        [index * 1000 / fps for index in range(FRAMES)], abs=0.11
    )
    assert [round(count - calls[0]) for count in calls] == [round(index * 60 / fps + 1e-9) for index in range(FRAMES)]
    off = [theirs - ours for theirs, ours in zip(steps(own), steps(page), strict=True)]
    assert max(map(abs, off)) <= OFF_MS.get(name, 0.11)


def steps(values: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(values)]
