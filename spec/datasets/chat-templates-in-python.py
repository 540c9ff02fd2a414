"""Renders conversations by templates as Hugging Face's transformers does: python THIS < {templates, conversations} > texts."""

import json
import sys

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


def raise_exception(message: str) -> None:
    raise TemplateError(message)


asked = json.load(sys.stdin)
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
environment.globals["raise_exception"] = raise_exception
rendered = []
for template in asked["templates"]:
    compiled = environment.from_string(template)
    for messages in asked["conversations"]:
        try:
            text = compiled.render(
                messages=messages, add_generation_prompt=False, bos_token="<s>", eos_token="</s>"
            )
        except TemplateError:
            text = None
        rendered.append(text)
json.dump(rendered, sys.stdout)
