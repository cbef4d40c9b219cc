"""Opens `emobox listen` in headless Chromium, speaks into a fake microphone, and fails where something does not work.

    python3 tools/check_listen.py EMOBOX MODEL CLIP.wav      (tools/check_listen.sh finds all three)

A message on the console, a request to anywhere else, a recording that is silent, a missing lane of the time line, or a page
wider than its window is an error. SCREENSHOTS=DIR keeps pictures at 1400 and 390 pixels, light and dark.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

emobox, model, clip = sys.argv[1:4]
browser = os.environ["CHROMIUM"]
pictures = os.environ.get("SCREENSHOTS")
problems = []


class Browser:
    """Chromium by its debugging pipe: JSON and a zero byte, on descriptors 3 and 4."""

    def __init__(self, profile):
        (read_theirs, self.write), (self.read, write_theirs) = os.pipe(), os.pipe()

        def place():
            os.dup2(read_theirs, 3)
            os.dup2(write_theirs, 4)

        # Out of the way of 3 and 4.
        read_theirs, write_theirs = os.dup(read_theirs), os.dup(write_theirs)
        self.process = subprocess.Popen(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--autoplay-policy=no-user-gesture-required",
             "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
             f"--use-file-for-fake-audio-capture={clip}", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_theirs)
        os.close(write_theirs)
        self.number, self.held = 0, b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    session = None

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.held:
                piece = os.read(self.read, 1 << 20)
                if not piece:
                    sys.exit("the browser has ended")
                self.held += piece
            text, self.held = self.held.split(b"\0", 1)
            answer = json.loads(text)
            self.look_at(answer)
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]

    def look_at(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            problems.append("exception: " + json.dumps(parameters["exceptionDetails"])[:400])
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            problems.append("console: " + parameters["entry"]["text"])
        if event.get("method") == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith((address, "blob:", "data:", "about:")):
                problems.append("a request to " + url)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if self.value(expression):
                return
            time.sleep(0.1)
        sys.exit(f"not within {seconds} s: {expression}; the page says: {self.value('document.body.innerText')}")


server = subprocess.Popen([emobox, "listen", model, "--port", "0", "--window", "1", "--hop", "0.25"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    address = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as profile:
        page = Browser(profile)
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            page.call(f"{domain}.enable")
        page.call("Page.navigate", url=address)
        page.until("typeof about !== 'undefined' && about !== null")

        page.value("document.getElementById('record').click()")
        page.until("recording !== null && recording.pieces.length > 0")
        time.sleep(4)
        page.value("document.getElementById('record').click()")
        page.until("document.getElementById('status').textContent.startsWith('Heard the recording')")
        lanes = page.value("document.querySelectorAll('.lane:not(.wave)').length")
        classes = page.value("about.classes.length")
        if lanes != classes:
            problems.append(f"{lanes} lanes for {classes} classes")
        # The first lane is the waveform; a silent one stays at its middle.
        peak = page.value("""Math.max(...document.querySelector('.wave path').getAttribute('d').match(/[0-9.]+(?=L|Z)/g)
            .map(Number).filter(Number.isFinite)) - 50""")
        if not peak > 1:
            problems.append(f"the recording is silent (its peak is drawn {peak} high)")
        verdict = page.value("document.getElementById('verdict').textContent")
        print("recorded:", verdict)

        document = page.call("DOM.getDocument")["root"]["nodeId"]
        node = page.call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
        page.call("DOM.setFileInputFiles", files=[str(Path(clip).resolve())], nodeId=node)
        page.until(f"document.getElementById('status').textContent.startsWith('Heard {Path(clip).name}')")
        print("opened:", page.value("document.getElementById('verdict').textContent"))
        page.value("document.querySelector('details').open = true")
        page.value("document.getElementById('player').currentTime = 1")

        for width in (1400, 390):
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=1500, deviceScaleFactor=1, mobile=width < 600)
            time.sleep(0.3)
            wide = page.value("document.documentElement.scrollWidth")
            if wide > width:
                problems.append(f"{wide} pixels wide in a window of {width}")
            for scheme in ("light", "dark"):
                page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                time.sleep(0.2)
                if pictures:
                    Path(pictures).mkdir(parents=True, exist_ok=True)
                    shot = page.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
                    Path(pictures, f"listen-{width}-{scheme}.png").write_bytes(base64.b64decode(shot))
        page.process.kill()
        page.process.wait()
        time.sleep(0.3)
finally:
    server.kill()
    server.wait()
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
