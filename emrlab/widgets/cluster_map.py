"""A cluster's picture: nodes by role, their daemons, containers and blocks, its steps. One renderer, live or still."""

from __future__ import annotations

from collections import Counter

from .cluster import NAME_NODE, OVER, RESOURCE_MANAGER, Cluster, Node, Step
from .page import Page, escape, varies

LIFE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING", "TERMINATED")
ROLES = {"MASTER": "Master", "CORE": "Core", "TASK": "Task"}
MEANING = {
    "MASTER": "coordinates: NameNode, ResourceManager",
    "CORE": "store and compute: DataNode, NodeManager",
    "TASK": "compute only: NodeManager",
}
SIGNS = {"RUNNING": "●", "TERMINATED": "✖", "COMPLETED": "✔", "FAILED": "✖", "PENDING": "◌"}
PORTS = {"DataNode": 9864, "NodeManager": 8042, "NameNode": NAME_NODE, "ResourceManager": RESOURCE_MANAGER}


def cluster_map(cluster: Cluster, watched: str = "") -> Page:
    """The cluster as HTML and as words. ``watched``: the id of the step that the words are about."""
    roles = "".join(role(cluster, kind) for kind in ROLES if any(node.role == kind for node in cluster.nodes))
    listed = "".join(step_line(step) for step in cluster.steps)
    under = [f"<ol class='emr-steps' aria-label='Steps'>{listed}</ol>"] if listed else []
    if cluster.under_replicated:
        under.insert(0, f"<p>⚠ {cluster.under_replicated} HDFS blocks have too few replicas.</p>")
    if cluster.reason and cluster.state in ("TERMINATING", *OVER):
        under.insert(0, f"<p>{escape(cluster.reason)}</p>")
    inside = f"{top(cluster)}{life(cluster)}<div class='emr-roles'>{roles}</div>{''.join(under)}"
    label = f"Cluster {escape(cluster.name)}"
    markup = varies(f"<section class='emr-map' aria-label='{label}'>{inside}</section>")
    said = words(cluster, watched)
    return Page(markup, said, said)


def top(cluster: Cluster) -> str:
    applications = " · ".join([cluster.release, *cluster.applications])
    return (
        f"<div class='emr-top'><span class='emr-name'>{escape(cluster.name)}</span>"
        f"<span class='emr-badge'>{escape(cluster.state)}</span>"
        f"<span class='emr-quiet'>{escape(cluster.id)} · {escape(applications)}</span></div>"
    )


def life(cluster: Cluster) -> str:
    """The states a cluster goes through, with where it is. RUNNING and WAITING take turns."""
    broken = cluster.state == "TERMINATED_WITH_ERRORS"
    here = "TERMINATED" if broken else cluster.state
    place = LIFE.index(here) if here in LIFE else -1
    items = []
    for index, name in enumerate(LIFE):
        if name == here:
            shown = cluster.state.replace("_", " ") if broken else name
            kind = "emr-broken" if broken else ""
            items.append(f"<li class='{kind}' aria-current='step'>▶ {shown}</li>")
        else:
            items.append(f"<li class='{'emr-done' if index < place and not broken else ''}'>{name}</li>")
    return f"<ol class='emr-life' aria-label='Life of the cluster'>{''.join(items)}</ol>"


def role(cluster: Cluster, kind: str) -> str:
    nodes = "".join(node_card(cluster, node) for node in cluster.nodes if node.role == kind)
    head = f"<p>{ROLES[kind]} <span class='emr-quiet'>{MEANING[kind]}</span></p>"
    return f"<div class='emr-role'>{head}<ul>{nodes}</ul></div>"


def node_card(cluster: Cluster, node: Node) -> str:
    look = "emr-up" if node.state == "RUNNING" else "emr-gone" if node.state == "TERMINATED" else "emr-coming"
    daemons = " ".join(f"<span class='emr-daemon'>✔ {name}</span>" for name in node.daemons)
    state = f"{SIGNS.get(node.state, '◌')} {escape(node.state.lower().replace('_', ' '))}"
    parts = [
        f"<span class='emr-row'><strong>{escape(node.type)}</strong><span class='emr-pulse'>{state}</span></span>",
        f"<span class='emr-row'>{daemons}</span>" if daemons else "",
    ]
    if node.containers is not None:
        slots = "<i class='emr-slot'></i>" * min(node.containers, 24)
        share = 100 * node.used_mb / node.total_mb if node.total_mb else 0
        memory = f"{gib(node.used_mb)} of {gib(node.total_mb)} GiB"
        parts += [
            f"<span class='emr-row'><span>{count(node.containers, 'container')}</span><span>{memory}</span></span>",
            f"<span class='emr-slots' aria-hidden='true'>{slots}</span>",
            f"<span class='emr-bar' aria-hidden='true'><i style='width:{share:.0f}%'></i></span>",
        ]
    if node.blocks is not None:
        parts.append(f"<span class='emr-row'><span>{count(node.blocks, 'HDFS block')}</span></span>")
    return (
        f"<li class='emr-node {look}'><details data-key='{escape(node.id)}'>"
        f"<summary>{''.join(parts)}</summary>{details(cluster, node)}</details></li>"
    )


def details(cluster: Cluster, node: Node) -> str:
    facts = [("instance", escape(node.id)), ("address", escape(node.address)), ("name", escape(node.name))]
    if node.blocks is not None:
        facts.append(("HDFS", f"{count(node.blocks, 'block')}, {size(node.hdfs_used)} of {size(node.hdfs_capacity)}"))
    address = node.address if node.role != "MASTER" else cluster.master or node.address
    if node.daemons and address and not cluster.over:
        links = (
            f"<a href='http://{escape(address)}:{PORTS[name]}/' target='_blank' rel='noopener'>{name}</a>"
            for name in node.daemons
        )
        facts.append(("pages", " ".join(links)))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"


def step_line(step: Step) -> str:
    seconds = f"{step.seconds:.1f} s" if step.seconds is not None else ""
    bar = ""
    if step.state == "RUNNING":
        shown = "waiting for YARN" if step.progress is None else f"{step.progress:.0f} %"
        width = step.progress or 2
        bar = f"<span class='emr-bar' aria-hidden='true'><i style='width:{width:.0f}%'></i></span><span>{shown}</span>"
    reason = f"<span>{escape(step.reason)}</span>" if step.state == "FAILED" and step.reason else ""
    sign = SIGNS.get(step.state, "●")
    return f"<li><strong>{escape(step.name)}</strong><span>{sign} {step.state}</span>{bar}{seconds}{reason}</li>"


def words(cluster: Cluster, watched: str = "") -> str:
    """The cluster in a sentence without ids or times, so that two runs say the same."""
    step = cluster.step(watched) if watched else None
    if step is not None:
        return f"Step '{step.name}' on cluster {cluster.name}: {step.state}."
    nodes = Counter(node.role for node in cluster.nodes)
    shown = ", ".join(count(nodes[kind], f"{kind.lower()} node") for kind in ROLES if nodes[kind])
    steps = Counter(one.state for one in cluster.steps)
    done = ", ".join(f"{number} {state.lower()}" for state, number in sorted(steps.items()))
    return f"Cluster {cluster.name}: {cluster.state}. {shown or 'No nodes yet'}.{f' Steps: {done}.' if done else ''}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def gib(mebibytes: int) -> str:
    return f"{mebibytes / 1024:.1f}".removesuffix(".0")


def size(number: float) -> str:
    """Bytes for people: ``1536`` → ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
