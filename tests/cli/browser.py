"""A headless Chromium, spoken to in the DevTools protocol over a pipe: JSON messages, each ended by
a zero byte, come in at its descriptor 3 and go out at 4. Standard library only."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds that any answer may take
# As root there is no sandbox, in a container little shared memory; nothing may reach a network.
OPTIONS = ("--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
           "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync",
           "--disable-background-networking", "--disable-component-update",
           "--host-resolver-rules=MAP * ~NOTFOUND")


def find():
    """The path of a browser, or None. One in a snap does not see the folders of tests."""
    named = os.environ.get("PLSTAR_TEST_BROWSER")
    paths = [shutil.which(name) for name in ([named] if named else ["chromium", "google-chrome"])]
    return next((path for path in paths if path and not path.startswith("/snap/")), None)


class Browser:
    def __init__(self, path):
        self.folder = tempfile.mkdtemp(prefix="plstar-browser-")
        self.last, self.rest, self.events = 0, b"", []
        theirs, self.commands = os.pipe()
        self.answers, ours = os.pipe()
        with open(os.path.join(self.folder, "said"), "wb") as said:
            # bash gives the descriptors their numbers: theirs < ours, so neither is lost
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{ours}', "bash", path, *OPTIONS,
                 f"--user-data-dir={self.folder}/profile", "--remote-debugging-pipe",
                 "about:blank"],
                pass_fds=(theirs, ours), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                env={**os.environ, "HOME": self.folder})
        os.close(theirs)
        os.close(ours)
        try:
            self.ask("Browser.getVersion")
        except OSError:
            self.close()
            raise

    def close(self):
        try:
            self.ask("Browser.close")
            self.process.wait(timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def fail(self, what):
        with open(os.path.join(self.folder, "said"), errors="replace") as said:
            raise ConnectionError(f"the browser {what}:\n{said.read()[-2000:]}")

    def send(self, command):
        message = json.dumps(command).encode() + b"\0"
        try:
            while message:
                message = message[os.write(self.commands, message):]
        except BrokenPipeError:
            self.fail("does not listen")

    def receive(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            more = os.read(self.answers, 1 << 20) if ready else b""
            if not more:
                self.fail("ended" if ready else "is silent")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, session=None, **parameters):
        """The answer to a command; events that come before it are kept."""
        self.last += 1
        command = {"id": self.last, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        self.send(command)
        while True:
            message = self.receive()
            if message.get("id") == self.last:
                if "error" in message:
                    raise ValueError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)


class Tab:
    """A page in the browser, with what happened since it was opened in `events`."""

    def __init__(self, browser, width, height, scheme):
        self.browser = browser
        self.target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=self.target,
                                   flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.ask("Target.closeTarget", targetId=self.target)

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    @property
    def events(self):
        return [(event["method"], event["params"]) for event in self.browser.events
                if event.get("sessionId") == self.session]

    def open(self, address):
        """Waits until all of the page is loaded; the reason if it cannot be."""
        started = self.ask("Page.navigate", url=address)
        loaded = ("Page.lifecycleEvent", "load", started.get("loaderId"))
        while "errorText" not in started and not any(
                (name, event.get("name"), event.get("loaderId")) == loaded
                for name, event in self.events):
            self.browser.events.append(self.browser.receive())
        return started.get("errorText")

    def value(self, expression):
        """Of an expression in JavaScript, as JSON knows it."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise ValueError(json.dumps(found["exceptionDetails"], indent=1))
        return found["result"].get("value")
