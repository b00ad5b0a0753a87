"""A matplotlib figure with words for those who do not see it, readable in both themes."""

from __future__ import annotations

import base64
import io
from typing import Any

from .page import Page, escape, varies


def figure(plot: Any, alt: str, caption: str = "") -> Page:
    """``plot`` (a matplotlib Figure) as a picture with ``alt`` text; the figure is closed.

    Its background is transparent and the dark theme inverts it, keeping the hues: see ``style.css``.
    """
    from matplotlib import pyplot

    data = io.BytesIO()
    plot.savefig(data, format="png", dpi=110, transparent=True, bbox_inches="tight")
    pyplot.close(plot)
    source = base64.b64encode(data.getvalue()).decode()
    image = varies(f"<img alt='{escape(alt)}' src='data:image/png;base64,{source}'>")
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Page(f"<figure class='emr-figure'>{image}{below}</figure>", f"Figure: {alt}")
