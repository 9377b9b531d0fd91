"""Connectivity as a network: pairs of channels as lines on the head."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QWidget

from bci.features.network import Edges
from bci.features.view import ScalpView
from bci_app.theme import font, tokens
from bci_app.widgets.colour_maps import colour_at
from bci_app.widgets.head import Head
from bci_app.widgets.map_scale import paint_scale
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["NetworkMap"]


class NetworkMap(Plot):
    """One network; the strongest pairs are drawn last, on top."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            tr("Network"),
            tr("Pairs of channels will appear here: switch connectivity on, at the left."),
            tr("Lines join channels that go together in this band. Coherence and phase locking "
               "also join neighbours that hear the same source; imaginary coherency does not, "
               "since what arrives everywhere at once leaves it at zero. Thicker is stronger."),
            parent,
        )  # fmt: skip
        self.setMinimumSize(180, 200)
        self._scalp: ScalpView | None = None
        self._names: tuple[str, ...] = ()
        self._edges: Edges | None = None
        self._limit, self._low = 1.0, 0.0
        self._signed = False
        self._chance = 0.0

    def show_edges(
        self,
        scalp: ScalpView,
        names: tuple[str, ...],
        edges: Edges,
        title: str,
        note: str,
        *,
        limit: float,
        low: float = 0.0,
        signed: bool = False,
        chance: float = 0.0,
    ) -> None:
        """Show pairs on a scale that ends at `limit`; `chance` is marked on it."""
        self._scalp, self._names, self._edges = scalp, names, edges
        self._limit, self._low, self._signed, self._chance = limit, low, signed, chance
        self.title, self.note = title, note
        self.filled = True
        self.update()

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint head, lines, channels and scale."""
        scalp, edges, theme = self._scalp, self._edges, tokens()
        if scalp is None or edges is None:
            return
        line_px = painter.fontMetrics().height()
        head = Head.within(rect.adjusted(0, line_px, -52, 0), scalp)
        head.paint(painter)
        points = [head.at(float(x), float(y)) for x, y in scalp.points]
        low = -self._limit if self._signed else self._low
        span = (self._limit - low) or 1.0
        # From the weakest to the strongest.
        for (a, b), value in reversed(list(zip(edges.pairs, edges.values, strict=True))):
            colour = colour_at((float(value) - low) / span, signed=self._signed)
            width = 1.0 + 3.0 * min(abs(float(value)) / (self._limit or 1.0), 1.0)
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(points[int(a)], points[int(b)])
        # In the order of their strength: names of the strongest pairs come first.
        joined = list(dict.fromkeys(int(channel) for channel in edges.pairs.ravel()))
        painter.setFont(font("small"))
        for channel, at in enumerate(points):
            known = channel in joined
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.text if known else theme.line))
            painter.drawEllipse(at, 3.0 if known else 2.0, 3.0 if known else 2.0)
        taken: list[QRectF] = []
        for channel in joined:
            width = painter.fontMetrics().horizontalAdvance(self._names[channel])
            at = points[channel]
            box = QRectF(at.x() - width / 2 - 1, at.y() - line_px - 2, width + 2, line_px)
            if not any(box.intersects(other) for other in taken):
                taken.append(box)
                self._paint_name(painter, box, self._names[channel])
        painter.setPen(QColor(theme.quiet))
        shown = tr("{n} of {total} pairs", n=len(edges.pairs), total=edges.n_possible)
        if not len(edges.pairs):
            shown = tr("no pair of {total} differs significantly", total=edges.n_possible)
        painter.drawText(QRectF(rect.left(), rect.top(), rect.width(), line_px), 0, shown)
        paint_scale(
            painter,
            QRectF(rect.right() - 48, head.centre.y() - 0.7 * head.radius, 8, 1.4 * head.radius),
            low,
            self._limit,
            signed=self._signed,
            marks=(self._chance,) if self._chance else (),
        )

    def _paint_name(self, painter: QPainter, box: QRectF, name: str) -> None:
        theme = tokens()
        halo = QColor(theme.window)
        halo.setAlpha(170)
        painter.fillRect(box, halo)
        painter.setPen(QColor(theme.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
