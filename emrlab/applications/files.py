"""Configuration files in the formats of the applications."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from xml.sax.saxutils import escape

from ..nodes.node import Node

CONF = "etc/hadoop/conf"


def site_xml(node: Node, name: str, properties: Mapping[str, object]) -> None:
    """A Hadoop ``*-site.xml`` in the node's configuration folder."""
    lines = (
        f"<property><name>{escape(key)}</name><value>{escape(plain(value))}</value></property>\n"
        for key, value in properties.items()
    )
    node.write(f"{CONF}/{name}", f"<?xml version='1.0'?>\n<configuration>\n{''.join(lines)}</configuration>\n")


def plain(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def exports(variables: Mapping[str, str]) -> str:
    """Lines of a shell file. Values may name other variables, as on EMR."""
    return "".join(f'export {name}="{value}"\n' for name, value in variables.items())


def expanded(variables: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """``variables`` with ``$NAME`` filled in, for processes that no shell starts."""
    known = dict(environment)
    for name, value in variables.items():
        known[name] = Template(value.strip('"')).safe_substitute(known)
    return {name: known[name] for name in variables}


LOG4J = """\
hadoop.root.logger={level},console
log4j.rootLogger=${{hadoop.root.logger}}
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.appender.console.layout.ConversionPattern=%d{{ISO8601}} %p %c{{2}} (%t): %m%n
log4j.appender.DRFA=org.apache.log4j.FileAppender
log4j.appender.DRFA.File=${{hadoop.log.dir}}/${{hadoop.log.file}}
log4j.appender.DRFA.layout=org.apache.log4j.PatternLayout
log4j.appender.DRFA.layout.ConversionPattern=%d{{ISO8601}} %p %c{{2}} (%t): %m%n
"""


def log4j(level: str, extra: Mapping[str, str]) -> str:
    """``log4j.properties``: everything to standard error, which the node keeps as the daemon's log.

    Whoever says ``HADOOP_ROOT_LOGGER=INFO,DRFA`` gets it in ``$HADOOP_LOG_DIR/$HADOOP_LOGFILE``, as Hadoop has it.
    """
    return LOG4J.format(level=level) + "".join(f"{name}={value}\n" for name, value in extra.items())
