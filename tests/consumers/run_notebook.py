"""Runs a notebook that is kept as text (cells begin with ``# %%``) in a kernel, and writes it with its outputs."""

import base64
import json
import re
import sys
from pathlib import Path

import nbclient
import nbformat
from nbformat import v4


def cells(text):
    """Return the notebook's cells; a cell of words has ``# `` before each line."""
    found = []
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        kind, _, body = part.partition("\n")
        body = body.strip("\n")
        if "[markdown]" in kind:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.splitlines()]
            found.append(v4.new_markdown_cell("\n".join(lines)))
        else:
            found.append(v4.new_code_cell(body))
    for number, cell in enumerate(found):
        cell["id"] = f"cell-{number}"
    return found


def main(source, target, figures):
    notebook = v4.new_notebook(cells=cells(source.read_text()))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False).execute()
    nbformat.write(notebook, target)
    shown, pictures = [], 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                pictures += 1
                (figures / f"{pictures}.png").write_bytes(base64.b64decode(data["image/png"]))
            elif "text/plain" in data:
                shown.append(data["text/plain"])
    print(json.dumps({"shown": shown, "pictures": pictures}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
