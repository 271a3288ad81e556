"""Archives over HTTP: what is in them is deployed, and nothing of them lands elsewhere."""

import io
import stat
import tarfile
import zipfile

import pytest

MAIN = b'import { word } from "./lib/word.js";\nexport default { fetch: () => new Response(word) };\n'
FILES = {
    "package.json": b'{"name": "packed", "type": "module", "main": "index.js"}',
    "index.js": MAIN,
    "lib/word.js": b'export const word = "packed";\n',
}


def make_tar(files: dict[str, bytes], mode: str = "w:gz", extra=()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in extra:
            archive.addfile(info)
    return out.getvalue()


def make_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("file, pack", [("a.tar.gz", make_tar), ("a.tgz", make_tar), ("a.zip", make_zip)])
def test_an_archive_is_deployed(daemon, file, pack):
    name = "packed-" + file.replace(".", "-")
    daemon.deploy(name, pack(FILES), file=file)
    assert daemon.request(f"/{name}").text == "packed"


def test_an_archive_with_one_folder_around_everything(daemon):
    daemon.deploy("wrapped", make_tar({f"project-1.0/{name}": content for name, content in FILES.items()}), file="a.tar.gz")
    assert daemon.request("/wrapped").text == "packed"


def outside(daemon, name: str) -> bool:
    """Whether a file of this name is anywhere near the data folder."""
    return any(path.name == name for path in daemon.folder.parent.rglob("*")) or any(
        path.name == name for path in (daemon.folder.parent.parent).glob("*")
    )


@pytest.mark.parametrize(
    "label, archive, file",
    [
        ("dots", make_tar({**FILES, "../escaped": b"x"}), "a.tar.gz"),
        ("deep-dots", make_tar({**FILES, "lib/../../escaped": b"x"}), "a.tar.gz"),
        ("absolute", make_tar({**FILES, "/tmp/mayfly-escaped": b"x"}), "a.tar.gz"),
        ("link-out", make_tar(FILES, extra=[entry("escaped", tarfile.SYMTYPE, "../../../etc")]), "a.tar.gz"),
        ("link-absolute", make_tar(FILES, extra=[entry("escaped", tarfile.SYMTYPE, "/etc/passwd")]), "a.tar.gz"),
        ("hard-link", make_tar(FILES, extra=[entry("escaped", tarfile.LNKTYPE, "/etc/passwd")]), "a.tar.gz"),
        ("device", make_tar(FILES, extra=[entry("escaped", tarfile.CHRTYPE)]), "a.tar.gz"),
        ("fifo", make_tar(FILES, extra=[entry("escaped", tarfile.FIFOTYPE)]), "a.tar.gz"),
        ("zip-dots", make_zip({**FILES, "../escaped": b"x"}), "a.zip"),
        ("zip-absolute", make_zip({**FILES, "/tmp/mayfly-escaped": b"x"}), "a.zip"),
        ("not-gzip", b"this is no archive", "a.tar.gz"),
        ("not-zip", b"this is no archive", "a.zip"),
        ("cut-off", make_tar(FILES)[:-40], "a.tar.gz"),
    ],
)
def test_an_archive_that_leaves_its_folder_or_is_broken_is_refused(daemon, label, archive, file):
    answer = daemon.put(f"bad-{label}", archive, file=file)
    assert answer.status in (400, 422), answer.text
    assert answer.problem.startswith("urn:mayfly:")
    assert daemon.request(f"/bad-{label}").status == 404
    assert not outside(daemon, "escaped") and not outside(daemon, "mayfly-escaped")


def test_a_link_inside_of_the_folder_does_not_become_a_way_out(daemon):
    link = entry("lib", tarfile.SYMTYPE, "..")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(link)
        info = tarfile.TarInfo("lib/escaped")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    answer = daemon.put("bad-through-link", out.getvalue(), file="a.tar.gz")
    assert answer.status in (400, 422), answer.text
    assert not outside(daemon, "escaped")


def test_an_archive_that_unpacks_to_far_too_much_is_refused(daemon):
    # 600 MB of zeros are 600 KB of archive.
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=9) as archive:
        for number in range(6):
            info = tarfile.TarInfo(f"zeros-{number}")
            info.size = 100 << 20
            archive.addfile(info, Zeros(info.size))
    daemon.deploy("bomb", "export default () => new Response('old');")
    answer = daemon.put("bomb", out.getvalue(), file="a.tar.gz")
    assert answer.status in (400, 413, 422), answer.text
    assert daemon.request("/bomb").text == "old"


def test_a_folder_of_two_hundred_megabytes_is_deployed(daemon):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in (("index.js", b"export default () => new Response('large');"), ("data", None)):
            info = tarfile.TarInfo(name)
            info.size = len(content) if content else 200 << 20
            archive.addfile(info, io.BytesIO(content) if content else Zeros(info.size))
    daemon.deploy("large", out.getvalue(), file="a.tar")
    assert daemon.request("/large").text == "large"


class Zeros(io.RawIOBase):
    def __init__(self, size: int):
        self.left = size

    def read(self, size=-1):
        count = min(self.left, size if size >= 0 else self.left)
        self.left -= count
        return bytes(count)


def test_executable_bits_and_hidden_files_survive(daemon):
    out = io.BytesIO()
    files = {
        "index.mjs": b"import { statSync, readFileSync } from 'node:fs';\n"
        b"const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;\n"
        b"export default { fetch: () => Response.json({ mode: statSync(here + '/tool.sh').mode & 0o111,"
        b" hidden: readFileSync(here + '/.hidden', 'utf8') }) };\n",
        ".hidden": b"seen",
    }
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo("tool.sh")
        info.mode = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP
        archive.addfile(info)
    answer = daemon.put("modes", out.getvalue(), "a.tar.gz")
    assert answer.status == 201, answer.text
    answer = daemon.request("/modes").json
    assert answer["hidden"] == "seen"
    assert answer["mode"] != 0
