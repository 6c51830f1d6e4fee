"""A thousand experiments, each mutated somewhere: read, or refused in one line, and nothing else.

``FAULTSET_FUZZ_CASES`` and ``FAULTSET_FUZZ_SEED`` ask for more, or for others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzz import Fuzzer

CASES = int(os.environ.get("FAULTSET_FUZZ_CASES", "1000"))
SEED = int(os.environ.get("FAULTSET_FUZZ_SEED", "1"))
PARTS = 10


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(SEED, tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutated_input_is_read_or_refused_in_one_line(part: int, fuzzer: Fuzzer):
    for number in range(part, CASES, PARTS):
        fuzzer.run(number)
    fuzzer.check_surroundings()
