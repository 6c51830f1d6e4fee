"""What a hook's scripts order: which nodes, which containers and services, which actions, how often.

The scripts are read, never executed. A tree of commands is walked with the variables that the text itself sets; loops
are unrolled, ``ssh`` moves to another node, and a script that is piped, redirected or named is followed. Whatever the
text does not tell (a branch, an endless loop, a name that comes from elsewhere) is counted once or left out, and a
note says so.
"""

from __future__ import annotations

from faultset.records.scripts import HookScripts
from faultset.sources.kit.redaction import redact
from faultset.sources.scripts.library import LARGEST_SCRIPT, ScriptLibrary, read_library
from faultset.sources.scripts.shell_syntax import parse
from faultset.sources.scripts.walk import Walk

__all__ = ["ScriptLibrary", "orders", "read_library"]


def orders(command: str, library: ScriptLibrary) -> HookScripts | None:
    """Return what the hook's ``command`` orders, by itself and by the scripts it names.

    A script that the command names and the library lacks is taken to be the library's entry script, where it has
    exactly one that no other script names; a note says so.

    Returns:
        What was read: no actions and nothing unread for a command that only looks. None where there is nothing to read:
        no command, or one that names a script of which there is none.
    """
    if len(command) > LARGEST_SCRIPT:
        return None
    program = parse(redact(command.replace("\x00", " ")))
    if not program.body:
        return None
    walk = Walk(library)
    walk.start(program)
    if not walk.said_something and walk.missing:
        entries = library.entries()
        if not library.scripts:
            return None
        if len(entries) == 1:
            walk = Walk(library, stand_in=entries[0])
            walk.start(program)
    return walk.ledger.result(() if walk.said_something else walk.missing)
