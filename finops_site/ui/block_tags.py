"""Block tags: a template tag that draws a frame (a card, a figure, a table that scrolls) around what it encloses.

{% card "By team" text="Billed cost, October" body="flush" id="teams" css="wide" %}
    <a class="btn" href="...">All teams</a>      (optional: what stands in the head, up to {% cardbody %})
{% cardbody %}
    <table>...</table>
{% endcard %}
"""

from collections.abc import Sequence
from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.library import parse_bits
from django.utils.safestring import mark_safe


class FrameNode(template.Node):
    """Renders `template_name` with the tag's arguments, `content`, and `head` or `foot` for what the divider parts."""

    child_nodelists = ("first", "second")

    def __init__(
        self,
        template_name: str,
        names: tuple[str, str],
        parts: tuple[NodeList, NodeList],
        arguments: dict[str, FilterExpression],
    ) -> None:
        self.template_name = template_name
        self.names = names
        self.first, self.second = parts
        self.arguments = arguments

    def render(self, context: template.Context) -> str:
        values: dict[str, Any] = {name: value.resolve(context) for name, value in self.arguments.items()}
        values[self.names[0]] = mark_safe(self.first.render(context).strip())
        values[self.names[1]] = mark_safe(self.second.render(context).strip())
        return context.template.engine.get_template(self.template_name).render(context.new(values)).strip()  # type: ignore[union-attr]


def register_frame(
    register: template.Library,
    name: str,
    template_name: str,
    *,
    positional: Sequence[str],
    optional: Sequence[str] = (),
    divider: str = "",
    before_divider: str = "head",
    after_divider: str = "content",
) -> None:
    """Registers ``{% name ... %}...{% endname %}``; the first positional argument is required, the others are not.

    With a `divider` the part before it and the part after it go to the template under two names. A tag without the
    divider inside has its whole content under the name `content`.
    """

    def compile_tag(parser: Parser, token: Token) -> FrameNode:
        bits = token.split_contents()[1:]
        args, kwargs = parse_bits(  # type: ignore[call-arg]
            parser,
            bits,
            [*positional],
            None,
            None,
            ("",) * (len(positional) - 1) or None,
            [*optional],
            dict.fromkeys(optional, ""),  # type: ignore[arg-type]
            False,  # type: ignore[arg-type]
            name,
        )
        first = parser.parse((divider, f"end{name}") if divider else (f"end{name}",))
        second = NodeList()
        if parser.next_token().contents == divider:
            second = parser.parse((f"end{name}",))
            parser.delete_first_token()
        elif before_divider != "content":
            first, second = second, first
        arguments = dict(zip(positional, args, strict=False)) | kwargs
        return FrameNode(template_name, (before_divider, after_divider), (first, second), arguments)

    register.tag(name, compile_tag)
