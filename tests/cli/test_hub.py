# SPDX-License-Identifier: Apache-2.0
"""Models and data sets by their ids: from a Hub on this machine into the cache, and out of it.

The Hub is a server in this process with the answers that huggingface.co gives: the list of a
revision, ETags and sizes, large files from another host.
"""
import gzip
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

from cli_testing import ALPACA, LONG, SOURCE, TINY, TOOL, Case, environment, read

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"
MODEL = "org/tiny"
SET = "org/rows"


def has_curl():
    done = subprocess.run([TOOL, "version", "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)["libraries"]["libcurl"] is not None


def content(path):
    with open(path, "rb") as f:
        return f.read()


class Hub:
    """repos: {("models", id): {path: bytes}}; what goes wrong is set on it."""

    def __init__(self):
        self.repos = {
            ("models", MODEL): {n: content(os.path.join(TINY, n)) for n in os.listdir(TINY)},
            ("datasets", SET): {"train.jsonl": content(ALPACA), "README.md": b"# rows\n"},
        }
        self.repos["models", MODEL]["pytorch_model.bin"] = b"no"
        self.commit = COMMIT
        self.refuse = {}     # path in the URL: (code, X-Error-Code)
        self.cut = {}        # file: how many bytes an answer may have
        self.longer = set()  # files of which more comes than is said
        self.endless = set() # files of which it never ends when a part is asked for
        self.linked_size = None # said instead of the size of large files
        self.stuck = set()   # files of which one byte comes, and then nothing until the end
        self.over = threading.Event()
        self.sent = 0        # bytes of endless answers
        self.ranges = True
        self.token = None
        self.log = []        # (method, path, range, authorization)
        self.servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler(far))
                        for far in (False, True)]
        for server in self.servers:
            server.daemon_threads = True
            server.handle_error = lambda *_: None # a client that is gone, as the cases want
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.servers[0].server_port}"
        self.far = f"http://localhost:{self.servers[1].server_port}"

    def close(self):
        self.over.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def handler(self, far):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer()

            def do_GET(self):
                self.answer()

            def answer(self):
                path = urllib.parse.unquote(self.path)
                hub.log.append((self.command, path, self.headers.get("Range"),
                                self.headers.get("Authorization")))
                for part, (code, error) in hub.refuse.items():
                    if part in path and "refusal" in hub.endless:
                        return self.send_for_ever({}, b"", code)
                    if part in path:
                        return self.send(code, b"{}", {"X-Error-Code": error})
                if hub.token and not far and \
                        self.headers.get("Authorization") != f"Bearer {hub.token}":
                    return self.send(401, b"{}", {})
                return self.serve([urllib.parse.unquote(p)
                                   for p in self.path.partition("?")[0].strip("/").split("/")])

            def serve(self, parts):
                if parts[0] == "api":
                    return self.list_files(parts[1], "/".join(parts[2:-2]), parts[-1])
                kind = "models"
                if parts[0] == "datasets":
                    kind, parts = "datasets", parts[1:]
                files = hub.repos.get((kind, "/".join(parts[:2])), {})
                name = "/".join(parts[4:])
                if parts[3] not in ("main", hub.commit) or name not in files:
                    return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
                return self.send_file(name, files[name])

            def list_files(self, kind, repo, revision):
                if (kind, repo) not in hub.repos:
                    return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                if revision not in ("main", "v1/x", hub.commit):
                    return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                names = sorted(hub.repos[kind, repo])
                return self.send(200, json.dumps({
                    "id": repo, "sha": hub.commit,
                    "siblings": [{"rfilename": n} for n in names]}).encode(), {})

            def send_file(self, name, data):
                large = name.endswith(".safetensors")
                if large and not far: # as the Hub does: the bytes are elsewhere
                    return self.send(302, b"", {
                        "Location": hub.far + self.path, "X-Repo-Commit": hub.commit,
                        "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
                        "X-Linked-Size": hub.linked_size or str(len(data)), "ETag": '"of the redirect"'})
                headers = {"X-Repo-Commit": hub.commit,
                           "ETag": f'W/"{hashlib.sha1(data).hexdigest()}"'}
                code, start, end = 200, 0, len(data)
                if self.headers.get("Range") and hub.ranges:
                    first, last = self.headers["Range"][len("bytes="):].split("-")
                    start, end = int(first), min(end, int(last) + 1 if last else end)
                    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
                    code = 206
                if name in hub.endless and code == 206:
                    return self.send_for_ever(headers, data[start:])
                if name in hub.longer and self.command == "GET":
                    data, end = data + b"more", end + 4
                return self.send(code, data[start:end], headers, name)

            def send_for_ever(self, headers, data, code=206):
                self.send_response(code)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.close_connection = True
                self.wfile.write(data)
                while not hub.over.is_set(): # until the client goes
                    self.wfile.write(bytes(1 << 16))
                    hub.sent += 1 << 16

            def send(self, code, body, headers, name=None):
                self.send_response(code)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                if name in hub.stuck:
                    self.wfile.write(body[:1])
                    hub.over.wait()
                    return
                self.wfile.write(body[:hub.cut.get(name, len(body))])

        return Handler

    def gets(self, ending):
        """The ranges of the GETs of a file, but for its header alone."""
        return [r for r in self.all_gets(ending) if r != "bytes=0-262143"]

    def all_gets(self, ending):
        return [r for method, path, r, _ in self.log
                if method == "GET" and path.endswith(ending)]


class FromTheHub(Case):
    def setUp(self):
        super().setUp()
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.cache = self.path("cache")

    def env(self, **changes):
        return {"HF_ENDPOINT": self.hub.url, "HF_HUB_CACHE": self.cache, "HF_HUB_OFFLINE": "0",
                "HF_HOME": self.path("home"), "HF_TOKEN": "", "no_proxy": "*", **changes}

    def ids(self, **changes):
        changes.setdefault("base_model", MODEL)
        changes.setdefault("datasets", [{"path": SET, "type": "alpaca"}])
        return self.config(**changes)

    def repo(self, *parts, kind="models", name=MODEL):
        return os.path.join(self.cache, f"{kind}--" + name.replace("/", "--"), *parts)

    def weights(self):
        return self.hub.repos["models", MODEL]["model.safetensors"]

    def blob(self):
        return self.repo("blobs", hashlib.sha256(self.weights()).hexdigest())

    def check_whole(self, commit=COMMIT):
        self.assertEqual(read(self.repo("refs", "main")), commit)
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            path = self.repo("snapshots", commit, name)
            self.assertTrue(os.readlink(path).startswith("../../blobs/"))
            self.assertEqual(content(path), self.hub.repos["models", MODEL][name])
        self.assertFalse(os.path.lexists(self.repo("snapshots", commit, "pytorch_model.bin")))
        self.assertEqual(os.path.realpath(self.repo("snapshots", commit, "model.safetensors")),
                         os.path.realpath(self.blob()))
        self.assertEqual([n for n in os.listdir(self.repo("blobs")) if "incomplete" in n], [])

    def fails(self, yml, *words, **env):
        line = self.wrong("train", yml, "--quiet", env=self.env(**env))
        for word in words:
            self.assertIn(word, line)
        return line


class Download(FromTheHub):
    def test_train_and_again_offline(self):
        yml = self.ids()
        self.good("train", yml, "--quiet", env=self.env())
        self.check_whole()
        self.assertEqual(read(self.repo("refs", "main", kind="datasets", name=SET)), COMMIT)
        rows = self.repo("snapshots", COMMIT, kind="datasets", name=SET)
        self.assertEqual(sorted(os.listdir(rows)), ["README.md", "train.jsonl"])
        self.assertEqual(json.loads(read(self.path("out", "adapter_config.json")))
                         ["base_model_name_or_path"], MODEL)
        first, asked = self.adapter(), len(self.hub.log)
        self.good("train", yml, "--quiet", "--output_dir=again", env=self.env(HF_HUB_OFFLINE="1"))
        self.good("train", yml, "--quiet", "--output_dir=again", env=self.env())
        self.assertEqual(len(self.hub.log), asked, "what is whole is not asked for again")
        self.assertEqual(self.adapter("again"), first)
        self.good("train", self.config(), "--quiet")
        self.assertEqual(self.adapter(), first)

    def test_token_goes_to_the_hub_alone(self):
        self.hub.token = "hf_secret"
        line = self.fails(self.ids(), "HF_TOKEN", MODEL, "401")
        self.assertNotIn("hf_secret", line)
        line = self.fails(self.ids(), "the token of HF_TOKEN", HF_TOKEN="hf_wrong")
        self.assertNotIn("hf_wrong", line)
        self.hub.log.clear()
        self.write("home/token", "hf_secret\n")
        self.good("train", self.ids(), "--quiet", env=self.env())
        far = [a for method, path, _, a in self.hub.log
               if method == "GET" and path.endswith(".safetensors")]
        self.assertEqual(far, ["Bearer hf_secret", None] * 2) # of the header, of the whole

    @unittest.skipIf(os.environ.get("AXL_SLOW"), "Python has no sanitizer's runtime")
    def test_a_hosts_cache_and_token_win(self):
        """As options of the context, over what the environment says."""
        self.hub.token = "hf_secret"
        script = """
import sys
sys.path.insert(0, sys.argv[1])
import axl
context = axl.Context(allow_network=True, hub_cache=sys.argv[2], hub_token=sys.argv[3])
print(axl.Model.open(sys.argv[4], context=context).info.n_layers)
"""
        def host(token):
            library = os.path.join(os.path.dirname(TOOL), "..", "..", "libaxl.so.0")
            env = self.env(HF_TOKEN="hf_wrong", HF_HUB_CACHE=self.path("elsewhere"),
                           AXL_LIBRARY=library, PYTHONDONTWRITEBYTECODE="1")
            return subprocess.run(
                [sys.executable, "-c", script, os.path.join(SOURCE, "bindings", "python"),
                 self.cache, token, MODEL], env=environment(env), capture_output=True, text=True,
                check=False)
        self.assertIn("the context's hub_token", host("hf_other").stderr)
        self.assertNotIn("hf_other", host("hf_other").stderr)
        self.assertIn("401", host("").stderr)
        self.assertEqual(host("hf_secret").stdout, "4\n")
        self.check_whole()
        self.assertFalse(os.path.exists(self.path("elsewhere")))
        self.assertEqual(host("").stdout, "4\n", "what is whole needs no token")

    def test_nested_files_and_revision(self):
        self.hub.repos["datasets", SET] = {"data/train-0.jsonl": content(ALPACA),
                                           "data/test-0.jsonl": b"", "dataset_infos.json": b"{}"}
        yml = self.ids(model_revision="v1/x",
                       datasets=[{"path": SET, "type": "alpaca", "revision": COMMIT}])
        self.good("train", yml, "--quiet", env=self.env())
        self.assertEqual(read(self.repo("refs", "v1", "x")), COMMIT)
        self.assertFalse(os.path.exists(self.repo("refs", kind="datasets", name=SET)))
        top = self.repo("snapshots", COMMIT, kind="datasets", name=SET)
        self.assertEqual(os.listdir(top), ["data"])
        self.assertEqual(os.listdir(os.path.join(top, "data")), ["train-0.jsonl"])
        self.assertEqual(content(os.path.join(top, "data", "train-0.jsonl")), content(ALPACA))
        self.good("train", yml, "--quiet", env=self.env(HF_HUB_OFFLINE="1"))

    def test_configurations(self):
        """README.md says which files; of them only those of the split are loaded."""
        self.hub.repos["datasets", SET] = {
            "README.md": b"---\nconfigs:\n- {config_name: one, data_files: [{split: train, path: 'x/*'},"
                         b" {split: test, path: y.jsonl}]}\n- {config_name: two, data_dir: z}\n---\n",
            "x/a.jsonl": content(ALPACA), "y.jsonl": content(ALPACA), "z/b.jsonl": content(ALPACA)}
        for name, file in (("one", "x"), ("two", "z")):
            yml = self.ids(datasets=[{"path": SET, "type": "alpaca", "name": name}])
            self.good("train", yml, "--quiet", env=self.env())
            top = os.listdir(self.repo("snapshots", COMMIT, kind="datasets", name=SET))
            self.assertIn(file, top)
        self.assertNotIn("y.jsonl", top)
        self.fails(self.ids(), "datasets[0].path", "to one of one, two")

    def test_data_files(self):
        files = self.hub.repos["datasets", SET]
        files["a/b c.jsonl"] = content(ALPACA)
        yml = self.ids(datasets=[{"path": SET, "type": "alpaca", "data_files": ["a/b c.jsonl"]}])
        self.good("train", yml, "--quiet", env=self.env())
        self.assertEqual(os.listdir(self.repo("snapshots", COMMIT, kind="datasets", name=SET)),
                         ["a"])
        self.good("train", self.ids(), "--quiet", env=self.env())

    def test_shards(self):
        files = self.hub.repos["models", MODEL]
        files["model-00001-of-00001.safetensors"] = files.pop("model.safetensors")
        n = int.from_bytes(files["model-00001-of-00001.safetensors"][:8], "little")
        header = json.loads(files["model-00001-of-00001.safetensors"][8:8 + n])
        files["model.safetensors.index.json"] = json.dumps({"weight_map": {
            k: "model-00001-of-00001.safetensors" for k in header if k[0] != "_"}}).encode()
        files["consolidated.safetensors"] = b"not read"
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.assertEqual(self.hub.gets("consolidated.safetensors"), [])

    def test_progress_on_a_terminal(self):
        shown = self.terminal("train", self.ids(), env=self.env())
        self.assertIn("download ", shown)


class HeadersAlone(FromTheHub):
    """A plan needs no weights."""

    def setUp(self):
        super().setUp()
        files = self.hub.repos["models", MODEL]
        self.local = self.plan(self.config(), {})
        n = int.from_bytes(files["model.safetensors"][:8], "little")
        self.header = files["model.safetensors"][:8 + n]

    def plan(self, yml, env):
        plan = json.loads(self.good("plan", yml, "--json", env=env).out)
        return {k: v for k, v in plan.items() if k not in ("seconds", "peak_rss_bytes")}

    def check(self):
        path = self.repo("headers", COMMIT, "model.safetensors")
        self.assertEqual(content(path), self.header)
        self.assertFalse(os.path.exists(self.repo("snapshots", COMMIT, "model.safetensors")))

    def test_plan_then_train(self):
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.assertEqual(self.hub.all_gets(".safetensors"), ["bytes=0-262143"] * 2)
        self.check()
        asked = len(self.hub.log)
        self.assertEqual(self.plan(self.ids(), self.env(HF_HUB_OFFLINE="1")), self.local)
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.assertEqual(len(self.hub.log), asked)
        self.fails(self.ids(), "model.safetensors", HF_HUB_OFFLINE="1")
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.check_whole()
        self.assertEqual(self.plan(self.ids(), self.env(HF_HUB_OFFLINE="1")), self.local)

    def test_a_run_that_cannot_fit_loads_no_weights(self):
        line = self.wrong("train", self.ids(axl={"memory_limit": 0.001}), "--quiet", code=1,
                          env=self.env())
        self.assertIn("memory_limit", line)
        self.check()

    def test_shards_of_which_one_is_there(self):
        files = self.hub.repos["models", MODEL]
        files["model-2-of-2.safetensors"] = files["model.safetensors"]
        first = b'{"alone": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}'
        files["model-1-of-2.safetensors"] = len(first).to_bytes(8, "little") + first + b"1"
        weight_map = dict.fromkeys(json.loads(self.header[8:]), "model-2-of-2.safetensors")
        del files["model.safetensors"]
        weight_map["alone"] = "model-1-of-2.safetensors"
        files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.hub.longer.add("model-2-of-2.safetensors")
        self.fails(self.ids(), "model-2-of-2.safetensors is longer than the")
        self.assertTrue(os.path.exists(self.repo("snapshots", COMMIT, "model-1-of-2.safetensors")))
        self.hub.longer.clear()
        shutil.rmtree(self.repo("headers"))
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.good("train", self.ids(), "--quiet", env=self.env())

    def test_where_ranges_are_not_known(self):
        self.hub.ranges = False
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.check()

    def test_a_long_header(self):
        files = self.hub.repos["models", MODEL]
        text = self.header[8:] + b" " * (300 << 10)
        files["model.safetensors"] = len(text).to_bytes(8, "little") + text + \
            files["model.safetensors"][len(self.header):]
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)
        self.assertEqual(self.hub.gets(".safetensors"),
                         [f"bytes=262144-{len(text) + 7}"] * 2)

    def test_broken(self):
        whole = self.weights()
        for data, words in ((b"x", "it has 1 bytes"), (b"\xff" * 100, "cut short"),
                            (whole[:1000], "cut short")):
            self.hub.repos["models", MODEL]["model.safetensors"] = data
            self.hub.commit = hashlib.sha1(data).hexdigest()
            line = self.wrong("plan", self.ids(), env=self.env(HF_HUB_CACHE=self.path(words[:3])))
            self.assertIn(words, line)
        self.hub.repos["models", MODEL]["model.safetensors"] = whole
        self.hub.commit = COMMIT
        if LONG:  # it is tried several times, with pauses
            self.hub.cut["model.safetensors"] = 100
            line = self.wrong("plan", self.ids(), env=self.env())
            self.assertIn("model.safetensors: cannot load from 127.0.0.1", line)
            self.hub.cut.clear()
        self.assertEqual(self.plan(self.ids(), self.env()), self.local)


class Broken(FromTheHub):
    def test_resume(self):
        data = self.weights()
        self.write(os.path.relpath(self.blob(), self.dir) + ".incomplete", data[:1000])
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.assertEqual(self.hub.gets(".safetensors"), ["bytes=1000-"] * 2)
        self.check_whole()

    def test_resume_where_ranges_are_not_known(self):
        self.hub.ranges = False
        self.write(os.path.relpath(self.blob(), self.dir) + ".incomplete", b"x" * 1000)
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.check_whole()

    def test_the_connection_breaks_and_comes_back(self):
        self.hub.cut["model.safetensors"] = len(self.weights()) // 2 + 1
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.check_whole()

    def test_truncated(self):
        self.good("plan", self.ids(), env=self.env())
        self.hub.cut["model.safetensors"] = 0
        self.fails(self.ids(), MODEL, "model.safetensors ended after 0 of")
        self.assertFalse(os.path.exists(self.repo("snapshots", COMMIT, "model.safetensors")))
        self.assertFalse(os.path.exists(self.blob()))
        self.fails(self.ids(), MODEL, "HF_HUB_OFFLINE", "model.safetensors", HF_HUB_OFFLINE="1")
        self.hub.cut.clear()
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.check_whole()

    def test_another_size_than_announced(self):
        self.hub.longer.add("model.safetensors")
        self.fails(self.ids(), MODEL, "model.safetensors is longer than the")
        self.assertFalse(os.path.exists(self.blob()))
        self.assertFalse(os.path.exists(self.blob() + ".incomplete"))

    def test_an_answer_without_end(self):
        """It is cut where what was asked for ends."""
        self.hub.endless.add("model.safetensors")
        self.good("plan", self.ids(), env=self.env(), timeout=20)
        self.assertLess(self.hub.sent, 100 << 20)

    def test_a_refusal_without_end(self):
        """Nobody reads what goes with it."""
        self.hub.endless.add("refusal")
        self.hub.refuse["/revision/"] = (404, "RepoNotFound")
        self.fails(self.ids(), MODEL)
        self.assertLess(self.hub.sent, 100 << 20)

    def test_sizes_that_are_none(self):
        for size in "99999999999999999999999", "-1", "12x", str(2**63 - 1):
            self.hub.linked_size = size
            self.fails(self.ids(), MODEL)
            self.assertFalse(os.path.exists(self.repo("blobs")) and
                             [n for n in os.listdir(self.repo("blobs")) if len(n) == 64], size)

    def test_a_list_of_many_files(self):
        self.hub.repos["models", MODEL].update({f"x-{i}.safetensors": b"x" for i in range(10001)})
        index = {"weight_map": {f"x{i}": f"x-{i}.safetensors" for i in range(10001)}}
        self.hub.repos["models", MODEL]["model.safetensors.index.json"] = json.dumps(index).encode()
        del self.hub.repos["models", MODEL]["model.safetensors"]
        self.fails(self.ids(), MODEL, "files to load")

    def test_cancel(self):
        self.good("plan", self.ids(), env=self.env())
        self.hub.stuck.add("model.safetensors")
        with subprocess.Popen([TOOL, "train", self.ids()], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment(self.env())) as tool:
            while not os.path.exists(self.blob() + ".incomplete"):
                self.assertIsNone(tool.poll())
                time.sleep(0.02)
            tool.send_signal(signal.SIGINT)
            tool.communicate(timeout=60)
            self.assertEqual(tool.returncode, 130)
        self.assertFalse(os.path.exists(self.blob()))
        self.hub.stuck.clear()
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.check_whole()

    def test_two_at_once(self):
        tools = [subprocess.Popen([TOOL, "train", self.ids(), "--quiet", f"--output_dir=o{i}"],
                                  cwd=self.dir, env=environment(self.env()),
                                  stdout=subprocess.DEVNULL) for i in range(2)]
        self.assertEqual([t.wait(timeout=120) for t in tools], [0, 0])
        self.check_whole()
        self.assertEqual(len(self.hub.gets(".safetensors")), 2, "once, with its redirect")

    def test_no_room(self):
        files = self.hub.repos["models", MODEL]

        class Huge(bytes):
            def __len__(self):
                return 1 << 60
        files["model.safetensors"] = Huge(files["model.safetensors"])
        self.fails(self.ids(), MODEL, "MB more", "HF_HUB_CACHE")


class Refused(FromTheHub):
    def test_not_found(self):
        self.fails(self.ids(base_model="org/none"), 'model "org/none"', "404", self.hub.url)
        self.fails(self.ids(model_revision="v9"), MODEL, 'no revision "v9"')
        self.fails(self.ids(datasets=[{"path": "org/none", "type": "alpaca"}]),
                   'datasets[0].path: data set "org/none"', "404")
        self.hub.refuse["/resolve/"] = (404, "EntryNotFound")
        self.fails(self.ids(), SET, "train.jsonl", "404")
        self.assertFalse(os.path.exists(self.repo("refs", kind="datasets", name=SET)))

    def test_gated(self):
        self.hub.refuse[MODEL] = (403, "GatedRepo")
        self.fails(self.ids(), MODEL, "gated", "HF_TOKEN", f"{self.hub.url}/{MODEL}")

    def test_nothing_to_read(self):
        self.hub.repos["datasets", SET] = {"README.md": b"", "x.bin": b""}
        self.fails(self.ids(), SET, "no file")

    def test_no_server(self):
        self.fails(self.ids(), MODEL, "127.0.0.1:9", HF_ENDPOINT="http://127.0.0.1:9")

    def test_offline(self):
        self.fails(self.ids(), MODEL, "HF_HUB_OFFLINE is set", HF_HUB_OFFLINE="1")
        self.assertEqual(self.hub.log, [])

    def test_paths_that_lead_out(self):
        self.hub.repos["models", MODEL]["../../x.json"] = b"{}"
        self.fails(self.ids(), "../../x.json")

    def test_a_cache_of_python_without_the_hub(self):
        """It is not known to be whole; when the Hub cannot tell, it is taken as it is."""
        self.good("train", self.ids(), "--quiet", env=self.env())
        for kind, name in (("models", MODEL), ("datasets", SET)):
            os.remove(self.repo("files", COMMIT, kind=kind, name=name))
        result = self.good("train", self.ids(), env=self.env(HF_ENDPOINT="http://127.0.0.1:9"))
        self.assertIn("going on with what the cache has", result.err)
        self.good("train", self.ids(), "--quiet", env=self.env(HF_HUB_OFFLINE="1"))
        self.hub.log.clear()
        self.good("train", self.ids(), "--quiet", env=self.env())
        self.assertEqual([m for m, *_ in self.hub.log], ["GET", "GET"], "the lists alone")


class Parquet(FromTheHub):
    def test_a_set_of_parquet_files_trains(self):
        """As ../original.yml's data lies on the Hub: one file of a split, a column more than alpaca reads."""
        self.hub.repos["datasets", SET] = {
            "README.md": b"# rows\n",
            "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet": content(os.path.join(
                SOURCE, "tests/golden/readers/alpaca.parquet"))}
        self.good("train", self.config(base_model=TINY, datasets=[{"path": SET, "type": "alpaca"}], max_steps=2,
                                       sequence_len=512), "--quiet", env=self.env())
        self.assertTrue(os.path.exists(self.path("out", "adapter_model.safetensors")))


class Addresses(FromTheHub):
    """Data files by their addresses, on the endpoint as https is on others: no server here has TLS."""

    def setUp(self):
        super().setUp()
        self.base = f"{self.hub.url}/datasets/{SET}/resolve/main"
        self.files = self.hub.repos["datasets", SET]

    def at(self, path, **entry):
        return self.config(datasets=[{"path": path, "type": "alpaca", **entry}],
                           dataset_prepared_path=self.path("prepared"))

    def kept(self):
        top = os.path.join(self.cache, "axl--files")
        return sorted(n for _, _, names in os.walk(top) for n in names)

    def sizes(self):
        top = os.path.join(self.cache, "axl--files")
        return {n: os.path.getsize(os.path.join(folder, n))
                for folder, _, names in os.walk(top) for n in names if n.endswith(".incomplete")}

    def rows(self, yml, **env):
        return self.good("preprocess", yml, env=self.env(**env))

    def test_once_and_never_with_the_token(self):
        yml = self.at(f"{self.base}/train.jsonl?download=true")
        self.rows(yml, HF_TOKEN="hf_secret")
        self.assertEqual([(m, a) for m, _, _, a in self.hub.log], [("GET", None)])
        self.assertEqual(self.kept(), ["train.jsonl"])
        shutil.rmtree(self.path("prepared"))
        self.rows(yml, HF_HUB_OFFLINE="1")
        self.assertEqual(len(self.hub.log), 1)

    def test_by_the_suffix_of_the_name(self):
        self.files["more.jsonl.gz"] = gzip.compress(self.files["train.jsonl"])
        self.files["far.safetensors"] = self.files["train.jsonl"] # from another host
        self.rows(self.at(self.base, data_files=["more.jsonl.gz", f"{self.base}/train.jsonl"]))
        self.rows(self.at(f"{self.base}/far.safetensors", ds_type="json"), HF_TOKEN="hf_secret")
        self.assertEqual({a for *_, a in self.hub.log}, {None})
        self.assertEqual(self.kept(), ["far.safetensors", "more.jsonl.gz", "train.jsonl"])

    def test_a_poor_line(self):
        self.hub.cut["train.jsonl"] = len(self.files["train.jsonl"]) // 2 + 1
        self.rows(self.at(f"{self.base}/train.jsonl"))
        self.assertEqual(self.hub.gets("train.jsonl"),
                         [None, f"bytes={self.hub.cut['train.jsonl']}-"])

    def loading(self, yml):
        """A process that has the first byte and waits for the next."""
        self.hub.stuck.add("train.jsonl")
        child = subprocess.Popen([TOOL, "preprocess", yml], env=self.env(), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        while not any(size == 1 for size in self.sizes().values()):
            self.assertIsNone(child.poll())
            time.sleep(0.01)
        self.hub.stuck.clear()
        return child

    def broken_off(self):
        """A config of a file whose first byte is there."""
        yml = self.at(f"{self.base}/train.jsonl")
        child = self.loading(yml)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(), 130)
        self.assertEqual(self.kept(), ["train.jsonl.etag", "train.jsonl.incomplete"])
        self.hub.log.clear()
        return yml

    def check_kept(self):
        self.assertEqual(self.kept(), ["train.jsonl"])
        [folder] = os.listdir(os.path.join(self.cache, "axl--files"))
        self.assertEqual(content(os.path.join(self.cache, "axl--files", folder, "train.jsonl")),
                         self.files["train.jsonl"])

    def test_another_run_goes_on(self):
        self.rows(self.broken_off())
        self.assertEqual(self.hub.gets("train.jsonl"), ["bytes=1-"])
        self.check_kept()

    def test_a_server_without_ranges(self):
        self.hub.ranges = False
        self.rows(self.broken_off())
        self.check_kept()

    def test_another_file_meanwhile(self):
        yml = self.broken_off()
        self.files["train.jsonl"] = self.files["train.jsonl"].replace(b"e", b"o", 40)
        self.rows(yml)
        self.assertEqual(self.hub.gets("train.jsonl"), ["bytes=1-", None])
        self.check_kept()

    def test_bytes_without_their_etag(self):
        yml = self.broken_off()
        [folder] = os.listdir(os.path.join(self.cache, "axl--files"))
        os.remove(os.path.join(self.cache, "axl--files", folder, "train.jsonl.etag"))
        self.rows(yml)
        self.assertEqual(self.hub.gets("train.jsonl"), [None])
        self.check_kept()

    def test_two_at_once(self):
        """The second does not wait for the first, which holds the lock."""
        yml = self.at(f"{self.base}/train.jsonl")
        first = self.loading(yml)
        self.rows(yml)
        self.assertIn("train.jsonl", self.kept())
        self.assertIsNone(first.poll())

    def test_what_goes_wrong(self):
        missing = self.at(f"{self.base}/none.jsonl")
        self.fails(missing, "datasets[0].path: ", "none.jsonl", "answered 404")
        self.hub.longer.add("train.jsonl")
        there = self.at(f"{self.base}/train.jsonl")
        self.hub.log.clear()
        self.fails(there, "HF_HUB_OFFLINE is set", HF_HUB_OFFLINE="1")
        self.fails(there, "nothing is read over http", HF_ENDPOINT="https://127.0.0.1:9")
        self.fails(self.at("https://127.0.0.1:9/x.jsonl"), "cannot load from 127.0.0.1:9")
        self.assertEqual((self.hub.log, self.kept()), ([], []))

    def test_a_check_loads_nothing(self):
        yml = self.at(f"{self.base}/train.jsonl")
        self.good("check", yml, env=self.env())
        result = self.axl("check", self.at(f"{self.base}/train.parquet.gz"), env=self.env())
        self.assertIn("parquet", result.out + result.err)
        self.assertEqual(self.hub.log, [])


if __name__ == "__main__":
    if not has_curl():
        print("this build has no curl")
        sys.exit(77)
    unittest.main()
