"""The prompts that this installation uses."""

from __future__ import annotations

from pathlib import Path

from agent.settings import Settings
from prompts.library import PromptLibrary
from prompts.prompt import PromptError
from retrieval.errors import InvalidInput


def own_folder(settings: Settings) -> Path:
    """Where the operator's own prompts are; the default place need not exist.

    Raises:
        InvalidInput: the settings name a folder that does not exist.
    """
    folder = settings.prompts_folder
    if settings.prompts.folder and not folder.is_dir():
        raise InvalidInput(
            f"setting prompts.folder = {str(folder)!r}: there is no such folder",
            "make it, or leave the setting empty",
        )
    return folder


def open_prompts(settings: Settings) -> PromptLibrary:
    """The shipped prompts and the operator's own, everything in production ready to use.

    Raises:
        InvalidInput: names the file that is not valid, or the version in production that is
            gone or was edited.
    """
    folder = own_folder(settings)
    try:
        library = PromptLibrary(folder)
        for name in library.names():
            library.resolve(name)
    except PromptError as error:
        raise InvalidInput(
            str(error), f"your own prompts are in {folder}; see docs/prompts.md"
        ) from error
    return library
