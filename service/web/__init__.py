"""The doors: one file per audience. `api` host backends, `pages` people, `hooks` the provider, `probes` operation."""
