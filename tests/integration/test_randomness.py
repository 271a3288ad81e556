"""Nothing random is copied by a fork: a thousand instances, no value twice."""

import concurrent.futures

SOURCE = """
import { randomUUID, randomInt, randomBytes, webcrypto, generateKeyPairSync } from "node:crypto";
// Fill what Node caches before the template freezes.
randomUUID();
randomInt(1 << 30);
Math.random();
webcrypto.getRandomValues(new Uint8Array(16));
const atInit = Math.random();
export default {
  fetch: () => {
    const answer = Response.json({
      pid: process.pid, atInit,
      math: Math.random(), uuid: randomUUID(), global: crypto.randomUUID(),
      int: randomInt(2 ** 47), bytes: randomBytes(16).toString("hex"),
      values: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
    });
    // One request for each instance: leave after the answer was handed over.
    setTimeout(() => process.exit(0), 5);
    return answer;
  },
};
"""


def test_a_thousand_forks_draw_different_values(start_daemon):
    daemon = start_daemon()
    daemon.deploy("dice", SOURCE, file="index.mjs", concurrency="1", max_instances="40")
    answers = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        while len({answer["pid"] for answer in answers}) < 1000:
            assert len(answers) < 6000, f"{len(answers)} answers of {len({a['pid'] for a in answers})} instances"
            for answer in pool.map(lambda _: daemon.request("/dice"), range(100)):
                # An instance may leave with the next request in its hands.
                if answer.status == 200:
                    answers.append(answer.json)
    for kind in ("math", "uuid", "global", "int", "bytes", "values"):
        values = [answer[kind] for answer in answers]
        assert len(set(values)) == len(values), f"{kind}: {len(values) - len(set(values))} values came twice"
    assert len({answer["atInit"] for answer in answers}) == 1, "init runs once, in the template"
