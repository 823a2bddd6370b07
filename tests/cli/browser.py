"""A headless Chromium, spoken to in the DevTools protocol through a pipe: messages are JSON that end
with a zero byte, commands go in at descriptor 3 and answers and events come out at 4."""

import json
import os
import shutil
import subprocess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or \
    shutil.which("google-chrome")


class Browser:
    """One page. Errors are BrowserError; what the page says and asks for is collected."""

    def __init__(self, profile):
        command_in, command_out = os.pipe()
        answer_in, answer_out = os.pipe()

        def at_three_and_four():
            # Both may be where the other has to go, so copies above them come first.
            first, second = os.dup(command_in), os.dup(answer_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
             "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--user-data-dir=" + profile,
             "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=at_three_and_four)
        os.close(command_in)
        os.close(answer_out)
        self.commands = os.fdopen(command_out, "wb", buffering=0)
        self.answers = os.fdopen(answer_in, "rb")
        self.number = 0
        self.session = None
        self.loaded = False
        self.complaints, self.requests = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.commands.close()
        self.answers.close()
        self.process.kill()
        self.process.wait()

    def receive(self):
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise BrowserError("the browser has ended")
            data += byte
        message = json.loads(data)
        method, more = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(more["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(more["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and more["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(more["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(more["entry"]["text"])
        elif method == "Page.loadEventFired":
            self.loaded = True
        return message

    def call(self, method, **more):
        self.number += 1
        message = {"id": self.number, "method": method, "params": more}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.number:
            pass
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, path, width, scheme):
        """Opens a file in a window of that width, in the "light" or "dark" scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.loaded = False
        self.call("Page.navigate", url="file://" + path)
        while not self.loaded:
            self.receive()

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")


class BrowserError(Exception):
    pass
