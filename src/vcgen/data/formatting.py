"""Format numbers, money and durations for people, the same way in every summary and page."""

SPACE = "\u00a0"  # at which no line breaks


def money(dollars: float | None) -> str:
    """US dollars, to the cent from one dollar on and more precisely below; None is unknown."""
    if dollars is None:
        return "unknown"
    return f"${dollars:,.4f}" if 0 < dollars < 1 else f"${dollars:,.2f}"


def duration(seconds: float) -> str:
    """Seconds with a decimal below two minutes, then minutes, then hours and minutes."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def percent(part: float, whole: float) -> str:
    """Per cent, with a decimal near 0 and 100; only nothing is 0, and only all is 100."""
    value = 100 * part / whole
    if 0 < value < 10 or 99 < value < 100:
        return f"{min(max(value, 0.1), 99.9):.1f}{SPACE}%"
    return f"{value:.0f}{SPACE}%"


def short(number: float) -> str:
    """Three digits and a letter for the size."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            text = f"{number / size:.3g}{SPACE}{letter}"
            # Rounding must not give 1000 thousands.
            return text if number < 999.5 * size else f"{number:,.0f}"
    return f"{number:.3g}"
