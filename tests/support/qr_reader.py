"""Reads a QR code from a picture, as a phone's camera does: jsQR on a canvas of a page of its own."""

import base64
from pathlib import Path

from playwright.async_api import Browser

SCRIPT = Path(__file__).parents[1] / "node" / "node_modules" / "jsqr" / "dist" / "jsQR.js"
READ = """async (png) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${png}`;
    await picture.decode();
    const { width, height } = picture;
    const pen = new OffscreenCanvas(width, height).getContext("2d");
    pen.drawImage(picture, 0, 0);
    return jsQR(pen.getImageData(0, 0, width, height).data, width, height)?.data ?? null;
}"""


async def text_of_qr_code(browser: Browser, png: bytes) -> str | None:
    """Return what the code in the picture says; None where there is none that can be read."""
    assert SCRIPT.is_file(), "run `make node-packages` first"
    page = await browser.new_page()
    try:
        await page.add_script_tag(path=SCRIPT)
        text: str | None = await page.evaluate(READ, base64.b64encode(png).decode())
    finally:
        await page.close()
    return text
