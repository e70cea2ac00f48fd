"""Drivers of the engines that the browser tests walk through beside Playwright's Chromium: Firefox and WebKitGTK.

One interface (`driven_browser`), and one module for each engine; what a person does is in `engine_user`. Selenium would
do the same, but needs geckodriver, which distributions lack: Firefox is driven by Marionette, as geckodriver drives it.
"""
