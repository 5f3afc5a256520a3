"""What an NWB file says of itself: single texts, the subject, the session."""

from nwb_neurid.readers.nwb.contents import Group


def text(group: Group, path: str) -> str:
    """The text at this path; "" where there is none."""
    dataset = group.dataset(path)
    return str(dataset.texts()).strip() if dataset is not None and dataset.is_text and dataset.shape == () else ""


def subject_id(file: Group) -> str:
    """Who was recorded; "" where the file does not say."""
    return text(file, "general/subject/subject_id")


def session_id(file: Group) -> str:
    """What the session is called, or else the file."""
    return text(file, "general/session_id") or text(file, "identifier")
