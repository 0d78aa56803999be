# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation fails while streams over https run, by HTTP/1.1 and by
HTTP/2, from the first connection on: each is whole, or an error, or its
connection is cut; the server goes on, and the next ones are whole."""
from secured import *

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../build/fail_malloc.so")
STEP = int(os.environ.get("STEP", "11"))
MOST = int(os.environ.get("MOST", "240"))
TRIES = 6


def stream_of(port, model):
    """'whole', 'error', or 'cut'."""
    body = request("openai", "one", True)
    body["model"] = model
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        conn.request("POST", "/v1/chat/completions", json.dumps(body))
        answer = conn.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException):
        return "cut"
    finally:
        conn.close()
    if answer.status == 200 and b"[DONE]" in text and b'"error"' not in text:
        same(told_event(text), [0])
        return "whole"
    return "error" if b'"error"' in text else "cut"


def fail_at(n, way, ends):
    arm = f"{DIR}/arm-{way}-{n}"
    if os.path.exists(DIR + "/port"):
        os.unlink(DIR + "/port")
    server = serve(config(), {"LD_PRELOAD": PRELOAD, "WEIR_FAIL_FROM": arm,
                              "WEIR_FAIL_AT": str(n)})
    try:
        port = sys.modules["scripted"].weir_port
        # glibc aborts where it has no memory for its first look-up of a name.
        same(stream_of(port, "unknown-https1"), "error")
        open(arm, "w").close()
        bad = 0
        for _ in range(TRIES):
            end = stream_of(port, "once-" + way)
            ends[end] = ends.get(end, 0) + 1
            bad += end != "whole"
        if server.poll() is not None:
            raise AssertionError(f"allocation {n}: the server ended with {server.returncode}")
        if bad > 1:
            raise AssertionError(f"allocation {n}, {way}: {bad} bad answers")
        same(stream_of(port, "once-" + way), "whole")
        server.send_signal(signal.SIGTERM)
        same(server.wait(20), 0)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(20)


def main():
    ends, failed = {}, 0
    for way in ("https1", "https2"):
        try:
            for n in range(1, MOST, STEP):
                fail_at(n, way, ends)
            print(f"ok    an allocation that fails costs at most one stream by {way}")
        except Exception as e:
            failed += 1
            print(f"FAIL  an allocation that fails, {way}: {type(e).__name__}: {e}")
            print(open(DIR + "/err").read()[-3000:])
    print(ends, file=sys.stderr)
    sys.exit(1 if failed or not ends.get("whole") or len(ends) < 2 else 0)


main()
