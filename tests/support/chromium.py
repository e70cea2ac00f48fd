"""The arguments that Chromium is started with."""

ARGUMENTS = ("--no-sandbox",)  # a container's root has no other way; nothing but our own pages is opened
# For the address bar of each window Chromium loads two pages of its own: two thirds of a new window's processor time.
_ADDRESS_BAR = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
_BLOCKING = ("TrackingProtection3pcd", "ForceThirdPartyCookieBlocking")
_PARTITIONS = ("ThirdPartyStoragePartitioning",)  # would give such a frame a store of its own


def whole_arguments(*, storage_allowed: bool = False) -> list[str]:
    """For Chromium with its windows. Debian's lets a frame of another site store nothing, unless `storage_allowed`."""
    disabled = (*_ADDRESS_BAR, *(_BLOCKING if storage_allowed else _PARTITIONS))
    return [*ARGUMENTS, "--disable-features=" + ",".join(disabled)]  # once: of several, Chromium reads the last
