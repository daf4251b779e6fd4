"""The HTML templates of reports."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_templates() -> Environment:
    """The templates, with the filter `percent`."""
    environment = Environment(
        loader=PackageLoader("ser_images.train.analysis", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["percent"] = lambda value: "" if value is None else f"{value:.1%}"
    return environment
