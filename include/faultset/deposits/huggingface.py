"""A version as a commit and a tag of a dataset repository of Hugging Face: one of each, however often this is killed.

A repository shows its files under the hashes of their bytes, so that a look tells whether a commit is the version. All
files go in one commit that rests on the one before; where another writer was faster, the Hub refuses it.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from faultset.deposits import archive, notes, plan
from faultset.deposits.errors import ConflictError, UnavailableError, refused, rejected
from faultset.deposits.http import Trouble, after_s, until_done
from faultset.deposits.job import Job
from faultset.deposits.notes import Note
from faultset.errors import AnswerIsNo, SetupError, counted
from faultset.moments import UTC, iso
from faultset.release import number as numbers
from faultset.release.manifest import FileEntry

# Its other way to send large files keeps their chunks in a cache of its own; this one is the same HTTP as all the rest.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.tqdm import disable_progress_bars

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

_KIND = "dataset"
_OWN = frozenset({".gitattributes"})  # the Hub's own file: which of the others are large
_AT_ONCE = 50  # files of which the Hub is told before they are sent
_KEY = "Manifest-SHA256"


@dataclass(kw_only=True)
class Deposit(Job):
    """The deposit of one version in one repository."""

    def __post_init__(self) -> None:
        """Prepare; nothing is asked yet."""
        disable_progress_bars()
        # It logs each address that it asks; those that large files go to are signed, and let anybody write there.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        huggingface_hub.set_client_factory(self._client)
        self.hub = huggingface_hub.HfApi(endpoint=self.access.url, token=self.access.token, library_name="faultset")
        self.repo = f"{self.access.namespace}/{self.version.manifest.slug}"
        self.trouble = Trouble(self.access.url, self.patience)
        self._git: dict[str, str] = {}

    @property
    def tag(self) -> str:
        """The version's tag."""
        return f"v{self.version.manifest.version}"

    def run(self) -> Note:
        """As in ``Job``."""
        done = 0
        for file in self.version.files:
            self.tell(done, self._bytes, f"reading {file.path}")
            self._git[file.path] = archive.git_sha1(self.folder, file)
            done += file.bytes
        return until_done(self._step, self.trouble, ConflictError)

    # --- one look, and what follows from it ---------------------------------------------------------------------------

    def _step(self) -> Note:
        with self._explained():
            self.hub.create_repo(self.repo, repo_type=_KIND, private=self.access.private, exist_ok=True)
        tags = self._tags()
        if self.tag not in tags:
            commit = self._committed() or self._commit(tags)
            self._insist(commit, f"commit {commit[:12]}")
            with self._explained():
                self.hub.create_tag(self.repo, tag=self.tag, revision=commit, repo_type=_KIND, exist_ok=True)
            tags = self._tags()
            if self.tag not in tags:
                raise UnavailableError("it does not show yet what was tagged")
        self._insist(tags[self.tag], f"tag {self.tag}")
        return notes.put(self.store, self.version.manifest.slug, self._note(tags[self.tag]))

    def _tags(self) -> dict[str, str]:
        with self._explained():
            refs = self.hub.list_repo_refs(self.repo, repo_type=_KIND)
        return {ref.name: ref.target_commit for ref in refs.tags}

    def _committed(self) -> str | None:
        """Return the commit that somebody made of this version and was killed before it was tagged."""
        with self._explained():
            commits = self.hub.list_repo_commits(self.repo, repo_type=_KIND)
        marked = [one.commit_id for one in commits if f"{_KEY}: {self.version.manifest_sha256}" in one.message]
        return next((commit for commit in marked if not self._differences(commit)), None)

    def _commit(self, tags: dict[str, str]) -> str:
        """Make the version the newest commit: all of its files, and nothing else."""
        versions = [name.removeprefix("v") for name in tags if numbers.parse(name.removeprefix("v"))]
        answer = plan.may_follow(self.version, versions)
        if not answer.yes:
            remedy = "deposit versions in their order, or only the newest one"
            raise AnswerIsNo(self.version.name, f"{self.access.url}/datasets/{self.repo}: {answer.why}", remedy)
        with self._explained():
            info = self.hub.dataset_info(self.repo)
        head = info.sha
        if head is None:
            raise UnavailableError("it does not show yet what the repository holds")
        additions = self._upload()
        gone = sorted(self._tree(head).keys() - {file.path for file in self.version.files} - _OWN)
        deletions: list[CommitOperationDelete] = [huggingface_hub.CommitOperationDelete(name) for name in gone]
        self.tell(self._bytes, self._bytes, "committing")
        with self._explained():
            made = self.hub.create_commit(
                self.repo,
                [*additions, *deletions],
                commit_message=f"Version {self.version.manifest.version}",
                commit_description=f"{_KEY}: {self.version.manifest_sha256}",
                repo_type=_KIND,
                parent_commit=head,
            )
        return str(made.oid)

    def _upload(self) -> list[CommitOperationAdd]:
        """Send the large files; the small ones travel in the commit itself."""
        additions = [
            huggingface_hub.CommitOperationAdd(file.path, self.folder / file.path) for file in self.version.files
        ]
        sizes = {file.path: file.bytes for file in self.version.files}
        done = 0
        for start in range(0, len(additions), _AT_ONCE):
            some = additions[start : start + _AT_ONCE]
            self.tell(done, self._bytes, f"sending {some[0].path_in_repo}")
            with self._explained():
                self.hub.preupload_lfs_files(self.repo, some, repo_type=_KIND, num_threads=2, free_memory=False)
            self.trouble.over(change=True)
            done += sum(sizes[one.path_in_repo] for one in some)
        return additions

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def _bytes(self) -> int:
        return sum(file.bytes for file in self.version.files)

    def _tree(self, commit: str) -> dict[str, tuple[int, str]]:
        """Return path -> size and hash of the files of a commit: sha256 of large ones, git's name of small ones."""
        with self._explained():
            found = list(self.hub.list_repo_tree(self.repo, recursive=True, revision=commit, repo_type=_KIND))
        files = [one for one in found if isinstance(one, huggingface_hub.hf_api.RepoFile)]
        return {one.path: (one.size, one.lfs.sha256 if one.lfs else one.blob_id) for one in files}

    def _differences(self, commit: str) -> set[str]:
        """Return the paths of files that are not in a commit as they are here, or not here."""
        there = self._tree(commit)
        wanted = {file.path: file for file in self.version.files}
        differing = {path for path, file in wanted.items() if path not in there or not self._same(file, there[path])}
        return differing | (there.keys() - wanted.keys() - _OWN)

    def _same(self, file: FileEntry, there: tuple[int, str]) -> bool:
        size, digest = there
        return size == file.bytes and digest in {file.sha256, self._git[file.path]}

    def _insist(self, commit: str, what: str) -> None:
        wrong = self._differences(commit)
        if wrong:
            where = f"{self.access.url}/datasets/{self.repo}"
            problem = f"{what} of {where} differs from it in {counted(len(wrong), 'file')}, such as {min(wrong)}"
            remedy = "a tag is never moved here: see who made it there, and remove it there if it is wrong"
            raise AnswerIsNo(self.version.name, problem, remedy)

    def _note(self, commit: str) -> Note:
        return Note(
            to=self.access.to,
            at=self.access.url,
            version=self.version.manifest.version,
            manifest_sha256=self.version.manifest_sha256,
            id=commit,
            state="published",
            url=f"{self.access.url}/datasets/{self.repo}/tree/{self.tag}",
            deposited_at=iso(dt.datetime.now(UTC)),
        )

    # --- the library's client and its errors --------------------------------------------------------------------------

    def _client(self) -> httpx2.Client:
        """Return what the library sends its requests with; its own waits for ever."""
        timeout = httpx2.Timeout(self.patience.answer_s, connect=min(30.0, self.patience.answer_s))
        return httpx2.Client(follow_redirects=True, timeout=timeout)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the library raises into one of a few errors; its own texts hold addresses that are signed."""
        try:
            yield
        except (HfHubHTTPError, httpx2.TransportError, RuntimeError, ValueError) as error:
            self._explain(error)

    def _explain(self, error: Exception) -> NoReturn:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, HfHubHTTPError | httpx2.TransportError):
            cause = cause.__cause__
        if isinstance(cause, httpx2.TransportError):
            raise UnavailableError(f"it does not answer ({type(cause).__name__})") from None
        if cause is None:
            raise self._without_answer(error) from None
        status = cause.response.status_code
        if status in (401, 403):
            raise refused(self.access.url) from None
        if status in (409, 412):
            raise ConflictError from None
        if status == 429 or status >= 500:
            after = after_s(cause.response.headers.get("retry-after"))
            raise UnavailableError(f"it cannot now (status {status})", after) from None
        raise rejected(self.access.url, cause.server_message or f"status {status}") from error

    def _without_answer(self, error: Exception) -> Exception:
        if isinstance(error, ValueError) and "README.md" in str(error):
            return rejected(self.access.url, str(error))
        if isinstance(error, ValueError) and "LFS batch" in str(error):
            return rejected(self.access.url, str(error))
        return SetupError(self.access.url, "its answer is not that of Hugging Face", "check its address")
