"""A picture that fits the width of its place, and can be scrolled: a page, a trend.

A page is decoded in a thread: that takes as long as three frames of the traces.
"""

import threading

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QWidget

from bci_app.theme import STEP_PX

__all__ = ["PaperView"]

_WIDEST_PX = 900


class PaperView(QScrollArea):
    """Shows a picture, or why there is none yet."""

    #: A `QImage`, what is to be said of it, and the number of the wish for it.
    _decoded = Signal(QImage, str, int)

    def __init__(self, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self._pixmap = QPixmap()
        self._wish = 0
        self._png: bytes | None = None
        self._decoded.connect(self._show, Qt.ConnectionType.QueuedConnection)
        self._label = QLabel()
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setWordWrap(True)
        self._label.setMargin(STEP_PX)
        self.setWidget(self._label)
        self.setWidgetResizable(True)
        self.show_picture(None)

    @property
    def shows(self) -> bool:
        """Whether there is a picture."""
        return not self._pixmap.isNull()

    def show_picture(self, png: bytes | None, said: str = "") -> None:
        """Show a picture, with what a screen reader is to say; None: the hint."""
        if png is not None and png is self._png:
            return
        self._wish += 1
        self._png = png
        if png is None:
            self._show(QImage(), said, self._wish)
            return
        work = threading.Thread(target=self._decode, args=(png, said, self._wish), name="picture")
        work.start()

    def _decode(self, png: bytes, said: str, wish: int) -> None:
        image = QImage.fromData(png)
        try:
            self._decoded.emit(image, said, wish)
        except RuntimeError:  # the widget is gone already
            return

    def _show(self, image: QImage, said: str, wish: int) -> None:
        if wish != self._wish:
            return
        self._pixmap = QPixmap.fromImage(image)
        self._label.setAccessibleName(said or self._hint)
        self._label.setProperty("role", "" if self.shows else "quiet")
        self._label.style().unpolish(self._label)
        self._label.style().polish(self._label)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Fit the picture anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self.shows:
            self._label.setText(self._hint)
            return
        ratio = self.devicePixelRatioF()
        bar = self.verticalScrollBar().sizeHint().width()
        width = min(self.width() - bar - 4 * STEP_PX, _WIDEST_PX)
        size = QSize(round(width * ratio), round(self._pixmap.height() * ratio * 4))
        fitted = self._pixmap.scaled(
            size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        fitted.setDevicePixelRatio(ratio)
        self._label.setPixmap(fitted)
