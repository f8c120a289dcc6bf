"""The pages of the reference, which are generated from the code."""

from website.reference.errors import errors_page
from website.reference.http_api import http_api_page
from website.reference.python_api import python_api_page
from website.reference.settings import settings_page
from website.reference.tools import tools_page

GENERATED = {
    "settings": settings_page,
    "tools": tools_page,
    "errors": errors_page,
    "http-api": http_api_page,
    "python-api": python_api_page,
}
"""The functions that write the Markdown of each page, by its name."""
