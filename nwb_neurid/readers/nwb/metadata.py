"""Metadata of an NWB file: single texts, the subject, the session."""

from nwb_neurid.readers.nwb.contents import Group


def text(group: Group, path: str) -> str:
    """Return the text at a path, or "" if there is none."""
    dataset = group.dataset(path)
    return str(dataset.texts()).strip() if dataset is not None and dataset.is_text and dataset.shape == () else ""


def subject_id(file: Group) -> str:
    """Return the id of the subject, or "" if the file does not state it."""
    return text(file, "general/subject/subject_id")


def session_id(file: Group) -> str:
    """Return the id of the session, or otherwise the identifier of the file."""
    return text(file, "general/session_id") or text(file, "identifier")
