"""The arguments that Chromium is started with."""

ARGUMENTS = ("--no-sandbox",)  # a container's root has no other way; nothing but our own pages is opened
# For the address bar of each window Chromium loads two pages of its own: two thirds of a new window's processor time.
_ADDRESS_BAR = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
_STORAGE_BLOCKING = ("TrackingProtection3pcd", "ForceThirdPartyCookieBlocking")


def whole_arguments(*, storage_allowed: bool = False) -> list[str]:
    """For Chromium with its windows. Debian's lets a frame of another site store nothing, unless `storage_allowed`."""
    disabled = (*_ADDRESS_BAR, *(_STORAGE_BLOCKING if storage_allowed else ()))
    return [*ARGUMENTS, "--disable-features=" + ",".join(disabled)]  # once: of several, Chromium reads the last
