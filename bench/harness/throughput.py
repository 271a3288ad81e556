"""Requests per second and latency, side by side: A B C, C B A, … so that drift hits all alike."""

from .report import Row, spread


def interleave(load, targets, rounds, seconds, connections, warmup=1):
    """`targets`: name → (port, path). Returns name → list of wrk results, one per round."""
    results = {name: [] for name in targets}
    for port, path in targets.values():
        load.wrk(port, path, connections, warmup)
    for number in range(rounds):
        order = list(targets) if number % 2 == 0 else list(reversed(targets))
        for name in order:
            port, path = targets[name]
            results[name].append(load.wrk(port, path, connections, seconds))
    return results


def paired(results, ours, theirs, key):
    """Ratio ours / theirs in each round, and its spread."""
    return spread([a[key] / b[key] for a, b in zip(results[ours], results[theirs])])


def text_of(ratio):
    return f"{ratio['median']:.2f} x ({ratio['min']:.2f} - {ratio['max']:.2f})"


def medians(results, key):
    return {name: spread([r[key] for r in runs]) for name, runs in results.items()}


def errors(results):
    return {name: sum(r["errors"] for r in runs) for name, runs in results.items()}


def note_of(results, key, unit):
    return ", ".join(f"{name} {values['median']:,.{0 if key == 'rate' else 3}f} {unit}"
                     for name, values in medians(results, key).items())


def data_of(results):
    return {"rate": medians(results, "rate"), "p50_ms": medians(results, "p50_ms"),
            "p99_ms": medians(results, "p99_ms"), "errors": errors(results)}


def hello_rows(results, peers):
    """64 connections. `peers` that were measured beside mayfly."""
    clean = errors(results).get("mayfly", 0) == 0
    rows = []
    if "node" in peers:
        ratio = paired(results, "mayfly", "node", "rate")
        rows.append(Row("hello, 64 connections: requests/s against raw Node http", ">= 1.5 x", text_of(ratio),
                        clean and ratio["median"] >= 1.5, note_of(results, "rate", "/s"), data_of(results)))
    if "workerd" in peers:
        ratio = paired(results, "mayfly", "workerd", "rate")
        rows.append(Row("hello, 64 connections: requests/s against workerd", ">= 4 x", text_of(ratio),
                        clean and ratio["median"] >= 4, "", {"ratio": ratio}))
        ratio = paired(results, "mayfly", "workerd", "p99_ms")
        rows.append(Row("hello, 64 connections: p99 against workerd", "< 1 x", text_of(ratio),
                        clean and ratio["median"] < 1, note_of(results, "p99_ms", "ms"), {"ratio": ratio}))
    if "functions-framework" in peers:
        ratio = paired(results, "mayfly", "functions-framework", "rate")
        rows.append(Row("hello, 64 connections: requests/s against functions-framework", "", text_of(ratio),
                        None, "", {"ratio": ratio}))
    return rows


def single_rows(results):
    ratio = paired(results, "mayfly", "node", "p50_ms")
    clean = errors(results)["mayfly"] == 0
    return [Row("hello, one connection: p50 against raw Node http", "<= 1.4 x", text_of(ratio),
                clean and ratio["median"] <= 1.4, note_of(results, "p50_ms", "ms"), data_of(results))]


def json_rows(results):
    ratio = paired(results, "mayfly", "node", "rate")
    clean = errors(results)["mayfly"] == 0
    return [Row("Response with JSON and two headers: requests/s against raw Node", ">= 1.2 x", text_of(ratio),
                clean and ratio["median"] >= 1.2, note_of(results, "rate", "/s"), data_of(results))]
