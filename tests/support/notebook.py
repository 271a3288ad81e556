"""Where functions note what they do, and ask whether they may go on: over the network, since they share no file with a test.

A function of the test, deployed with network="host" and the environment variable NOTES, does

    import os, socket
    def tell(text):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as notebook:
            notebook.connect(("127.0.0.1", int(os.environ["NOTES"])))
            notebook.send(text.encode())
            return notebook.recv(16)

A note is answered when it has been taken; "go?" is answered with b"yes" or b"no".
"""

import socket
import threading


class Notebook:
    def __init__(self):
        self.notes: list[str] = []
        self.go = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            text, sender = self._socket.recvfrom(4096)
            if text == b"":
                return
            if text != b"go?":
                self.notes.append(text.decode())
            self._socket.sendto(b"yes" if self.go else b"no", sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()
