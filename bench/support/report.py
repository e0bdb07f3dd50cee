"""Medians over the rounds, and their table."""
from support.measure import median


def total(values):
    return sum(values.values()) if values else None


def ratio(a, b):
    return a / b if a is not None and b else None


def medians(document):
    """Maps game to tool to figures. "peerd/libtorrent..." has the medians of the ratios within each round."""
    result = {}
    for game in document["games"]:
        rows = {}
        for run in document["runs"]:
            if run["game"] == game:
                rows.setdefault(run["tool"], []).append(run)
        figures = {}
        for tool, runs in rows.items():
            figures[tool] = {
                "seconds": median([r["seconds"] for r in runs]),
                "seconds_min": min(r["seconds"] for r in runs), "seconds_max": max(r["seconds"] for r in runs),
                "cpu": {side: median([r["cpu"].get(side) for r in runs]) for side in ("sender", "receiver")},
                "peak_anon": {side: median([r["peak_anon"].get(side) for r in runs]) for side in ("sender", "receiver")},
                "peak_rss": {side: median([r["peak_rss"].get(side) for r in runs]) for side in ("sender", "receiver")},
                "identical": not any(r["differences"] for r in runs),
            }
        for other in [tool for tool in rows if tool.startswith("libtorrent") and "peerd" in rows]:
            pairs = list(zip(rows["peerd"], rows[other]))
            figures[f"peerd/{other}"] = {
                "seconds": median([ratio(a["seconds"], b["seconds"]) for a, b in pairs]),
                "cpu": median([ratio(total(a["cpu"]), total(b["cpu"])) for a, b in pairs]),
                "peak_anon": {side: median([ratio(a["peak_anon"].get(side), b["peak_anon"].get(side))
                                            for a, b in pairs]) for side in ("sender", "receiver")},
            }
        if figures:
            result[game] = figures
    return result


def cell(value, scale=1.0, digits=1):
    return "–" if value is None else f"{value / scale:.{digits}f}"


def both(sides, scale=1.0, digits=1):
    return f"{cell(sides['sender'], scale, digits)} + {cell(sides['receiver'], scale, digits)}"


def markdown(document):
    machine = document["machine"]
    rounds = max(run["round"] for run in document["runs"])
    lines = [
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory'] / 2**30:.0f} GiB, Linux {machine['kernel']}, "
        f"MTU {document['mtu']}, destination: {document['destination']}; medians of {rounds} rounds.",
        "; ".join(f"{tool}: {version}" for tool, version in document["versions"].items()) + ".",
        "",
        "| Game | Tool | Seconds (min to max) | MB/s | CPU s (sender + receiver) | Peak anonymous MiB | Peak resident MiB "
        "| Identical |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for game, figures in document["medians"].items():
        counts = document["games"][game]
        title = f"{game}: {counts['files']:,} files, {counts['bytes'] / 1e6:,.0f} MB"
        for tool, row in figures.items():
            if tool.startswith("peerd/"):
                lines.append(f"| | **{tool}** | **{cell(row['seconds'], digits=3)}** | | **{cell(row['cpu'], digits=2)}** | "
                             f"{both(row['peak_anon'], digits=2)} | | |")
                continue
            lines.append(
                f"| {title} | {tool} | {cell(row['seconds'], digits=2)} ({cell(row['seconds_min'], digits=2)} to "
                f"{cell(row['seconds_max'], digits=2)}) | {counts['bytes'] / 1e6 / row['seconds']:.0f} | "
                f"{both(row['cpu'], digits=2)} | {both(row['peak_anon'], 2**20)} | {both(row['peak_rss'], 2**20)} | "
                f"{'yes' if row['identical'] else 'NO'} |")
            title = ""
    busiest = max(run["busy_before"] for run in document["runs"])
    if busiest > 0.1:
        lines += ["", f"Not to be trusted: the machine was up to {busiest:.0%} busy with other work before a download."]
    return "\n".join(lines)
