"""Files are replaced whole or not at all, and named safely after any text."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from broker import atomic_write
from broker.file_writing import MAX_BYTES, file_name, missing_folders, writing_obstacle


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A file that is there, in a folder in which nothing else may be left when the test is over."""
    path = tmp_path / "street.yaml"
    path.write_text("old", encoding="utf-8")
    yield path
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_finds_the_old_content_until_the_new_content_is_complete(file: Path) -> None:
    """The old content stays under the name until the block ends."""
    with atomic_write(file) as draft:
        draft.write_text("half of the new", encoding="utf-8")
        assert file.read_text(encoding="utf-8") == "old"
        draft.write_text("new", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_is_not_replaced(name: str) -> None:
    """An empty path is the present folder; its name could not be that of a draft."""
    with pytest.raises(IsADirectoryError), atomic_write(Path(name)):
        pass


def test_a_new_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """A file that did not exist has no name before it is complete."""
    path = tmp_path / "new.csv"
    with atomic_write(path) as draft:
        draft.write_text("a,b\n", encoding="utf-8")
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), asyncio.CancelledError(), ValueError("bad")])
def test_an_error_an_interrupt_and_a_cancellation_leave_the_old_file_and_no_draft(
    file: Path, error: BaseException
) -> None:
    """However the block ends early, the file is unchanged."""

    def write_half() -> None:
        with atomic_write(file) as draft:
            draft.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert file.read_text(encoding="utf-8") == "old"


def test_a_folder_of_that_name_is_refused_and_no_draft_is_left(tmp_path: Path) -> None:
    """The move fails, and the draft goes."""
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(OSError, match="out"), atomic_write(folder) as draft:
        draft.write_text("new", encoding="utf-8")
    assert list(tmp_path.iterdir()) == [folder]


def test_two_writers_of_one_file_do_not_disturb_each_other(file: Path) -> None:
    """Each has its own draft; the last one to finish wins."""
    with atomic_write(file) as one, atomic_write(file) as other:
        one.write_text("one", encoding="utf-8")
        other.write_text("other", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "one"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(file: Path, mode: int) -> None:
    """A file that a group may write stays so; one that is private stays so, too."""
    file.chmod(mode)
    with atomic_write(file) as draft:
        draft.write_text("new", encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_new_file_has_the_permissions_that_any_new_file_has(tmp_path: Path) -> None:
    """The umask of the process decides."""
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new") as draft:
            draft.write_text("new", encoding="utf-8")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_secret_is_never_readable_by_others_not_even_as_a_draft(file: Path) -> None:
    """The mode holds from the first moment, and for a file that was open to all."""
    file.chmod(0o644)
    with atomic_write(file, mode=0o600) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        draft.write_text("secret", encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("street", "street"),
        ("run-1.b", "run-1.b"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".hidden", "%2Ehidden"),
        ("a.", "a%2E"),
        ("CON", "%43ON"),
        ("nul.yaml", "%6Eul.yaml"),
        ("com1", "%63om1"),
        ("console", "console"),
        ("a\nb", "a%0Ab"),
        ("C:\\x", "C%3A%5Cx"),
        ("M\u00fcller", "M%C3%BCller"),
        ("", "%"),
    ],
)
def test_names_of_texts(text: str, name: str) -> None:
    """Plain words stay; what would be a folder, hidden, a device or unreadable does not."""
    assert file_name(text) == name


@pytest.mark.filterwarnings("ignore:pathlib.PurePath.is_reserved:DeprecationWarning")  # its successor needs Python 3.13
@given(st.text(st.characters()))
def test_every_text_has_one_short_name(text: str) -> None:
    """A single part of a path, on any system, of bounded length."""
    name = file_name(text)
    assert Path(name).name == PureWindowsPath(name).name == name
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert not PureWindowsPath(name).is_reserved()


@given(st.text(), st.text())
def test_different_texts_have_different_names(one: str, other: str) -> None:
    """No run writes into another's file."""
    assert (file_name(one) == file_name(other)) == (one == other)


@given(st.text(max_size=20))
def test_short_names_can_be_read_back(text: str) -> None:
    """Percent-decoding restores them."""
    assert unquote(file_name(text), errors="surrogatepass") == text or not text


def test_long_texts_keep_their_beginning() -> None:
    """They end in a hash of the whole text."""
    one, other = file_name("x" * 300), file_name("x" * 301)
    assert one != other
    assert len(one) == MAX_BYTES
    assert one.startswith("xxx")


def test_parts_without_dots_can_be_joined_by_dots() -> None:
    """`a.b` and `c` never give the name of `a` and `b.c`."""
    assert file_name("a.b", dots=False) == "a%2Eb"


def test_what_is_in_the_way_of_a_file_is_known_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of hours should not end with it."""
    (tmp_path / "file").touch()
    assert writing_obstacle(tmp_path / "file") == writing_obstacle(tmp_path / "new" / "deep" / "file") == ""
    assert writing_obstacle(tmp_path) == "it is a folder, a file is expected"
    assert writing_obstacle(tmp_path / ("x" * 300)) == "File name too long"
    assert writing_obstacle(tmp_path / "file" / "deep" / "x") == f"{tmp_path / 'file'} is a file, a folder is expected"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, for whom every folder is writable
    assert writing_obstacle(Path("new/x")) == f"the folder {tmp_path} is not writable"


def test_missing_folders_are_removed_again_if_the_file_is_not_written(tmp_path: Path) -> None:
    """Only those that were made for it."""
    (tmp_path / "old").mkdir()
    path = tmp_path / "old" / "new" / "deep" / "x"
    with pytest.raises(IsADirectoryError), missing_folders(path):
        path.parent.write_text("it was made for the block")
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]
    with missing_folders(tmp_path / "old" / "new" / "x"):
        pass
    assert (tmp_path / "old" / "new").is_dir()
