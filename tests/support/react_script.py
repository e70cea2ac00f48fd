"""React's development build as one script for a page: `React` and `createRoot`, without a bundler.

The development build is the one whose StrictMode mounts, unmounts and mounts again.
"""

import json
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "node" / "node_modules"
MODULES = {
    "react": "react/cjs/react.development.js",
    "react-dom": "react-dom/cjs/react-dom.development.js",
    "react-dom/client": "react-dom/cjs/react-dom-client.development.js",
    "scheduler": "scheduler/cjs/scheduler.development.js",
}
LOADER = """
    const made = {};
    const require = (name) => {
      if (!made[name]) modules[name]((made[name] = { exports: {} }), made[name].exports, require, { env: {} });
      return made[name].exports;
    };
    Object.assign(window, { React: require("react"), createRoot: require("react-dom/client").createRoot });
"""


def react_script() -> str:
    """The script. Each file gets what it expects of a module in Node."""
    assert PACKAGES.is_dir(), "run `make node-packages` first"
    wrapped = [
        f"{json.dumps(name)}: (module, exports, require, process) => {{\n{(PACKAGES / path).read_text()}\n}}"
        for name, path in MODULES.items()
    ]
    return f"(() => {{ const modules = {{\n{','.join(wrapped)}\n}};\n{LOADER}\n}})();"
